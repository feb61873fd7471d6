"""Results and evidence: every shipped row was cleared, and nothing is told of the others."""

import hmac
from dataclasses import replace
from functools import cache
from hashlib import sha256
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadEvidence, BadManifest, ProtocolError
from consent_client.protocol.log import Close
from consent_client.protocol.manifests import BLOCK_ROWS, in_blocks, root_of_rows, row
from consent_client.protocol.merkle import leaf_hash, root_of
from consent_client.protocol.results import (
    LEAF_BYTES,
    MAGIC,
    Answered,
    result_leaf,
    results_block_root,
    row_salt,
    verify_evidence,
    write_evidence,
)
from consent_client.protocol.verdicts import Verdict

SECRET = bytes(range(32))
CLOSE_INDEX = 1_000
CLEARED = (Verdict.CLEAR, Verdict.PERMIT)


@cache
def rows(count):
    return [row(i.to_bytes(32), sha256(b"%d" % i).digest()) for i in range(1, count + 1)]


class Screened:
    """A session that was answered, and what of it is shipped."""

    def __init__(self, verdicts, shipped, log_sizes=(20, 20, 30)):
        self.rows = rows(len(verdicts))
        self.verdicts = bytes(verdicts)
        self.blocks = [
            (block, Answered(log_size, self.verdicts[start : start + BLOCK_ROWS]))
            for block, log_size, start in zip(
                in_blocks(self.rows), log_sizes, range(0, 10**6, BLOCK_ROWS), strict=False
            )
        ]
        self.shipped = [self.rows[at] for at in sorted(shipped)]
        self.results_root = root_of(
            [
                results_block_root(SECRET, number * BLOCK_ROWS, block, answered)
                for number, (block, answered) in enumerate(self.blocks)
            ]
        )
        self.close = Close(10, 15, self.results_root)

    @property
    def count(self):
        return len(self.rows)

    def write(self, shipped=None):
        out = BytesIO()
        shipped = self.shipped if shipped is None else shipped
        written = write_evidence(out, SECRET, self.count, self.blocks, shipped)
        return out.getvalue(), written

    def verify(self, evidence, shipped=None, **changes):
        return verify_evidence(
            BytesIO(evidence),
            self.shipped if shipped is None else shipped,
            changes.get("count", self.count),
            replace(self.close, **changes.get("close", {})),
            changes.get("close_index", CLOSE_INDEX),
        )


VERDICTS = st.lists(st.sampled_from(Verdict), min_size=1, max_size=40)


@st.composite
def screenings(draw, some=False):
    verdicts = draw(VERDICTS)
    cleared = [at for at, verdict in enumerate(verdicts) if verdict in CLEARED]
    shipped = [at for at in cleared if draw(st.booleans())]
    if some and not shipped:
        verdicts, shipped = [*verdicts, Verdict.CLEAR], [len(verdicts)]
    return Screened(verdicts, shipped)


@given(screenings())
def test_evidence_of_what_was_cleared_is_accepted(screened):
    evidence, written = screened.write()
    found = screened.verify(evidence)
    assert found == written
    assert (found.shipped_root, found.shipped_count) == root_of_rows(screened.shipped)
    assert found.results_root == screened.results_root
    assert sum(found.verdicts.values()) == len(screened.shipped)


def test_the_results_root_is_that_of_all_leaves():
    screened = Screened([i % 4 for i in range(2 * BLOCK_ROWS + 3)], [])
    leaves = []
    for i, value in enumerate(screened.rows):
        log_size = 30 if i >= 2 * BLOCK_ROWS else 20
        salt = hmac.digest(SECRET, i.to_bytes(8), "sha256")[:16]
        leaves.append(
            leaf_hash(salt + i.to_bytes(8) + value + log_size.to_bytes(8) + bytes([i % 4]))
        )
    assert screened.results_root == root_of(leaves)
    assert len(result_leaf(bytes(16), 0, screened.rows[0], 1, 0)) == LEAF_BYTES


def test_evidence_over_several_blocks_takes_17_bytes_for_a_shipped_row():
    count = 2 * BLOCK_ROWS + 100
    shipped = set(range(count)) - {5, BLOCK_ROWS + 7}
    verdicts = [Verdict.CLEAR if at in shipped else Verdict.EXCLUDE for at in range(count)]
    screened = Screened(verdicts, shipped)
    evidence, _ = screened.write()
    assert screened.verify(evidence).shipped_count == count - 2
    assert len(evidence) == len(MAGIC) + 8 + 17 * (count - 2) + 33 * 2 + 9 * 2


def test_what_is_not_shipped_is_folded():
    screened = Screened([Verdict.CLEAR] * (2 * BLOCK_ROWS), [BLOCK_ROWS])
    evidence, _ = screened.write()
    assert screened.verify(evidence).shipped_count == 1
    assert len(evidence) == len(MAGIC) + 8 + 9 + 17 + 33 * 14


def without_hashes(evidence):
    """The steps of evidence, of hidden ones the level only."""
    source = BytesIO(evidence)
    steps = [source.read(len(MAGIC) + 8)]
    while kind := source.read(1):
        size = {0: 16, 2: 16, 0x10: 8}.get(kind[0], 32)
        steps.append((kind, source.read(size) if size < 32 else len(source.read(size))))
    return steps


@given(screenings(), st.data())
def test_nothing_is_told_of_rows_that_are_not_shipped(screened, data):
    evidence, _ = screened.write()
    hidden = [at for at, value in enumerate(screened.rows) if value not in screened.shipped]
    verdicts = bytearray(screened.verdicts)
    for at in hidden:
        assert row_salt(SECRET, at) not in evidence
        assert screened.rows[at] not in evidence
        verdicts[at] = data.draw(st.sampled_from(Verdict))
    other, _ = Screened(verdicts, [at for at in range(screened.count) if at not in hidden]).write()
    assert without_hashes(other) == without_hashes(evidence)


@given(screenings(some=True), st.data())
def test_no_flipped_bit_goes_unseen(screened, data):
    evidence, _ = screened.write()
    at = data.draw(st.integers(0, len(evidence) * 8 - 1))
    spoilt = bytearray(evidence)
    spoilt[at // 8] ^= 1 << at % 8
    with pytest.raises(BadEvidence):
        screened.verify(bytes(spoilt))


@given(screenings(), st.data())
def test_no_part_of_evidence_is_evidence(screened, data):
    evidence, _ = screened.write()
    with pytest.raises(BadEvidence):
        screened.verify(evidence[: data.draw(st.integers(0, len(evidence) - 1))])
    with pytest.raises(BadEvidence):
        screened.verify(evidence + data.draw(st.binary(min_size=1, max_size=40)))


@given(st.binary(max_size=120))
def test_any_bytes_are_refused(data):
    screened = Screened([Verdict.CLEAR] * 3, [1])
    for evidence in (data, MAGIC + (3).to_bytes(8) + data):
        with pytest.raises(BadEvidence):
            screened.verify(evidence)


@given(screenings(some=True), st.data())
def test_what_is_shipped_is_exactly_what_is_opened(screened, data):
    evidence, _ = screened.write()
    at = data.draw(st.integers(0, len(screened.shipped) - 1))
    one = screened.shipped[at]
    for shipped in (
        screened.shipped[:at] + screened.shipped[at + 1 :],
        [*screened.shipped[:at], one[:63] + bytes([one[63] ^ 1]), *screened.shipped[at + 1 :]],
        [*screened.shipped, row(b"\xff" * 32, bytes(32))],
    ):
        with pytest.raises(BadEvidence):
            screened.verify(evidence, shipped)
    for shipped in (
        [*screened.shipped, one],
        [*screened.shipped[: at + 1], *screened.shipped[at:]],
    ):
        with pytest.raises(ProtocolError):
            screened.verify(evidence, shipped)


@pytest.mark.parametrize("verdict", [Verdict.EXCLUDE, Verdict.UNKNOWN])
def test_an_image_that_was_not_cleared_can_not_be_shipped(verdict):
    screened = Screened([Verdict.CLEAR, verdict, Verdict.PERMIT], [0, 1, 2])
    with pytest.raises(BadEvidence) as caught:
        screened.write()
    assert caught.value.row == 1
    honest, _ = screened.write([screened.rows[0], screened.rows[2]])
    at = len(MAGIC) + 8 + 9 + 17  # where row 1 is hidden
    for said in Verdict:  # a dishonest builder opens it as one or the other
        opened = honest[:at] + bytes([said]) + row_salt(SECRET, 1) + honest[at + 33 :]
        with pytest.raises(BadEvidence):
            screened.verify(opened)


def test_a_row_that_was_not_screened_can_not_be_shipped():
    screened = Screened([Verdict.CLEAR] * 4, [0, 1])
    with pytest.raises(BadEvidence):
        screened.write([*screened.shipped, row(b"\xff" * 32, bytes(32))])
    with pytest.raises(BadEvidence):  # screened with other fingerprints
        screened.write([screened.rows[0], screened.rows[1][:32] + bytes(32)])
    with pytest.raises(BadManifest):
        screened.write([screened.rows[1], screened.rows[0]])


@pytest.mark.parametrize(
    ("change", "row_number"),
    [
        ({"count": 2}, None),
        ({"count": 4}, None),
        ({"close": {"results_root": bytes(32)}}, None),
        ({"close": {"least_log_size": 21}}, 0),
        ({"close_index": 19}, 0),
    ],
)
def test_the_logs_entries_decide(change, row_number):
    screened = Screened([Verdict.CLEAR] * 3, [0, 1])
    evidence, _ = screened.write()
    with pytest.raises(BadEvidence) as caught:
        screened.verify(evidence, **change)
    assert caught.value.row == row_number
    screened.verify(evidence, close={"least_log_size": 20}, close_index=20)


def test_log_sizes_do_not_decrease():
    count = BLOCK_ROWS + 5
    screened = Screened([Verdict.CLEAR] * count, [0, BLOCK_ROWS], log_sizes=(30, 20))
    with pytest.raises(BadEvidence) as caught:
        screened.write()
    assert caught.value.row == BLOCK_ROWS
    rising = Screened([Verdict.CLEAR] * count, [0, BLOCK_ROWS], log_sizes=(20, 30))
    evidence, _ = rising.write()
    assert rising.verify(evidence).shipped_count == 2
    falling = evidence.replace(b"\x10" + (30).to_bytes(8), b"\x10" + (16).to_bytes(8))
    with pytest.raises(BadEvidence) as caught:
        rising.verify(falling)
    assert caught.value.row == BLOCK_ROWS


def step(kind, *parts):
    return bytes([kind]) + b"".join(parts)


def log_size(size):
    return step(0x10, size.to_bytes(8))


OPEN, OPEN_1 = (step(0, row_salt(SECRET, number)) for number in (0, 1))
LEAVES = [
    leaf_hash(result_leaf(row_salt(SECRET, number), number, value, 20, 0))
    for number, value in enumerate(rows(4))
]
HIDE = [step(0x40, leaf) for leaf in LEAVES]
HIDE_23 = step(0x41, root_of(LEAVES[2:]))


@pytest.mark.parametrize(
    ("steps", "row_number"),
    [
        ([OPEN, OPEN_1, HIDE_23], 0),
        ([log_size(20), log_size(20), OPEN, OPEN_1, HIDE_23], 0),
        ([log_size(19), log_size(20), OPEN, OPEN_1, HIDE_23], 0),
        ([log_size(20), OPEN, log_size(20), OPEN_1, HIDE_23], 1),
        ([log_size(20), OPEN, OPEN_1, log_size(21), HIDE_23], 2),
        ([log_size(20), OPEN, OPEN_1, HIDE[2], HIDE[3]], 3),
        ([log_size(20), OPEN, OPEN_1, step(0x42, bytes(32))], 2),
        ([log_size(20), OPEN, step(0x41, bytes(32))], 1),
        ([step(0x43, bytes(32))], 0),
        ([log_size(20), OPEN, OPEN_1, step(0x3F, bytes(32))], 2),
        ([log_size(20), OPEN, OPEN_1, step(0x75, bytes(32))], 2),
        ([log_size(20), OPEN, OPEN_1, step(4, bytes(16))], 2),
        ([log_size(20), OPEN, OPEN_1, HIDE_23, log_size(21)], None),
        ([log_size(20), OPEN, HIDE[1], HIDE_23], None),
        ([log_size(20), OPEN, OPEN_1, step(0, row_salt(SECRET, 2)), HIDE[3]], 2),
        ([log_size(20), OPEN, step(2, row_salt(SECRET, 1)), HIDE_23], None),
        ([log_size(20), OPEN_1, OPEN, HIDE_23], None),
        ([log_size(2**63), OPEN, OPEN_1, HIDE_23], 0),
    ],
)
def test_evidence_that_says_the_same_otherwise_or_more_is_refused(steps, row_number):
    screened = Screened([Verdict.CLEAR] * 4, [0, 1])
    good, _ = screened.write()
    head = MAGIC + (4).to_bytes(8)
    assert good == head + b"".join([log_size(20), OPEN, OPEN_1, HIDE_23])
    with pytest.raises(BadEvidence) as caught:
        screened.verify(head + b"".join(steps))
    assert caught.value.row == row_number


def test_a_source_that_gives_less_than_asked_for_is_read_on():
    class Slow(BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 5))

    screened = Screened([Verdict.CLEAR] * 4, [0, 1])
    evidence, written = screened.write()
    found = verify_evidence(Slow(evidence), screened.shipped, 4, screened.close, CLOSE_INDEX)
    assert found == written


@pytest.mark.parametrize(
    "answered",
    [Answered(20, b""), Answered(20, bytes(4)), Answered(20, b"\0\0\x04")],
    ids=["none", "too many", "one that does not exist"],
)
def test_a_block_has_a_verdict_for_each_row(answered):
    block = b"".join(rows(3))
    with pytest.raises(BadManifest):
        results_block_root(SECRET, 0, block, answered)
    with pytest.raises(BadManifest):
        write_evidence(BytesIO(), SECRET, 3, [(block, answered)], [])
    with pytest.raises(BadManifest):
        results_block_root(SECRET, 0, block[:-1], Answered(20, bytes(3)))


def test_blocks_are_those_of_the_session():
    blocks = [(b"".join(rows(3)), Answered(20, bytes(3)))]
    with pytest.raises(BadManifest):
        write_evidence(BytesIO(), SECRET, 4, blocks, [])
    with pytest.raises(BadManifest):
        write_evidence(BytesIO(), SECRET, 6, blocks * 2, [])


def test_errors_say_numbers_and_no_content():
    screened = Screened([Verdict.EXCLUDE] * 3, [1])
    with pytest.raises(BadEvidence) as caught:
        screened.write()
    assert screened.rows[1].hex() not in str(caught.value)
    assert "row 1" in str(caught.value)
    assert screened.rows[1].hex() not in repr(screened.blocks)
