r"""The canonical form of a web address, and its fingerprint (space `url-1`).

Lists such as LAION hold addresses, not pixels. Two spellings of one address are one fingerprint
when RFC 3986 says that they mean the same (§6.2.2 and §6.2.3, syntax- and scheme-based):

1. White space and control characters (U+0000 to U+0020) at both ends are dropped. Elsewhere control
   characters are refused, and a character that an address may not hold (a space, `"<>\^`{|}`, and
   everything outside ASCII) is percent-encoded as UTF-8.
2. The scheme is `http` or `https`, lower case. They stay different.
3. A user name or password is refused: it is a secret, and no part of which picture it is.
4. The host is lower case. Names outside ASCII become their `xn--` form (IDNA 2008 after UTS #46).
   IPv6 is written as RFC 5952 says. IPv4 is four decimal numbers; the other spellings are refused.
5. The port is dropped when it is empty or the scheme's own, and has no leading zeros.
6. `.` and `..` are resolved in the path; an empty path is `/`.
7. In path and query, an encoded letter, digit, `-`, `.`, `_` or `~` is decoded, every other
   encoding has upper case digits, and a `%` that encodes nothing becomes `%25`.
8. The fragment is dropped.

No more than that. `http` and `https`, `www.`, a slash at the end, the order of a query and
`utm_source` often lead to the same picture and sometimes to another; a registry that guesses would
drop other people's pictures. Whoever wants both spellings found registers both.
"""

import hashlib
import ipaddress
import re
from typing import Final

import idna

from consent_client.errors import BadUrl

SPACE: Final = "url-1"

MAX_URL: Final = 8_000
"""Characters of an address: the length RFC 9110 §4.1 asks every program to bear."""

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_MAX_PORT: Final = 65_535
_MAX_HOST: Final = 253  # RFC 1035 §2.3.4, without the last dot
_ENDS: Final = "".join(map(chr, range(0x21)))

# RFC 3986, appendix B, for what has an authority.
_PARTS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?",
    re.DOTALL,
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]*))?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_REFUSED_CHARACTERS: Final = re.compile(r"""[^A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-]+""")
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)


def canonical_url(url: str) -> str:
    """The one spelling of an address that is fingerprinted. It is its own canonical form.

    Raises:
        BadUrl: not an http or https address, or one that has no canonical form (see the module).
    """
    if len(url) > MAX_URL:
        raise BadUrl(f"an address has at most {MAX_URL} characters")
    trimmed = url.strip(_ENDS)
    if _CONTROL.search(trimmed):
        raise BadUrl("an address holds no control characters")
    parts = _PARTS.fullmatch(trimmed)
    if parts is None:
        raise BadUrl("an address begins with http:// or https://")
    scheme = parts["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise BadUrl("an address begins with http:// or https://")
    path = _without_dot_segments(_normal_escapes(parts["path"])) or "/"
    query = _normal_escapes(parts["query"] or "")
    canonical = f"{scheme}://{_authority(parts['authority'], scheme)}{path}{query}"
    if len(canonical) > MAX_URL:
        raise BadUrl(f"an address has at most {MAX_URL} characters")
    return canonical


def url_fingerprint(url: str) -> bytes:
    """The 32-byte fingerprint of an address: SHA-256 of its canonical form.

    Raises:
        BadUrl: as `canonical_url`.
    """
    return hashlib.sha256(canonical_url(url).encode("ascii")).digest()


def _authority(authority: str, scheme: str) -> str:
    if "@" in authority:
        raise BadUrl("an address with a user name or password is not taken")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise BadUrl("the address has no host that can be read")
    port = (parts["port"] or "").lstrip("0")
    if parts["port"] and (not port or len(port) > len(str(_MAX_PORT)) or int(port) > _MAX_PORT):
        raise BadUrl("a port is a number from 1 to 65535")
    host = _host(parts["host"])
    return host if port in ("", _DEFAULT_PORTS[scheme]) else f"{host}:{port}"


def _host(host: str) -> str:
    if host.startswith("["):
        return f"[{_ipv6(host[1:-1])}]"
    name = _ascii_name(host)
    labels = name.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(name)
    if len(name) > _MAX_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise BadUrl("the address has no host that can be read")
    return name


def _ascii_name(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode("ascii")
            for label in mapped.split(".")
        ).lower()
    except (idna.IDNAError, UnicodeError) as problem:
        raise BadUrl("the host's name has no ASCII form") from problem


def _ipv4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError as problem:
        raise BadUrl("the host looks like a number, but is no IPv4 address") from problem


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError as problem:
        raise BadUrl("the host is no IPv6 address") from problem
    if address.scope_id is not None:
        raise BadUrl("an IPv6 address with a zone means something on one machine only")
    return address.compressed


def _normal_escapes(text: str) -> str:
    escaped = _REFUSED_CHARACTERS.sub(_escape, text)
    return _ESCAPE.sub(_normal_escape, escaped)


def _escape(refused: re.Match[str]) -> str:
    try:
        data = refused[0].encode("utf-8")
    except UnicodeEncodeError as problem:
        raise BadUrl("the address is not text") from problem
    return "".join(f"%{byte:02X}" for byte in data)


def _normal_escape(escape: re.Match[str]) -> str:
    if escape[1] is None:
        return "%25"
    byte = int(escape[1], 16)
    return chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"


def _without_dot_segments(path: str) -> str:
    """RFC 3986 §5.2.4 for a path that is empty or begins with a slash."""
    if not path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
