"""A certified data set without pictures: manifest, answers, evidence, certificate, log entries."""

import io
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent_client.manifest_files import write_manifest
from consent_client.protocol.certificates import (
    Certificate,
    certify_digest,
    sign_certificate,
)
from consent_client.protocol.log import Certify, Close, Session
from consent_client.protocol.manifests import commitment, in_blocks, root_of_rows
from consent_client.protocol.merkle import root_of
from consent_client.protocol.results import Answered, results_block_root, write_evidence
from consent_client.protocol.verdicts import Verdict
from tests.support.published import ORIGIN

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = KEY.public_key().public_bytes_raw()
SECRET = bytes(32)
TERMS = '{"use":"ai_training"}'


def image(number: int) -> bytes:
    """What the picture's file holds."""
    return b"picture %d" % number


@dataclass
class Certified:
    """A thousand and some pictures, of which each 100th was excluded.

    The session is entry `at` of a log, closed as entry `at + 1`, certified as entry `at + 2`.
    """

    at: int
    count: int = 1_100

    def __post_init__(self) -> None:
        digests = sorted(self.digest(number) for number in range(self.count))
        self.rows = [digest + sha256(digest).digest() for digest in digests]
        self.verdicts = bytes(
            Verdict.EXCLUDE if number % 100 == 0 else Verdict.CLEAR for number in range(self.count)
        )
        self.commit()

    @staticmethod
    def digest(number: int) -> bytes:
        """SHA-256 of a picture's file."""
        return sha256(image(number)).digest()

    def commit(self) -> None:
        """Makes blocks and results of the rows."""
        self.blocks = list(in_blocks(self.rows))
        self.answers = [Answered(self.at, self.verdicts)]
        roots = [
            results_block_root(SECRET, 0, block, answered)
            for block, answered in zip(self.blocks, self.answers, strict=True)
        ]
        self.results_root = root_of(roots)

    @property
    def shipped(self) -> list[bytes]:
        return [
            row for row, code in zip(self.rows, self.verdicts, strict=True) if code == Verdict.CLEAR
        ]

    @property
    def session(self) -> Session:
        root, _ = root_of_rows(self.rows)
        return Session(
            sha256(PUBLIC).digest(),
            commitment(bytes(32), root, self.count),
            self.count,
            sha256(TERMS.encode()).digest(),
        )

    @property
    def close(self) -> Close:
        return Close(self.at, self.at, self.results_root)

    def certificate(self, **changed: object) -> bytes:
        root, count = root_of_rows(self.shipped)
        verdicts = {each: self.verdicts.count(each) for each in Verdict}
        fields = {
            "builder": PUBLIC,
            "registry": ORIGIN,
            "session_index": self.at,
            "close_index": self.at + 1,
            "results_root": self.results_root,
            "terms": TERMS,
            "verdicts": verdicts,
            "spaces": {"sha256": self.count},
            "shipped_root": root,
            "shipped_count": count,
            "tool": ("tests", "1"),
        }
        return sign_certificate(Certificate(**fields | changed), KEY)

    def entries(self, certificate: bytes | None = None) -> list[bytes]:
        """SESSION, CLOSE and CERTIFY."""
        digest = certify_digest(certificate or self.certificate())
        return [each.encode() for each in (self.session, self.close, Certify(self.at, digest))]

    def write(self, folder: Path) -> Path:
        """Writes what `consent screen --certify` leaves; returns the certificate's path."""
        folder.mkdir(exist_ok=True)
        write_manifest(folder / "shipped.manifest", self.shipped)
        out = io.BytesIO()
        blocks = zip(self.blocks, self.answers, strict=True)
        write_evidence(out, SECRET, self.count, blocks, self.shipped)
        (folder / "evidence").write_bytes(out.getvalue())
        path = folder / "certificate.json"
        path.write_bytes(self.certificate())
        return path
