"""Everything the registry raises on purpose.

    RegistryError
    ├── Refusal                what a request asked for can not be had; answered as a Problem
    │   ├── InvalidInput           bytes, counts or values that do not follow FORMATS
    │   ├── ProofOfWorkRejected    missing, wrong, expired or made for another record
    │   ├── SignatureRejected      the owner's signature does not verify
    │   ├── SealingKeyUnknown      no such sealing key
    │   ├── SealingKeyExpired      that sealing key is past its last day
    │   ├── SealRejected           the blob does not open, or does not hold what was signed
    │   ├── Conflict               the same identifier with other content
    │   ├── NotYours               unknown record or wrong signature: one and the same answer
    │   ├── UnknownScreening       no such screening of this builder
    │   ├── ScreeningClosed        the screening was closed
    │   ├── RegistryFull           the record ceiling is reached
    │   ├── TooGeneric             fingerprints that resemble too many other pictures
    │   └── Retriable              trouble on this side that goes away: send it again
    │       ├── Busy                   nothing was committed: the queue is full, the database locked
    │       ├── NotPublished           it is written, and not under a checkpoint yet
    │       └── NotReady               the indexes have not reached the log yet
    ├── AccessError            answered as a top-level error
    │   ├── Unauthenticated        no builder's token, or a wrong or revoked one
    │   ├── RateLimited            too many requests from one address
    │   └── Held                   nothing new is answered to this builder for now
    ├── StoreError             the database; raised by `registry.store` only
    │   ├── StoreBusy              locked by another writer, or all connections in use: try again
    │   ├── StoreUnavailable       can not be reached, written or opened; disk full
    │   ├── StoreCorrupt           the database itself is damaged
    │   ├── StoreRefused           a constraint of the schema would be broken
    │   └── SchemaUnknown          the tables are not those of this version
    ├── VaultError             keys, or what is encrypted under them, can not be used
    │   ├── EnvelopeError          encrypted bytes do not open
    │   └── KeyStoreError          the key store can not be used
    │       ├── KeyMissing             destroyed, or never made
    │       ├── KeyDamaged             cut short, or longer than a key
    │       └── UnsafeKeyStore         others may read it
    ├── CorruptRegistry        stored state contradicts the log: not ready, loudly
    └── ConfigurationError     settings that can not be served

Messages are written for the person who reads them and never hold a fingerprint, a token, a key or
a signature. Codes are stable: clients decide by them.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

HELD_RETRY_SECONDS: Final = 3_600
"""The same for a daily quota, a budget and an operator's hold, so as not to tell them apart."""


class RegistryError(Exception):
    """Root of what the registry raises on purpose."""

    code: ClassVar[str] = "REGISTRY_ERROR"


class Refusal(RegistryError):
    """A request that can not be met; answered as a member of the field's result union."""

    code = "REFUSED"


class InvalidInput(Refusal):
    """Bytes, counts or values that do not follow FORMATS."""

    code = "INVALID_INPUT"


class ProofOfWorkRejected(Refusal):
    """The proof of work is missing, wrong, expired or was made for another record."""

    code = "PROOF_OF_WORK_REJECTED"


class SignatureRejected(Refusal):
    """The owner's signature does not verify."""

    code = "SIGNATURE_REJECTED"


class SealingKeyUnknown(Refusal):
    """No sealing key has this id."""

    code = "SEALING_KEY_UNKNOWN"


class SealingKeyExpired(Refusal):
    """The sealing key is past its last day; seal again with a current one."""

    code = "SEALING_KEY_EXPIRED"


class SealRejected(Refusal):
    """The sealed blob does not open, or does not hold what was signed."""

    code = "SEAL_REJECTED"


class Conflict(Refusal):
    """The same identifier was used before with other content."""

    code = "CONFLICT"


class NotYours(Refusal):
    """Unknown record or wrong signature; which of the two is never said."""

    code = "NOT_YOURS"


class UnknownScreening(Refusal):
    """This builder has no screening with this id."""

    code = "UNKNOWN_SCREENING"


class ScreeningClosed(Refusal):
    """The screening was closed; open a new one."""

    code = "SCREENING_CLOSED"


class RegistryFull(Refusal):
    """The record ceiling set by the operator is reached."""

    code = "REGISTRY_FULL"


class TooGeneric(Refusal):
    """Fingerprints that resemble so many other pictures that they say nothing of this one.

    Attributes:
        spaces: ids of the spaces they are of; without those the record can be registered.
    """

    code = "TOO_GENERIC"

    def __init__(self, message: str, spaces: Sequence[str]) -> None:
        super().__init__(message)
        self.spaces = tuple(spaces)


class Retriable(Refusal):
    """Trouble on the registry's side that goes away: the same request may be sent again.

    Attributes:
        retry_after: seconds to wait before the next try.
    """

    code = "RETRY"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(Retriable):
    """The queue is full or the database is locked."""

    code = "BUSY"


class NotPublished(Retriable):
    """It is written, and not yet under a published checkpoint: there is no proof of it yet."""

    code = "NOT_PUBLISHED"


class NotReady(Retriable):
    """The indexes have not reached the log yet."""

    code = "NOT_READY"


class AccessError(RegistryError):
    """Not about the request's content but about who sends it, or how often.

    Attributes:
        retry_after: seconds to wait, or None where waiting does not help.
    """

    code = "ACCESS"

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unauthenticated(AccessError):
    """No builder's token, or one that is wrong or revoked."""

    code = "UNAUTHENTICATED"


class RateLimited(AccessError):
    """Too many requests from one address."""

    code = "RATE_LIMITED"


class Held(AccessError):
    """Nothing new is answered to this builder for now; which limit it was is never said."""

    code = "HELD"

    def __init__(self) -> None:
        super().__init__(
            "Nothing new is answered to this builder for now: a quota is used up, or the "
            "registry's operator looks first. Nothing is lost. Send the same again later, or ask "
            "the operator.",
            HELD_RETRY_SECONDS,
        )


class StoreError(RegistryError):
    """The database could not do what it was asked; the transaction was rolled back."""

    code = "STORE"


class StoreBusy(StoreError):
    """Locked by another writer, or every connection is in use; the same may be tried again."""

    code = "STORE_BUSY"


class StoreUnavailable(StoreError):
    """The database can not be reached, opened or written: down, read-only, disk full.

    Where the connection was lost during a commit, the commit may have happened.
    """

    code = "STORE_UNAVAILABLE"


class StoreCorrupt(StoreError):
    """The database itself is damaged; restore a backup."""

    code = "STORE_CORRUPT"


class StoreRefused(StoreError):
    """A constraint of the schema would have been broken; nothing was written."""

    code = "STORE_REFUSED"


class SchemaUnknown(StoreError):
    """The tables are not those of this version: migrate, or run the version that made them."""

    code = "SCHEMA_UNKNOWN"


class VaultError(RegistryError):
    """The keys, or what is encrypted under them, can not be used."""

    code = "VAULT_ERROR"


class EnvelopeError(VaultError):
    """Encrypted bytes do not open: another key, record or epoch, or altered."""

    code = "ENVELOPE_ERROR"


class KeyStoreError(VaultError):
    """The key store can not be used, or does not hold the key that is asked for."""

    code = "KEY_STORE_ERROR"


class KeyMissing(KeyStoreError):
    """The key store has no such key: it was destroyed, or never made."""

    code = "KEY_MISSING"


class KeyDamaged(KeyStoreError):
    """What the key store has in a key's place can not be one: cut short, or too long."""

    code = "KEY_DAMAGED"


class UnsafeKeyStore(KeyStoreError):
    """The key store's folder or a key file may be read by others, or is not what it should be."""

    code = "UNSAFE_KEY_STORE"


class CorruptRegistry(RegistryError):
    """Stored state contradicts the log; the process is not ready and says so loudly."""

    code = "CORRUPT"


class ConfigurationError(RegistryError):
    """Settings that can not be served."""

    code = "CONFIGURATION"
