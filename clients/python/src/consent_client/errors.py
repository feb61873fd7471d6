"""Everything the client raises on purpose.

    ConsentError
    ├── ProtocolError (also ValueError)   bytes or values that do not follow FORMATS
    │   ├── Malformed             lengths, order, padding, base64, JSON: the shape is wrong
    │   ├── UnknownSpace          no fingerprint space has this id
    │   ├── BadSpaceFile          a file that defines a space of one's own, and is none
    │   ├── BadFingerprint        a fingerprint of the wrong size or not of norm 1
    │   ├── BadPhrase             not a recovery phrase
    │   ├── WeakKey               a public key that proves nothing: small order or non-canonical
    │   ├── BadSignature          the signature is not by this key over this message
    │   ├── SealError             the sealed blob does not open
    │   ├── NoUsableKey           none of the registry's sealing keys can be used today
    │   ├── BadStatement          a statement that says nothing, or something unknown
    │   ├── BadUrl                an address that has no canonical form
    │   ├── BadNote               a signed note, not well-formed or not signed by the key expected
    │   ├── BadProof              a Merkle proof that does not show what it is said to show
    │   │   └── NotPublished          a log lacks a file that its checkpoint signs; `.path` names it
    │   ├── BadCheckpoint         a note's text that is no checkpoint, or another log's
    │   ├── BadPolicy             a policy that can not be read; `.line` says where
    │   ├── BadManifest           rows out of order, or no manifest; `.row` says where
    │   ├── BadEvidence           evidence that does not show what was shipped; `.row` says where
    │   └── BadCertificate        not a certificate, or one that the log contradicts
    ├── ImageError                this picture can not be fingerprinted; `.source` names the file
    │   ├── UnreadableImage       the file can not be opened: missing, no permission, not a file
    │   ├── NotAnImage            the bytes are no picture in a format we read
    │   ├── TruncatedImage        the picture ends early or is damaged
    │   ├── ImageTooLarge         more bytes, more pixels or a longer side than the limit
    │   ├── MissingModel          an optional model is not installed; `.extra` brings it
    │   ├── ModelMismatch         a model file that disagrees with the space's reference vectors
    │   ├── NoFace                no face is seen, or none of the number that was chosen
    │   ├── SeveralFaces          several are seen, and none was chosen; `.faces` says how many
    │   └── PoorFace              too small, blurred or turned to register; `.reason` says which
    ├── RegistryProblem           a Problem in answer; `.problem_code`, `.retry_after`
    ├── TransportError            the registry could not be reached, or answered nonsense
    │   ├── Unreachable           a fault that may pass: no connection, no answer in time, a 5xx
    │   ├── InsecureRegistry      an address that would send fingerprints over an open line
    │   ├── RegistryKeyChanged    the registry shows another key than the one pinned
    │   ├── SpaceMismatch         the registry defines a space of this id otherwise; `.space`
    │   ├── WrongAnswer           an answer that contradicts what was asked or the log
    │   │   ├── LogShortened          the log is shorter than it was
    │   │   └── RecordsLost           the log no longer holds records of ours; `.numbers` says which
    │   └── WorkTooHard           the registry asks for more proof of work than a client does
    ├── StateError                the state kept on this device can not be read or written; `.path`
    │   ├── StateLocked           another client is using it
    │   └── NoPhrase              there is no recovery phrase here yet
    ├── SourceError               a data set that can not be screened; `.source` names it
    │   ├── EmptySource           there is no row in it
    │   ├── DamagedSource         truncated or not what its name says
    │   ├── HostileArchive        a tar with links, devices, or names that lead out of it
    │   ├── DuplicateKey          two rows of one name
    │   ├── UnknownColumns        no column holds images, paths or addresses
    │   └── SourceChanged         the data set is not what it was when the screening began
    ├── OutputError               the folder for results can not be used
    ├── SnapshotError             what was downloaded can not be used; everything is UNKNOWN
    │   ├── NoSnapshot                nothing was downloaded yet, or nothing is published
    │   ├── SnapshotExpired           older than its registry lets anybody rely on it
    │   ├── SnapshotRolledBack        older than what was seen before
    │   ├── SnapshotIncomplete        a file is missing
    │   ├── SnapshotDamaged           a file is not what was signed
    │   └── SnapshotUntrusted         not signed by this registry's keys
    ├── Unreadable                what is to be audited can not be read; `.source` names it
    ├── NothingToExport           another vocabulary has no word for what is stated
    └── MissingExtra              an optional library is not installed; `.extra` says what brings it

Codes are stable: programs decide by them. Messages are for people, and never hold a fingerprint, a
phrase, a key or a signature.
"""

from typing import ClassVar


class ConsentError(Exception):
    """Root of everything the client raises on purpose."""

    code: ClassVar[str] = "CONSENT_ERROR"


# Protocol


class ProtocolError(ConsentError, ValueError):
    """Bytes or values that do not follow FORMATS."""

    code = "PROTOCOL_ERROR"


class Malformed(ProtocolError):
    """The shape is wrong: lengths, order, padding, base64, JSON."""

    code = "MALFORMED"


class UnknownSpace(ProtocolError):
    """No fingerprint space has this id."""

    code = "UNKNOWN_SPACE"


class BadSpaceFile(ProtocolError):
    """A file that defines a space of one's own, and can not be read or says what it may not."""

    code = "BAD_SPACE_FILE"


class BadFingerprint(ProtocolError):
    """A fingerprint of the wrong size, or a vector that is not a finite unit vector."""

    code = "BAD_FINGERPRINT"


class BadPhrase(ProtocolError):
    """Not a recovery phrase of 12 English BIP-39 words with a right checksum."""

    code = "BAD_PHRASE"


class WeakKey(ProtocolError):
    """A public key that proves nothing: wrong length, small order, or non-canonical."""

    code = "WEAK_KEY"


class BadSignature(ProtocolError):
    """The signature is not by this key over this message."""

    code = "BAD_SIGNATURE"


class SealError(ProtocolError):
    """The sealed blob does not open."""

    code = "SEAL_ERROR"


class NoUsableKey(ProtocolError):
    """None of the registry's sealing keys can be used on this day."""

    code = "NO_USABLE_KEY"


class BadStatement(ProtocolError):
    """A statement that says nothing, or something this version does not know."""

    code = "BAD_STATEMENT"


class BadUrl(ProtocolError):
    """An address that has no canonical form: not http or https, a user name in it, no host."""

    code = "BAD_URL"


class BadNote(ProtocolError):
    """A signed note that is not well-formed, or is not signed by the key expected."""

    code = "BAD_NOTE"


class BadProof(ProtocolError):
    """A Merkle proof that does not show what it is said to show."""

    code = "BAD_PROOF"


class NotPublished(BadProof):
    """A log does not publish what its checkpoint signs, so that nothing can be proved by it.

    Attributes:
        path: of the file, below the log.
    """

    code = "NOT_PUBLISHED"

    def __init__(self, path: str, why: str = "it is not there") -> None:
        super().__init__(f"{path}: the checkpoint signs it, and {why}")
        self.path = path


class BadCheckpoint(ProtocolError):
    """A text that is not a checkpoint, or a checkpoint of another log than the one expected."""

    code = "BAD_CHECKPOINT"


class BadPolicy(ProtocolError):
    """A policy file that can not be read, or that contradicts itself.

    Attributes:
        line: number of the line that is wrong, from 1; 0 for the file as a whole.
    """

    code = "BAD_POLICY"

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


class BadManifest(ProtocolError):
    """A manifest that is not well-formed, or rows in another order than a manifest's.

    Attributes:
        row: number of the row that is wrong, from 0; None where it is none of them.
    """

    code = "BAD_MANIFEST"

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message if row is None else f"row {row}: {message}")
        self.row = row


class BadEvidence(ProtocolError):
    """Evidence that is not well-formed, or does not show that what was shipped may be.

    Attributes:
        row: number of the row of the session at which that shows, from 0; None where at none.
    """

    code = "BAD_EVIDENCE"

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message if row is None else f"row {row}: {message}")
        self.row = row


class BadCertificate(ProtocolError):
    """Not a certificate, or one that the log's entries contradict."""

    code = "BAD_CERTIFICATE"


# Images


class ImageError(ConsentError):
    """This picture can not be fingerprinted.

    Attributes:
        source: the name of the file, or what stands for it (a row, a URL); empty for none.
    """

    code = "IMAGE_ERROR"

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message)
        self.source = source


class UnreadableImage(ImageError):
    """The file can not be opened: it is missing, is not a regular file, or may not be read."""

    code = "UNREADABLE_IMAGE"


class NotAnImage(ImageError):
    """The bytes are no picture in a format that is read."""

    code = "NOT_AN_IMAGE"


class TruncatedImage(ImageError):
    """The picture ends early or is damaged, so that its pixels can not all be decoded."""

    code = "TRUNCATED_IMAGE"


class ImageTooLarge(ImageError):
    """More bytes, pixels or a longer side than the limit: decoding it could take all memory."""

    code = "IMAGE_TOO_LARGE"


class MissingModel(ImageError):
    """An optional model is not installed.

    Attributes:
        extra: the extra of `consent-client` that brings it, as in `consent-client[extra]`.
    """

    code = "MISSING_MODEL"

    def __init__(self, message: str, extra: str, source: str = "") -> None:
        super().__init__(message, source)
        self.extra = extra


class ModelMismatch(ImageError):
    """A model file that does not agree with the space's reference vectors."""

    code = "MODEL_MISMATCH"


class NoFace(ImageError):
    """No face is seen in the picture, or none of the number that was chosen."""

    code = "NO_FACE"


class SeveralFaces(ImageError):
    """Several faces are seen, and none was chosen.

    Attributes:
        faces: how many.
    """

    code = "SEVERAL_FACES"

    def __init__(self, message: str, faces: int, source: str = "") -> None:
        super().__init__(message, source)
        self.faces = faces


class PoorFace(ImageError):
    """The face is not good enough to be registered.

    Attributes:
        reason: `too small`, `blurred` or `turned`.
    """

    code = "POOR_FACE"

    def __init__(self, message: str, reason: str, source: str = "") -> None:
        super().__init__(message, source)
        self.reason = reason


# Talking to a registry


class RegistryProblem(ConsentError):
    """The registry answered with a Problem.

    Attributes:
        problem_code: the registry's stable code, for example `CONFLICT`.
        retry_after: seconds to wait before the same request may be sent again; None: do not.
        spaces: of `TOO_GENERIC`: ids of the spaces without which it can be registered.
    """

    code = "REGISTRY_PROBLEM"

    def __init__(
        self,
        message: str,
        problem_code: str,
        retry_after: int | None = None,
        spaces: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.problem_code = problem_code
        self.retry_after = retry_after
        self.spaces = spaces


class TransportError(ConsentError):
    """The registry could not be reached, or what came back was not an answer."""

    code = "TRANSPORT_ERROR"


class Unreachable(TransportError):
    """A fault that may pass: no connection, no answer in time, HTTP status 5xx or 429.

    Attributes:
        retry_after: seconds the server asked to wait; None where it did not say.
    """

    code = "UNREACHABLE"

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InsecureRegistry(TransportError):
    """Plain http to anything but this machine: fingerprints and tokens would be readable."""

    code = "INSECURE_REGISTRY"


class RegistryKeyChanged(TransportError):
    """The registry shows another key or name than the one pinned at first use, or given."""

    code = "REGISTRY_KEY_CHANGED"


class SpaceMismatch(TransportError):
    """The registry defines a space otherwise than the space file here: nothing was sent.

    Attributes:
        space: its id.
    """

    code = "SPACE_MISMATCH"

    def __init__(self, message: str, space: str) -> None:
        super().__init__(message)
        self.space = space


class WrongAnswer(TransportError):
    """An answer that contradicts what was asked, what was answered before, or the log."""

    code = "WRONG_ANSWER"


class LogShortened(WrongAnswer):
    """The registry's log is shorter than it was when it was read last."""

    code = "LOG_SHORTENED"


class RecordsLost(WrongAnswer):
    """The registry's log no longer holds records that it acknowledged.

    Attributes:
        numbers: of those records, ascending.
    """

    code = "RECORDS_LOST"

    def __init__(self, message: str, numbers: tuple[int, ...]) -> None:
        super().__init__(message)
        self.numbers = numbers


class WorkTooHard(TransportError):
    """The registry asks for more proof of work than a client does."""

    code = "WORK_TOO_HARD"


# This device


class StateError(ConsentError):
    """The state kept on this device can not be read or written.

    Attributes:
        path: the file or folder concerned; empty where there is none.
    """

    code = "STATE_ERROR"

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class StateLocked(StateError):
    """Another client is using this state folder."""

    code = "STATE_LOCKED"


class NoPhrase(StateError):
    """There is no recovery phrase in this state folder yet."""

    code = "NO_PHRASE"


# Screening a data set


class SourceError(ConsentError):
    """A data set that can not be screened.

    Attributes:
        source: the file or folder concerned.
    """

    code = "SOURCE_ERROR"

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message)
        self.source = source


class EmptySource(SourceError):
    """There is no row in it."""

    code = "EMPTY_SOURCE"


class DamagedSource(SourceError):
    """Truncated, or not what its name says."""

    code = "DAMAGED_SOURCE"


class HostileArchive(SourceError):
    """A tar with links, devices, or names that lead out of it."""

    code = "HOSTILE_ARCHIVE"


class DuplicateKey(SourceError):
    """Two rows have the same name, so that an exclusion would not say which is meant."""

    code = "DUPLICATE_KEY"


class UnknownColumns(SourceError):
    """No column that holds images, paths or addresses could be told."""

    code = "UNKNOWN_COLUMNS"


class SourceChanged(SourceError):
    """The data set, or what was asked, is not what it was when the screening began."""

    code = "SOURCE_CHANGED"


class OutputError(ConsentError):
    """The folder for results can not be used: not ours, not empty, inside the data set, no room."""

    code = "OUTPUT_ERROR"


class SnapshotError(ConsentError):
    """A downloaded snapshot can not be used: nothing may be called CLEAR by it."""

    code = "SNAPSHOT_ERROR"


class NoSnapshot(SnapshotError):
    """Nothing was downloaded yet, or nothing is published."""

    code = "NO_SNAPSHOT"


class SnapshotExpired(SnapshotError):
    """It is older than its registry lets anybody rely on it."""

    code = "SNAPSHOT_EXPIRED"


class SnapshotRolledBack(SnapshotError):
    """What is offered is older than what was seen before."""

    code = "SNAPSHOT_ROLLED_BACK"


class SnapshotIncomplete(SnapshotError):
    """A file is missing."""

    code = "SNAPSHOT_INCOMPLETE"


class SnapshotDamaged(SnapshotError):
    """A file is not what was signed, or what was signed is no snapshot."""

    code = "SNAPSHOT_DAMAGED"


class SnapshotUntrusted(SnapshotError):
    """It is not signed by this registry's keys."""

    code = "SNAPSHOT_UNTRUSTED"


class Unreadable(ConsentError):
    """What is to be audited can not be read, or is longer than anything of its kind.

    Attributes:
        source: the file, folder or address concerned.
    """

    code = "UNREADABLE"

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message)
        self.source = source


class NothingToExport(ConsentError):
    """Another vocabulary has no word for what is stated, or the record no longer counts."""

    code = "NOTHING_TO_EXPORT"


class MissingExtra(ConsentError):
    """An optional library is not installed.

    Attributes:
        extra: the extra of `consent-client` that brings it.
    """

    code = "MISSING_EXTRA"

    def __init__(self, message: str, extra: str) -> None:
        super().__init__(message)
        self.extra = extra
