"""Data sets of every form, whole ones and hostile ones."""

import base64
import contextlib
import csv
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent_client.adapters.columns import ColumnChoice
from consent_client.adapters.opening import Form, Reading, open_source
from consent_client.adapters.rows import Row, Source
from consent_client.errors import (
    DamagedSource,
    DuplicateKey,
    HostileArchive,
    ImageTooLarge,
    NotAnImage,
    SourceError,
    UnknownColumns,
    UnreadableImage,
)


def rows(source: Source) -> list[Row]:
    count, _ = source.survey()
    return list(source.rows(np.zeros(count, np.bool_)))


def mask(source: Source, *kept: int) -> np.ndarray:
    keep = np.zeros(source.survey()[0], np.bool_)
    keep[list(kept)] = True
    return keep


def tar_of(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def members_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}


# Folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "b").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name in ("a.jpg", "a.txt", "a.jpg.json", "b/c.PNG", "b/c.txt", "b/lonely.txt"):
        (root / name).write_text(name)
    (root / ".hidden" / "d.jpg").write_text("d")
    (root / "link.jpg").symlink_to("/etc/passwd")
    (root / "loop").symlink_to(root)
    return root


def test_a_folder(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(folder))
    assert source.form == "folder"
    found = rows(source)
    assert [row.key for row in found] == ["a.jpg", "link.jpg", "b/c.PNG"]
    assert [row.number for row in found] == [0, 1, 2]
    assert isinstance(found[1].trouble, UnreadableImage)
    assert found[1].image is None
    assert found[0].image == folder / "a.jpg"
    assert list(source.keys()) == [row.key for row in found]
    kept = source.keep(mask(source, 0), tmp_path)
    assert (kept.rows, kept.files, kept.left_out) == (1, 3, 1)
    assert sorted(path.name for path in tmp_path.glob("a*")) == ["a.jpg", "a.jpg.json", "a.txt"]
    assert not (tmp_path / "b").exists()


def test_hard_links(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(folder), Reading(hardlink=True))
    target = tmp_path / "kept"
    target.mkdir()
    source.keep(mask(source, 0, 2), target)
    assert (target / "b" / "c.PNG").samefile(folder / "b" / "c.PNG")


def test_a_changed_folder_is_noticed(folder: Path) -> None:
    source = open_source(str(folder))
    before = source.survey()
    assert source.survey() == before
    (folder / "a.jpg").write_text("something else")
    assert source.survey() != before


def test_names_that_are_no_text(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/\xff.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes text only")
    (row,) = rows(open_source(str(root)))
    row.key.encode()
    assert row.key == "\\xff.jpg"


# Tar


def test_a_webdataset(tmp_path: Path) -> None:
    path = tar_of(
        tmp_path / "s.tar",
        [
            ("d/0.jpg", b"0"),
            ("d/0.txt", b"t"),
            ("1.png", b"1"),
            ("1.seg.png", b"s"),
            ("2.txt", b""),
        ],
    )
    source = open_source(str(path))
    assert source.form == "tar"
    assert [(row.key, row.image) for row in rows(source)] == [
        ("d/0.jpg", b"0"),
        ("1.png", b"1"),
        ("1.seg.png", b"s"),
    ]
    skip = np.array([True, False, True])
    assert [row.number for row in source.rows(skip)] == [1]
    out = tmp_path / "kept"
    out.mkdir()
    kept = source.keep(mask(source, 0, 1), out)  # one picture of sample 1 is not kept: none is
    assert (kept.rows, kept.left_out) == (1, 1)
    assert members_of(out / "s.tar") == {"d/0.jpg": b"0", "d/0.txt": b"t"}


def test_shards_are_told_apart(tmp_path: Path) -> None:
    for name in ("00.tar", "01.tar"):
        tar_of(tmp_path / name, [("0.jpg", name.encode())])
    for text in (str(tmp_path), f"{tmp_path}/*.tar"):
        source = open_source(text)
        assert [row.key for row in rows(source)] == ["00.tar/0.jpg", "01.tar/0.jpg"]
    out = tmp_path / "kept"
    out.mkdir()
    source.keep(mask(source, 1), out)
    assert members_of(out / "00.tar") == {}
    assert members_of(out / "01.tar") == {"0.jpg": b"01.tar"}


@pytest.mark.parametrize(
    "name", ["../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "\\x.jpg"]
)
def test_a_tar_with_names_that_lead_out_is_refused(tmp_path: Path, name: str) -> None:
    path = tar_of(tmp_path / "s.tar", [("fine.jpg", b"1"), (name, b"2")])
    with pytest.raises(HostileArchive):
        open_source(str(path)).survey()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_a_tar_with_links_or_devices_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("x.jpg")
        member.type = kind
        member.linkname = "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(HostileArchive):
        open_source(str(path)).survey()


def test_a_tar_with_two_members_of_one_name_is_refused(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "s.tar", [("x.jpg", b"1"), ("x.jpg", b"2")])
    with pytest.raises(DuplicateKey):
        open_source(str(path)).survey()


def test_a_tar_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tar_of(tmp_path / "w.tar", [(f"{i}.jpg", bytes([i]) * 700) for i in range(4)])
    data = whole.read_bytes().rstrip(b"\0")
    for length in (0, 1, 511, 512, 900, 1_024, 1_536, 2_048, 3_072, 4_608, len(data) - 1):
        path = tmp_path / "cut.tar"
        path.write_bytes(data[:length])
        with pytest.raises(SourceError):
            open_source(str(path)).survey()


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "s.tar", [(f"{i}.jpg", b"x" * 512) for i in range(3)])
    data = bytearray(path.read_bytes())
    data[1_024 + 150] ^= 0xFF  # in the checksum of the second header
    path.write_bytes(data)
    with pytest.raises(DamagedSource):
        open_source(str(path)).survey()


def test_a_compressed_tar_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("x.jpg"))
    with pytest.raises(DamagedSource):
        open_source(str(path)).survey()


def test_a_member_too_large_for_a_picture_is_trouble_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    size = 3 * (1 << 27) + 512
    member = tarfile.TarInfo("x.jpg")
    member.size = size
    with path.open("wb") as file:
        file.write(member.tobuf())
        file.truncate(512 + size + 1_024)
    (row,) = rows(open_source(str(path)))
    assert isinstance(row.trouble, ImageTooLarge)
    assert row.image is None


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_garbled_tar_raises_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    path = tar_of(tmp_path / "s.tar", [("a.jpg", b"1" * 600), ("b.txt", b"2"), ("b.jpg", b"3")])
    content = bytearray(path.read_bytes()[: 512 * 8])
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        source = open_source(str(path))
        for row in rows(source):
            assert row.image is not None
    except SourceError:
        pass


# Tables


def table(path: Path, /, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def test_parquet_with_pictures(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.parquet",
        key=["x", "y", "z"],
        jpg=[b"1", None, b"3"],
        url=["https://a.example/1", None, "https://a.example/3"],
    )
    source = open_source(str(path))
    assert source.form == "parquet"
    assert source.has_images
    assert source.has_urls
    found = rows(source)
    assert [(row.key, row.image, row.url) for row in found] == [
        ("x", b"1", "https://a.example/1"),
        ("y", None, None),
        ("z", b"3", "https://a.example/3"),
    ]
    assert isinstance(found[1].trouble, NotAnImage)
    assert [row.number for row in source.rows(np.array([True, True, False]))] == [2]
    out = tmp_path / "kept"
    out.mkdir()
    source.keep(mask(source, 0, 2), out)
    written = pq.read_table(out / "t.parquet")
    assert written.schema.equals(pq.read_schema(path))
    assert written["key"].to_pylist() == ["x", "z"]


def test_parquet_as_datasets_writes_it(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(b"on disk")
    image = pa.array(
        [{"bytes": b"1", "path": "x.jpg"}, {"bytes": None, "path": "p.jpg"}],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    path = table(tmp_path / "t.parquet", image=image, label=[0, 1])
    found = rows(open_source(str(path)))
    assert [row.image for row in found] == [b"1", (tmp_path / "p.jpg").resolve()]
    assert [row.key for row in found] == ["0", "1"]


def test_several_parquet_files(tmp_path: Path) -> None:
    for name in ("0.parquet", "1.parquet"):
        table(tmp_path / name, URL=["https://a.example/" + name, "https://b.example/"])
    source = open_source(str(tmp_path))
    assert not source.has_images
    assert [row.key for row in rows(source)] == ["0", "1", "2", "3"]
    assert [row.url for row in source.rows(np.array([True, True, True, False]))] == [
        "https://b.example/"
    ]


def test_paths_that_lead_out_are_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "data"
    inside.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (inside / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    path = table(
        inside / "t.parquet", path=["../secret.jpg", "/etc/passwd", "link.jpg", "a\0b", "ok.jpg"]
    )
    found = rows(open_source(str(path)))
    assert [row.trouble is not None for row in found] == [True, True, True, True, False]
    allowed = rows(open_source(str(path), Reading(root=tmp_path)))
    assert allowed[0].trouble is not None  # relative to the root, not to the table


def test_duplicate_keys_are_refused_and_row_numbers_help(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", key=["x", "x"], url=["https://a.example", None])
    with pytest.raises(DuplicateKey):
        open_source(str(path)).survey()
    numbered = open_source(str(path), Reading(columns=ColumnChoice(key=":row")))
    assert [row.key for row in rows(numbered)] == ["0", "1"]


def test_a_key_that_is_missing_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", key=["x", None], url=["https://a.example", None])
    with pytest.raises(DamagedSource):
        open_source(str(path)).survey()


@pytest.mark.parametrize(
    "choice",
    [
        ColumnChoice(image="nothing"),
        ColumnChoice(path="number"),
        ColumnChoice(url="number"),
        ColumnChoice(),
    ],
)
def test_columns_that_can_not_be_told(tmp_path: Path, choice: ColumnChoice) -> None:
    path = table(tmp_path / "t.parquet", number=[1, 2], caption=["a", "b"])
    with pytest.raises(UnknownColumns):
        open_source(str(path), Reading(columns=choice))


def test_a_parquet_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = table(tmp_path / "w.parquet", jpg=[os.urandom(500) for _ in range(6)]).read_bytes()
    for length in (0, 1, 4, 8, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        path = tmp_path / "cut.parquet"
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedSource):
            rows(open_source(str(path)))


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.data())
def test_a_garbled_parquet_file_raises_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    path = table(tmp_path / "g.parquet", key=["a", "b"], jpg=[b"1" * 40, b"2" * 40])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 9))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(SourceError):
        rows(open_source(str(path)))


def write_csv(path: Path, lines: list[list[str]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(lines)
    return path


def test_csv_with_addresses(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "t.csv",
        [["URL", "TEXT"], ["https://a.example", 'a "quoted", text'], ["", "none"]],
    )
    source = open_source(str(path))
    assert source.form == "csv"
    assert [(row.key, row.url) for row in rows(source)] == [("0", "https://a.example"), ("1", None)]
    out = tmp_path / "kept"
    out.mkdir()
    source.keep(mask(source, 0), out)
    with (out / "t.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["URL", "TEXT"],
            ["https://a.example", 'a "quoted", text'],
        ]


def test_tsv_with_paths(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.tsv", [["file_name", "x"], ["a.jpg", "1"]], "\t")
    (row,) = rows(open_source(str(path)))
    assert row.image == (tmp_path / "a.jpg").resolve()


def test_csv_with_pictures_in_base64(tmp_path: Path) -> None:
    encoded = base64.b64encode(os.urandom(200_000)).decode()  # longer than csv's own limit
    path = write_csv(tmp_path / "t.csv", [["picture"], [encoded], ["no base64!"], []])
    source = open_source(str(path), Reading(columns=ColumnChoice(image="picture")))
    first, second = rows(source)  # an empty line is no row
    assert first.image == base64.b64decode(encoded)
    assert isinstance(second.trouble, NotAnImage)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"url\nhttps://a.example,extra\n",
        b"url,x\nhttps://a.example\n",
        b'url\n"never closed\n',
        b"url\n\xff\xfe\n",
        b'url\n"a"b\n',
        b"url\nabc\0\n",
        b"url,url\na,b\n",
        b"\n",
    ],
)
def test_a_damaged_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    try:
        found = rows(open_source(str(path)))
    except SourceError:
        return
    assert content == b"url\nabc\0\n"  # this Python reads zero bytes; they are in no address
    assert found


@pytest.mark.parametrize("name", ["nothing", "nothing/*.tar", "file.bin", "empty.zip"])
def test_what_is_no_data_set(tmp_path: Path, name: str) -> None:
    for existing in ("file.bin", "empty.zip"):
        (tmp_path / existing).touch()
    with pytest.raises(SourceError):
        open_source(str(tmp_path / name))


def test_the_form_is_told_from_what_a_folder_holds(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert open_source(str(tmp_path)).form == "folder"
    write_csv(tmp_path / "t.csv", [["url"]])
    assert open_source(str(tmp_path)).form == "csv"
    (tmp_path / "sub" / "a.jpg").touch()
    assert open_source(str(tmp_path)).form == "folder"  # img2dataset's files beside its tables
    assert open_source(str(tmp_path), Reading(form=Form.CSV)).form == "csv"
    tar_of(tmp_path / "0.tar", [])
    assert open_source(str(tmp_path)).form == "tar"
    with pytest.raises(SourceError):
        open_source(str(tmp_path), Reading(form=Form.PARQUET))
