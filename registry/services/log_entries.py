"""Pages of the log, for those who look for their own records in it, or check it."""

import asyncio
from dataclasses import dataclass

from consent_client.protocol.log import encode_bundle
from registry.errors import InvalidInput
from registry.services.admission import AddressLimit
from registry.store import entries
from registry.store.engine import Store

# 16,384 REGISTER entries are 1.1 MB: a registrant who recovers reads a million in sixty pages.
MAX_PAGE = 16_384


@dataclass(frozen=True, slots=True)
class Page:
    """Entries without gaps.

    Attributes:
        data: C2SP entry bundle.
    """

    start: int
    count: int
    log_size: int
    data: bytes


async def read_page(
    store: Store, limit: AddressLimit, address: str, start: int, count: int
) -> Page:
    """Reads up to `count` entries from `start` on; none where the log ends before.

    Args:
        store: whose.
        limit: counts the entries that are there, and an answer without any as one.
        address: who asks, for counting only.
        start: index of the first.
        count: 1 to `MAX_PAGE`.

    Raises:
        InvalidInput: the count is out of range.
        RateLimited: this address has read too much.
    """
    if not 0 < count <= MAX_PAGE:
        message = f"A page has 1 to {MAX_PAGE} entries."
        raise InvalidInput(message)
    async with store.read() as connection:
        size = await entries.log_size(connection)
        there = max(0, min(count, size - start))
        limit.admit(address, max(1, there))
        data = await entries.read_data(connection, start, there) if there else []
    return Page(start, len(data), size, await asyncio.to_thread(encode_bundle, data))
