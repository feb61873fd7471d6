"""A record's plaintext at rest: what was sealed, and what was measured when it came (FORMATS §4).

`u8 2 ‖ r 32 ‖ u32 length ‖ statement 10 ‖ list as in F ‖ u32 bank ‖ u8 spaces ‖ float16 …  ‖ zeros`
to 8,192 bytes. Bit i of `spaces` says that the i-th space of the list was measured; then follows a
float16, little-endian, for each of its fingerprints: how alike the nearest picture of the
specificity bank is. Computing that takes a thousand times as long as reading it back, and a start
reads a million records. It lies here, in what is encrypted, because it tells of the picture.

Layout 1 is the plaintext as it was sealed: records from before there was a bank.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from consent_client.errors import Malformed
from consent_client.protocol.encoding import u8, u32
from consent_client.protocol.records import RecordContent, check_padding
from consent_client.protocol.sealing import PLAINTEXT_BYTES
from consent_client.protocol.spaces import MAX_FINGERPRINTS, SPACES, Kind

_MEASURED = b"\x02"
_HALVES = {n: struct.Struct(f"<{n}e") for n in range(1, MAX_FINGERPRINTS + 1)}


@dataclass(frozen=True, slots=True)
class StoredContent:
    """A record as it is stored.

    Attributes:
        content: what its owner sealed.
        bank: version of the specificity bank it was measured against; 0: it was not.
        nearest: for each space of a bank, how alike the nearest picture there is to each of the
            record's fingerprints; empty where bank is 0.
    """

    content: RecordContent
    bank: int = 0
    nearest: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False)

    def encode(self) -> bytes:
        """Its 8,192 bytes.

        Raises:
            ProtocolError: the content does not follow FORMATS, or what was measured does not
                belong to it.
        """
        sealed = self.content.encode()
        if not self.bank:
            return sealed
        bits, halves = 0, b""
        for name, values in sorted(self.nearest.items()):
            _check_measured(self.content, name, values)
            bits |= 1 << sorted(self.content.fingerprints).index(name)
            halves += _HALVES[len(values)].pack(*values)
        _, end = RecordContent.decode_front(sealed)
        data = _MEASURED + sealed[1:end] + u32(self.bank) + u8(bits) + halves
        if len(data) > PLAINTEXT_BYTES:
            raise Malformed("what was measured of a record does not fit beside it")
        return data.ljust(PLAINTEXT_BYTES, b"\0")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The record behind its bytes, of layout 2 or 1; norms of vectors are not looked at.

        Raises:
            ProtocolError: anything that `encode` would not have written.
        """
        if data[:1] != _MEASURED:
            return cls(RecordContent.decode_stored(data))
        content, end = RecordContent.decode_front(data)
        bank, start = int.from_bytes(data[end : end + 4]), end + 5
        if start > PLAINTEXT_BYTES or not bank:
            raise Malformed("a record of layout 2 that was not measured")
        bits = data[end + 4]
        if bits >> len(content.fingerprints):
            raise Malformed("measured was a space that the record does not have")
        nearest = {}
        for number, (name, values) in enumerate(content.fingerprints.items()):
            if bits >> number & 1:
                layout = _HALVES[len(values)]
                if start + layout.size > PLAINTEXT_BYTES:
                    raise Malformed("a record that ends within what was measured")
                nearest[name] = layout.unpack_from(data, start)
                _check_measured(content, name, nearest[name])
                start += layout.size
        check_padding(data, start)
        return cls(content, bank, nearest)


def _check_measured(content: RecordContent, name: str, values: Sequence[float]) -> None:
    if name not in content.fingerprints or SPACES[name].kind is not Kind.FLOAT:
        raise Malformed("measured was a space that the record has no vectors in")
    if len(values) != len(content.fingerprints[name]):
        raise Malformed("what was measured is not one number for each fingerprint")
    if not all([-1 <= value <= 1 for value in values]):  # noqa: C419 (quicker); nan is not
        raise Malformed("what was measured is no similarity")
