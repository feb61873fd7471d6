"""Who asks: a builder by its token, anybody else by nothing but an address that is not kept."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from starlette.requests import Request
from strawberry.types import Info

from registry.api.bodies import BUILDER
from registry.services.builders import Builder, authenticate
from registry.services.running import Registry

type Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Context:
    """What resolvers know about a request.

    Attributes:
        registry: the running registry.
        request: headers and peer.
    """

    registry: Registry
    request: Request

    @property
    def address(self) -> str:
        """The client's address, for counting only.

        A proxy's word is taken if the operator named the proxy; the right-most address in
        X-Forwarded-For that is no such proxy is the client, whatever stands to the left of it.
        """
        peer = self.request.client.host if self.request.client else ""
        trusted = _networks(self.registry.settings.trusted_proxies)
        if not _within(peer, trusted):
            return peer
        forwarded = ",".join(self.request.headers.getlist("x-forwarded-for")).split(",")
        for hop in reversed([_bare(hop.strip()) for hop in forwarded if hop.strip()]):
            if not _within(hop, trusted):
                return hop
        return peer

    async def builder(self) -> Builder:
        """The builder whose token the request carries.

        Raises:
            Unauthenticated: none, or not a valid one.
        """
        known: Builder | None = self.request.scope.get(BUILDER)
        if known is not None:
            return known
        return await authenticate(self.registry.store, self.request.headers.get("authorization"))


type RequestInfo = Info[Context, None]


@lru_cache(maxsize=4)
def _networks(trusted: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in trusted)


def _bare(hop: str) -> str:
    """The address without the port that some proxies append; it would make each request a client.

    `192.0.2.1:4711` and `[2001:db8::1]:4711`, as in RFC 7239 section 6; anything else stays.
    """
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, colon, _ = hop.partition(":")
    return host if colon and hop.count(":") == 1 else hop


def _within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped  # what a socket that listens on both calls an IPv4 peer
    return any(parsed in network for network in networks)
