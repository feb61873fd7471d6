"""A person registers with the page in a real browser; the Python client reads what came of it."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from consent_client.builder import Builder
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.policies import Policy
from consent_client.protocol.receipts import Receipt, verify_receipt
from consent_client.protocol.statements import Stance, Use
from consent_client.protocol.verdicts import Verdict
from consent_client.registrant import Registrant
from registry.web import BUILT
from tests.support.serving import serving

WEB = Path(__file__).parents[2] / "clients" / "web"
CHROMIUM = os.environ.get("CONSENT_CHROMIUM", "/usr/bin/chromium")
PATIENCE_SECONDS = 120

pytestmark = pytest.mark.skipif(
    not (
        shutil.which("npx")
        and (WEB / "node_modules").is_dir()
        and Path(CHROMIUM).exists()
        and BUILT.is_dir()
    ),
    reason="needs Node.js, Chromium and the built page: make web",
)


def _picture(path: Path) -> bytes:
    """A picture with enough in it for pdq-1."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((360, 270), Image.Resampling.BICUBIC).save(path)
    return path.read_bytes()


def test_python_reads_the_pages_receipt_and_finds_its_record(tmp_path: Path) -> None:
    picture, told = tmp_path / "picture.png", tmp_path / "told.json"
    data = _picture(picture)
    with serving(tmp_path / "registry") as server:
        token = server.add_builder("A builder")
        subprocess.run(
            ["npx", "vitest", "run", "--config", "e2e/vitest.config.ts", "e2e/python.test.ts"],
            cwd=WEB,
            env=os.environ
            | {
                "CONSENT_PAGE": server.url,
                "CONSENT_PICTURE": str(picture),
                "CONSENT_TOLD": str(told),
            },
            capture_output=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        saved = json.loads(told.read_text())
        receipt = Receipt.parse(saved["receipt"])
        info = server.ask("query { registry { verifierKey } }")["data"]["registry"]  # type: ignore[index]
        vouched = verify_receipt(receipt, Policy.of_log(NoteVerifier.parse(info["verifierKey"])))
        assert vouched.checkpoint.origin == "registry.example/test"
        assert {receipt.statement.stance(use) for use in Use} == {Stance.NOT_ALLOWED}

        with Registrant(server.url, state=tmp_path / "person") as person:
            person.state.create_phrase(saved["words"])
            (record,) = person.recover()
        assert record.commitment == receipt.register.commitment
        assert record.active

        file_fingerprint = hashlib.sha256(data).digest()
        with Builder(server.url, token=token) as builder:
            (answer,) = builder.screen(
                [("it", {"sha256": (file_fingerprint,)})],
                dataset="test",
                use=Use.AI_TRAINING,
                required_spaces=("sha256",),
            )
        assert answer.verdict is Verdict.EXCLUDE
