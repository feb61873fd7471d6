"""`screen_batch`: a record batch in, a verdict per row out, whatever the columns are."""

import pickle
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from consent_client.errors import MissingExtra, SnapshotError, UnknownColumns, UnknownSpace
from consent_client.fingerprints.images import fingerprint_image
from consent_client.fingerprints.onnx_sessions import Provider
from consent_client.protocol.verdicts import Verdict
from consent_client.screening import batches, confirming
from consent_client.screening.batch_rows import BatchColumns
from consent_client.screening.batches import Confirm, screen_batch
from tests.support import planted

CLEAR, EXCLUDE, UNKNOWN = (int(each) for each in (Verdict.CLEAR, Verdict.EXCLUDE, Verdict.UNKNOWN))


def one_batch(table):
    (batch,) = table.combine_chunks().to_batches()
    return batch


def by_key(result, column="verdict"):
    return dict(zip(result["key"].to_pylist(), result[column].to_pylist(), strict=True))


def test_the_first_stage_clears_no_planted_copy_and_says_which_are_candidates(published):
    result = screen_batch(one_batch(planted.table()), published.screening())
    assert [str(kind) for kind in result.schema.types] == [
        *("string", "int8", "bool", "int64", "int64", "string", "string"),
    ]
    verdicts, candidates = by_key(result), by_key(result, "candidate")
    for key in planted.EXCLUDED:
        assert (verdicts[key], candidates[key]) == (UNKNOWN, True), key
    assert verdicts["damaged"] == UNKNOWN
    assert not candidates["damaged"]
    assert by_key(result, "why")["damaged"] == "TRUNCATED_IMAGE"
    for key in planted.KEPT:  # a chance hit of a dummy makes a candidate, and never an exclusion
        assert verdicts[key] == CLEAR or candidates[key]
    assert set(result["serial"].to_pylist()) == {1}
    assert all(size > 0 for size in result["log_size"].to_pylist())


@pytest.mark.usefixtures("token")
def test_confirmed_online_each_planted_copy_is_excluded_and_nothing_else(published):
    result = screen_batch(one_batch(planted.table()), published.screening(confirm=Confirm.ONLINE))
    verdicts = by_key(result)
    assert {key for key, verdict in verdicts.items() if verdict == EXCLUDE} == planted.EXCLUDED
    assert {key for key, verdict in verdicts.items() if verdict == CLEAR} == planted.KEPT
    assert not any(result["candidate"].to_pylist())
    assert result["fingerprints"].null_count == result.num_rows


def test_every_string_and_binary_type_gives_the_same(published):
    table = planted.table()
    plain = screen_batch(one_batch(table), published.screening())
    for text, binary in (
        (pa.large_string(), pa.large_binary()),
        (pa.string_view(), pa.binary_view()),
        (pa.dictionary(pa.int32(), pa.string()), pa.binary()),
        (pa.dictionary(pa.int8(), pa.large_string()), pa.large_binary()),
    ):
        changed = pa.table(
            {
                "key": _as(table["key"], text),
                "image": _as(table["image"], binary),
                "url": _as(table["url"], text),
            }
        )
        found = screen_batch(one_batch(changed), published.screening(changed.schema))
        assert found.equals(plain), (text, binary)
    inside = pa.array(
        [{"bytes": each, "path": None} for each in table["image"].to_pylist()],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    structs = table.set_column(1, "image", inside)
    assert screen_batch(one_batch(structs), published.screening(structs.schema)).equals(plain)


def _as(column, kind):
    values = column.to_pylist()
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def test_malformed_rows_are_unknown_and_change_no_other(published):
    good = planted.samples()[1]
    batch = pa.record_batch(
        {
            "image": pa.array(
                [None, b"", good.image, b"\x89PNG\r\n\x1a\n", good.image], pa.binary()
            ),
            "url": pa.array(["x", "http://[", None, "https://a:b@c/", "\0"], pa.string()),
        }
    )
    broken = pa.record_batch(
        [
            batch.column(0),
            pa.Array.from_buffers(
                pa.string(), 5, [None, *_text_buffers([b"\xff\xfe", b"a", b"b", b"\x80", b"c"])]
            ),
        ],
        names=["image", "url"],
    )
    for each in (batch, broken):
        result = screen_batch(each, published.screening(each.schema))
        assert result["key"].to_pylist() == [0, 1, 2, 3, 4]
        verdicts = result["verdict"].to_pylist()
        assert [verdicts[row] for row in (0, 1, 3)] == [UNKNOWN] * 3
        assert verdicts[2] == verdicts[4]
        assert verdicts[2] == CLEAR or result["candidate"][2].as_py()


def _text_buffers(values):
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int32)
    return pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(values))


STRANGE = (
    pa.array([1, None, -3, 2**62, 0], pa.int64()),
    pa.array([2**64 - 1, None, 0, 1, 2], pa.uint64()),
    pa.array([float("nan"), float("inf"), None, 1e300, -0.0], pa.float64()),
    pa.array([True, None, False, True, None]),
    pa.array([[1, 2], None, [], [None], [3]], pa.list_(pa.int8())),
    pa.array([{"bytes": b"x"}, None, {"bytes": None}, {}, {"bytes": b""}]),
    pa.array([{"path": "x"}, None, {"path": None}, {}, {"path": ""}]),
    pa.array([0, None, 1, 2, 3], pa.timestamp("us")),
    pa.array([b"\xff", None, b"", b"\0" * 40, b"x"], pa.binary()),
    pa.array([b"x" * 32, None, b"y" * 32, b"z" * 32, b"w" * 32], pa.binary(32)),
    pa.array(["\0", None, "", "a" * 70_000, "\U0010ffff"], pa.string()),
    pa.array(["0" * 64, None, "g" * 64, "0" * 63, "F" * 64], pa.large_string()),
    pa.array([1, None, 1, 2, 3], pa.int8()).dictionary_encode(),
    pa.RunEndEncodedArray.from_arrays(pa.array([2, 5], pa.int32()), pa.array(["a", None])),
    pa.nulls(5),
)


@pytest.mark.parametrize("number", range(len(STRANGE)))
def test_columns_of_any_type_raise_nothing_and_clear_no_picture(published, number):
    strange = STRANGE[number]
    names = ("key", "image", "path", "url", "sha256", "original_width", "original_height", "said")
    batch = pa.record_batch(dict.fromkeys((*names, "vector", "hash"), strange))
    columns = BatchColumns(
        *names[:7], opt_out=("said",), computed=(("sscd-1", "vector"), ("pdq-1", "hash"))
    )
    asked = published.screening(columns=columns, required_spaces=("sscd-1",), path_root="/nowhere")
    result = screen_batch(batch, asked)
    assert result.num_rows == 5
    assert CLEAR not in result["verdict"].to_pylist()


def test_fingerprints_that_were_computed_before_are_taken(published):
    found = {each.key: fingerprint_image(each.image, ("pdq-1", "sscd-1")) for each in _readable()}
    rows = [
        {
            "key": key,
            "hash": made.fingerprints["pdq-1"][0],
            "vector": (7 * np.frombuffer(made.fingerprints["sscd-1"][0], np.float16)).tolist(),
        }
        for key, made in found.items()
    ]
    rows.append({"key": "zero", "hash": None, "vector": [0.0] * 512})
    rows.append({"key": "short", "hash": b"x", "vector": [1.0] * 511})
    columns = BatchColumns("key", computed=(("pdq-1", "hash"), ("sscd-1", "vector")))
    asked = published.screening(columns=columns)
    assert asked.required_spaces == ("sscd-1",)
    result = screen_batch(pa.RecordBatch.from_pylist(rows), asked)
    candidates = by_key(result, "candidate")
    assert candidates["light"]
    assert candidates["heavy"]
    assert by_key(result, "why")["zero"] == by_key(result, "why")["short"] == "MISSING_SPACE"
    assert CLEAR in result["verdict"].to_pylist()


def _readable():
    return [each for each in planted.samples() if each.key not in planted.UNCHECKED]


def test_no_rows_and_only_nulls(published):
    schema = planted.table().schema
    screening = published.screening()
    assert screen_batch(pa.RecordBatch.from_pylist([], schema), screening).num_rows == 0
    nulls = pa.RecordBatch.from_pylist([{}, {}], schema)
    result = screen_batch(nulls, screening)
    assert result["key"].to_pylist() == [None, None]
    assert result["verdict"].to_pylist() == [UNKNOWN, UNKNOWN]
    untyped = pa.record_batch({name: pa.nulls(2) for name in schema.names})
    assert screen_batch(untyped, screening)["verdict"].to_pylist() == [UNKNOWN, UNKNOWN]


def test_a_missing_column_is_the_callers_mistake(published):
    with pytest.raises(UnknownColumns, match="image"):
        screen_batch(pa.record_batch({"key": ["a"], "url": ["b"]}), published.screening())


def test_past_its_expiry_a_snapshot_clears_nothing(published, monkeypatch):
    screening = published.screening()
    batch = one_batch(planted.table())
    screen_batch(batch, screening)  # it is open and kept
    late = batches.opened_snapshot(screening).manifest.expires
    monkeypatch.setattr(batches, "time", SimpleNamespace(time=lambda: late))
    for kept in (True, False):
        if not kept:
            batches._opened.clear()
        result = screen_batch(batch, screening)
        assert result["verdict"].to_pylist() == [UNKNOWN] * 7
        assert result["serial"].to_pylist() == [0] * 7
        assert not any(result["candidate"].to_pylist())
        assert set(result["why"].to_pylist()) == {"SNAPSHOT_EXPIRED"}
    with pytest.raises(SnapshotError):
        published.screening()


def test_another_snapshot_than_the_drivers_clears_nothing(published, tmp_path):
    batch = one_batch(planted.table())
    other = replace(published.screening(), digest="00" * 32)
    assert set(screen_batch(batch, other)["why"].to_pylist()) == {"SNAPSHOT_UNTRUSTED"}
    nowhere = replace(published.screening(), snapshot=str(tmp_path / "nowhere"))
    assert screen_batch(batch, nowhere)["verdict"].to_pylist() == [UNKNOWN] * 7
    copy = shutil.copytree(published.snapshot, tmp_path / "copy")
    part = next((copy / "targets").glob("*sscd-1*"))
    part.write_bytes(part.read_bytes()[:-1])
    damaged = replace(published.screening(), snapshot=str(copy))
    assert set(screen_batch(batch, damaged)["why"].to_pylist()) == {"SNAPSHOT_DAMAGED"}


def test_a_snapshot_that_others_may_read_opens_in_a_worker(published, tmp_path):
    copy = shutil.copytree(published.snapshot, tmp_path / "unpacked")
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o444)
    batches._opened.clear()
    moved = replace(published.screening(), snapshot=str(copy))
    batch = one_batch(planted.table())
    assert screen_batch(batch, moved).equals(screen_batch(batch, published.screening()))


@pytest.mark.usefixtures("token")
def test_the_token_is_in_no_pickle_and_in_no_result(published):
    screening = published.screening(confirm=Confirm.ONLINE)
    data = pickle.dumps(screening)
    assert published.token.encode() not in data
    again = pickle.loads(data)  # noqa: S301 (our own)
    assert again == screening
    assert again.question() == screening.question()
    assert published.token not in repr(screening)


def test_what_decides_a_verdict_changes_the_question(published):
    screening = published.screening()
    same = replace(screening, threads=2, snapshot="elsewhere", registry="https://b.example")
    assert same.question() == screening.question()
    for changed in (
        replace(screening, digest="00" * 32),
        replace(screening, use="cawg.data_mining"),
        replace(screening, required_spaces=("sha256",)),
        replace(screening, columns=replace(screening.columns, sha256="sha256")),
    ):
        assert changed.question() != screening.question()


def test_an_unreachable_registry_leaves_candidates_unknown(published, monkeypatch):
    monkeypatch.delenv("SCREENING_TEST_TOKEN", raising=False)
    result = screen_batch(one_batch(planted.table()), published.screening(confirm=Confirm.ONLINE))
    verdicts = by_key(result)
    assert {verdicts[key] for key in planted.EXCLUDED} == {UNKNOWN}
    assert all(by_key(result, "candidate")[key] for key in planted.EXCLUDED)
    assert all(by_key(result, "fingerprints")[key] for key in planted.EXCLUDED)


@pytest.mark.usefixtures("token")
def test_who_is_seen_is_asked_about_where_the_session_opted_in(published, monkeypatch):
    table = planted.table(*planted.people())
    plain = screen_batch(one_batch(table), published.screening(confirm=Confirm.ONLINE))
    assert by_key(plain)["she"] == CLEAR
    opted = published.screening(
        confirm=Confirm.ONLINE, opt_in_spaces=("face-1",), lawful_basis_stated=True
    )
    verdicts = by_key(screen_batch(one_batch(table), opted))
    excluded = {key for key, verdict in verdicts.items() if verdict == EXCLUDE}
    assert excluded == planted.EXCLUDED | {"she"}
    assert verdicts["another"] == CLEAR
    assert verdicts["damaged"] == UNKNOWN
    # where the registry does not answer, nothing that was seen of a face is written aside
    monkeypatch.delenv("SCREENING_TEST_TOKEN")
    found = screen_batch(one_batch(table), opted)
    assert by_key(found)["she"] == by_key(found)["another"] == UNKNOWN
    assert by_key(found, "fingerprints")["she"] is None
    assert by_key(found, "fingerprints")["exact"] is None  # looked for faces too, and found one
    written = [text for text in found["fingerprints"].to_pylist() if text]
    assert all("face-1" not in confirming.decoded(text) for text in written)


def test_people_are_looked_for_online_only(published):
    with pytest.raises(UnknownSpace, match="online"):
        published.screening(opt_in_spaces=("face-1",), lawful_basis_stated=True)


def test_what_a_site_said_is_honoured_beside_the_registry(published):
    table = planted.table().append_column(
        "x_robots_tag", pa.array([None, "noimageai", None, "index", None, None, "all"])
    )
    screening = published.screening(table.schema)
    asked = replace(screening, columns=replace(screening.columns, opt_out=("x_robots_tag",)))
    verdicts = by_key(screen_batch(one_batch(table), asked))
    assert verdicts["rocket"] == EXCLUDE
    assert verdicts["cat"] != EXCLUDE
    assert verdicts["light"] == UNKNOWN


def test_a_gpu_that_is_not_there_is_said_and_not_passed_over(published):
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there is one")
    asked = published.screening(provider=Provider.CUDA)
    with pytest.raises(MissingExtra, match="onnxruntime-gpu"):
        screen_batch(one_batch(planted.table()), asked)
    assert asked.question() != published.screening().question()
