"""The registrant's side: state something about a picture, see what became of it, take it back.

    from consent_client.registrant import Registrant, refusal
    from consent_client.fingerprints.images import available_spaces, registration_fingerprints

    with Registrant("https://registry.example") as registrant:
        registrant.ensure_phrase()          # write it down: without it nothing can be withdrawn
        made = registration_fingerprints("portrait.jpg", available_spaces())
        record = registrant.protect(made.fingerprints, refusal(), label="portrait")
        registrant.withdraw(record)

Everything is written to the state folder before it is sent. Call any method again after a crash:
what was sent is sent again byte for byte, and the registry answers as it did.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from consent_client.errors import (
    LogShortened,
    ProtocolError,
    RecordsLost,
    RegistryProblem,
    StateError,
    WrongAnswer,
)
from consent_client.meeting import Meeting, meet
from consent_client.operations import (
    OwnRecord,
    RecordStatus,
    Registration,
    Withdrawal,
    challenge,
    inclusion_proof,
    own_record,
    register,
    withdraw,
)
from consent_client.own_log import (
    FIRST_WINDOW,
    Followed,
    Owned,
    find_owned,
    follow,
    log_entries,
    window_suffices,
)
from consent_client.proof_of_work import solve
from consent_client.protocol.fingerprints import Fingerprints, image_digest
from consent_client.protocol.keys import derive_owner
from consent_client.protocol.receipts import Receipt
from consent_client.protocol.records import (
    RegistrationRequest,
    build_registration,
    commitment,
    read_message,
)
from consent_client.protocol.sealing import usable_key
from consent_client.protocol.statements import Stance, Statement, Use, today
from consent_client.proven import receipt_of
from consent_client.saved_records import (
    MAX_LABEL_CHARACTERS,
    SavedRecord,
    Stage,
    keep_list,
    kept_fingerprints,
)
from consent_client.state import PinnedRegistry, State, default_state_folder
from consent_client.transport import DEFAULT_PATIENCE, Connection, Patience, Waiting
from consent_client.withdrawals import SignedWithdrawal, sign_withdrawal

MAX_ATTEMPTS: Final = 5
"""How often one record is sealed anew, given another number or another proof of work in one send.
Each happens once at most with an honest registry."""

FOLLOW_AGAIN_SECONDS: Final = 60.0
"""For so long, what the log said of a record is taken to hold when its picture comes again."""

_NEVER_TAKEN: Final = frozenset(
    {
        "CONFLICT",
        "INVALID_INPUT",
        "SEALING_KEY_EXPIRED",
        "SEALING_KEY_UNKNOWN",
        "SEAL_REJECTED",
        "SIGNATURE_REJECTED",
        "TOO_GENERIC",
    }
)
"""Refusals of a registration that hold for its bytes for ever."""

_SEAL_AGAIN: Final = frozenset({"SEALING_KEY_EXPIRED", "SEALING_KEY_UNKNOWN"})


def refusal() -> Statement:
    """The default statement: none of the four uses is allowed, by the person in the picture."""
    return Statement.of(dict.fromkeys(Use, Stance.NOT_ALLOWED))


class Registrant:
    """One person's dealings with one registry, from this device.

    Args:
        address: the registry's address.
        state: the state folder; None: `CONSENT_STATE`, or one in the user's data folder.
        registry_key: note vkey the registry must show; None: the one pinned, or at first use
            whatever it shows.
        insecure_http: take plain http to other machines too.
        patience: how long to keep trying.
        on_wait: told before each wait.
        on_work: told the attempts made so far at a proof of work.
        clock: seconds since the epoch.

    Raises:
        StateError: the state folder is not usable.
        TransportError: a bad address. InsecureRegistry: plain http to another machine.
    """

    def __init__(
        self,
        address: str,
        *,
        state: State | Path | None = None,
        registry_key: str | None = None,
        insecure_http: bool = False,
        patience: Patience = DEFAULT_PATIENCE,
        on_wait: Callable[[Waiting], None] | None = None,
        on_work: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        folder = default_state_folder() if state is None else state
        self.state = folder if isinstance(folder, State) else State(folder)
        self._given_key = registry_key
        self._on_work = on_work
        self._followed_at = float("-inf")
        self._clock = clock
        self._meeting: Meeting | None = None
        self._connection = Connection(
            address, insecure_http=insecure_http, patience=patience, on_wait=on_wait
        )

    # Meeting the registry

    def meet(self) -> Meeting:
        """Asks the registry who it is, once, and pins its key at first use.

        Raises:
            RegistryKeyChanged: another key or name than the one pinned or given.
            BadNote: its sealing keys are not signed by that key.
            StateError, RegistryProblem, TransportError.
        """
        if self._meeting is None:
            self._meeting = meet(self._connection, self.state, self._given_key)
        return self._meeting

    @property
    def origin(self) -> str:
        """The registry's name."""
        return self.meet().info.origin

    # The phrase

    def ensure_phrase(self) -> bool:
        """Makes a recovery phrase where there is none; whether it did."""
        with self.state.locked():
            if self.state.has_phrase():
                self.state.seed()
                return False
            self.state.create_phrase()
            return True

    # Registering

    def save(
        self,
        fingerprints: Fingerprints,
        statement: Statement,
        *,
        label: str = "",
        send_after: float = 0.0,
    ) -> SavedRecord:
        """Seals a record and writes it down; nothing of it is sent.

        An active record of the same picture with the same statement is returned instead.

        Args:
            fingerprints: as `registration_fingerprints` makes them.
            statement: what is stated.
            label: what the person calls it; it stays on this device.
            send_after: seconds since the epoch before which it should not be sent.

        Raises:
            NoPhrase: there is no recovery phrase yet.
            ProtocolError: the fingerprints do not follow FORMATS.
            StateError, RegistryProblem, TransportError.
        """
        digest = image_digest(fingerprints)
        same = self._same(digest, statement)
        if same is not None and same.stage is Stage.REGISTERED:
            self._follow_lately()  # it may have ended since, or have been lost
        with self.state.locked():
            seed = self.state.seed()
            same = self._same(digest, statement)
            if same is not None:
                return same
            return self._save_new(seed, fingerprints, statement, label, send_after)

    def _same(self, digest: bytes, statement: Statement) -> SavedRecord | None:
        for record in self.state.records(self.origin):
            made_of = {record.image_digest, record.asked_digest}
            if record.active and record.statement == statement and digest in made_of:
                return record
        return None

    def _follow_lately(self) -> None:
        if self._clock() - self._followed_at < FOLLOW_AGAIN_SECONDS:
            return
        # Lost records are marked as such: what was asked for is then registered anew.
        with contextlib.suppress(LogShortened, RecordsLost):
            self.follow()

    def _save_new(
        self,
        seed: bytes,
        fingerprints: Fingerprints,
        statement: Statement,
        label: str,
        send_after: float,
    ) -> SavedRecord:
        index = self.state.take_index(self.origin)
        return self._save_as(index, seed, fingerprints, statement, label, send_after)

    def _save_as(
        self,
        index: int,
        seed: bytes,
        fingerprints: Fingerprints,
        statement: Statement,
        label: str,
        send_after: float,
    ) -> SavedRecord:
        record = SavedRecord(
            origin=self.origin,
            index=index,
            label=label[:MAX_LABEL_CHARACTERS],
            opening=derive_owner(seed, self.origin, index).opening,
            image_digest=image_digest(fingerprints),
            statement=statement,
            owner_public_key=derive_owner(seed, self.origin, index).public,
            commitment=b"",
            stage=Stage.WAITING,
            kept_list=keep_list(seed, self.origin, index, fingerprints),
            send_after=send_after,
        )
        request = self._request(seed, record, fingerprints)
        record = replace(record, request=request, commitment=request.commitment)
        self.state.save_record(record)
        return record

    def _request(
        self, seed: bytes, record: SavedRecord, fingerprints: Fingerprints
    ) -> RegistrationRequest:
        if record.statement is None:
            raise StateError(f"record {record.index} holds no statement")
        owner = derive_owner(seed, record.origin, record.index)
        key = usable_key(self.meet().sealing_keys, today(self._clock()))
        return build_registration(owner, record.origin, record.statement, fingerprints, key)

    def send(self, record: SavedRecord) -> SavedRecord:
        """Sends a saved record until it is registered; one that is already is returned as it is.

        Returns:
            The record as it is now, maybe under another number: where another device with the same
            phrase had taken its number, it gets the next free one.

        Raises:
            RegistryProblem: the registry refuses it; where the code is `TOO_GENERIC`, it takes
                what `leave_out` leaves. TransportError, StateError.
        """
        current = record
        for _ in range(MAX_ATTEMPTS):
            with self.state.locked():
                current = self._current(current)
            if not current.unanswered:
                return current
            current = self._send_once(current)
        raise WrongAnswer("the registry keeps asking for the record in another form")

    def _send_once(self, record: SavedRecord) -> SavedRecord:
        """One try. Without the lock while it waits: what else this person wants can not wait."""
        request = _request_of(record)
        proof = self._proof(request)
        with self.state.locked():
            current = self._current(record)
            if not current.unanswered or current.request != request:
                return current
            self.state.save_record(replace(current, stage=Stage.SENT))
        try:
            answer = self._register(request, proof)
        except RegistryProblem as problem:
            with self.state.locked():
                current = self._current(record)
                if not current.unanswered or current.request != request:
                    return current
                return self._after_refusal(current, problem)
        receipt = receipt_of(record, answer.proof, self.meet().pinned.verifier_key)
        if receipt.proof.index != answer.register_index:
            raise WrongAnswer("the registry's proof is of another entry")
        with self.state.locked():
            current = self._current(record)
            if current.stage is not Stage.SENT or current.request != request:
                return current  # it was withdrawn meanwhile, by another client on this device
            done = replace(
                current,
                stage=Stage.REGISTERED,
                kept_list=None,
                register_index=answer.register_index,
                status=answer.status,
                protection=answer.protection,
                receipt=receipt.encode(),
            )
            self.state.save_record(done)
            self._see_again_from(answer.register_index)
            return done

    def _proof(self, request: RegistrationRequest) -> str:
        asked = self._connection.run(challenge(request.record_id))
        return solve(asked.proof_of_work, request.record_id, self._on_work)

    def _register(self, request: RegistrationRequest, proof: str) -> Registration:
        answer = self._connection.run(register(request, proof))
        if answer.record_id != request.record_id:
            raise WrongAnswer("the registry answered for another record")
        return answer

    def _after_refusal(self, record: SavedRecord, problem: RegistryProblem) -> SavedRecord:
        if problem.problem_code in _SEAL_AGAIN:
            return self._seal_again(record)
        if problem.problem_code == "CONFLICT":
            return self._renumber(record)
        if problem.problem_code == "PROOF_OF_WORK_REJECTED":
            return record  # it expired on the way: another is solved
        raise problem

    def _seal_again(self, record: SavedRecord) -> SavedRecord:
        """The same r, statement and F, sealed to a current key: the same C."""
        self._meeting = None
        seed = self.state.seed()
        request = self._request(seed, record, kept_fingerprints(seed, record))
        if request.commitment != record.commitment:
            raise StateError(f"the kept fingerprints of record {record.index} are damaged")
        sealed = replace(record, request=request)
        self.state.save_record(sealed)
        return sealed

    def _renumber(self, record: SavedRecord) -> SavedRecord:
        """Its number is in use, from another device with this phrase: take the next free one.

        Which one is written down first: after a kill the picture is not registered twice.
        """
        statement, number = record.statement, record.moved_to
        if statement is None:
            raise StateError(f"record {record.index} holds no statement")
        seed = self.state.seed()
        if number is None:
            self._skip_taken(seed)
            number = self.state.take_index(self.origin)
            self.state.save_record(replace(record, moved_to=number))
        moved = self.state.record(self.origin, number)
        if moved is None:
            made = kept_fingerprints(seed, record)
            moved = self._save_as(number, seed, made, statement, record.label, record.send_after)
            moved = replace(moved, asked_digest=record.asked_digest, left_out=record.left_out)
            self.state.save_record(moved)
        self.state.save_record(
            replace(record, stage=Stage.DROPPED, kept_list=None, moved_to=number)
        )
        return moved

    def _skip_taken(self, seed: bytes) -> None:
        taken = self._find_owned(seed)
        pinned = self._pinned()
        beyond = max((owned.index + 1 for owned in taken), default=0)
        if beyond > pinned.next_index:
            self.state.save_registry(replace(pinned, next_index=beyond))

    def protect(
        self, fingerprints: Fingerprints, statement: Statement, *, label: str = ""
    ) -> SavedRecord:
        """`save` and `send`."""
        return self.send(self.save(fingerprints, statement, label=label))

    def leave_out(self, record: SavedRecord, spaces: Sequence[str]) -> SavedRecord:
        """Seals a record anew without some spaces; nothing is sent.

        It keeps its number: nothing was stored of what the registry refused, and numbers that are
        skipped make records harder to recover.

        Args:
            record: refused as `TOO_GENERIC`.
            spaces: as that refusal names them.

        Raises:
            WrongAnswer: they are not the record's, or nothing would be left of it.
            StateError, RegistryProblem, TransportError.
        """
        with self.state.locked():
            current = self._current(record)
            if not current.unanswered:
                return current
            seed = self.state.seed()
            made = kept_fingerprints(seed, current)
            rest = {name: each for name, each in made.items() if name not in spaces}
            if not rest or not set(spaces) <= set(made) or not spaces:
                raise WrongAnswer("without these spaces nothing of the picture can be registered")
            request = self._request(seed, current, rest)
            less = replace(
                current,
                image_digest=image_digest(rest),
                commitment=request.commitment,
                request=request,
                kept_list=keep_list(seed, self.origin, current.index, rest),
                stage=Stage.WAITING,
                asked_digest=current.asked_digest or current.image_digest,
                left_out=tuple(sorted({*current.left_out, *spaces})),
            )
            self.state.save_record(less)
            return less

    def receipt(self, record: SavedRecord) -> Receipt:
        """The receipt of a registered record: kept here, or else proved by the registry anew.

        It goes on to show, without the registry, that the statement was made by then. Whoever has
        it can test whether a picture is the one it is for: show it to those who may.

        Raises:
            StateError: the record is not registered, or only its ending is known here.
            WrongAnswer: the registry's proof does not hold.
            RegistryProblem, TransportError.
        """
        current = self._current(record)
        if current.receipt is not None:
            return Receipt.parse(current.receipt)
        if current.register_index is None or current.statement is None:
            raise StateError(f"there is no receipt for record {current.index}: see `check`")
        proof = self._connection.run(inclusion_proof(current.register_index))
        receipt = receipt_of(current, proof, self.meet().pinned.verifier_key)
        with self.state.locked():
            self.state.save_record(replace(self._current(record), receipt=receipt.encode()))
        return receipt

    def pending(self) -> list[SavedRecord]:
        """Saved records that the registry has not answered for, the next due first."""
        waiting = [each for each in self.state.records(self.origin) if each.unanswered]
        return sorted(waiting, key=lambda record: (record.send_after, record.index))

    # Looking

    def follow(self) -> list[SavedRecord]:
        """All records here, with what became of them, as the public log says.

        The log is read from where it was read last; the registry is not asked for single records,
        and does not learn which belong together.

        Raises:
            RecordsLost: the log does not hold some of them any more, or something else in their
                place. They are marked as lost, everything else is up to date, and the next call
                does not raise it again.
            LogShortened: likewise entries are gone, but none of ours.
            WrongAnswer: the log can not be read. StateError, RegistryProblem, TransportError.
        """
        with self.state.locked():
            pinned = self._pinned()
            records = {
                record.register_index: record
                for record in self.state.records(self.origin)
                if record.stage is Stage.REGISTERED and record.register_index is not None
            }
        self._followed_at = self._clock()
        if records:
            shortened: LogShortened | None = None
            try:
                found = self._read_log(pinned.seen, records)
            except LogShortened as error:
                shortened = error
                found = self._read_log(0, records)
            with self.state.locked():
                for record in records.values():
                    self._settle(record, found)
                now = self._pinned()
                anew = shortened is not None or bool(found.lost)
                if anew or now.seen == pinned.seen:  # else it is to be read again, from there
                    size = found.size if anew else max(found.size, pinned.seen)
                    self.state.save_registry(replace(now, seen=size))
            if found.lost:
                raise _lost(tuple(sorted(records[at].index for at in found.lost)))
            if shortened is not None:
                raise shortened
        return self.state.records(self.origin)

    def _read_log(self, start: int, records: Mapping[int, SavedRecord]) -> Followed:
        log = log_entries(self._connection, self.meet().info, start)
        return follow(self.origin, log, records)

    def _settle(self, record: SavedRecord, found: Followed) -> None:
        current = self.state.record(record.origin, record.index)
        at = record.register_index
        if current is None or at is None or current.stage is not Stage.REGISTERED:
            return
        if at in found.lost:
            self.state.save_record(replace(current, stage=Stage.LOST))
        elif at in found.ended and current.terminal_index is None:  # the first ending stays
            ending = found.ended[at]
            self.state.save_record(
                replace(current, status=ending.status, terminal_index=ending.index)
            )

    def check(self, record: SavedRecord) -> OwnRecord:
        """Reads a record back from the registry, and checks it against what is kept here.

        Raises:
            WrongAnswer: the registry holds something else.
            StateError, RegistryProblem, TransportError.
        """
        self.state.check_owner(record)
        held = self._read_back(record.index)
        if held.commitment != record.commitment:
            raise WrongAnswer(f"the registry holds something else as record {record.index}")
        with self.state.locked():
            current = self._current(record)
            if held.statement is not None and held.protection != current.protection:
                self.state.save_record(replace(current, protection=held.protection))
        return held

    def _read_back(self, index: int) -> OwnRecord:
        owner = derive_owner(self.state.seed(), self.origin, index)
        nonce = self._connection.run(challenge(owner.record_id)).nonce
        signature = owner.sign(read_message(self.origin, owner.record_id, nonce))
        held = self._connection.run(own_record(owner.record_id, owner.public, nonce, signature))
        if held.record_id != owner.record_id:
            raise WrongAnswer("the registry answered for another record")
        if held.statement is not None and held.image_digest is not None:
            made = commitment(owner.opening, held.statement, held.image_digest)
            if made != held.commitment:
                raise WrongAnswer(f"what the registry holds as record {index} was not signed so")
        return held

    # Withdrawing

    def signed_withdrawal(self, record: SavedRecord) -> SignedWithdrawal:
        """See `sign_withdrawal`."""
        return sign_withdrawal(self.state, record)

    def withdraw(self, record: SavedRecord) -> SavedRecord:
        """Takes a record back; one that was never sent is just dropped.

        Where no answer to its registration was heard, the wish is written down before anything is
        sent: from then on it is only ever sent to be withdrawn. Call it again after a failure.

        Raises:
            RegistryProblem, TransportError, StateError.
        """
        with self.state.locked():
            current = self._current(record)
            if current.stage is Stage.DROPPED:
                return current
            if current.stage is Stage.WAITING:
                return self._drop(current)
            if current.stage is Stage.SENT:
                current = replace(current, stage=Stage.WITHDRAWING)
                self.state.save_record(current)
            signed = self.signed_withdrawal(current)
            owner = derive_owner(self.state.seed(), current.origin, current.index)
        answer = self._withdrawn(current, signed)
        with self.state.locked():
            current = self._current(record)
            if answer is None:
                return self._drop(current)
            if answer.record_id != owner.record_id:
                raise WrongAnswer("the registry answered for another record")
            ended = replace(
                current,
                stage=Stage.REGISTERED,
                kept_list=None,
                register_index=answer.register_index,
                status=answer.status,
                terminal_index=answer.terminal_index,
            )
            self.state.save_record(ended)
            return ended

    def _withdrawn(self, record: SavedRecord, signed: SignedWithdrawal) -> Withdrawal | None:
        """The answer; None where the registry does not have it and never will."""
        asking = withdraw(signed.owner_public_key, signed.commitment, signed.signature)
        try:
            return self._connection.run(asking)
        except RegistryProblem as problem:
            if problem.problem_code != "NOT_YOURS" or record.stage is Stage.REGISTERED:
                raise
        if record.stage is Stage.LOST or not self._arrives(record):
            return None
        return self._connection.run(asking)

    def _arrives(self, record: SavedRecord) -> bool:
        """Sends a registration of which no answer was heard to its end: it is under way no longer.

        Returns:
            Whether the registry has it now.
        """
        request = _request_of(record)
        for _ in range(MAX_ATTEMPTS):
            try:
                self._register(request, self._proof(request))
            except RegistryProblem as problem:
                if problem.problem_code in _NEVER_TAKEN:
                    return False
                if problem.problem_code != "PROOF_OF_WORK_REJECTED":
                    raise
            else:
                return True
        raise WrongAnswer("the registry keeps asking for another proof of work")

    def withdrawing(self) -> list[SavedRecord]:
        """Records taken back of which the registry has not confirmed it."""
        records = self.state.records(self.origin)
        return [each for each in records if each.stage is Stage.WITHDRAWING]

    def send_withdrawal(self, signed: SignedWithdrawal) -> RecordStatus:
        """Sends a withdrawal that was kept; needs no phrase.

        Raises:
            WrongAnswer: it is for another registry.
            RegistryProblem, TransportError.
        """
        if signed.origin != self.origin:
            raise WrongAnswer(
                f"this withdrawal is for the registry {signed.origin!r}, not {self.origin!r}"
            )
        return self._connection.run(
            withdraw(signed.owner_public_key, signed.commitment, signed.signature)
        ).status

    def _drop(self, record: SavedRecord) -> SavedRecord:
        dropped = replace(record, stage=Stage.DROPPED, kept_list=None)
        self.state.save_record(dropped)
        return dropped

    # Recovering

    def recover(self) -> list[SavedRecord]:
        """Finds this phrase's records in the log and writes down those that are missing here.

        Reads the whole log; then reads each own record by signature, separately, and checks that
        it is what was committed to.

        Returns:
            All records that were found.

        Raises:
            WrongAnswer: the registry holds something else than the log says.
            StateError, RegistryProblem, TransportError.
        """
        with self.state.locked():
            seed = self.state.seed()
            owned = self._find_owned(seed)
            found = [self._recovered(seed, each) for each in owned]
            beyond = max((each.index + 1 for each in owned), default=0)
            pinned = self._pinned()
            self.state.save_registry(
                replace(pinned, next_index=max(beyond, pinned.next_index), seen=0)
            )
            return found

    def _recovered(self, seed: bytes, owned: Owned) -> SavedRecord:
        kept = self.state.record(self.origin, owned.index)
        held = self._read_back(owned.index)
        if (held.commitment, held.register_index) != (
            owned.register.commitment,
            owned.register_index,
        ):
            raise WrongAnswer(f"the registry and its log disagree about record {owned.index}")
        fields = {
            "stage": Stage.REGISTERED,
            "kept_list": None,
            "register_index": held.register_index,
            "status": held.status,
            "terminal_index": held.terminal_index,
            "protection": held.protection if held.statement is not None else None,
        }
        if kept is not None and kept.commitment == held.commitment:
            record = replace(kept, **fields)  # type: ignore[arg-type]
        elif kept is not None and kept.unanswered:
            return kept  # takes the next free number when it is sent
        else:
            owner = derive_owner(seed, self.origin, owned.index)
            record = SavedRecord(
                origin=self.origin,
                index=owned.index,
                label="",
                opening=owner.opening,
                image_digest=held.image_digest,
                statement=None if held.statement is None else _statement(held.statement),
                owner_public_key=owner.public,
                commitment=held.commitment,
                stage=Stage.REGISTERED,
                register_index=held.register_index,
                status=held.status,
                terminal_index=held.terminal_index,
                protection=held.protection if held.statement is not None else None,
            )
        self.state.save_record(record)
        return record

    def _find_owned(self, seed: bytes) -> list[Owned]:
        window = FIRST_WINDOW
        while True:
            log = log_entries(self._connection, self.meet().info)
            owned = find_owned(seed, self.origin, log, window)
            if window_suffices(owned, window):
                return owned
            window *= 2

    # Small things

    def _current(self, record: SavedRecord) -> SavedRecord:
        if record.origin != self.origin:
            raise StateError(f"record {record.index} is of the registry {record.origin!r}")
        current = self.state.record(record.origin, record.index)
        if current is None:
            raise StateError(f"record {record.index} is no longer in {self.state.folder}")
        self.state.check_owner(current)
        return current

    def _pinned(self) -> PinnedRegistry:
        pinned = self.state.registry(self.origin)
        if pinned is None:
            raise StateError(f"what was kept of {self.origin!r} has gone")
        return pinned

    def _see_again_from(self, index: int) -> None:
        """An answer lost to a kill may be older than where the log was read to since."""
        pinned = self._pinned()
        if index < pinned.seen:
            self.state.save_registry(replace(pinned, seen=index))

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _statement(data: bytes) -> Statement:
    try:
        return Statement.decode(data)
    except ProtocolError as error:
        raise WrongAnswer(f"the registry holds a statement that is none: {error}") from None


def _request_of(record: SavedRecord) -> RegistrationRequest:
    if record.request is None:
        raise StateError(f"record {record.index} holds nothing to send")
    return record.request


def _lost(numbers: tuple[int, ...]) -> RecordsLost:
    named = ", ".join(f"#{number}" for number in numbers)
    return RecordsLost(
        f"the registry's log does not hold {named} any more, which the registry had acknowledged. "
        "These records protect nothing now: protect their pictures again. Keep your files: they "
        "show what was promised.",
        numbers,
    )
