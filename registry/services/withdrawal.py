"""Ending a record by its owner's signature."""

from dataclasses import dataclass, field

from consent_client.errors import BadSignature, WeakKey
from consent_client.protocol.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify
from consent_client.protocol.keys import record_id as record_id_of
from consent_client.protocol.records import COMMITMENT_BYTES, withdraw_message
from registry.errors import InvalidInput, NotYours
from registry.services.challenges import NOT_YOURS
from registry.services.running import Registry
from registry.services.sequencing import Sequenced, Withdrawing


@dataclass(frozen=True, slots=True)
class WithdrawalRequest:
    """A signed withdrawal; good at any time, it can be printed and kept."""

    owner_public_key: bytes
    commitment: bytes
    signature: bytes = field(repr=False)


async def withdraw(registry: Registry, request: WithdrawalRequest) -> Sequenced:
    """Withdraws a record; repeating it gives the same answer.

    Raises:
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
        raise NotYours(NOT_YOURS) from None
    return await registry.sequencer.submit(
        Withdrawing(
            record_id=record_id_of(request.owner_public_key),
            owner_public_key=request.owner_public_key,
            commitment=request.commitment,
            signature=request.signature,
        )
    )
