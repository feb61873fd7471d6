"""Pages of the log, for those who look for their own records in it, or check it."""

from dataclasses import dataclass

from consent_client.protocol.log import encode_bundle
from registry.errors import InvalidInput
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


async def read_page(store: Store, start: int, count: int) -> Page:
    """Reads up to `count` entries from `start` on; none where the log ends before.

    Raises:
        InvalidInput: the count is out of range.
    """
    if not 0 < count <= MAX_PAGE:
        message = f"A page has 1 to {MAX_PAGE} entries."
        raise InvalidInput(message)
    async with store.read() as connection:
        size = await entries.log_size(connection)
        rows = await entries.read(connection, start, count) if start < size else []
    return Page(start, len(rows), size, encode_bundle([row.data for row in rows]))
