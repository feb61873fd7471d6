"""Two scalars: bytes as base64, and places in the log."""

from typing import NewType

import strawberry
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.scalar import ScalarDefinition

from consent_client.errors import ProtocolError
from consent_client.protocol.encoding import decode_base64, encode_base64

# JSON numbers are doubles in many languages; up to here they are exact.
MAX_LOG_INDEX = 2**53 - 1

Base64 = NewType("Base64", bytes)
LogIndex = NewType("LogIndex", int)


def _parse_base64(value: object) -> bytes:
    # The message does not repeat the value: it may be a sealed record or a fingerprint.
    if not isinstance(value, str):
        message = "Base64 must be a string."
        raise StrawberryInputCoercionError(message)
    try:
        return decode_base64(value)
    except ProtocolError:
        message = "Not canonical base64."
        raise StrawberryInputCoercionError(message) from None


def _parse_log_index(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_LOG_INDEX:
        message = f"A log index is a whole number from 0 to {MAX_LOG_INDEX}."
        raise StrawberryInputCoercionError(message)
    return value


SCALARS: dict[object, ScalarDefinition] = {
    Base64: strawberry.scalar(
        name="Base64",
        description="Bytes as base64, RFC 4648 section 4: padded, canonical, no line breaks.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc4648#section-4",
        serialize=encode_base64,
        parse_value=_parse_base64,
    ),
    LogIndex: strawberry.scalar(
        name="LogIndex",
        description="A place in the log or a count of its entries: a whole number, 0 to 2^53 - 1.",
        serialize=int,
        parse_value=_parse_log_index,
    ),
}
