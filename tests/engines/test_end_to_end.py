"""From a server of pictures to what a training loop reads, all on loopback.

Real img2dataset downloads and resizes; `consent screen` drops the planted copies; webdataset and
`datasets` load the tars it wrote.
"""

import http.server
import json
import subprocess
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

pytest.importorskip("webdataset", reason="no part of .venv: make engines")
pytest.importorskip("datasets", reason="no part of .venv: make engines")

import datasets
import webdataset

from consent_client.cli import main
from consent_client.fingerprints.url import url_fingerprint
from consent_client.registrant import Registrant, refusal
from tests.support import planted
from tests.support.serving import serving

pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("default")]

DOWNLOADER = Path(__file__).parents[2] / "build" / "downloader" / "bin" / "img2dataset"


class Pictures(http.server.BaseHTTPRequestHandler):
    """Serves the planted data set: `/exact.jpg`, and so on."""

    files = {f"/{each.key}.jpg": each.image for each in planted.samples()}  # noqa: RUF012

    def do_GET(self):
        found = self.files.get(self.path)
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "image/jpeg")
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture(scope="module")
def address():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def downloaded(address, tmp_path_factory):
    """What img2dataset makes of the addresses, in two shards; and address → name of the sample."""
    folder = tmp_path_factory.mktemp("downloaded")
    names = {f"{address}/{each.key}.jpg": each.key for each in planted.samples()}
    rows = {"url": list(names), "caption": [f"a {name}" for name in names.values()]}
    pq.write_table(pa.table(rows), folder / "list.parquet")
    options = {
        "url_list": folder / "list.parquet",
        "input_format": "parquet",
        "url_col": "url",
        "caption_col": "caption",
        "output_format": "webdataset",
        "output_folder": folder / "data",
        "number_sample_per_shard": 4,
        "processes_count": 1,
        "thread_count": 4,
        "image_size": 320,
        "compute_hash": "sha256",
        "enable_wandb": False,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run([DOWNLOADER, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "data", names


@pytest.fixture(scope="module")
def screened(address, downloaded, tmp_path_factory):
    """The kept set of `consent screen`, with the registry's answers."""
    folder = tmp_path_factory.mktemp("screened")
    with serving(folder / "registry") as server, pytest.MonkeyPatch.context() as patch:
        planted.register(server, folder / "person")
        with Registrant(server.url, state=folder / "person") as registrant:
            registrant.protect({"url-1": (url_fingerprint(f"{address}/address.jpg"),)}, refusal())
        snapshot = planted.pulled(server, folder / "snapshot")
        patch.setenv("CONSENT_TOKEN", server.add_builder("Planted"))
        words = ["screen", downloaded[0], "--out", folder / "out", "--json"]
        words += ["--dataset", "planted", "--use", "ai_training", "--format", "img2dataset"]
        words += ["--confirm", "online", "--snapshot", snapshot, "--registry", server.url]
        words += ["--registry-key", planted.verifier_of(server), "--state", folder / "state"]
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code == 0, done.output
    return folder / "out", json.loads(done.stdout)


def _by_name(path, names):
    return {row["key"]: names[row["url"]] for row in pq.read_table(path).to_pylist()}


def test_what_was_downloaded_loses_the_planted_copies_and_nothing_else(downloaded, screened):
    data, names = downloaded
    out, summary = screened
    tables = [_by_name(path, names) for path in sorted(data.glob("*.parquet"))]
    assert len(tables) == 2
    by_key = {key: name for table in tables for key, name in table.items()}
    rows = pq.read_table(out / "exclusions.parquet").to_pylist()
    excluded = {by_key[row["key"]] for row in rows if row["verdict"] == "EXCLUDE"}
    assert excluded == planted.EXCLUDED
    assert summary["kept_rows"] == len(planted.KEPT)


def _tars(out):
    return [str(path) for path in sorted((out / "kept").glob("*.tar"))]


def test_webdataset_loads_what_was_kept(downloaded, screened):
    _, names = downloaded
    samples = webdataset.WebDataset(_tars(screened[0]), shardshuffle=False, empty_check=False)
    found = {names[each["json"]["url"]]: each for each in samples.decode("pil")}
    assert found.keys() == planted.KEPT
    for name, each in found.items():
        assert each["jpg"].size == (320, 320)
        assert each["txt"] == f"a {name}"


def test_datasets_loads_what_was_kept(downloaded, screened, tmp_path):
    _, names = downloaded
    loaded = datasets.load_dataset(
        "webdataset", data_files=_tars(screened[0]), split="train", cache_dir=str(tmp_path)
    )
    assert {names[each["json"]["url"]] for each in loaded} == planted.KEPT
    assert all(each["jpg"].size == (320, 320) for each in loaded)
