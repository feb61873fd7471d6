"""The third story: a builder certifies a data set, and an auditor believes nobody.

A thousand small cuttings out of the photographs stand for a large data set: a certificate takes
that many. Among them is a picture that somebody has opted out. The auditor has the files that the
builder hands out and the registry's public log; and, the second time, a manifest in which a picture
was added that was never cleared.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from consent_client.adapters.opening import open_source
from consent_client.builder import Builder
from consent_client.manifest_files import open_manifest, write_manifest
from consent_client.protocol.certificates import verify_certificate
from consent_client.protocol.manifests import row
from consent_client.protocol.statements import Use
from consent_client.screening.certified import (
    CERTIFICATE_NAME,
    EVIDENCE_NAME,
    SHIPPED_NAME,
    builder_key,
    certify_source,
)
from consent_client.screening.plan import Order
from demo.photographs import PHOTOGRAPHS, Photograph
from demo.registry_process import RunningRegistry

USE = Use.AI_GENERATIVE_TRAINING

# Cuttings are small, so that a thousand of them take seconds, and are looked up as files and by
# PDQ: the network would take the better part of a minute for them.
SPACES = ("sha256", "pdq-1")
CUTTINGS = 1_050
SIDE = 72

_TAMPERED = "shipped-tampered.manifest"
_CLIENT = "from consent_client.cli import main; main()"


@dataclass(frozen=True, slots=True)
class CertifiedStory:
    """What came of it.

    Attributes:
        screened: different pictures.
        excluded: of those.
        shipped: what the certificate is about.
        session_entry: where the commitment stands in the log.
        close_entry: where the session's end stands.
        genuine: what the audit of the genuine files says is wrong; nothing.
        tampered: what it says of the tampered manifest.
    """

    screened: int
    excluded: int
    shipped: int
    session_entry: int
    close_entry: int
    genuine: tuple[str, ...]
    tampered: tuple[str, ...]

    @property
    def words(self) -> str:
        """For the table and the page."""
        return (
            f"{self.screened} cuttings were committed to (log entry {self.session_entry}), "
            f"screened and certified: {self.shipped} are shipped, left out: {self.excluded}. "
            f"An audit of the certificate found {_found(self.genuine)}; of the same with a picture "
            f"added that was never cleared: {_found(self.tampered)}."
        )

    @property
    def failures(self) -> tuple[str, ...]:
        """What must not happen and did."""
        problems = []
        if self.genuine:
            problems.append(f"the genuine certificate fails its audit: {_found(self.genuine)}")
        if not self.tampered:
            problems.append("a tampered manifest passes the audit")
        if self.excluded != 1:
            problems.append(f"{self.excluded} pictures were left out of the certified set, not 1")
        return tuple(problems)


def certify(registry: RunningRegistry, work: Path, opted_out: Photograph) -> CertifiedStory:
    """Screens, certifies, audits, tampers and audits again.

    Args:
        registry: which serves.
        work: an empty folder.
        opted_out: a photograph with a record in force; its file is among the pictures.
    """
    folder, out = work / "cuttings", work / "certified"
    _cut(folder)
    (folder / opted_out.path.name).write_bytes(opted_out.path.read_bytes())
    order = Order("demonstration, certified", USE, required_spaces=("sha256",), spaces=SPACES)
    with Builder(registry.address, token=registry.token) as builder:
        summary = certify_source(
            builder, open_source(str(folder)), order, out, builder_key(work / "builder.key")
        )
        key = builder.registry().verifier_key
    read = verify_certificate((out / CERTIFICATE_NAME).read_bytes())
    genuine = out / SHIPPED_NAME
    foreign = row(b"\xff" * 32, bytes(32))
    tampered = write_manifest(work / _TAMPERED, (*open_manifest(genuine).rows(), foreign)).path
    return CertifiedStory(
        screened=read.count,
        excluded=summary.excluded,
        shipped=read.shipped_count,
        session_entry=read.session_index,
        close_entry=read.close_index,
        genuine=_audit(registry, key, out, genuine),
        tampered=_audit(registry, key, out, tampered),
    )


def _cut(folder: Path) -> None:
    """Cuttings of the photographs, side by side, no two alike."""
    folder.mkdir(parents=True)
    made: set[bytes] = set()
    for photograph in PHOTOGRAPHS:
        picture = photograph.open()
        for top in range(0, picture.height - SIDE, SIDE // 2):
            for left in range(0, picture.width - SIDE, SIDE // 2):
                if len(made) == CUTTINGS:
                    return
                cutting = picture.crop((left, top, left + SIDE, top + SIDE))
                if cutting.tobytes() not in made:
                    made.add(cutting.tobytes())
                    cutting.save(folder / f"{len(made):04}-{photograph.name}.png")


def _audit(registry: RunningRegistry, key: str, out: Path, shipped: Path) -> tuple[str, ...]:
    """What `consent audit certificate` finds wrong, as anybody would run it."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", _CLIENT, "--json", "audit", "certificate"),
            *(str(out / CERTIFICATE_NAME), "--shipped", str(shipped)),
            *("--evidence", str(out / EVIDENCE_NAME), "--log", registry.address, "--key", key),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        failed = json.loads(done.stdout)["failed"]
    except (ValueError, KeyError):
        return (f"the audit ended with {done.returncode}: {done.stderr.strip()[-200:]}",)
    return tuple(str(each["message"]) for each in failed)


def _found(wrong: tuple[str, ...]) -> str:
    return "nothing wrong" if not wrong else f"“{wrong[0]}”"
