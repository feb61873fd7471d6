"""A builder's session for one data set and one use: opened, found again, closed and counted."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.log import Close, Session
from consent_client.protocol.merkle import root_of
from consent_client.protocol.spaces import SPACES
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import InvalidInput, UnknownScreening
from registry.matching.policies import policy_for
from registry.services import answers
from registry.services.budget import check_not_held
from registry.services.builders import Builder
from registry.services.commitments import Commitment
from registry.services.names import plain
from registry.services.people import check_opt_in
from registry.services.running import Registry
from registry.services.terms import write_terms
from registry.store import committed, entries, screenings

SCREENING_ID_BYTES = 16
MAX_DATASET_CHARACTERS = 200

# Above the largest list there is (LAION-5B has 5.85e9 rows) and well within a log index.
MAX_CANDIDATES = 10**11


@dataclass(frozen=True, slots=True)
class Closing:
    """The counts of a closed screening.

    Attributes:
        verdicts: images per verdict, after contests.
        present: for each space, images that carried a fingerprint in it.
        answered: images answered.
        contested: images that were contested.
        overturned: how many of those are no longer excluded.
        complete: whether that is all that were announced.
        logged: where a committed session stands in the log.
    """

    candidate_count: int
    answered: int
    verdicts: dict[Verdict, int]
    present: dict[str, int]
    least_log_size: int
    greatest_log_size: int
    contested: int = 0
    overturned: int = 0
    logged: committed.CommittedRow | None = None

    @property
    def complete(self) -> bool:
        """Whether every announced candidate was answered."""
        return self.answered == self.candidate_count


@dataclass(frozen=True, slots=True)
class Opening:
    """What a builder asks for.

    Attributes:
        dataset: the data set's name, for the operator.
        required_spaces: an image without a fingerprint in one of them is UNKNOWN.
        candidate_count: how many images will be sent.
        opt_in_spaces: spaces of people to look in too.
        lawful_basis_stated: whether the builder states that they may lawfully look for people.
        commitment: to the manifest (FORMATS §6); None for an uncommitted session.

    Raises:
        InvalidInput: name, spaces or count out of range, or people looked for in a committed
            session.
    """

    dataset: str
    use: Use
    required_spaces: tuple[str, ...]
    candidate_count: int
    opt_in_spaces: tuple[str, ...] = ()
    lawful_basis_stated: bool = False
    commitment: Commitment | None = None

    def __post_init__(self) -> None:
        if not plain(self.dataset, MAX_DATASET_CHARACTERS):
            message = f"A data set's name has 1 to {MAX_DATASET_CHARACTERS} plain characters."
            raise InvalidInput(message)
        if not 0 < self.candidate_count <= MAX_CANDIDATES:
            message = f"A screening has 1 to {MAX_CANDIDATES} candidates."
            raise InvalidInput(message)
        for named in (self.required_spaces, self.opt_in_spaces):
            if len(set(named)) != len(named):
                message = "A space is named twice."
                raise InvalidInput(message)
            for name in named:
                if name not in SPACES:
                    message = f"There is no fingerprint space {name[:32]!r} here."
                    raise InvalidInput(message)
        check_opt_in(
            self.required_spaces,
            self.opt_in_spaces,
            lawful_basis_stated=self.lawful_basis_stated,
        )
        if self.commitment is not None and self.opt_in_spaces:
            message = "A committed screening is about works; people are screened without."
            raise InvalidInput(message)


async def open_screening(
    registry: Registry, builder: Builder, opening: Opening
) -> tuple[screenings.ScreeningRow, int]:
    """Opens a session for one data set and one use.

    Returns:
        The session, and the log size now.

    Raises:
        Held: nothing new is answered to this builder for now.
        NotReady: the indexes are still being built.
    """
    async with registry.store.read() as connection:
        await check_not_held(connection, builder)
    state = await registry.follower.answerable()
    policy = policy_for(state.float_records, registry.settings.face_threshold)
    row = screenings.ScreeningRow(
        id=secrets.token_bytes(SCREENING_ID_BYTES),
        builder_id=builder.id,
        dataset=opening.dataset,
        use=opening.use,
        required_spaces=tuple(sorted(opening.required_spaces)),
        candidate_count=opening.candidate_count,
        opened_at=int(registry.clock.now()),
        closed_at=None,
        opt_in_spaces=tuple(sorted(opening.opt_in_spaces)),
        terms=write_terms(
            opening.use,
            opening.required_spaces,
            opening.opt_in_spaces,
            policy,
            registry.bank.version,
            registry.settings.told_after_days if registry.settings.tell_exclusions else None,
        ),
        root=None if opening.commitment is None else opening.commitment.root,
    )
    session_index = None
    async with registry.store.write() as connection:
        await screenings.insert(connection, row)
        if opening.commitment is not None:
            session_index = await _log_session(connection, row, opening.commitment)
    if session_index is not None:
        registry.publisher.wake()
    return row, state.log_size


async def _log_session(
    connection: AsyncConnection, row: screenings.ScreeningRow, commitment: Commitment
) -> int:
    entry = Session(
        builder=sha256(commitment.builder_key).digest(),
        commitment=commitment.logged(row.candidate_count),
        count=row.candidate_count,
        terms=sha256(row.terms.encode()).digest(),
    )
    index = await entries.append(connection, [entry.encode()])
    await committed.insert_session(
        connection, committed.CommittedRow(row.id, commitment.builder_key, index)
    )
    return index


async def close_screening(registry: Registry, builder: Builder, screening_id: bytes) -> Closing:
    """Closes a session and counts it; closing again gives the same counts.

    A committed session is closed when all of it was answered, and its results go into the log.

    Raises:
        UnknownScreening: not a session of this builder.
        InvalidInput: a committed session of which rows were not answered.
    """
    async with registry.store.write() as connection:
        row = await own_screening(connection, builder, screening_id)
        if row.closed_at is None:
            if row.root is not None:
                await _log_close(connection, row)
            await screenings.close(connection, screening_id, int(registry.clock.now()))
    if row.root is not None:
        registry.publisher.wake()
    verdicts = np.zeros(len(Verdict), dtype=np.int64)
    present: dict[str, int] = {}
    log_sizes: list[int] = []
    async with registry.store.read() as connection:
        in_log = await committed.session(connection, screening_id)
        async for block in answers.blocks(connection, registry.block_secret, screening_id):
            verdicts += np.bincount(
                np.frombuffer(block.verdicts, dtype=np.uint8), minlength=len(Verdict)
            )
            for name, count in block.present.items():
                present[name] = present.get(name, 0) + count
            log_sizes.append(block.log_size)
        contested = overturned = 0
        async for contest in answers.contests_of_screening(
            connection, registry.block_secret, screening_id
        ):
            final = np.bincount(
                np.frombuffer(contest.verdicts, dtype=np.uint8), minlength=len(Verdict)
            )
            contested += len(contest.verdicts)
            overturned += len(contest.verdicts) - int(final[Verdict.EXCLUDE])
            verdicts += final
            verdicts[Verdict.EXCLUDE] -= len(contest.verdicts)
            log_sizes.append(contest.log_size)
    return Closing(
        candidate_count=row.candidate_count,
        answered=int(verdicts.sum()),
        verdicts={verdict: int(verdicts[verdict]) for verdict in Verdict},
        present=dict(sorted(present.items())),
        least_log_size=min(log_sizes, default=0),
        greatest_log_size=max(log_sizes, default=0),
        contested=contested,
        overturned=overturned,
        logged=in_log,
    )


async def _log_close(connection: AsyncConnection, row: screenings.ScreeningRow) -> None:
    known = await committed.session(connection, row.id)
    first = await screenings.block(connection, row.id, 0)
    if known is None or first is None:
        message = "Nothing of this committed screening was answered yet."
        raise InvalidInput(message)
    if await screenings.answered(connection, row.id) != row.candidate_count:
        message = "A committed screening is closed when every row of its manifest was answered."
        raise InvalidInput(message)
    results_root = root_of(await committed.results(connection, row.id))
    # The first block's: they never decrease.
    entry = Close(known.session_index, first.log_size, results_root)
    index = await entries.append(connection, [entry.encode()])
    await committed.close(connection, row.id, index, results_root)


async def own_screening(
    connection: AsyncConnection, builder: Builder, screening_id: bytes
) -> screenings.ScreeningRow:
    """The session with this id, if it is this builder's.

    Raises:
        UnknownScreening: it is not, or there is none.
    """
    row = await screenings.by_id(connection, screening_id)
    if row is None or row.builder_id != builder.id:
        message = "You have no such screening."
        raise UnknownScreening(message)
    return row
