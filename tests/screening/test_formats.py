"""DataComp's metadata and clip-retrieval's folders: kept without the rows that are left out."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consent_client.adapters.clip_retrieval import embedded
from consent_client.adapters.datacomp import UID_DTYPE, metadata, subset_of
from consent_client.errors import DamagedSource, SourceError, UnknownColumns
from tests.screening.test_stages import excluded, screened
from tests.support import planted

FOUND = {"exact", "address"}
"""What is found without pictures."""


def uid_of(key):
    return hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()


def rows():
    return [
        {"uid": uid_of(each.key), "url": each.url, "text": each.key, "sha256": each.sha256}
        for each in planted.samples()
    ]


def test_a_datacomp_subset_has_the_uids_of_what_is_kept(published, tmp_path):
    for name, part in (("a", rows()[:3]), ("b", rows()[3:])):
        pq.write_table(pa.Table.from_pylist(part), tmp_path / f"{name}.parquet")
    data = metadata(sorted(tmp_path.glob("*.parquet")))
    out = tmp_path / "out"
    screened(published, data, out)
    assert excluded(out) == {uid_of(key) for key in FOUND}
    subset = np.load(out / "subset.npy")
    assert subset.dtype == UID_DTYPE
    kept = {each.key for each in planted.samples()} - FOUND
    assert {f"{high:016x}{low:016x}" for high, low in subset.tolist()} == {
        uid_of(key) for key in kept
    }
    assert subset.tolist() == sorted(subset.tolist())


@pytest.mark.parametrize("uid", ["", "00", "g" * 32, None, 7, "0" * 33])
def test_what_is_no_uid_is_refused(uid):
    with pytest.raises(DamagedSource):
        subset_of([uid])


def clip_folder(folder, table, width=768):
    made = np.random.default_rng(0).standard_normal((table.num_rows, width)).astype(np.float16)
    for name in ("img_emb", "text_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    np.save(folder / "img_emb" / "img_emb_0.npy", made)
    np.save(folder / "text_emb" / "text_emb_0.npy", -made)
    pq.write_table(table, folder / "metadata" / "metadata_0.parquet")
    return made


def test_clip_retrieval_folders_stay_aligned(published, tmp_path):
    table = pa.Table.from_pylist(
        [
            {"image_path": f"/gone/{row['text']}.jpg", "caption": row["text"], **row}
            for row in rows()
        ]
    ).drop_columns(["uid"])
    made = clip_folder(tmp_path / "data", table)
    out = tmp_path / "out"
    screened(published, embedded(tmp_path / "data"), out)
    keys = [each.key for each in planted.samples()]
    assert {keys[int(row)] for row in excluded(out)} == FOUND
    kept = [row for row, key in enumerate(keys) if key not in FOUND]
    for name, wanted in (("img_emb", made[kept]), ("text_emb", -made[kept])):
        found = np.load(out / "kept" / name / f"{name}_0.npy")
        assert found.dtype == np.float16
        assert np.array_equal(found, wanted)
    captions = pq.read_table(out / "kept" / "metadata" / "metadata_0.parquet")["caption"]
    assert captions.to_pylist() == [keys[row] for row in kept]


def test_arrays_that_do_not_belong_to_the_metadata_are_refused(published, tmp_path):
    table = pa.Table.from_pylist(rows())
    clip_folder(tmp_path / "data", table)
    np.save(tmp_path / "data" / "img_emb" / "img_emb_0.npy", np.zeros((3, 4)))
    with pytest.raises(DamagedSource, match="as many rows"):
        screened(published, embedded(tmp_path / "data"), tmp_path / "out")
    (tmp_path / "data" / "img_emb" / "img_emb_0.npy").write_bytes(b"\x93NUMPY no array")
    with pytest.raises(DamagedSource, match="no whole array"):
        screened(published, embedded(tmp_path / "data"), tmp_path / "out2")


def test_clip_retrieval_needs_something_to_look_for(tmp_path):
    with pytest.raises(SourceError, match="metadata_0"):
        embedded(tmp_path)
    clip_folder(tmp_path / "data", pa.table({"caption": ["a"], "image_path": ["b"]}))
    with pytest.raises(UnknownColumns):
        embedded(tmp_path / "data")
