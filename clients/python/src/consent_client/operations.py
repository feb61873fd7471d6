"""The registry's GraphQL operations as values: document, variables, and how to read the answer.

Nothing here does input or output, so that one definition serves the synchronous and the
asynchronous connection alike. Answers are checked strictly: whatever does not fit becomes a
`TransportError`, a `Problem` becomes a `RegistryProblem`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from consent_client.errors import Malformed, RegistryProblem, TransportError
from consent_client.protocol.contests import Contest
from consent_client.protocol.encoding import decode_base64, encode_base64
from consent_client.protocol.log import MAX_INDEX, DisputeOutcome, DisputeReason
from consent_client.protocol.protection import Reach, SpaceProtection
from consent_client.protocol.records import RegistrationRequest
from consent_client.protocol.screening import Column
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict

MAX_MESSAGE_CHARACTERS: Final = 500
"""A registry's message is shown to people: a line or two, not a page."""


class RecordStatus(StrEnum):
    """What has become of a record."""

    ACTIVE = "ACTIVE"
    WITHDRAWN = "WITHDRAWN"
    ERASED = "ERASED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold, as the registry says."""

    body_bytes: int
    block_images: int
    candidates: int
    entries_page: int


@dataclass(frozen=True, slots=True)
class RegistryInfo:
    """What a registry says about itself.

    Attributes:
        origin: its name, bound into keys, seals and signatures.
        verifier_key: note vkey that signs its sealing keys.
        sealing_keys: signed note with its sealing keys.
        spaces: ids of the fingerprint spaces it matches in.
        definitions: of those that are the operator's own, the digest of the space file.
    """

    origin: str
    software: str
    ready: bool
    log_size: int
    verifier_key: str
    sealing_keys: str = field(repr=False)
    spaces: tuple[str, ...]
    limits: Limits
    definitions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Work to be done, and a nonce to sign, for one record id.

    Attributes:
        proof_of_work: altcha version 2 challenge, JSON.
        nonce: what to sign to read one's own record.
        expires_at: seconds since the epoch, UTC.
    """

    proof_of_work: str
    nonce: bytes = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True)
class Registration:
    """A record is in the log.

    Attributes:
        proof: that its REGISTER entry is in the log, a tlog-proof; not verified yet.
        protection: how far from the picture it is still found.
    """

    record_id: bytes
    register_index: int
    log_size: int
    status: RecordStatus
    proof: str = field(repr=False)
    protection: tuple[SpaceProtection, ...]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A record is withdrawn, or has ended before: `status` says which."""

    record_id: bytes
    status: RecordStatus
    register_index: int
    terminal_index: int
    log_size: int


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A session that left images out because of a record.

    Attributes:
        dataset: its name, as the builder gave it.
        organisation: the builder, as the registry's operator named it.
        use: what the session was for.
        day: on which the newest was left out, counted from 1970-01-01, UTC.
        images: how many.
        session_index: of the SESSION entry, where the session is committed.
        certify_index: of the CERTIFY entry of its newest certificate, if there is one.
        certificate: SHA-256 of that certificate.
    """

    dataset: str
    organisation: str
    use: Use
    day: int
    images: int
    session_index: int | None
    certify_index: int | None
    certificate: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class OwnDispute:
    """A builder disputed that a record excluded an image, and the operator decided.

    Attributes:
        index: of its DISPUTE entry in the log.
    """

    index: int
    outcome: DisputeOutcome
    reason: DisputeReason


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """One's own record as the registry holds it.

    Attributes:
        statement: its bytes; None once unreadable.
        image_digest: F; None once unreadable.
        protection: as it was told at registration; empty once unreadable.
        exclusions: sessions that left images out because of it, newest first, as far as the
            registry tells them yet; none once it has ended.
        disputes: what builders disputed, and how the operator decided.
    """

    record_id: bytes
    status: RecordStatus
    register_index: int
    terminal_index: int | None
    commitment: bytes
    statement: bytes | None = field(repr=False)
    image_digest: bytes | None = field(repr=False)
    protection: tuple[SpaceProtection, ...]
    exclusions: tuple[Exclusion, ...]
    disputes: tuple[OwnDispute, ...]


@dataclass(frozen=True, slots=True)
class EntryBundle:
    """Consecutive entries of the log.

    Attributes:
        start: index of the first.
        data: bundle that `protocol.log.decode_bundle` reads.
    """

    start: int
    log_size: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Screening:
    """An open screening.

    Attributes:
        terms: what it is answered by, canonical JSON.
        results_secret: of a committed one, 32 bytes: opens its result leaves.
    """

    id: str
    use: Use
    required_spaces: tuple[str, ...]
    candidate_count: int
    log_size: int
    terms: str = ""
    results_secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a committed screening is opened with (FORMATS §6).

    Attributes:
        root: of the manifest, 32 bytes.
        salt: 32 random bytes.
        builder_key: Ed25519, 32 bytes: will sign the certificate.
    """

    root: bytes
    salt: bytes = field(repr=False)
    builder_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoggedScreening:
    """Where a committed screening stands in the log.

    Attributes:
        results_root: 32 bytes.
        proof: of the CLOSE entry, a tlog-proof; not verified yet.
    """

    session_index: int
    close_index: int
    results_root: bytes
    proof: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certification:
    """A certificate is in the log.

    Attributes:
        proof: of the CERTIFY entry, a tlog-proof; not verified yet.
    """

    certify_index: int
    proof: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ScreenedBlock:
    """The answer to a block.

    Attributes:
        verdicts: one `Verdict` byte per image, in order.
        log_size: the log size they hold for.
    """

    block: int
    verdicts: bytes
    log_size: int


@dataclass(frozen=True, slots=True)
class ContestedRows:
    """The answer to a contest.

    Attributes:
        block: the block's number.
        verdicts: one final `Verdict` byte per contested row, in order.
        log_size: the log size they hold for.
    """

    block: int
    verdicts: bytes
    log_size: int


@dataclass(frozen=True, slots=True)
class SpaceCount:
    """How many answered images carried a fingerprint in one space."""

    space: str
    present: int
    missing: int


@dataclass(frozen=True, slots=True)
class ClosedScreening:
    """The registry's counts of a screening.

    Attributes:
        complete: whether every announced candidate was answered.
        contested: images that were contested.
        overturned: how many of those are no longer excluded.
        verdicts: images per verdict, after contests.
        logged: where a committed screening stands in the log.
    """

    id: str
    complete: bool
    answered: int
    contested: int
    overturned: int
    candidate_count: int
    verdicts: Mapping[Verdict, int]
    spaces: tuple[SpaceCount, ...]
    least_log_size: int
    greatest_log_size: int
    logged: LoggedScreening | None = None


@dataclass(frozen=True, slots=True)
class Operation[T]:
    """One request and how its answer is read.

    Attributes:
        name: the field asked for.
        document: GraphQL.
        variables: what it is asked with; may hold fingerprints and signatures, hence never shown.
        read: the answer's object → typed result.
    """

    name: str
    document: str
    variables: Mapping[str, object] = field(repr=False)
    read: Callable[["Answer"], T] = field(repr=False)

    def body(self) -> bytes:
        """The request's body, JSON."""
        return json.dumps({"query": self.document, "variables": self.variables}).encode()

    def result(self, body: bytes) -> T:
        """The typed result in a response's body.

        Raises:
            RegistryProblem: the registry refused; `problem_code` says why.
            TransportError: this is not an answer to the operation.
        """
        return self.read(_answer_of(self.name, body))


class Answer:
    """An object of a response, read strictly by field name; `TransportError` for what is amiss."""

    __slots__ = ("_object",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise _not_understood()
        self._object: dict[str, Any] = value

    def text(self, name: str) -> str:
        """A string."""
        value = self._object.get(name)
        if not isinstance(value, str):
            raise _not_understood()
        return value

    def flag(self, name: str) -> bool:
        """A boolean."""
        value = self._object.get(name)
        if not isinstance(value, bool):
            raise _not_understood()
        return value

    def number(self, name: str) -> int:
        """An integer from 0 to 2⁵³-1."""
        value = self._object.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INDEX:
            raise _not_understood()
        return value

    def optional_number(self, name: str) -> int | None:
        """An integer, or null."""
        return None if self._object.get(name) is None else self.number(name)

    def octets(self, name: str) -> bytes:
        """Bytes, in base64."""
        text = self.text(name)
        try:
            return decode_base64(text)
        except Malformed:
            pass
        raise _not_understood()

    def optional_text(self, name: str) -> str | None:
        """Text, or null."""
        return None if self._object.get(name) is None else self.text(name)

    def optional_octets(self, name: str) -> bytes | None:
        """Bytes, or null."""
        return None if self._object.get(name) is None else self.octets(name)

    def protection(self) -> tuple[SpaceProtection, ...]:
        """The field `protection`."""
        found = []
        for each in self.each("protection"):
            space, reach = each.text("space"), each.text("reach")
            if reach not in Reach:  # the space may be the operator's own, and unknown here
                raise _not_understood()
            found.append(SpaceProtection(space, Reach(reach)))
        return tuple(found)

    def status(self) -> RecordStatus:
        """The field `status`."""
        text = self.text("status")
        if text not in RecordStatus:
            raise _not_understood()
        return RecordStatus(text)

    def use(self) -> Use:
        """The field `use`."""
        text = self.text("use")
        if text not in Use.__members__:
            raise _not_understood()
        return Use[text]

    def inner(self, name: str) -> "Answer":
        """An object."""
        return Answer(self._object.get(name))

    def optional_inner(self, name: str) -> "Answer | None":
        """An object, or null."""
        return None if self._object.get(name) is None else self.inner(name)

    def each(self, name: str) -> list["Answer"]:
        """A list of objects."""
        value = self._object.get(name)
        if not isinstance(value, list):
            raise _not_understood()
        return [Answer(item) for item in value]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._object.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _not_understood()
        return tuple(value)


def _not_understood() -> TransportError:
    return TransportError("the registry's answer could not be understood")


def _answer_of(name: str, body: bytes) -> Answer:
    try:
        response = json.loads(body)
    except (ValueError, RecursionError):
        response = None
    if not isinstance(response, dict):
        raise _not_understood()
    errors = response.get("errors")
    if errors:
        raise _top_level(errors)
    data = response.get("data")
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, dict) and isinstance(value.get("code"), str) and "message" in value:
        raise _problem(value)
    return Answer(value)


def _problem(value: Mapping[str, Any]) -> RegistryProblem:
    spaces = value.get("spaces")
    return RegistryProblem(
        plain(value.get("message")),
        plain(value["code"]),
        _seconds(value.get("retryAfterSeconds")),
        tuple(map(plain, spaces)) if isinstance(spaces, list) else (),
    )


def _top_level(errors: object) -> TransportError | RegistryProblem:
    first = errors[0] if isinstance(errors, list) else None
    if not isinstance(first, dict):
        return _not_understood()
    extensions = first.get("extensions")
    if not isinstance(extensions, dict) or not isinstance(extensions.get("code"), str):
        return TransportError(f"the registry refused the request: {plain(first.get('message'))}")
    return RegistryProblem(
        plain(first.get("message")),
        plain(extensions["code"]),
        _seconds(extensions.get("retryAfterSeconds")),
    )


def _seconds(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INDEX:
        return None
    return value


def plain(text: object) -> str:
    """What a registry wrote, fit to be shown: no control characters, not too long."""
    if not isinstance(text, str):
        return "(no message)"
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown[:MAX_MESSAGE_CHARACTERS]


_REGISTRY = """
query Registry {
  registry {
    origin software ready logSize verifierKey sealingKeys
    spaces { id definition }
    limits { bodyBytes blockImages candidates entriesPage }
  }
}
"""


def registry_info() -> Operation[RegistryInfo]:
    """What the registry says about itself."""
    return Operation("registry", _REGISTRY, {}, _read_info)


def _read_info(answer: Answer) -> RegistryInfo:
    limits = answer.inner("limits")
    return RegistryInfo(
        origin=answer.text("origin"),
        software=answer.text("software"),
        ready=answer.flag("ready"),
        log_size=answer.number("logSize"),
        verifier_key=answer.text("verifierKey"),
        sealing_keys=answer.text("sealingKeys"),
        spaces=tuple(space.text("id") for space in answer.each("spaces")),
        limits=Limits(
            body_bytes=limits.number("bodyBytes"),
            block_images=limits.number("blockImages"),
            candidates=limits.number("candidates"),
            entries_page=limits.number("entriesPage"),
        ),
        definitions={
            space.text("id"): definition
            for space in answer.each("spaces")
            if (definition := space.optional_text("definition")) is not None
        },
    )


_CHALLENGE = """
query Challenge($recordId: Base64!) {
  challenge(recordId: $recordId) {
    ... on Challenge { proofOfWork nonce expiresAt }
    ... on Problem { code message }
  }
}
"""


def challenge(record_id: bytes) -> Operation[Challenge]:
    """Work and a nonce for one record."""
    variables = {"recordId": encode_base64(record_id)}
    return Operation("challenge", _CHALLENGE, variables, _read_challenge)


def _read_challenge(answer: Answer) -> Challenge:
    return Challenge(answer.text("proofOfWork"), answer.octets("nonce"), answer.number("expiresAt"))


_REGISTER = """
mutation Register($input: RegisterInput!) {
  register(input: $input) {
    ... on Registration {
      recordId registerIndex logSize status proof protection { space reach }
    }
    ... on Problem { code message }
    ... on TooGeneric { spaces }
    ... on RetriableProblem { retryAfterSeconds }
  }
}
"""


def register(request: RegistrationRequest, proof_of_work: str) -> Operation[Registration]:
    """Registers a record; the same request again gets the same answer."""
    variables = {"input": {**request.to_json(), "proofOfWork": proof_of_work}}
    return Operation("register", _REGISTER, variables, _read_registration)


def _read_registration(answer: Answer) -> Registration:
    return Registration(
        record_id=answer.octets("recordId"),
        register_index=answer.number("registerIndex"),
        log_size=answer.number("logSize"),
        status=answer.status(),
        proof=answer.text("proof"),
        protection=answer.protection(),
    )


_INCLUSION = """
query InclusionProof($index: LogIndex!) {
  inclusionProof(index: $index) {
    ... on InclusionProof { text }
    ... on Problem { code message }
  }
}
"""


def inclusion_proof(index: int) -> Operation[str]:
    """A proof of an entry under the newest checkpoint: a tlog-proof, not verified yet."""
    return Operation(
        "inclusionProof", _INCLUSION, {"index": index}, lambda answer: answer.text("text")
    )


_WITHDRAW = """
mutation Withdraw($input: WithdrawInput!) {
  withdraw(input: $input) {
    ... on Withdrawal { recordId status registerIndex terminalIndex logSize }
    ... on Problem { code message }
    ... on RetriableProblem { retryAfterSeconds }
  }
}
"""


def withdraw(owner_public_key: bytes, commitment: bytes, signature: bytes) -> Operation[Withdrawal]:
    """Withdraws a record; again gets the same answer."""
    fields = {
        "ownerPublicKey": encode_base64(owner_public_key),
        "commitment": encode_base64(commitment),
        "signature": encode_base64(signature),
    }
    return Operation("withdraw", _WITHDRAW, {"input": fields}, _read_withdrawal)


def _read_withdrawal(answer: Answer) -> Withdrawal:
    return Withdrawal(
        record_id=answer.octets("recordId"),
        status=answer.status(),
        register_index=answer.number("registerIndex"),
        terminal_index=answer.number("terminalIndex"),
        log_size=answer.number("logSize"),
    )


_RECORD = """
query Record($input: ReadRecordInput!) {
  record(input: $input) {
    ... on OwnRecord {
      recordId status registerIndex terminalIndex commitment statement imageDigest
      protection { space reach }
      exclusions {
        dataset organisation use day images sessionIndex certificate { index digest }
      }
      disputes { index outcome reason }
    }
    ... on Problem { code message }
  }
}
"""


def own_record(
    record_id: bytes, owner_public_key: bytes, nonce: bytes, signature: bytes
) -> Operation[OwnRecord]:
    """Reads one's own record."""
    fields = {
        "recordId": encode_base64(record_id),
        "ownerPublicKey": encode_base64(owner_public_key),
        "nonce": encode_base64(nonce),
        "signature": encode_base64(signature),
    }
    return Operation("record", _RECORD, {"input": fields}, _read_own_record)


def _read_own_record(answer: Answer) -> OwnRecord:
    return OwnRecord(
        record_id=answer.octets("recordId"),
        status=answer.status(),
        register_index=answer.number("registerIndex"),
        terminal_index=answer.optional_number("terminalIndex"),
        commitment=answer.octets("commitment"),
        statement=answer.optional_octets("statement"),
        image_digest=answer.optional_octets("imageDigest"),
        protection=answer.protection(),
        exclusions=tuple(_exclusion(each) for each in answer.each("exclusions")),
        disputes=tuple(_dispute(each) for each in answer.each("disputes")),
    )


def _dispute(answer: Answer) -> OwnDispute:
    outcome, reason = answer.text("outcome"), answer.text("reason")
    if outcome not in DisputeOutcome.__members__ or reason not in DisputeReason.__members__:
        raise _not_understood()
    return OwnDispute(answer.number("index"), DisputeOutcome[outcome], DisputeReason[reason])


def _exclusion(answer: Answer) -> Exclusion:
    certificate = answer.optional_inner("certificate")
    return Exclusion(
        dataset=answer.text("dataset"),
        organisation=answer.text("organisation"),
        use=answer.use(),
        day=answer.number("day"),
        images=answer.number("images"),
        session_index=answer.optional_number("sessionIndex"),
        certify_index=None if certificate is None else certificate.number("index"),
        certificate=None if certificate is None else certificate.octets("digest"),
    )


_ENTRIES = """
query Entries($start: LogIndex!, $count: Int!) {
  entries(start: $start, count: $count) {
    ... on EntryBundle { start logSize data }
    ... on Problem { code message }
  }
}
"""


def entries(start: int, count: int) -> Operation[EntryBundle]:
    """A page of the log; at most `limits.entries_page`."""
    return Operation("entries", _ENTRIES, {"start": start, "count": count}, _read_entries)


def _read_entries(answer: Answer) -> EntryBundle:
    return EntryBundle(answer.number("start"), answer.number("logSize"), answer.octets("data"))


_OPEN = """
mutation OpenScreening($input: OpenScreeningInput!) {
  openScreening(input: $input) {
    ... on Screening { id use requiredSpaces candidateCount logSize terms resultsSecret }
    ... on Problem { code message }
    ... on RetriableProblem { retryAfterSeconds }
  }
}
"""


def open_screening(
    dataset: str,
    use: Use,
    required_spaces: Sequence[str],
    candidate_count: int,
    *,
    opt_in_spaces: Sequence[str] = (),
    lawful_basis_stated: bool = False,
    commitment: Commitment | None = None,
) -> Operation[Screening]:
    """Opens a session for one data set and one use."""
    fields: dict[str, object] = {
        "dataset": dataset,
        "use": use.name,
        "requiredSpaces": sorted(required_spaces),
        "candidateCount": candidate_count,
    }
    if opt_in_spaces:
        fields["optInSpaces"] = sorted(opt_in_spaces)
        fields["lawfulBasisStated"] = lawful_basis_stated
    if commitment is not None:
        fields["commitment"] = {
            "root": encode_base64(commitment.root),
            "salt": encode_base64(commitment.salt),
            "builderKey": encode_base64(commitment.builder_key),
        }
    return Operation("openScreening", _OPEN, {"input": fields}, _read_screening)


def _read_screening(answer: Answer) -> Screening:
    return Screening(
        id=answer.text("id"),
        use=answer.use(),
        required_spaces=answer.texts("requiredSpaces"),
        candidate_count=answer.number("candidateCount"),
        log_size=answer.number("logSize"),
        terms=answer.text("terms"),
        results_secret=answer.optional_octets("resultsSecret"),
    )


_SCREEN = """
mutation Screen($input: ScreenInput!) {
  screen(input: $input) {
    ... on ScreenedBlock { block verdicts logSize }
    ... on Problem { code message }
    ... on RetriableProblem { retryAfterSeconds }
  }
}
"""


def screen(
    screening_id: str,
    block: int,
    count: int,
    columns: Sequence[Column],
    audit_path: Sequence[bytes] | None = None,
) -> Operation[ScreenedBlock]:
    """Asks about a block; the same block again gets the same answer.

    Args:
        screening_id: the session.
        block: its number.
        count: images in it.
        columns: their fingerprints.
        audit_path: of the block, in a committed session.
    """
    fields: dict[str, object] = {
        "screeningId": screening_id,
        "block": block,
        "count": count,
        "columns": [_column(column) for column in columns],
    }
    if audit_path is not None:
        fields["auditPath"] = [encode_base64(each) for each in audit_path]

    def read(answer: Answer) -> ScreenedBlock:
        answered = ScreenedBlock(
            answer.number("block"), answer.octets("verdicts"), answer.number("logSize")
        )
        fits = answered.block == block and len(answered.verdicts) == count
        if not fits or max(answered.verdicts) > max(Verdict):
            raise _not_understood()
        return answered

    return Operation("screen", _SCREEN, {"input": fields}, read)


def _column(column: Column) -> dict[str, str]:
    fields = {
        "space": column.space_id,
        "present": encode_base64(column.bitmap),
        "fingerprints": encode_base64(column.data),
    }
    if column.counts is not None:
        fields["counts"] = encode_base64(column.counts.tobytes())
    return fields


_CONTEST = """
mutation Contest($input: ContestInput!) {
  contest(input: $input) {
    ... on ContestedBlock { block rows verdicts logSize }
    ... on Problem { code message }
    ... on RetriableProblem { retryAfterSeconds }
  }
}
"""


def contest(
    screening_id: str,
    contested: Contest,
    manifest: bytes | None = None,
    audit_path: Sequence[bytes] = (),
) -> Operation[ContestedRows]:
    """Contests excluded rows of a block; the same contest again gets the same answer.

    Args:
        screening_id: the session.
        contested: rows and crops.
        manifest: in a committed session, all rows of the block, joined.
        audit_path: of the block, then.
    """
    fields: dict[str, object] = {
        "screeningId": screening_id,
        "block": contested.block,
        "count": contested.count,
        "rows": encode_base64(contested.rows),
        "columns": [_column(column) for column in contested.columns],
        "crops": [
            {"space": crop.space_id, "fingerprints": encode_base64(crop.data)}
            for crop in contested.crops
        ],
    }
    if manifest is not None:
        fields["manifest"] = encode_base64(manifest)
        fields["auditPath"] = [encode_base64(each) for each in audit_path]

    def read(answer: Answer) -> ContestedRows:
        answered = ContestedRows(
            answer.number("block"), answer.octets("verdicts"), answer.number("logSize")
        )
        fits = (
            answered.block == contested.block
            and answer.octets("rows") == contested.rows
            and len(answered.verdicts) == contested.count
        )
        if not fits or max(answered.verdicts) > max(Verdict):
            raise _not_understood()
        return answered

    return Operation("contest", _CONTEST, {"input": fields}, read)


_CLOSE = """
mutation CloseScreening($input: CloseScreeningInput!) {
  closeScreening(input: $input) {
    ... on ClosedScreening {
      id complete answered contested overturned candidateCount
      verdicts { clear exclude permit unknown }
      spaces { space present missing }
      leastLogSize greatestLogSize
      logged { sessionIndex closeIndex resultsRoot proof }
    }
    ... on Problem { code message }
    ... on RetriableProblem { retryAfterSeconds }
  }
}
"""


def close_screening(screening_id: str) -> Operation[ClosedScreening]:
    """Closes a session and gets its counts; again gets the same."""
    variables = {"input": {"screeningId": screening_id}}
    return Operation("closeScreening", _CLOSE, variables, _read_closed)


_CERTIFY = """
mutation Certify($input: CertifyInput!) {
  certify(input: $input) {
    ... on Certification { certifyIndex proof }
    ... on Problem { code message }
    ... on RetriableProblem { retryAfterSeconds }
  }
}
"""


def certify(screening_id: str, certificate: bytes) -> Operation[Certification]:
    """Has a certificate logged; the same again gets the same answer."""
    fields = {"screeningId": screening_id, "certificate": encode_base64(certificate)}
    return Operation(
        "certify",
        _CERTIFY,
        {"input": fields},
        lambda answer: Certification(answer.number("certifyIndex"), answer.text("proof")),
    )


def _read_logged(answer: Answer) -> LoggedScreening:
    return LoggedScreening(
        session_index=answer.number("sessionIndex"),
        close_index=answer.number("closeIndex"),
        results_root=answer.octets("resultsRoot"),
        proof=answer.text("proof"),
    )


def _read_closed(answer: Answer) -> ClosedScreening:
    verdicts = answer.inner("verdicts")
    logged = answer.optional_inner("logged")
    return ClosedScreening(
        id=answer.text("id"),
        complete=answer.flag("complete"),
        answered=answer.number("answered"),
        contested=answer.number("contested"),
        overturned=answer.number("overturned"),
        candidate_count=answer.number("candidateCount"),
        verdicts={verdict: verdicts.number(verdict.name.lower()) for verdict in Verdict},
        spaces=tuple(
            SpaceCount(space.text("space"), space.number("present"), space.number("missing"))
            for space in answer.each("spaces")
        ),
        least_log_size=answer.number("leastLogSize"),
        greatest_log_size=answer.number("greatestLogSize"),
        logged=None if logged is None else _read_logged(logged),
    )
