"""Results of a committed screening, and the evidence that what is shipped was cleared (FORMATS §6).

Each row of the manifest has a result leaf: `salt16 ‖ u64 row ‖ row of the manifest ‖ u64 log size ‖
verdict`. Their tree is RFC 6962's, and its root stands in the CLOSE entry. The salts keep leaves
that are not opened from being guessed: whoever has a picture could else test what was said of it.

Evidence opens the leaf of every row that is shipped and shows all others as hashes. It is read
beside the shipped manifest, which has the shipped rows themselves, in the same order; so an opened
leaf takes 17 bytes and is opened once. Both are streams: nothing is kept but 64 hashes.
"""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from consent_client.errors import BadEvidence, BadManifest
from consent_client.protocol.encoding import u8, u64
from consent_client.protocol.log import MAX_INDEX, Close
from consent_client.protocol.manifests import BLOCK_ROWS, ROW_BYTES, ascending, rows_of
from consent_client.protocol.merkle import HASH_BYTES, Frontier, leaf_hash, node_hash, root_of
from consent_client.protocol.verdicts import Verdict

SECRET_BYTES: Final = 32
"""A session's secret: whoever has it can open every leaf."""

SALT_BYTES: Final = 16

LEAF_BYTES: Final = SALT_BYTES + 8 + ROW_BYTES + 8 + 1

MAGIC: Final = b"consent-registry/evidence/v1\0"

MAX_LEVEL: Final = 52
"""Level of the greatest subtree that fits into a session of fewer than 2^53 rows."""

_LOG_SIZE: Final = 0x10
_HIDDEN: Final = 0x40
_OPENED: Final = frozenset({Verdict.CLEAR, Verdict.PERMIT})


def row_salt(secret: bytes, number: int) -> bytes:
    """The salt of a row's leaf: HMAC-SHA256(session secret, u64 row)[:16]."""
    return hmac.digest(secret, number.to_bytes(8), "sha256")[:SALT_BYTES]


def result_leaf(salt: bytes, number: int, row: bytes, log_size: int, verdict: int) -> bytes:
    """A result leaf's 97 bytes, of values that are of the right lengths."""
    return salt + u64(number) + row + u64(log_size) + u8(verdict)


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered for one block of a manifest.

    Attributes:
        log_size: the state of the log that all its verdicts hold for.
        verdicts: a `Verdict` byte per row.
    """

    log_size: int
    verdicts: bytes = field(repr=False)


def results_block_root(secret: bytes, first: int, block: bytes, answered: Answered) -> bytes:
    """The root over the result leaves of a block.

    As with manifests, it is a node of the session's tree: `merkle.root_of` over the roots of all
    blocks is the session's results root.

    Args:
        secret: the session's, 32 bytes.
        first: number of the block's first row, a multiple of `BLOCK_ROWS`.
        block: its rows, joined.
        answered: what was answered.

    Raises:
        BadManifest: not as many verdicts as rows, one that does not exist, or a block of no or too
            many rows.
    """
    salts = _salts(secret, first, block)
    return root_of(_leaf_hashes(salts, first, block, answered))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What evidence shows.

    Attributes:
        shipped_root: root of the shipped manifest.
        shipped_count: its rows.
        verdicts: how many of them were answered CLEAR, and how many PERMIT.
        results_root: of the session.
        count: rows of the session.
    """

    shipped_root: bytes
    shipped_count: int
    verdicts: dict[Verdict, int]
    results_root: bytes
    count: int


# Writing


def write_evidence(
    out: BinaryIO,
    secret: bytes,
    count: int,
    blocks: Iterable[tuple[bytes, Answered]],
    shipped: Iterable[bytes],
) -> Evidence:
    """Writes the evidence for what is shipped of a session.

    Args:
        out: where to; written from its present position on.
        secret: the session's, 32 bytes.
        count: rows of its manifest, n.
        blocks: the manifest's blocks and what was answered for each, in order.
        shipped: rows of 64 bytes, those of the manifest that are shipped, in its order.

    Raises:
        BadManifest: shipped rows out of order, or blocks that are not those of `count` rows.
        BadEvidence: a shipped row that is not in the manifest, was excluded or could not be
            checked; or log sizes that decrease.
    """
    writer = _Writer(out, ascending(shipped))
    out.write(MAGIC + u64(count))
    for block, answered in blocks:
        if writer.tree.size % BLOCK_ROWS:
            raise BadManifest("only the last block has fewer rows")
        writer.add(secret, block, answered)
    return writer.end(count)


class _Writer:
    """Opens the leaves of shipped rows and folds what lies between them."""

    def __init__(self, out: BinaryIO, shipped: Iterator[bytes]) -> None:
        self.tree = Frontier()
        self._out = out
        self._shipped = shipped
        self._shipped_tree = Frontier()
        self._next = next(shipped, None)
        self._hidden: list[tuple[int, bytes]] = []
        self._log_size = -1
        self._written_log_size = -1
        self._verdicts = dict.fromkeys(sorted(_OPENED), 0)

    def add(self, secret: bytes, block: bytes, answered: Answered) -> None:
        if answered.log_size < self._log_size:
            raise BadEvidence("answered for an earlier log than the row before", self.tree.size)
        self._log_size = answered.log_size
        first = self.tree.size
        salts = _salts(secret, first, block)
        leaves = _leaf_hashes(salts, first, block, answered)
        for number, row in enumerate(rows_of(block), start=first):
            at = number - first
            if row == self._next:
                self._open(number, salts[at], answered.verdicts[at], leaf_hash(row))
            else:
                self._hide(number, leaves[at])
        self.tree.extend(leaves)

    def end(self, count: int) -> Evidence:
        self._flush()
        if self.tree.size != count:
            raise BadManifest("not as many rows as the session has")
        if self._next is not None:
            raise BadEvidence("a shipped row is not in the manifest, or not as it is shipped")
        return Evidence(
            self._shipped_tree.root(),
            self._shipped_tree.size,
            self._verdicts,
            self.tree.root(),
            count,
        )

    def _open(self, number: int, salt: bytes, code: int, shipped: bytes) -> None:
        verdict = Verdict(code)
        if verdict not in _OPENED:
            raise BadEvidence(f"a shipped row was answered {verdict.name}", number)
        self._flush()
        if self._log_size != self._written_log_size:
            self._out.write(u8(_LOG_SIZE) + u64(self._log_size))
            self._written_log_size = self._log_size
        self._out.write(u8(verdict) + salt)
        self._verdicts[verdict] += 1
        self._shipped_tree.append(shipped)
        self._next = next(self._shipped, None)

    def _hide(self, number: int, leaf: bytes) -> None:
        """Puts a leaf to those hidden, and folds what is complete.

        Two subtrees of one level that follow each other are a pair if the second ends at a multiple
        of twice their size.
        """
        level, end = 0, number + 1
        while self._hidden and self._hidden[-1][0] == level and end % (2 << level) == 0:
            leaf = node_hash(self._hidden.pop()[1], leaf)
            level += 1
        self._hidden.append((level, leaf))

    def _flush(self) -> None:
        for level, node in self._hidden:
            self._out.write(u8(_HIDDEN + level) + node)
        self._hidden.clear()


def _salts(secret: bytes, first: int, block: bytes) -> list[bytes]:
    rows = len(block) // ROW_BYTES
    return [row_salt(secret, number) for number in range(first, first + rows)]


def _leaf_hashes(salts: list[bytes], first: int, block: bytes, answered: Answered) -> list[bytes]:
    """Hashes of the result leaves of a block: `result_leaf`, written out for speed."""
    _check_answer(block, answered)
    tails = [u64(answered.log_size) + u8(verdict) for verdict in Verdict]
    numbers = range(first, first + len(salts))
    return [
        leaf_hash(salt + number.to_bytes(8) + row + tails[verdict])
        for salt, number, row, verdict in zip(
            salts, numbers, rows_of(block), answered.verdicts, strict=True
        )
    ]


def _check_answer(block: bytes, answered: Answered) -> None:
    rows = len(block) // ROW_BYTES
    if len(block) % ROW_BYTES or not 1 <= rows <= BLOCK_ROWS or len(answered.verdicts) != rows:
        raise BadManifest(f"a block has 1 to {BLOCK_ROWS} rows, and a verdict for each")
    if max(answered.verdicts) > max(Verdict):
        raise BadManifest("a verdict that does not exist")


# Verifying


def verify_evidence(
    source: BinaryIO, shipped: Iterable[bytes], count: int, close: Close, close_index: int
) -> Evidence:
    """Whether every shipped row was answered CLEAR or PERMIT in a session.

    Args:
        source: the evidence; read from its present position to its end.
        shipped: rows of the shipped manifest, in order.
        count: rows of the session, as its SESSION entry says.
        close: its CLOSE entry, from a log that was verified.
        close_index: where that stands in the log.

    Raises:
        BadEvidence: it does not show that. `row` is a number in the session, never content.
        BadManifest: what is shipped is no manifest.
    """
    reader = _EvidenceReader(source, ascending(shipped), close.least_log_size, close_index)
    if reader.take(len(MAGIC)) != MAGIC:
        raise BadEvidence("not evidence of this version")
    if int.from_bytes(reader.take(8)) != count:
        raise BadEvidence("evidence of a session with another number of rows")
    while reader.tree.size < count:
        reader.step(count)
    reader.end()
    if reader.tree.root() != close.results_root:
        raise BadEvidence("the results are not those that the session was closed with")
    return Evidence(
        reader.shipped_tree.root(),
        reader.shipped_tree.size,
        reader.verdicts,
        close.results_root,
        count,
    )


class _EvidenceReader:
    """Reads evidence beside the shipped rows, one step after the other."""

    def __init__(
        self, source: BinaryIO, shipped: Iterator[bytes], least_log_size: int, close_index: int
    ) -> None:
        self.tree = Frontier()
        self.shipped_tree = Frontier()
        self.verdicts = dict.fromkeys(sorted(_OPENED), 0)
        self._read = source.read
        self._shipped = shipped
        self._least = least_log_size
        self._greatest = close_index
        self._log_size = -1
        self._log_size_is_new = False
        self._hidden: tuple[int, int] | None = None  # level and end of what was hidden just before

    def take(self, size: int) -> bytes:
        data = self._read(size)
        while len(data) < size:
            more = self._read(size - len(data))
            if not more:
                raise BadEvidence("the evidence ends early", self.tree.size)
            data += more
        return data

    def step(self, count: int) -> None:
        kind = self.take(1)[0]
        if kind in _OPENED:
            self._open(Verdict(kind), self.take(SALT_BYTES))
        elif kind == _LOG_SIZE:
            self._set_log_size(int.from_bytes(self.take(8)))
        elif _HIDDEN <= kind <= _HIDDEN + MAX_LEVEL:
            self._hide(kind - _HIDDEN, self.take(HASH_BYTES), count)
        elif kind in (Verdict.EXCLUDE, Verdict.UNKNOWN):
            raise self._bad(f"a shipped row was answered {Verdict(kind).name}")
        else:
            raise self._bad("neither an opened nor a hidden row")

    def end(self) -> None:
        if self._log_size_is_new:
            raise self._bad("a log size for no row")
        if self._read(1):
            raise BadEvidence("something follows the evidence")
        if next(self._shipped, None) is not None:
            raise BadEvidence(f"only {self.shipped_tree.size} shipped rows are opened")

    def _open(self, verdict: Verdict, salt: bytes) -> None:
        if self._log_size < 0:
            raise self._bad("opened without a log size")
        row = next(self._shipped, None)
        if row is None:
            raise self._bad("opened, but not shipped")
        leaf = result_leaf(salt, self.tree.size, row, self._log_size, verdict)
        self.tree.append(leaf_hash(leaf))
        self.shipped_tree.append(leaf_hash(row))
        self.verdicts[verdict] += 1
        self._log_size_is_new = False
        self._hidden = None

    def _set_log_size(self, log_size: int) -> None:
        if self._log_size_is_new or log_size == self._log_size:
            raise self._bad("a log size that says nothing new")
        if log_size < self._log_size:
            raise self._bad("answered for an earlier log than a row before")
        if log_size < self._least:
            raise self._bad("answered for an earlier log than the session says")
        if log_size > min(self._greatest, MAX_INDEX):
            raise self._bad("answered for a log that was not there before the session was closed")
        self._log_size = log_size
        self._log_size_is_new = True

    def _hide(self, level: int, node: bytes, count: int) -> None:
        start, size = self.tree.size, 1 << level
        if start % size or start + size > count:
            raise self._bad("a hidden subtree that does not fit here")
        if self._log_size_is_new:
            raise self._bad("a log size for a hidden row")
        if self._hidden == (level, start) and (start + size) % (2 * size) == 0:
            raise self._bad("hidden rows that are not folded")
        self.tree.append_subtree(level, node)
        self._hidden = (level, start + size)

    def _bad(self, message: str) -> BadEvidence:
        return BadEvidence(message, self.tree.size)
