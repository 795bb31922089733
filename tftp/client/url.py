"""What names a file on a server: `tftp://host/file;mode=netascii` (RFC 3617), or HOST alone.

The octets of a name are what is left when the percent escapes are undone, once; the
slash behind the host is no part of it. Everything else is refused here, before a packet
is sent: a zero octet, a mode that no server takes, a user, a query.
Must not know what the name is wanted for.
"""

import re
from typing import Literal, NamedTuple

__all__ = ["Location", "is_url", "parse_host", "parse_url"]

_PREFIX = "tftp://"
_ESCAPE = re.compile("%(.{0,2})", re.DOTALL)


class Location(NamedTuple):
    """A file on a server. What a host alone, or a short URL, leaves open is None."""

    host: str
    port: int | None = None
    filename: str = ""
    mode: Literal["octet", "netascii"] | None = None


def is_url(text: str) -> bool:
    """Tells whether this is meant as a URL."""
    return "://" in text


def parse_url(text: str) -> Location:
    """Reads a URL. Raises ValueError with a sentence that says what is wrong with it.

    The file name may be empty: a caller that needs one must look.
    """
    if not text.lower().startswith(_PREFIX):
        raise ValueError(f"the URL must begin with {_PREFIX}")
    authority, _, path = text[len(_PREFIX) :].partition("/")
    if "@" in authority:
        raise ValueError("TFTP has no users: leave out what stands before the @")
    host = parse_host(re.sub("%25", "%", authority))  # the zone of an IPv6 address, RFC 6874
    if "?" in path or "#" in path:
        raise ValueError("write ? as %3F and # as %23: a TFTP URL has no query and no fragment")
    name, mark, mode = _split_mode(path)
    if mark and mode not in ("octet", "netascii"):
        raise ValueError(f"the mode is octet or netascii, not {mode!r}")
    return host._replace(
        filename=_unescape(name),
        mode=("netascii" if mode == "netascii" else "octet") if mark else None,
    )


def parse_host(text: str) -> Location:
    """Reads `name`, `name:port`, `[address]`, `[address]:port` or a bare IPv6 address.

    Raises ValueError.
    """
    if text.startswith("["):
        host, end, rest = text[1:].partition("]")
        if not end or (rest and not rest.startswith(":")) or ":" not in host:
            raise ValueError(f"{text!r} is no IPv6 address in brackets, with or without a port")
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not host or any(character.isspace() or character in "/\0" for character in host):
        raise ValueError(f"{text!r} names no host")
    return Location(host, _parse_port(port) if port else None)


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ValueError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _split_mode(path: str) -> tuple[str, str, str]:
    """Splits off `;mode=...`, in letters of any case."""
    place = path.lower().rfind(";mode=")
    if place < 0:
        return path, "", ""
    return path[:place], ";mode=", path[place + len(";mode=") :].lower()


def _unescape(text: str) -> str:
    """Undoes percent escapes, which stand for octets; what is no UTF-8 survives as such."""
    for match in _ESCAPE.finditer(text):
        if not re.fullmatch("[0-9A-Fa-f]{2}", match[1]):
            raise ValueError(f"{match[0]!r} is no percent escape: write a percent sign as %25")
    octets = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda match: bytes([int(match[1], 16)]),
        text.encode("utf-8", "surrogateescape"),
    )
    if b"\0" in octets:
        raise ValueError("a file name cannot hold a zero octet (%00)")
    if re.search(rb"[\x01-\x1f\x7f]", octets):  # RFC 3617 section 3: netascii, and printable
        raise ValueError("a file name in a URL cannot hold control characters such as %0D")
    return octets.decode("utf-8", "surrogateescape")
