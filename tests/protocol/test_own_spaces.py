"""Space files: read strictly, refused with one typed error; two definitions never pass for one."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadSpaceFile
from consent_client.protocol import spaces
from consent_client.protocol.own_spaces import (
    MAX_FILE_BYTES,
    Crop,
    Layout,
    read_space_file,
    with_coding,
)
from consent_client.protocol.spaces import with_own
from consent_client.space_files import OwnSpace, read_own_space
from tests.support import own_space

BUILT_IN = tuple(each for each in spaces.SPACES.values() if each.own is None)
GOOD = own_space.definition(b"a model")
CODING = {
    "sha256": "0" * 64,
    "publicSha256": "1" * 64,
    "radius": 99,
    "recallPpm": 991_000,
    "falsePairPpb": 17_000,
    "leakagePpm": 508_000,
    "expectedLeakagePpm": 596_000,
}


def _bytes(value):
    return json.dumps(value).encode()


def _changed(path, new):
    value = copy.deepcopy(GOOD)
    *inner, last = path.split(".")
    at = value
    for name in inner:
        at = at.setdefault(name, dict(CODING))
    if new is None:
        at.pop(last, None)
    else:
        at[last] = new
    return _bytes(value)


def _own(tmp_path, **changes):
    return OwnSpace(read_space_file(_bytes({**GOOD, **changes})), tmp_path / "space.json")


def test_a_space_file_says_what_it_says():
    found = read_space_file(_bytes(GOOD))
    assert (found.id, found.dimension, found.threshold) == ("tiles-768", 768, 0.9)
    assert found.model.layout is Layout.NCHW
    assert found.model.crop is Crop.NONE
    assert found.registered == 2
    assert found.coding is None


def test_how_it_is_written_does_not_matter_and_what_it_says_does():
    same = json.dumps(dict(reversed(GOOD.items())), indent=4).encode()
    definitions = {read_space_file(data).definition for data in (_bytes(GOOD), same)}
    assert len(definitions) == 1
    others = (
        _changed("threshold", 0.91),
        _changed("model.colours", "BGR"),
        _changed("model.mean", [0.48, 0.45, 0.41]),
        _changed("model.sha256", "f" * 64),
        with_coding(_bytes(GOOD), CODING),
    )
    definitions |= {read_space_file(data).definition for data in others}
    assert len(definitions) == 1 + len(others)


CORRUPTIONS = {
    "not-json": b"{",
    "a-list": b"[]",
    "not-utf-8": b"\xff\xfe{}",
    "a-name-twice": _bytes(GOOD)[:-1] + b', "id": "another"}',
    "too-deep": b"[" * 100_000,
    "too-long": b" " * MAX_FILE_BYTES + _bytes(GOOD),
    "another-kind": _changed("kind", "consent-registry/space/v2"),
    "an-unknown-name": _changed("licence", "MIT"),
    "an-unknown-name-of-the-model": _changed("model.rotate", "yes"),
    "no-id": _changed("id", None),
    "an-id-with-capitals": _changed("id", "Clip"),
    "an-id-that-is-a-path": _changed("id", "../clip"),
    "an-id-with-two-hyphens": _changed("id", "clip--1"),
    "an-id-of-33-characters": _changed("id", "c" * 33),
    "no-dimension": _changed("dimension", 0),
    "a-dimension-too-great": _changed("dimension", 2_049),
    "half-a-dimension": _changed("dimension", 767.5),
    "a-dimension-that-is-true": _changed("dimension", new=True),
    "a-threshold-of-nought": _changed("threshold", 0),
    "a-threshold-above-one": _changed("threshold", 1.01),
    "a-threshold-not-a-number": _bytes(GOOD).replace(b"0.9,", b"NaN,"),
    "a-threshold-in-words": _changed("threshold", "0.9"),
    "finds-nothing": _changed("finds", ""),
    "finds-a-control-character": _changed("finds", "a\x1b[2J"),
    "finds-half-a-character": _changed("finds", "\ud800"),
    "no-model": _changed("model", None),
    "a-model-in-words": _changed("model", "clip"),
    "a-short-digest": _changed("model.sha256", "ab"),
    "a-digest-in-capitals": _changed("model.sha256", "A" * 64),
    "two-means": _changed("model.mean", [0.0, 0.0]),
    "an-endless-mean": _bytes(GOOD).replace(b"0.48145466", b"1e999"),
    "a-deviation-of-nought": _changed("model.deviation", [1, 1, 0]),
    "a-wide-input": _changed("model.width", 1 << 20),
    "an-unknown-layout": _changed("model.layout", "CHWN"),
    "an-unknown-filter": _changed("model.resize", "nearest"),
    "mirror-in-words": _changed("model.mirror", "no"),
    "a-coding-without-a-radius": _changed("coding.radius", None),
    "a-recall-above-one": _changed("coding.recallPpm", 1_000_001),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupt_space_file_is_refused(name):
    with pytest.raises(BadSpaceFile):
        read_space_file(CORRUPTIONS[name])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(sorted({*GOOD, "coding", *(f"model.{name}" for name in GOOD["model"])})), _JSON
)
def test_whatever_a_value_is_nothing_else_is_raised(path, new):
    try:
        found = read_space_file(_changed(path, new))
    except BadSpaceFile:
        return
    assert 1 <= found.dimension <= 2_048
    assert 0 < found.threshold <= 1
    assert len(found.definition) == 64


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_nothing_else_is_raised(data):
    with pytest.raises(BadSpaceFile):
        read_space_file(data)


def test_an_id_is_there_once(tmp_path):
    for taken in ("sha256", "sscd-1", "face-1"):
        with pytest.raises(BadSpaceFile, match="already"):
            with_own(BUILT_IN, [_own(tmp_path, id=taken)])
    with pytest.raises(BadSpaceFile, match="already"):
        with_own(BUILT_IN, [_own(tmp_path), _own(tmp_path)])


def test_an_image_has_no_more_spaces_than_a_list_holds(tmp_path):
    own = [_own(tmp_path, id=f"small-{number}", dimension=8) for number in range(4)]
    assert len(with_own(BUILT_IN, own[:3])) == 8
    with pytest.raises(BadSpaceFile, match="at most 3"):
        with_own(BUILT_IN, own)


def test_a_registered_picture_still_fits_its_list(tmp_path):
    """By the same bytes that `encode_list` writes, of which 8,000 are allowed."""
    plain = {**GOOD["model"], "mirror": False}
    assert with_own(BUILT_IN, [_own(tmp_path, dimension=2_048, model=plain)])
    with pytest.raises(BadSpaceFile, match="8000"):
        with_own(BUILT_IN, [_own(tmp_path, dimension=2_048)])


def test_spaces_of_ones_own_are_works_of_floats(tmp_path):
    (found,) = (each for each in with_own(BUILT_IN, [_own(tmp_path)]) if each.own is not None)
    assert found.size == 1_536
    assert not found.in_snapshots  # it has no coding
    assert found.definition == read_space_file(_bytes(GOOD)).definition
    coded = with_own(BUILT_IN, [_own(tmp_path, coding=CODING)])
    assert {each.id for each in coded if each.in_snapshots} == {
        *("pdq-1", "sha256", "sscd-1", "tiles-768", "url-1")
    }
    assert {each.definition for each in BUILT_IN} == {None}


def test_what_lies_beside_a_space_file_is_what_it_names(tmp_path):
    path = tmp_path / "tiles-768.json"
    path.write_bytes(_bytes({**GOOD, "coding": CODING}))
    own = read_own_space(path)
    with pytest.raises(BadSpaceFile, match="can not be read"):
        own.coding_bytes()
    (tmp_path / "tiles-768.npz").write_bytes(b"another coding")
    with pytest.raises(BadSpaceFile, match="not the file"):
        own.coding_bytes()
