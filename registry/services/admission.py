"""Limits without identity: how often one address, and one builder, may ask.

Addresses are never kept: the counters' keys are HMACs under a key that lives in this process alone
and is forgotten with it. An IPv6 client is counted by its /64, the least that one person gets.
Counting is the `limits` library's sliding window, in memory; each process counts for itself.
"""

import contextlib
import hmac
import ipaddress
import math
import secrets
import time
from collections import Counter
from collections.abc import Iterator

from limits import RateLimitItem, RateLimitItemPerDay, parse_many
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from registry.errors import Held, RateLimited

_IPV6_PREFIX = 64


class AddressLimit:
    """How often one address may do one kind of thing.

    Args:
        rules: notation of the `limits` library, for instance `10/minute;60/hour`.
    """

    def __init__(self, rules: str) -> None:
        self._items = parse_many(rules)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._key = secrets.token_bytes(32)

    def admit(self, address: str, cost: int = 1) -> None:
        """Counts one request, or what it costs.

        Raises:
            RateLimited: with the seconds until the window moves on.
        """
        who = hmac.digest(self._key, _network(address), "sha256")[:16].hex()
        for item in self._items:
            if not self._limiter.hit(item, who, cost=cost):
                message = "Too many requests from this address; please wait a little."
                raise RateLimited(message, _seconds_left(self._limiter, item, who))


class BuilderQuota:
    """How many images a builder may screen per day.

    Attributes:
        charged: images counted against all builders' quotas since this process began.
    """

    def __init__(self, default_items_per_day: int) -> None:
        self._default = default_items_per_day
        self.charged = 0
        self._reserved: Counter[int] = Counter()
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    @contextlib.contextmanager
    def reserve(self, builder_id: int, items_per_day: int | None, count: int) -> Iterator[None]:
        """Holds room for `count` more images while they are answered, without counting them.

        Blocks that are sent all at once are looked at together: none of them is counted yet.

        Raises:
            Held: the quota is used up.
        """
        item, who = self._item(items_per_day), str(builder_id)
        if not self._limiter.test(item, who, cost=self._reserved[builder_id] + count):
            raise Held
        self._reserved[builder_id] += count
        try:
            yield
        finally:
            self._reserved[builder_id] -= count

    def count(self, builder_id: int, items_per_day: int | None, count: int) -> None:
        """Counts `count` images that were answered."""
        self.charged += count
        self._limiter.hit(self._item(items_per_day), str(builder_id), cost=count)

    def _item(self, items_per_day: int | None) -> RateLimitItem:
        return RateLimitItemPerDay(self._default if items_per_day is None else items_per_day)


def _network(address: str) -> bytes:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address.encode()  # a Unix socket's peer, or no address at all: one shared limit
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return parsed.ipv4_mapped.packed
        return ipaddress.IPv6Network((parsed, _IPV6_PREFIX), strict=False).network_address.packed
    return parsed.packed


def _seconds_left(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, who: str) -> int:
    reset = limiter.get_window_stats(item, who).reset_time
    return max(1, math.ceil(reset - time.time()))
