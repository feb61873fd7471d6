"""Where a registry is: its address, checked before anything is sent there."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from consent_client.errors import InsecureRegistry, TransportError

_DEFAULT_SCHEME: Final = "https"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def registry_address(text: str, *, insecure_http: bool = False) -> str:
    """The registry's base address, without a slash at the end or a port that goes without saying.

    Args:
        text: `https://registry.example`, with a path if need be; without a scheme https is meant.
        insecure_http: take plain http to other machines too.

    Raises:
        TransportError: not an address of http or https, or one with a user name, query or fragment.
        InsecureRegistry: plain http to anything but this machine.
    """
    written = text.strip()
    if "://" not in written:
        written = f"{_DEFAULT_SCHEME}://{written}"
    try:
        parts = urlsplit(written)
        host = parts.hostname
        _ = parts.port  # raises for a port that is none
    except ValueError:
        parts, host = None, None
    if parts is None or not host or parts.scheme not in {"http", "https"}:
        raise TransportError("a registry's address looks like https://registry.example")
    if parts.username is not None or parts.query or parts.fragment:
        raise TransportError("a registry's address has no user name, query or fragment")
    if parts.scheme == "http" and not insecure_http and not is_loopback(host):
        raise InsecureRegistry(
            f"{host} would be reached over plain http, where everyone on the way can read and "
            "change what is sent. Use https; --insecure-http overrides this for tests."
        )
    place = parts.netloc.lower().removesuffix(_DEFAULT_PORTS[parts.scheme])
    return urlunsplit((parts.scheme, place.rstrip(":"), parts.path.rstrip("/"), "", ""))


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
