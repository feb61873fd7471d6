"""A space of one's own, 768 numbers, from the space file to the first stage of a snapshot.

The registry is a process of its own that was started with `CONSENT_SPACES`, and every command of
the client is one too: what spaces there are is read once per process.
"""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fingerprints import photographs
from tests.support import own_space
from tests.support.serving import Server, serving

SPACE = own_space.SPACE
SAMPLE = 3_200
CONSENT = [sys.executable, "-c", "from consent_client.cli import main; main()"]

# Vectors of pictures, and of a sample of crops, in a process that has the space.
VECTORS = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from consent_client.fingerprints.own import load_own_model, view
model = load_own_model(sys.argv[1], Path(sys.argv[2]))
seen = []
for path in sys.argv[4:]:
    with Image.open(path) as opened:
        seen.append(view(opened.convert("RGB"), model.model))
np.save(sys.argv[3], model.embed(np.concatenate(seen)))
"""


def _jpeg(which, quality=80, shrunk=1):
    image = photographs.photograph(*which)
    out = io.BytesIO()
    image.resize((image.width // shrunk, image.height // shrunk)).save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    """The fitted space file, and the model file."""
    folder = tmp_path_factory.mktemp("spaces")
    plain, model = own_space.written(folder / "plain")
    sample = folder / "sample.npy"
    np.save(sample, own_space.sample_vectors(model, SAMPLE))
    fitted = _run(
        [sys.executable, "-m", "registry.cli", "space", "fit", str(plain)],
        "--embeddings",
        str(sample),
        "--out",
        str(folder / "fitted"),
        "--json",
    )
    told = json.loads(fitted.stdout)
    assert told["recall"] >= 0.99
    assert told["topShare"] <= 1.5
    return folder / "fitted" / f"{SPACE}.json", model, plain


@pytest.fixture(scope="module")
def server(spaces, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("registry"), CONSENT_SPACES=str(spaces[0])) as started:
        yield started


@pytest.fixture(scope="module")
def token(server):
    return server.add_builder("A builder")


@pytest.fixture(scope="module")
def consent(server: Server, token, spaces, tmp_path_factory):
    state = tmp_path_factory.mktemp("state")

    def run(*arguments, named=spaces[0], check=True):
        ours = {
            "CONSENT_REGISTRY": server.url,
            "CONSENT_STATE": str(state),
            "CONSENT_TOKEN": token,
            "CONSENT_SPACES": str(named or ""),
            "COLUMNS": "200",
        }
        return _run(CONSENT, *map(str, arguments), environment=ours, check=check)

    return run


def _run(command, *arguments, environment=None, check=True):
    done = subprocess.run(
        [*command, *arguments],
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def registered(consent, spaces, tmp_path_factory):
    """The cat is protected, by its owner's command."""
    picture = tmp_path_factory.mktemp("own") / "cat.jpg"
    picture.write_bytes(_jpeg(photographs.CAT, 95))
    told = json.loads(
        consent("protect", picture, "--model", f"{SPACE}={spaces[1]}", "--json").stdout
    )
    (record,) = told["records"]
    assert record["protection"][SPACE] == "NOT_MEASURED"
    return picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A re-encoded, smaller cat among others."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, which in (("coffee", photographs.COFFEE), ("rocket", photographs.ROCKET)):
        (folder / f"{name}.jpg").write_bytes(_jpeg(which))
    (folder / "copy.jpg").write_bytes(_jpeg(photographs.CAT, 40, 2))
    return folder


@pytest.fixture(scope="module")
def vectors(spaces, pictures, tmp_path_factory):
    """float32[3, 768]: coffee, copy of the cat, rocket."""
    target = tmp_path_factory.mktemp("vectors") / "vectors.npy"
    paths = [str(pictures / f"{name}.jpg") for name in ("coffee", "copy", "rocket")]
    _run(
        [sys.executable, "-c", VECTORS],
        SPACE,
        str(spaces[1]),
        str(target),
        *paths,
        environment={"CONSENT_SPACES": str(spaces[0])},
    )
    return np.load(target)


def _excluded(out: Path) -> dict[str, str]:
    table = pq.read_table(out / "exclusions.parquet").to_pylist()
    return {row["key"]: row["verdict"] for row in table}


def test_a_folder_of_pictures_is_screened_with_the_model(
    consent, registered, pictures, spaces, tmp_path
):
    consent(
        *("screen", pictures, "--dataset", "pictures", "--use", "ai_training"),
        *("--out", tmp_path / "out", "--model", f"{SPACE}={spaces[1]}", "--spaces", SPACE),
    )
    assert _excluded(tmp_path / "out") == {"copy.jpg": "EXCLUDE"}


@pytest.mark.parametrize("half", [True, False])
def test_a_folder_of_embeddings_is_screened_without_pictures(
    consent, registered, vectors, tmp_path, half
):
    rows = np.concatenate([vectors * 3, np.zeros((1, 768)), np.full((1, 768), np.nan)])
    folder = _embeddings(tmp_path / "laion", rows.astype(np.float16 if half else np.float32))
    done = consent(
        *("screen", folder, "--dataset", "laion", "--use", "ai_training"),
        *("--embeddings", SPACE, "--out", tmp_path / "out", "--json"),
    )
    counts = json.loads(done.stdout)["verdicts"]
    assert (counts["exclude"], counts["clear"], counts["unknown"]) == (1, 2, 2)
    assert _excluded(tmp_path / "out") == {
        "p/1.jpg": "EXCLUDE",
        "p/3.jpg": "UNKNOWN",
        "p/4.jpg": "UNKNOWN",
    }
    kept = tmp_path / "out" / "kept"
    assert (
        np.load(kept / "img_emb" / "img_emb_0.npy")
        == np.load(folder / "img_emb" / "img_emb_0.npy")[[0, 2]]
    ).all()
    table = pq.read_table(kept / "metadata" / "metadata_0.parquet")
    assert table.column("image_path").to_pylist() == ["p/0.jpg", "p/2.jpg"]


def _embeddings(folder, rows):
    (folder / "img_emb").mkdir(parents=True)
    (folder / "metadata").mkdir()
    np.save(folder / "img_emb" / "img_emb_0.npy", rows)
    names = [f"p/{number}.jpg" for number in range(len(rows))]
    table = pa.table({"image_path": names, "caption": ["a picture"] * len(rows)})
    pq.write_table(table, folder / "metadata" / "metadata_0.parquet")
    return folder
