"""The data set builder's side: ask, block by block, what people state about candidate images.

    import os
    from consent_client.builder import Builder
    from consent_client.fingerprints.batches import fingerprint_many
    from consent_client.protocol.statements import Use
    from consent_client.protocol.verdicts import Verdict

    spaces = ("sha256", "pdq-1")
    with Builder("https://registry.example", token=os.environ["CONSENT_TOKEN"]) as builder:
        items = [
            (path, found.fingerprints)
            for path, found in fingerprint_many(((p, p) for p in paths), spaces)
            if not isinstance(found, Exception)
        ]
        for answer in builder.screen(
            items, dataset="holidays", use=Use.AI_GENERATIVE_TRAINING, required_spaces=spaces
        ):
            if answer.verdict is Verdict.CLEAR:
                keep(answer.key)

`consent_client.screening_run` builds on this what `consent screen` does: whole data sets, resumed
after a crash. A verdict is what unverified statements say: PERMIT is not a licence.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import numpy as np

from consent_client import operations
from consent_client.errors import BadFingerprint, Malformed
from consent_client.meeting import check_definitions
from consent_client.operations import (
    Certification,
    ClosedScreening,
    Commitment,
    ContestedRows,
    Operation,
    RegistryInfo,
    ScreenedBlock,
    Screening,
)
from consent_client.protocol.contests import CONTEST_SPACES, CROPS, Contest, CropColumn
from consent_client.protocol.encoding import pack_bitmap
from consent_client.protocol.screening import MAX_BLOCK, Column
from consent_client.protocol.spaces import MAX_FACES, PERSON_SPACES, Kind, Subject, space
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.transport import (
    DEFAULT_PATIENCE,
    AsyncConnection,
    Connection,
    Patience,
    Waiting,
)

BLOCK_ROWS: Final = 1_000
"""Images per request where nothing else is said: an answer every half minute on one core."""

type Candidate = Mapping[str, Sequence[bytes]]
"""Space id → the image's fingerprint in it, a sequence of one; absent spaces are left out.

In a space of people it is a sequence of any number up to `MAX_FACES`; an empty one means that the
image was looked at and shows nobody.
"""


@dataclass(frozen=True, slots=True)
class Answered[Key]:
    """The answer for one candidate.

    Attributes:
        key: the caller's.
        verdict: `UNKNOWN` too where the registry answered for an image that lacks a required
            space or has no fingerprint at all.
        spaces: in which it was looked for.
        log_size: the log size the verdict holds for.
    """

    key: Key
    verdict: Verdict
    spaces: tuple[str, ...]
    log_size: int


def columns_of(candidates: Sequence[Candidate], spaces: Sequence[str]) -> list[Column]:
    """A block's columns: one for each space, in the order given, empty ones included.

    Args:
        candidates: n images, 1 ≤ n ≤ `MAX_BLOCK`.
        spaces: the columns to make; fingerprints in other spaces are left out.

    Raises:
        ProtocolError: an unknown space, a fingerprint of the wrong size or norm, more than one of
            an image in a space of works, more than `MAX_FACES` in one of people, or too many
            images.
    """
    columns = []
    for name in spaces:
        of = space(name)
        people = of.subject is Subject.PERSON
        present = np.zeros(len(candidates), np.bool_)
        counts = bytearray()
        data = bytearray()
        for row, candidate in enumerate(candidates):
            if not was_checked(candidate, name):
                continue
            values = candidate[name]
            if len(values) > (MAX_FACES if people else 1):
                raise Malformed("a candidate has one fingerprint in each space")
            if any(len(value) != of.size for value in values):
                raise BadFingerprint("a fingerprint of the wrong size for its space")
            present[row] = True
            counts.append(len(values))
            data += b"".join(values)
        numbers = np.frombuffer(bytes(counts), np.uint8) if people else None
        column = Column(name, present, bytes(data), numbers)
        if of.kind is Kind.FLOAT:
            column.floats()  # looks at all norms at once, in a tenth of the time of one by one
        columns.append(column)
    return columns


def was_checked(candidate: Candidate, space_id: str) -> bool:
    """Whether an image was looked at in a space.

    Raises:
        UnknownSpace: no fingerprint space has this id.
    """
    values = candidate.get(space_id)
    if values is None:
        return False
    return len(values) > 0 or space(space_id).subject is Subject.PERSON


def contest_of(
    block: int,
    block_rows: int,
    rows: Sequence[int],
    candidates: Sequence[Candidate],
    crops: Sequence[Candidate],
    spaces: Sequence[str],
) -> Contest:
    """A contest of excluded rows of one block.

    Args:
        block: its number.
        block_rows: rows in it.
        rows: positions of the contested ones, ascending.
        candidates: their fingerprints exactly as they were screened.
        crops: of each, space id → the five fingerprints of its crops, as
            `consent_client.fingerprints.crops.contest_fingerprints` computes them.
        spaces: those the block was screened in.

    Raises:
        ProtocolError: a row without crops, rows out of order or outside, too many, or as
            `columns_of`.
    """
    if not rows or list(rows) != sorted(set(rows)) or not 0 <= rows[0] <= rows[-1] < block_rows:
        raise Malformed("the rows of a contest ascend and lie in the block")
    if len(rows) != len(candidates) or len(rows) != len(crops):
        raise Malformed("a contest has fingerprints and crops of each row")
    contested = np.zeros(block_rows, np.bool_)
    contested[list(rows)] = True
    columns = columns_of(candidates, spaces)
    cropped = []
    for column in columns:
        if column.space_id in CONTEST_SPACES:
            data = bytearray()
            for present, crop in zip(column.present, crops, strict=True):
                values = crop.get(column.space_id, ()) if present else ()
                if present and len(values) != CROPS:
                    raise Malformed(f"a contested image has {CROPS} crops")
                data += b"".join(values)
            cropped.append(CropColumn(column.space_id, bytes(data)))
    return Contest(block, pack_bitmap(contested), tuple(columns), tuple(cropped))


def final_verdict(answered: int, checked: frozenset[str], required: frozenset[str]) -> Verdict:
    """The verdict byte as it is acted on: unknown is never clear.

    Args:
        answered: the registry's verdict byte.
        checked: spaces the image had a fingerprint in.
        required: spaces it must have been checked in.
    """
    verdict = Verdict(answered)
    if verdict is not Verdict.EXCLUDE and not (checked and required <= checked):
        return Verdict.UNKNOWN
    return verdict


def _answers[Key](
    items: Sequence[tuple[Key, Candidate]],
    spaces: Sequence[str],
    required: frozenset[str],
    block: ScreenedBlock,
) -> Iterator[Answered[Key]]:
    for (key, candidate), answered in zip(items, block.verdicts, strict=True):
        checked = tuple(name for name in spaces if was_checked(candidate, name))
        verdict = final_verdict(answered, frozenset(checked), required)
        yield Answered(key, verdict, checked, block.log_size)


def _spaces_of[Key](
    items: Sequence[tuple[Key, Candidate]], required: Sequence[str], opted_in: Sequence[str]
) -> list[str]:
    """Where to look: what was not opted in to is not sent, even where it was computed."""
    found = {*required, *(name for _, candidate in items for name in candidate)}
    return sorted(found - (set(PERSON_SPACES) - set(opted_in)))


def _screen_operation(
    screening: Screening,
    number: int,
    columns: Sequence[Column],
    audit_path: Sequence[bytes] | None = None,
) -> Operation[ScreenedBlock]:
    if not columns:
        raise Malformed("a block has at least one column")
    return operations.screen(screening.id, number, columns[0].count, columns, audit_path)


def _blocks[Item](items: Sequence[Item], rows: int) -> Iterator[tuple[int, Sequence[Item]]]:
    if not 1 <= rows <= MAX_BLOCK:
        raise Malformed(f"a block has 1 to {MAX_BLOCK} images")
    for number, start in enumerate(range(0, len(items), rows)):
        yield number, items[start : start + rows]


class Builder:
    """A data set builder at one registry.

    Args:
        address: the registry's address.
        token: from the registry's operator; kept out of every message.
        insecure_http: take plain http to other machines too.
        patience: how long to keep trying.
        on_wait: told before each wait.

    Raises:
        TransportError: a bad address or token. InsecureRegistry: plain http to another machine.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str,
        insecure_http: bool = False,
        patience: Patience = DEFAULT_PATIENCE,
        on_wait: Callable[[Waiting], None] | None = None,
    ) -> None:
        self._connection = Connection(
            address, token=token, insecure_http=insecure_http, patience=patience, on_wait=on_wait
        )

    def registry(self) -> RegistryInfo:
        """What the registry says about itself.

        Raises:
            SpaceMismatch: it defines a space otherwise than it is defined here.
        """
        info = self._connection.run(operations.registry_info())
        check_definitions(info)
        return info

    def open_screening(
        self,
        dataset: str,
        use: Use,
        required_spaces: Sequence[str],
        candidate_count: int,
        *,
        opt_in_spaces: Sequence[str] = (),
        lawful_basis_stated: bool = False,
        commitment: Commitment | None = None,
    ) -> Screening:
        """Opens a session for one data set and one use.

        Args:
            dataset: its name, seen by the registry's operator.
            use: what it is for.
            required_spaces: an image that lacks one of them is UNKNOWN unless excluded.
            candidate_count: how many images will be sent at most.
            opt_in_spaces: spaces of people (`face-1`) to look in too.
            lawful_basis_stated: whether you state that you may lawfully process biometric data of
                the people in these images; a registry opens no session with such spaces otherwise.
            commitment: to the manifest of a committed session of `candidate_count` images, which
                can be certified; `consent_client.screening.certified` does all of it.

        Raises:
            RegistryProblem: `UNAUTHENTICATED`, `INVALID_INPUT`, … TransportError.
        """
        return self._connection.run(
            operations.open_screening(
                dataset,
                use,
                required_spaces,
                candidate_count,
                opt_in_spaces=opt_in_spaces,
                lawful_basis_stated=lawful_basis_stated,
                commitment=commitment,
            )
        )

    def screen_block(
        self,
        screening: Screening,
        number: int,
        columns: Sequence[Column],
        audit_path: Sequence[bytes] | None = None,
    ) -> ScreenedBlock:
        """Asks about one block; the same block again gets the same answer and costs nothing.

        Args:
            screening: from `open_screening`.
            number: of the block, from 0.
            columns: as `columns_of` makes them, at least one.
            audit_path: of the block, in a committed session.

        Raises:
            RegistryProblem: `CONFLICT` where this number was answered for other images, … .
            ProtocolError, TransportError.
        """
        return self._connection.run(_screen_operation(screening, number, columns, audit_path))

    def contest(
        self,
        screening: Screening,
        contested: Contest,
        manifest: bytes | None = None,
        audit_path: Sequence[bytes] = (),
    ) -> ContestedRows:
        """Contests excluded rows; the same contest again gets the same answer and costs nothing.

        Leaving an excluded image out is always right, and free. A contest counts against the
        organisation's budget, each crop counts as an image, and each row can be contested once.

        Args:
            screening: the session they were answered in; still open.
            contested: as `contest_of` makes it.
            manifest: in a committed session, all rows of the block's manifest, joined.
            audit_path: of the block, then.

        Raises:
            RegistryProblem: `CONFLICT` where a row was screened with other fingerprints or was
                contested before, `INVALID_INPUT` where one was not excluded, … .
            ProtocolError, TransportError.
        """
        return self._connection.run(
            operations.contest(screening.id, contested, manifest, audit_path)
        )

    def close_screening(self, screening: Screening) -> ClosedScreening:
        """Closes a session and gets the registry's counts; again gets the same.

        Raises:
            RegistryProblem, TransportError.
        """
        return self._connection.run(operations.close_screening(screening.id))

    def certify(self, screening: Screening, certificate: bytes) -> Certification:
        """Has the certificate of a closed committed session logged; again gets the same answer.

        Raises:
            RegistryProblem: `INVALID_INPUT` where it says something else than the session,
                `CONFLICT` where another one is logged. TransportError.
        """
        return self._connection.run(operations.certify(screening.id, certificate))

    def screen[Key](
        self,
        items: Sequence[tuple[Key, Candidate]],
        *,
        dataset: str,
        use: Use,
        required_spaces: Sequence[str],
        block_rows: int = BLOCK_ROWS,
        opt_in_spaces: Sequence[str] = (),
        lawful_basis_stated: bool = False,
    ) -> Iterator[Answered[Key]]:
        """Opens a session, screens all items in blocks and closes it.

        Args:
            items: key and fingerprints of each candidate, as `fingerprint_many` computes them.
            dataset: as `open_screening`.
            use: as `open_screening`.
            required_spaces: as `open_screening`.
            block_rows: images per request, at most `MAX_BLOCK`.
            opt_in_spaces: as `open_screening`; fingerprints in other spaces of people are not sent.
            lawful_basis_stated: as `open_screening`.

        Yields:
            An answer for each item, in order, as soon as its block is answered.

        Raises:
            RegistryProblem, ProtocolError, TransportError.
        """
        if not items:
            return
        required = frozenset(required_spaces)
        spaces = _spaces_of(items, required_spaces, opt_in_spaces)
        screening = self.open_screening(
            dataset,
            use,
            required_spaces,
            len(items),
            opt_in_spaces=opt_in_spaces,
            lawful_basis_stated=lawful_basis_stated,
        )
        for number, part in _blocks(items, block_rows):
            columns = columns_of([candidate for _, candidate in part], spaces)
            yield from _answers(
                part, spaces, required, self.screen_block(screening, number, columns)
            )
        self.close_screening(screening)

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


class AsyncBuilder:
    """As `Builder`, for asyncio."""

    def __init__(
        self,
        address: str,
        *,
        token: str,
        insecure_http: bool = False,
        patience: Patience = DEFAULT_PATIENCE,
        on_wait: Callable[[Waiting], None] | None = None,
    ) -> None:
        self._connection = AsyncConnection(
            address, token=token, insecure_http=insecure_http, patience=patience, on_wait=on_wait
        )

    async def registry(self) -> RegistryInfo:
        """As `Builder.registry`."""
        info = await self._connection.run(operations.registry_info())
        check_definitions(info)
        return info

    async def open_screening(
        self,
        dataset: str,
        use: Use,
        required_spaces: Sequence[str],
        candidate_count: int,
        *,
        opt_in_spaces: Sequence[str] = (),
        lawful_basis_stated: bool = False,
    ) -> Screening:
        """As `Builder.open_screening`."""
        return await self._connection.run(
            operations.open_screening(
                dataset,
                use,
                required_spaces,
                candidate_count,
                opt_in_spaces=opt_in_spaces,
                lawful_basis_stated=lawful_basis_stated,
            )
        )

    async def screen_block(
        self, screening: Screening, number: int, columns: Sequence[Column]
    ) -> ScreenedBlock:
        """As `Builder.screen_block`."""
        return await self._connection.run(_screen_operation(screening, number, columns))

    async def contest(self, screening: Screening, contested: Contest) -> ContestedRows:
        """As `Builder.contest`."""
        return await self._connection.run(operations.contest(screening.id, contested))

    async def close_screening(self, screening: Screening) -> ClosedScreening:
        """As `Builder.close_screening`."""
        return await self._connection.run(operations.close_screening(screening.id))

    async def screen[Key](
        self,
        items: Sequence[tuple[Key, Candidate]],
        *,
        dataset: str,
        use: Use,
        required_spaces: Sequence[str],
        block_rows: int = BLOCK_ROWS,
        opt_in_spaces: Sequence[str] = (),
        lawful_basis_stated: bool = False,
    ) -> AsyncIterator[Answered[Key]]:
        """As `Builder.screen`."""
        if not items:
            return
        required = frozenset(required_spaces)
        spaces = _spaces_of(items, required_spaces, opt_in_spaces)
        screening = await self.open_screening(
            dataset,
            use,
            required_spaces,
            len(items),
            opt_in_spaces=opt_in_spaces,
            lawful_basis_stated=lawful_basis_stated,
        )
        for number, part in _blocks(items, block_rows):
            columns = columns_of([candidate for _, candidate in part], spaces)
            block = await self.screen_block(screening, number, columns)
            for answer in _answers(part, spaces, required, block):
                yield answer
        await self.close_screening(screening)

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
