"""Netascii: the round trip is exact, and cuts do not matter (RFC 1350 section 1, RFC 764).

The first octets say where a text is cut, the rest is the text: once as a local file, once
as what a peer sent. Must not know about blocks.
"""

from tests.fuzz.feed import Feed
from tftp.net.files import BytesSource, NetasciiSource
from tftp.protocol.netascii import Decoder, Encoder, decode, encode

__all__ = ["target"]

BUFFER = 16


def target(data: bytes) -> None:
    """Converts a text whole, in pieces, and through a source that goes back."""
    feed = Feed(data)
    sizes = [feed.number(0, 9) for _ in range(feed.number(0, 9))]
    back = feed.number(0, 9)
    text = feed.rest()
    wire = encode(text)
    assert decode(wire) == text
    assert len(wire) == len(text) + text.count(b"\r") + text.count(b"\n")
    assert wire.count(b"\r") == wire.count(b"\r\n") + wire.count(b"\r\0")
    assert _run(Encoder(), text, sizes) == wire
    assert _run(Decoder(), text, sizes) == decode(text)
    assert _run(Decoder(), wire, sizes) == text
    assert _octet_by_octet(text) == decode(text)
    assert _read(text, back) == wire


def _run(converter: Encoder | Decoder, text: bytes, sizes: list[int]) -> bytes:
    done = b""
    for size in sizes:
        done += converter.feed(text[:size])
        text = text[size:]
    return done + converter.feed(text) + converter.finish()


def _octet_by_octet(wire: bytes) -> bytes:
    local = bytearray()
    place = 0
    while place < len(wire):
        pair = wire[place : place + 2]
        local += {b"\r\n": b"\n", b"\r\0": b"\r"}.get(pair, wire[place : place + 1])
        place += 2 if pair in (b"\r\n", b"\r\0") else 1
    return bytes(local)


def _read(text: bytes, back: int) -> bytes:
    """Reads the wire form from a source, each buffer twice: the second time `back` earlier."""
    source = NetasciiSource(BytesSource(text), 2 * BUFFER)
    buffer = bytearray(BUFFER)
    done = b""
    while True:
        count = source.read_into([memoryview(buffer)], len(done))
        done += buffer[:count]
        if count < BUFFER:
            break
        earlier = max(0, len(done) - back)
        count = source.read_into([memoryview(buffer)], earlier)
        assert done[earlier:] == buffer[: min(count, len(done) - earlier)]
    source.close()
    return done
