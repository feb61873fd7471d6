"""A registration, checked cheapest first, then sealed away and logged.

Limits and ceilings, proof of work, signature, seal, commitment, fingerprints: in this order, so
that what costs the registry most is asked of those who have already paid. The sealed blob is
opened, checked and forgotten; what is kept is encrypted under a data key of the record's own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from consent_client.errors import BadSignature, ProtocolError, WeakKey
from consent_client.protocol.keys import verify
from consent_client.protocol.protection import SpaceProtection
from consent_client.protocol.records import RecordContent, RegistrationRequest, register_message
from registry.errors import (
    InvalidInput,
    RegistryFull,
    SealRejected,
    SignatureRejected,
    TooGeneric,
)
from registry.services.clock import day_of
from registry.services.protection import protection
from registry.services.running import Registry
from registry.services.sequencing import Registering
from registry.store import records
from registry.store.tables import RecordStatus
from registry.vault.envelope import encrypt_record, new_data_key
from registry.vault.stored_content import StoredContent


@dataclass(frozen=True, slots=True)
class Registered:
    """A record that is in the log.

    Attributes:
        register_index: its REGISTER entry.
        terminal_index: the entry that ended it, or None while it is active.
        log_size: of the log that holds it.
        status: what has become of it.
        protection: how far from the picture it is still found.
    """

    register_index: int
    terminal_index: int | None
    log_size: int
    status: RecordStatus
    protection: tuple[SpaceProtection, ...]


def admit(registry: Registry, address: str) -> None:
    """Looks whether a change from this address can be taken at all, before anything is parsed.

    Raises:
        RateLimited: this address asks too often.
        Busy: the queue is full.
    """
    registry.registration_limit.admit(address)
    registry.sequencer.admit()


async def register(
    registry: Registry, request: RegistrationRequest, proof_of_work: str
) -> Registered:
    """Registers a record, or finds that it is registered already.

    Raises:
        RegistryFull: the record ceiling is reached.
        InvalidInput: the statement or the fingerprints do not follow FORMATS.
        ProofOfWorkRejected, SignatureRejected, SealingKeyUnknown, SealingKeyExpired,
        SealRejected: that check failed; nothing was stored.
        TooGeneric: fingerprints in some spaces resemble too many other pictures; nothing was
            stored, and without those spaces the picture can be registered.
        Conflict: the record id is taken by other content.
        Busy: nothing was written; send it again.
    """
    await _check_ceiling(registry, request)
    registry.challenges.check_work(proof_of_work, request.record_id)
    _check_signature(registry.settings.origin, request)
    content = await _open(registry, request)
    record = await _measure(registry, request, content)
    # Again, now that those who came with it wait in line: nothing is waited for from here on.
    await _check_ceiling(registry, request)
    data_key = new_data_key()
    done = await registry.sequencer.submit(
        Registering(
            record_id=request.record_id,
            owner_public_key=request.owner_public_key,
            commitment=request.commitment,
            ciphertext=encrypt_record(data_key, request.record_id, record.encode()),
            data_key=data_key,
        )
    )
    return Registered(
        register_index=done.register_index,
        terminal_index=done.terminal_index,
        log_size=done.log_size,
        status=done.status,
        protection=protection(content.fingerprints, record.nearest),
    )


async def _check_ceiling(registry: Registry, request: RegistrationRequest) -> None:
    """Changes that wait count as records, so that many at once do not all slip under the ceiling.

    It may be passed by what was written in the moment before the follower has read it.
    """
    held = await _active(registry) + registry.sequencer.waiting
    if held < registry.settings.max_records or await _registered(registry, request):
        return
    message = "This registry holds as many records as its operator allows."
    raise RegistryFull(message)


async def _active(registry: Registry) -> int:
    active = registry.follower.state.active_records
    if registry.ready:
        return active
    async with registry.store.read() as connection:  # the log is still being read
        return await records.count_keys(connection)


async def _registered(registry: Registry, request: RegistrationRequest) -> bool:
    """Whether this very record is registered already.

    The log shows C to everybody, so who can name it learns nothing here; and a client that never
    heard the answer to its registration gets it, whatever would be refused by now.
    """
    async with registry.store.read() as connection:
        known = await records.by_record_id(connection, request.record_id)
    return known is not None and known.commitment == request.commitment


async def _measure(
    registry: Registry, request: RegistrationRequest, content: RecordContent
) -> StoredContent:
    """Compares the fingerprints with the bank, once for the record's whole life."""
    generic, nearest = await asyncio.to_thread(registry.bank.examine, content.fingerprints)
    if generic and not await _registered(registry, request):
        raise TooGeneric(_generic(generic), generic)
    return StoredContent(content, registry.bank.version, nearest)


def _generic(spaces: Sequence[str]) -> str:
    return (
        f"The fingerprints in {', '.join(spaces)} resemble so many other pictures that they would "
        "stand for those as well. Nothing was stored. Without them it can be registered."
    )


def _check_signature(origin: str, request: RegistrationRequest) -> None:
    signed = register_message(origin, request.record_id, request.commitment)
    try:
        verify(request.owner_public_key, request.signature, signed)
    except (BadSignature, WeakKey):
        message = "The owner's signature does not verify."
        raise SignatureRejected(message) from None


async def _open(registry: Registry, request: RegistrationRequest) -> RecordContent:
    plaintext = await registry.sealing.open(
        request.sealing_key_id, request.sealed, request.record_id, request.owner_public_key
    )
    try:
        content = RecordContent.decode(plaintext)
    except ProtocolError as error:
        message = f"The sealed record does not follow the format: {error}."
        raise InvalidInput(message) from None
    if content.commitment != request.commitment:
        message = "The sealed record is not the one that was signed."
        raise SealRejected(message)
    if content.statement.expired(day_of(registry.clock)):
        message = "The statement's last valid day has passed."
        raise InvalidInput(message)
    return content
