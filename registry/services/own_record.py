"""What the owner, and nobody else, may read of a record."""

import asyncio
from dataclasses import dataclass, field

from consent_client.errors import BadSignature, WeakKey
from consent_client.protocol.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify
from consent_client.protocol.keys import record_id as record_id_of
from consent_client.protocol.protection import SpaceProtection
from consent_client.protocol.records import read_message
from registry.errors import InvalidInput, NotYours
from registry.matching.specificity import Bank
from registry.services.became import Exclusion, told
from registry.services.challenges import NOT_YOURS
from registry.services.disputes import OwnDispute, of_record
from registry.services.protection import protection
from registry.services.running import Registry
from registry.store import epochs, records
from registry.store.tables import RecordStatus
from registry.vault.envelope import decrypt_record, unwrap_data_key
from registry.vault.stored_content import StoredContent


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A signature over the registry's nonce, by the record's owner."""

    record_id: bytes
    owner_public_key: bytes
    nonce: bytes
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """A record as its owner sees it.

    Attributes:
        statement: its bytes, or None once the record is unreadable.
        image_digest: F, or None once the record is unreadable.
        protection: how far from the picture it is still found; nothing once it is unreadable.
        exclusions: the sessions that left images out because of it, as far as they are told yet;
            none once it has ended.
        disputes: what builders disputed, and how that was decided.
    """

    record_id: bytes
    status: RecordStatus
    register_index: int
    terminal_index: int | None
    commitment: bytes
    statement: bytes | None = field(repr=False)
    image_digest: bytes | None = field(repr=False)
    protection: tuple[SpaceProtection, ...]
    exclusions: tuple[Exclusion, ...]
    disputes: tuple[OwnDispute, ...]


async def read_own_record(registry: Registry, request: ReadRequest, address: str) -> OwnRecord:
    """Reads one's own record.

    Raises:
        RateLimited: this address asks too often.
        InvalidInput: a wrong length.
        NotYours: unknown record, stale nonce or wrong signature, never said which.
    """
    right = (
        len(request.owner_public_key) == PUBLIC_KEY_BYTES
        and len(request.signature) == SIGNATURE_BYTES
        and request.record_id == record_id_of(request.owner_public_key)
    )
    if not right:
        message = "The record id, public key or signature has a wrong length or value."
        raise InvalidInput(message)
    registry.registration_limit.admit(address)
    registry.challenges.check_nonce(request.nonce, request.record_id)
    signed = read_message(registry.settings.origin, request.record_id, request.nonce)
    try:
        verify(request.owner_public_key, request.signature, signed)
    except (BadSignature, WeakKey):
        raise NotYours(NOT_YOURS) from None
    async with registry.store.read() as connection:
        row = await records.by_record_id(connection, request.record_id)
        if row is None:
            raise NotYours(NOT_YOURS)
        sealed = await records.sealed(connection, row.register_index)
        excluded = (
            await told(connection, registry.clock, row.register_index)
            if row.terminal_index is None
            else ()
        )
        disputes = await of_record(connection, row.register_index)
        if await epochs.current(connection) > registry.keyring.current_epoch:
            await asyncio.to_thread(registry.keyring.load, await epochs.live(connection))
    content = None
    kept: tuple[SpaceProtection, ...] = ()
    if sealed is not None and row.terminal_index is None:
        data_key = unwrap_data_key(registry.keyring.keks, row.record_id, sealed.wrapped)
        plaintext = decrypt_record(data_key, row.record_id, sealed.ciphertext)
        stored = StoredContent.decode(plaintext)
        content, kept = stored.content, _protection(registry.bank, stored)
    return OwnRecord(
        record_id=row.record_id,
        status=row.status,
        register_index=row.register_index,
        terminal_index=row.terminal_index,
        commitment=row.commitment,
        statement=content.statement.encode() if content else None,
        image_digest=content.image_digest if content else None,
        protection=kept,
        exclusions=excluded,
        disputes=disputes,
    )


def _protection(bank: Bank, stored: StoredContent) -> tuple[SpaceProtection, ...]:
    fingerprints = stored.content.fingerprints
    same = stored.bank == bank.version
    return protection(fingerprints, stored.nearest if same else bank.measure(fingerprints))
