"""The URL of a client: a location, or a ValueError with a sentence (RFC 3617).

What a URL names has no zero octet and no control character, whatever the escapes say.
Must not know what is done with the location.
"""

from contextlib import suppress

from tftp.client.url import Location, is_url, parse_host, parse_url

__all__ = ["target"]


def target(data: bytes) -> None:
    """Reads the input as a URL, as the rest of one, and as a host."""
    text = data.decode("utf-8", "surrogateescape")
    is_url(text)
    for url in (text, "tftp://" + text, "TFTP://h/" + text):
        with suppress(ValueError):
            _check_url(parse_url(url))
    with suppress(ValueError):
        _check_host(parse_host(text))


def _check_host(location: Location) -> None:
    assert location.host
    assert not any(c.isspace() or c in "/\0" for c in location.host)
    assert location.port is None or 1 <= location.port <= 65535


def _check_url(location: Location) -> None:
    _check_host(location)
    assert location.mode in (None, "octet", "netascii")
    octets = location.filename.encode("utf-8", "surrogateescape")
    assert all(octet >= 0x20 and octet != 0x7F for octet in octets), "printable"
    # Every octet written as an escape names the same file.
    again = "tftp://h/" + "".join(f"%{octet:02x}" for octet in octets)
    assert parse_url(again).filename == location.filename
