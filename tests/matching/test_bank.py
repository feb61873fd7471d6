"""The bank that is shipped: what is in it, where it is from, and that it can be made again."""

import hashlib
import io
import json
from functools import cache
from importlib import import_module
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from consent_client.fingerprints.images import fingerprint_image
from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.spaces import SPACES
from registry.matching.packaged_bank import packaged_bank
from scripts.bank.__main__ import (
    ID_BYTES,
    NEARLY_EQUAL,
    VERSION,
    entry_id,
    png,
    quantised,
    rounding,
)
from scripts.bank.drawn import PAINTERS, draw
from scripts.bank.sources import PYTHON_PICTURES, SOURCES
from tests.fingerprints import photographs

FOLDER = files("registry.matching") / "bank"
LEAST_PICTURES = 4_000
SAME = 0.97
"""Cosine of a picture made again: int8 and other versions of Pillow move it, other pictures do not
come to it."""


@cache
def description():
    return json.loads((FOLDER / f"bank-{VERSION}.json").read_text(encoding="utf-8"))


@cache
def data():
    return (FOLDER / f"bank-{VERSION}.npz").read_bytes()


@cache
def arrays():
    with np.load(io.BytesIO(data()), allow_pickle=False) as read:
        return {name: read[name] for name in read}


def test_it_is_the_one_that_the_script_makes_and_the_only_one():
    assert packaged_bank().version == VERSION == description()["version"]
    assert description()["sha256"] == hashlib.sha256(data()).hexdigest()
    names = sorted(file.name for file in FOLDER.iterdir() if file.name.startswith("bank-"))
    assert names == [f"bank-{VERSION}.json", f"bank-{VERSION}.npz"]


def test_there_are_enough_pictures_and_each_kind_is_counted():
    images = len(arrays()["sscd"])
    assert images == description()["images"] >= LEAST_PICTURES
    names = [each["name"] for each in description()["kinds"]]
    counts = np.bincount(arrays()["kind"], minlength=len(names)).tolist()
    assert counts == [each["images"] for each in description()["kinds"]]
    assert min(counts) > 0
    assert set(names) == {
        *(source.kind for source in SOURCES if _of(source.package)),
        *(kind for _, _, kind in PYTHON_PICTURES),
        *PAINTERS,
    }


def _of(package):
    found = [each for each in description()["sources"] if each["package"] == package]
    return sum(each["images"] for each in found)


def test_every_picture_has_a_source_and_every_source_a_licence():
    sources = description()["sources"]
    assert sum(each["images"] for each in sources) == description()["images"]
    assert {each.package for each in SOURCES} < {each["package"] for each in sources}
    for each in sources:
        assert each["file"]
        assert each["licences"]
        assert all(each["licences"])
    identities = arrays()["id"]
    assert identities.shape == (description()["images"], ID_BYTES)
    assert len(np.unique(identities, axis=0)) == len(identities)


def test_hashes_belong_to_pictures():
    of = arrays()["pdq_of"].astype(np.int64)
    assert len(of) == len(arrays()["pdq"])
    assert (np.diff(of) > 0).all()
    assert of[-1] < description()["images"]


def test_no_two_pictures_are_nearly_equal():
    vectors = packaged_bank().vectors["sscd-1"]
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    assert likeness.max() < NEARLY_EQUAL + 2 * description()["rounding"]


def entry(source):
    """Where a picture is in the bank; None: it was nearly equal to an earlier one."""
    found = np.flatnonzero((arrays()["id"] == entry_id(source)).all(axis=1))
    return int(found[0]) if len(found) else None


def check_again(source, picture):
    """Makes a picture's fingerprints again and compares them with the bank's."""
    made = fingerprint_image(png(picture), ["pdq-1", "sscd-1"]).fingerprints
    vector = decode_floats(made["sscd-1"][0], SPACES["sscd-1"])[0]
    place = entry(source)
    if place is None:
        assert packaged_bank().nearest("sscd-1", vector[None])[0] >= NEARLY_EQUAL - 0.01
        return
    assert packaged_bank().vectors["sscd-1"][place] @ vector >= SAME
    if "pdq-1" in made:
        at = np.flatnonzero(arrays()["pdq_of"] == place)
        seen = np.frombuffer(made["pdq-1"][0], np.uint8)
        assert np.bitwise_count(arrays()["pdq"][at] ^ seen).sum() <= 16 * len(at)


# Of the painters, those that need no fonts, which are in packages.
@pytest.mark.parametrize("number", [0, 7, 33])
@pytest.mark.parametrize("kind", ["gradient", "noise"])
def test_drawn_pictures_give_the_same_fingerprints_again(kind, number):
    check_again(f"drawn {kind} {number}", draw(kind, number, ()))


@pytest.mark.parametrize("which", PYTHON_PICTURES[::2], ids=lambda which: which[1])
def test_pictures_that_a_package_carries_give_the_same_fingerprints_again(which):
    module, name, _ = which
    picture = Image.fromarray(getattr(import_module(module), name)()).convert("RGB")
    check_again(f"{module} {name}", picture)


@pytest.mark.parametrize("which", photographs.ALL, ids=lambda which: which[1])
def test_what_is_registered_in_the_demonstration_is_not_in_it(which):
    made = fingerprint_image(photographs.path(*which), ["sscd-1"]).fingerprints["sscd-1"]
    vector = decode_floats(made[0], SPACES["sscd-1"])
    assert packaged_bank().nearest("sscd-1", vector)[0] < NEARLY_EQUAL - 0.1


def test_a_similarity_to_an_entry_is_as_good_as_is_said():
    """int8 is enough: similarities to what is stored differ from those to what was computed."""
    random = np.random.default_rng(5).standard_normal((200, 512)).astype(np.float32)
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    assert rounding(random, quantised(random)) < 0.02
    assert description()["rounding"] < 0.02
