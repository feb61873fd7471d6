import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadFingerprint, Malformed, ProtocolError, UnknownSpace
from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.screening import MAX_BLOCK, Column, block_content
from consent_client.protocol.spaces import MAX_FACES, SPACES

BITS = st.lists(st.booleans(), min_size=1, max_size=20)


def column(space_id, bits, fill=0):
    present = np.array(bits, bool)
    size = SPACES[space_id].size
    data = b"".join(bytes([fill + k]) * size for k in range(int(present.sum())))
    return Column(space_id, present, data)


def faces(bits, counts, fill=0):
    """A column of people whose fingerprints are no vectors."""
    data = b"".join(bytes([fill + k]) * 256 for k in range(sum(counts)))
    return Column("face-1", np.array(bits, bool), data, np.array(counts, np.uint8))


@given(st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=20))
def test_a_column_of_people_reads_back(seen):
    counts = [each for each in seen if each is not None]
    one = faces([each is not None for each in seen], counts)
    again = Column.decode("face-1", len(seen), one.bitmap, one.data, bytes(counts))
    assert again.rows.dtype == np.int64
    assert again.rows.tolist() == [row for row, each in enumerate(seen) for _ in range(each or 0)]
    assert again.codes()[:, 0].tolist() == list(range(sum(counts)))
    assert block_content([again]) == block_content([one])


@given(
    st.sampled_from(["face-1", "sha256"]),
    st.integers(1, 4),
    st.binary(max_size=1),
    st.binary(max_size=4),
    st.integers(0, 5).map(lambda n: bytes(256 * n)),
)
def test_any_counts_are_read_canonically_or_refused(space_id, count, present, counts, data):
    try:
        found = Column.decode(space_id, count, present, data, counts)
    except ProtocolError:
        return
    assert found.space_id == "face-1"
    assert (found.bitmap, found.counts.tobytes(), found.data) == (present, counts, data)
    assert len(found.rows) * 256 == len(data)
    assert max(counts, default=0) <= MAX_FACES


def test_how_many_people_each_image_shows_is_part_of_a_block():
    blocks = [
        [faces([1, 1], [2, 0])],
        [faces([1, 1], [0, 2])],
        [faces([1, 1], [1, 1])],
        [faces([1, 0], [2])],
        [faces([1, 1], [2, 0], fill=1)],
    ]
    assert len({block_content(columns) for columns in blocks}) == len(blocks)


def test_an_image_has_as_many_faces_as_the_limit_and_no_more():
    assert len(faces([1], [MAX_FACES]).rows) == MAX_FACES
    with pytest.raises(Malformed):
        faces([1], [MAX_FACES + 1])
    with pytest.raises(Malformed):
        Column("face-1", np.ones(1, bool), bytes(256), np.ones(1, np.int64))


@given(BITS)
def test_a_column_reads_back(bits):
    one = column("pdq-1", bits)
    again = Column.decode("pdq-1", len(bits), one.bitmap, one.data)
    assert again.present.tolist() == bits
    assert again.data == one.data
    assert again.count == len(bits)
    assert again.rows.dtype == np.int64
    assert again.codes().shape == (sum(bits), 32)
    for k, row in enumerate(again.rows):
        assert bits[row]
        assert (again.codes()[k] == k).all()


@given(
    st.sampled_from([*SPACES, "other"]),
    st.integers(-1, 30),
    st.binary(max_size=4),
    st.sampled_from([0, 32, 64, 1024, 1025]).map(bytes),
)
def test_any_column_is_read_canonically_or_refused(space_id, count, present, data):
    try:
        found = Column.decode(space_id, count, present, data)
    except ProtocolError:
        return
    assert (found.count, found.bitmap, found.data) == (count, present, data)


def test_vectors_come_out_in_the_order_of_their_images():
    vectors = np.random.default_rng(1).normal(size=(3, 512))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    data = b"".join(encode_float(vector) for vector in vectors)
    found = Column("sscd-1", np.array([1, 0, 1, 1], bool), data)
    assert found.rows.tolist() == [0, 2, 3]
    assert np.allclose(found.floats(), vectors, atol=1e-3)


def test_a_column_may_be_empty_of_fingerprints():
    found = Column("sscd-1", np.zeros(5, bool), b"")
    assert found.floats().shape == (0, 512)
    assert found.rows.shape == (0,)


@pytest.mark.parametrize(
    ("space_id", "present", "data", "error"),
    [
        ("other", np.ones(1, bool), bytes(32), UnknownSpace),
        ("sha256", np.zeros(0, bool), b"", Malformed),
        ("sha256", np.zeros(MAX_BLOCK + 1, bool), b"", Malformed),
        ("sha256", np.ones(1, np.uint8), bytes(32), Malformed),
        ("sha256", np.ones((1, 1), bool), bytes(32), Malformed),
        ("sha256", np.ones(2, bool), bytes(32), BadFingerprint),
    ],
)
def test_what_is_no_column_is_refused(space_id, present, data, error):
    with pytest.raises(error):
        Column(space_id, present, data)


def test_the_largest_block_is_accepted():
    assert column("sha256", [False] * MAX_BLOCK).count == MAX_BLOCK


def test_a_block_is_the_same_in_any_order_of_columns():
    columns = [column("sha256", [1, 1, 0]), column("pdq-1", [0, 1, 0]), column("url-1", [0, 0, 0])]
    assert block_content(columns) == block_content(columns[::-1])


def test_a_block_differs_by_space_presence_and_fingerprints():
    blocks = [
        [column("sha256", [1, 0, 0])],
        [column("sha256", [0, 1, 0])],
        [column("sha256", [1, 0])],
        [column("sha256", [1, 0, 0], fill=1)],
        [column("pdq-1", [1, 0, 0])],
        [column("sha256", [1, 0, 0]), column("pdq-1", [0, 0, 0])],
    ]
    assert len({block_content(columns) for columns in blocks}) == len(blocks)


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [column("sha256", [1]), column("sha256", [1])],
        [column("sha256", [1]), column("pdq-1", [1, 0])],
    ],
)
def test_what_is_no_block_is_refused(columns):
    with pytest.raises(Malformed):
        block_content(columns)


def test_a_column_does_not_show_its_fingerprints():
    assert "data" not in repr(column("sha256", [1]))
    assert "counts" not in repr(faces([1], [1]))
