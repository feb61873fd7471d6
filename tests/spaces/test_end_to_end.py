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

from consent_client.protocol.verdicts import Verdict
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


FIRST_STAGE = """
import json, sys
from pathlib import Path
import numpy as np
from consent_client.builder import columns_of
from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.notes import NoteVerifier
from consent_client.snapshots.pulling import open_snapshot
from consent_client.snapshots.snapshot import first_stage
space, key, folder, vectors = sys.argv[1:]
candidates = [{space: (encode_float(each),)} for each in np.load(vectors)]
snapshot = open_snapshot(Path(folder), NoteVerifier.parse(key))
print(json.dumps(first_stage(snapshot, columns_of(candidates, [space]), [space]).tolist()))
"""


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


def test_a_published_snapshot_has_the_space_and_tells_copies_from_others(
    server, consent, registered, vectors, spaces, tmp_path
):
    server.command("publish")
    folder = tmp_path / "snapshot"
    told = json.loads(consent("snapshot", "pull", "--folder", folder, "--json").stdout)
    assert told["spaces"][SPACE]["bits"] == 256
    np.save(tmp_path / "vectors.npy", vectors)
    key = server.ask("{ registry { verifierKey } }")["data"]["registry"]["verifierKey"]
    verdicts = _run(
        [sys.executable, "-c", FIRST_STAGE],
        *(SPACE, key, str(folder), str(tmp_path / "vectors.npy")),
        environment={"CONSENT_SPACES": str(spaces[0])},
    )
    coffee, copy, rocket = json.loads(verdicts.stdout)
    assert copy == Verdict.UNKNOWN  # a candidate, which the registry confirms
    assert Verdict.CLEAR in {coffee, rocket}  # either may be a candidate by chance
    # Whoever does not have the space reads the rest of the snapshot all the same.
    verify = ("snapshot", "verify", "--folder", folder, "--json")
    assert consent(*verify, named=None).returncode == 0
    # Whoever defines it otherwise is refused, without asking the registry.
    refused = consent(*verify, named=_defined_otherwise(spaces, tmp_path), check=False)
    assert json.loads(refused.stdout)["error"]["code"] == "SNAPSHOT_DAMAGED"


def _defined_otherwise(spaces, folder):
    """The same coding and id, another threshold."""
    value = json.loads(spaces[0].read_text())
    value["threshold"] = 0.8
    for suffix in (".npz", ".public.npz"):
        name = f"{SPACE}{suffix}"
        (folder / name).write_bytes((spaces[0].parent / name).read_bytes())
    (folder / f"{SPACE}.json").write_text(json.dumps(value))
    return folder / f"{SPACE}.json"


def test_another_definition_of_the_id_is_refused_before_anything_is_sent(
    server, consent, spaces, pictures, vectors, tmp_path
):
    """The plain space file has no coding: another definition, though the vectors are the same."""
    before = server.ask("{ registry { logSize } }")
    model = ("--model", f"{SPACE}={spaces[1]}")
    for command in (
        ("protect", pictures / "rocket.jpg", *model),
        (
            *("screen", pictures, "--dataset", "pictures", "--use", "ai_training"),
            *("--out", tmp_path / "out", *model),
        ),
    ):
        refused = consent(*command, "--json", named=spaces[2], check=False)
        assert json.loads(refused.stdout)["error"]["code"] == "SPACE_MISMATCH"
        assert refused.returncode != 0
    assert server.ask("{ registry { logSize } }") == before


def test_another_model_file_is_refused(consent, spaces, pictures, tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(own_space.model_bytes(seed=8))
    refused = consent(
        *("protect", pictures / "rocket.jpg", "--model", f"{SPACE}={other}", "--json"), check=False
    )
    assert "MODEL_MISMATCH" in refused.stdout
    assert refused.returncode != 0


def test_a_broken_space_file_ends_every_command_with_its_reason(consent, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    refused = consent("status", named=broken, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"CONSENT_SPACES: {broken}: it lacks kind")


def test_the_terms_of_a_session_say_from_where_the_space_matches(server, token):
    opened = server.ask(
        """mutation { openScreening(input: {dataset: "terms", use: AI_TRAINING, candidateCount: 1,
        requiredSpaces: []}) { ... on Screening { terms } } }""",
        token,
    )
    terms = json.loads(opened["data"]["openScreening"]["terms"])
    (band,) = terms["spaces"][SPACE]["bands"]
    assert (band["floor"], band["ceiling"]) == (0.9, 0.9)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("another dimension", np.zeros((3, 767), np.float32)),
        ("whole numbers", np.zeros((3, 768), np.int32)),
        ("one row", np.zeros(768, np.float32)),
    ],
)
def test_arrays_that_are_none_of_the_space_are_refused(consent, tmp_path, name, rows):
    folder = _embeddings(tmp_path / "laion", rows)
    refused = consent(
        *("screen", folder, "--dataset", "laion", "--use", "ai_training", "--json"),
        *("--embeddings", SPACE, "--out", tmp_path / "out"),
        check=False,
    )
    assert json.loads(refused.stdout)["error"]["code"] == "DAMAGED_SOURCE"
