"""Which files a publication has, and the note by which its root is known."""

import hashlib
from typing import Final

from consent_client.protocol.notes import NoteSigner, sign_note

FOLDER: Final = "/snapshots"
"""Below a registry's address."""

ROOT_NOTE: Final = "root.note"
METADATA: Final = "metadata/"
TARGETS: Final = "targets/"
FIRST_ROOT: Final = METADATA + "1.root.json"
TIMESTAMP: Final = METADATA + "timestamp.json"
MANIFEST: Final = "manifest.json"

_FIRST_LINE = "consent-registry/v1/snapshot-root"


def root_text(origin: str, root: bytes) -> str:
    """What the note says: whose root metadata, and its SHA-256."""
    return f"{_FIRST_LINE}\n{origin}\n{hashlib.sha256(root).hexdigest()}\n"


def root_note(signer: NoteSigner, root: bytes) -> str:
    """The note that says with which root metadata trust begins."""
    return sign_note(root_text(signer.name, root), signer)
