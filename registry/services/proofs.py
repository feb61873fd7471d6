"""Proofs of what is in the log, for the newest checkpoint and between any two.

None of it is secret, and all of it can be made from the published files alone: this is for those
who would rather ask once than fetch tiles.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from consent_client.protocol.tlog_proofs import TlogProof
from registry.errors import InvalidInput, RateLimited
from registry.services.admission import AddressLimit
from registry.services.publishing import Published, Publisher

COST: Final = 256
"""What a proof counts as, in log entries read: it reads a few tiles of as many hashes."""

MAX_WATCHERS: Final = 256
"""Who may wait for checkpoints at once, per process: each holds a connection."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That an entry is in the log of `size` entries.

    Attributes:
        text: the whole proof as C2SP tlog-proof, where `size` is that of the newest checkpoint.
    """

    index: int
    size: int
    hashes: tuple[bytes, ...]
    text: str | None


async def entry_proof(publisher: Publisher, index: int) -> str:
    """A proof of an entry under the newest checkpoint, once there is one, as C2SP tlog-proof.

    Raises:
        NotPublished: the entry is committed, and was not published within some seconds.
        CorruptRegistry: the published log is not this database's.
    """
    published = await publisher.at_least(index + 1)
    hashes = await publisher.prove_inclusion(index, published.size)
    return TlogProof(index, hashes, published.note).encode()


async def inclusion(
    publisher: Publisher, limit: AddressLimit, address: str, index: int, size: int | None
) -> Inclusion:
    """Proves that an entry is in the published log of `size` entries, or in the newest.

    Raises:
        RateLimited: this address has asked too much.
        InvalidInput: no such entry, or not published.
    """
    limit.admit(address, COST)
    published = newest(publisher)
    size = published.size if size is None else size
    hashes = await publisher.prove_inclusion(index, size)
    text = TlogProof(index, hashes, published.note).encode() if size == published.size else None
    return Inclusion(index, size, hashes, text)


async def consistency(
    publisher: Publisher, limit: AddressLimit, address: str, old: int, new: int
) -> tuple[bytes, ...]:
    """Proves that the published log of `new` entries begins with that of `old`.

    Raises:
        RateLimited: this address has asked too much.
        InvalidInput: not two sizes of the published log.
    """
    limit.admit(address, COST)
    return await publisher.prove_consistency(old, new)


def newest(publisher: Publisher) -> Published:
    """The newest checkpoint.

    Raises:
        InvalidInput: nothing is published yet.
        CorruptRegistry: the published log is not this database's.
    """
    if publisher.published is None:
        message = "Nothing is published yet."
        raise InvalidInput(message)
    return publisher.published


class Watchers:
    """Those who wait for checkpoints."""

    def __init__(self, most: int = MAX_WATCHERS) -> None:
        self._left = most

    async def checkpoints(self, publisher: Publisher) -> AsyncIterator[Published]:
        """The newest checkpoint and every newer one; some may be left out in between.

        Raises:
            RateLimited: too many are waiting.
        """
        if not self._left:
            message = "Too many wait for checkpoints; fetch /log/checkpoint now and then instead."
            raise RateLimited(message)
        self._left -= 1
        try:
            size = 0
            while True:
                published = await publisher.newer_than(size)
                size = published.size
                yield published
        finally:
            self._left += 1
