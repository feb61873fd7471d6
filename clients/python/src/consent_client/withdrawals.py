"""A signed withdrawal as text: it can be printed, kept, and sent later without the phrase."""

from dataclasses import dataclass, field
from typing import Final, Self

from consent_client.errors import BadSignature, Malformed, ProtocolError, WeakKey
from consent_client.protocol.encoding import decode_base64, encode_base64
from consent_client.protocol.keys import derive_owner, verify
from consent_client.protocol.origins import check_origin
from consent_client.protocol.records import withdraw_message
from consent_client.saved_records import SavedRecord
from consent_client.state import State

TITLE: Final = "consent-registry/v1/withdrawal"
MAX_CHARACTERS: Final = 4_096

_NAMES: Final = ("origin", "owner", "commitment", "signature")


@dataclass(frozen=True, slots=True)
class SignedWithdrawal:
    """What withdraws one record, now or at any time.

    Attributes:
        origin: the registry's name.
        owner_public_key: 32 bytes.
        commitment: C, 32 bytes.
        signature: of `withdraw_message`, 64 bytes.

    Raises:
        ProtocolError: the signature is not the owner's, or a field is malformed.
    """

    origin: str
    owner_public_key: bytes = field(repr=False)
    commitment: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_origin(self.origin)
        verify(
            self.owner_public_key,
            self.signature,
            withdraw_message(self.origin, self.commitment),
        )

    def to_text(self) -> str:
        """Five lines, to print or to keep."""
        values = (
            self.origin,
            encode_base64(self.owner_public_key),
            encode_base64(self.commitment),
            encode_base64(self.signature),
        )
        lines = [f"{name}: {value}" for name, value in zip(_NAMES, values, strict=True)]
        return "\n".join([TITLE, *lines, ""])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The withdrawal in a text; what stands before its title is left aside.

        Raises:
            Malformed: not such a text, or not signed by the owner it names.
        """
        _, title, after = text[:MAX_CHARACTERS].partition(TITLE)
        lines = after.split()
        fields = dict(zip(lines[0::2], lines[1::2], strict=False))
        withdrawal: Self | None = None
        try:
            if title and list(fields)[: len(_NAMES)] == [f"{name}:" for name in _NAMES]:
                withdrawal = cls(
                    fields["origin:"],
                    decode_base64(fields["owner:"]),
                    decode_base64(fields["commitment:"]),
                    decode_base64(fields["signature:"]),
                )
        except (ProtocolError, BadSignature, WeakKey):
            withdrawal = None
        if withdrawal is None:
            raise Malformed("not a signed withdrawal as `withdraw --print` writes it")
        return withdrawal


def sign_withdrawal(state: State, record: SavedRecord) -> SignedWithdrawal:
    """The statement that withdraws a record, to be kept; nothing is sent, no network is needed.

    Raises:
        StateError: no phrase here, or not the one the record was made with.
    """
    state.check_owner(record)
    owner = derive_owner(state.seed(), record.origin, record.index)
    signature = owner.sign(withdraw_message(record.origin, record.commitment))
    return SignedWithdrawal(record.origin, owner.public, record.commitment, signature)
