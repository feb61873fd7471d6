"""A data set with planted copies of what is registered, and what every engine must say of it.

One row per way of being found: the same file, the same address, a light edit, a heavy one. Each
record is registered in that one space, so that no other way finds it.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from PIL import Image

from consent_client.fingerprints.images import registration_fingerprints
from consent_client.fingerprints.url import url_fingerprint
from consent_client.protocol.notes import NoteVerifier
from consent_client.registrant import Registrant, refusal
from consent_client.snapshots.pulling import pull
from consent_client.snapshots.sources import WebSource
from tests.fingerprints import photographs, portraits
from tests.support.serving import Server

REFUSED_URL = "https://photos.example/refused.jpg"

EXCLUDED = frozenset({"exact", "address", "light", "heavy"})
"""Keys of the rows that every way of screening excludes."""

KEPT = frozenset({"rocket", "cat"})
UNCHECKED = frozenset({"damaged"})


def jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


@dataclass(frozen=True)
class Sample:
    """One picture: its name, its file, its address."""

    key: str
    image: bytes
    url: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.image).hexdigest()

    @property
    def size(self) -> tuple[int, int]:
        with Image.open(io.BytesIO(self.image)) as opened:
            return opened.size


def _light(which: tuple[str, str]) -> bytes:
    picture = photographs.photograph(*which)
    return jpeg(picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)), 70)


def _heavy(which: tuple[str, str]) -> bytes:
    picture = photographs.photograph(*which)
    width, height = picture.size
    cut = picture.crop((width // 6, height // 8, width, height))
    barred = Image.new("RGB", (cut.width, cut.height + cut.height // 6), (20, 20, 40))
    barred.paste(cut, (0, 0))
    return jpeg(barred, 70)


def samples() -> list[Sample]:
    """The data set, in order."""

    def original(which: tuple[str, str]) -> bytes:
        return photographs.path(*which).read_bytes()

    files = {
        "exact": original(photographs.ASTRONAUT),
        "rocket": original(photographs.ROCKET),
        "address": original(photographs.COFFEE),
        "light": _light(photographs.TEMPLE),
        "damaged": b"\xff\xd8\xff no more",
        "heavy": _heavy(photographs.FLOWER),
        "cat": original(photographs.CAT),
    }
    return [
        Sample(key, file, REFUSED_URL if key == "address" else f"https://photos.example/{key}.jpg")
        for key, file in files.items()
    ]


def table(*more: Sample) -> pa.Table:
    """The data set as a table with pictures."""
    found = [*samples(), *more]
    return pa.table(
        {
            "key": [each.key for each in found],
            "image": pa.array([each.image for each in found], pa.binary()),
            "url": [each.url for each in found],
        }
    )


def register(server: Server, state: Path) -> None:
    """Registers what the planted rows are copies of, each in one space."""
    one_space = (
        (photographs.ASTRONAUT, "sha256"),
        (photographs.TEMPLE, "pdq-1"),
        (photographs.FLOWER, "sscd-1"),
    )
    with Registrant(server.url, state=state) as registrant:
        registrant.ensure_phrase()
        for which, space in one_space:
            made = registration_fingerprints(photographs.path(*which), (space,))
            registrant.protect(made.fingerprints, refusal())
        registrant.protect({"url-1": (url_fingerprint(REFUSED_URL),)}, refusal())


def people() -> list[Sample]:
    """Somebody years before, and somebody else."""
    files = {"she": portraits.A_BEFORE, "another": portraits.B_NOW}
    return [
        Sample(key, path.read_bytes(), f"https://photos.example/{key}.jpg")
        for key, path in files.items()
    ]


def register_face(server: Server, state: Path) -> None:
    """Registers the face of `people`'s first, from a photograph of today."""
    made = registration_fingerprints(portraits.A_NOW, ("face-1",))
    with Registrant(server.url, state=state) as registrant:
        registrant.ensure_phrase()
        registrant.protect(made.fingerprints, refusal())


def later() -> Sample:
    """One more picture, which nobody has registered yet."""
    file = photographs.path(*photographs.TISSUE).read_bytes()
    return Sample("later", file, "https://photos.example/later.png")


def register_file(server: Server, state: Path, sample: Sample) -> None:
    """Registers one more picture, by its file."""
    with Registrant(server.url, state=state) as registrant:
        registrant.ensure_phrase()
        registrant.protect({"sha256": (bytes.fromhex(sample.sha256),)}, refusal())


def verifier_of(server: Server) -> str:
    answer = server.ask("{ registry { verifierKey } }")
    return str(answer["data"]["registry"]["verifierKey"])  # type: ignore[index]


def pulled(server: Server, folder: Path) -> Path:
    """Publishes what there is now, and pulls it."""
    server.command("publish")
    pull(WebSource(server.url), folder, NoteVerifier.parse(verifier_of(server)))
    return folder
