"""Ending a record by its owner's signature.

Whoever may withdraw a record is never told to wait, however many strangers ask from the same
address. So only what fails is counted, once it has; and what can not succeed never comes to the
writers' lock.
"""

from dataclasses import dataclass, field

from consent_client.errors import BadSignature, WeakKey
from consent_client.protocol.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify
from consent_client.protocol.keys import record_id as record_id_of
from consent_client.protocol.records import COMMITMENT_BYTES, withdraw_message
from registry.errors import InvalidInput, NotYours
from registry.services.challenges import NOT_YOURS
from registry.services.running import Registry
from registry.services.sequencing import Sequenced, Withdrawing
from registry.store import entries, records


@dataclass(frozen=True, slots=True)
class WithdrawalRequest:
    """A signed withdrawal; good at any time, it can be printed and kept."""

    owner_public_key: bytes
    commitment: bytes
    signature: bytes = field(repr=False)


async def withdraw(registry: Registry, request: WithdrawalRequest, address: str) -> Sequenced:
    """Withdraws a record; repeating it gives the same answer.

    Raises:
        RateLimited: too many from this address have failed, and this one does, too.
        InvalidInput: a wrong length.
        NotYours: unknown record or wrong signature, never said which.
        Busy: nothing was written; send it again.
    """
    right = (
        len(request.owner_public_key) == PUBLIC_KEY_BYTES
        and len(request.commitment) == COMMITMENT_BYTES
        and len(request.signature) == SIGNATURE_BYTES
    )
    if not right:
        message = "The public key, commitment or signature has a wrong length."
        raise InvalidInput(message)
    signed = withdraw_message(registry.settings.origin, request.commitment)
    try:
        verify(request.owner_public_key, request.signature, signed)
    except (BadSignature, WeakKey):
        registry.withdrawal_limit.admit(address)
        raise NotYours(NOT_YOURS) from None
    record_id = record_id_of(request.owner_public_key)
    async with registry.store.read() as connection:
        known = await records.by_record_id(connection, record_id)
        log_size = await entries.log_size(connection)
    if known is None and not registry.sequencer.registers(record_id):
        registry.withdrawal_limit.admit(address)
        raise NotYours(NOT_YOURS)
    if known is not None and known.commitment != request.commitment:
        registry.withdrawal_limit.admit(address)
        raise NotYours(NOT_YOURS)
    if known is not None and known.terminal_index is not None:
        return Sequenced(
            record_id, known.register_index, known.terminal_index, known.status, log_size
        )
    return await registry.sequencer.submit(
        Withdrawing(
            record_id=record_id,
            owner_public_key=request.owner_public_key,
            commitment=request.commitment,
            signature=request.signature,
        )
    )
