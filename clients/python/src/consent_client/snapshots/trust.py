"""Why a file is believed: signed metadata of The Update Framework (TUF), and where it begins.

The first root metadata is told by a note that the registry's own key signs, the key that signs its
checkpoints, which clients have pinned. From there on python-tuf checks signatures, versions,
lengths, hashes and expiry.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)

from consent_client.errors import (
    BadNote,
    SnapshotDamaged,
    SnapshotExpired,
    SnapshotIncomplete,
    SnapshotRolledBack,
    SnapshotUntrusted,
    Unreachable,
)
from consent_client.protocol.notes import NoteVerifier, verify_note
from consent_client.snapshots.layout import FIRST_ROOT, ROOT_NOTE, root_text
from consent_client.snapshots.sources import Source, read_file

_MOST_BYTES = 512_000  # python-tuf's own limit of a root
_NOT_THERE = (403, 404)


def first_root(source: Source, verifier: NoteVerifier) -> bytes:
    """The root metadata with which trust in a registry's snapshots begins.

    Raises:
        SnapshotUntrusted: the registry's key did not sign this.
        NoSnapshot, SnapshotDamaged, Unreachable: as `read_file`.
    """
    note = read_file(source, ROOT_NOTE, _MOST_BYTES)
    root = read_file(source, FIRST_ROOT, _MOST_BYTES)
    try:
        text = verify_note(note.decode(), verifier)
    except (BadNote, UnicodeDecodeError):
        text = ""
    if text != root_text(verifier.name, root):
        raise SnapshotUntrusted("the snapshots' root is not signed by this registry's key")
    return root


@contextmanager
def told() -> Iterator[None]:
    """Turns what python-tuf raises into what this package raises."""
    try:
        yield
    except ExpiredMetadataError:
        raise SnapshotExpired("what is signed of the snapshot has expired") from None
    except BadVersionNumberError:
        raise SnapshotRolledBack("an older snapshot than the one seen before") from None
    except (LengthOrHashMismatchError, DownloadLengthMismatchError):
        raise SnapshotDamaged("a file is not what was signed") from None
    except RepositoryError:  # a signature, or a file that is no metadata
        raise SnapshotUntrusted("the snapshot is not signed by this registry's keys") from None
    except DownloadHTTPError as error:
        if error.status_code in _NOT_THERE:
            raise SnapshotIncomplete("a file of the snapshot is missing") from None
        raise Unreachable(f"the snapshots' server answered with {error.status_code}") from None
    except DownloadError as error:
        raise Unreachable(str(error)) from None
