"""The codec: any octets decode to a packet or are malformed, and nothing else happens.

What decodes and has a strict form encodes to octets that decode to the same (RFC 1350
section 5, RFC 2347). Must not know what a packet is good for.
"""

from collections.abc import Callable

from tftp.errors import MalformedPacket
from tftp.protocol.packets import (
    MAX_BLOCK_SIZE,
    MAX_REQUEST,
    RRQ,
    WRQ,
    Ack,
    Data,
    Error,
    Oack,
    Options,
    Packet,
    Request,
    decode,
    decode_request,
    describe,
    encode,
    peek,
)

__all__ = ["target"]


def target(data: bytes) -> None:
    """Decodes the input in every way there is, and encodes what came of it."""
    words = describe(data)
    assert words.isprintable(), "a log line could be forged"
    malformed = _is_malformed(decode, data)
    assert malformed is words.startswith("malformed (")
    request = len(data) >= 2 and peek(data) in (RRQ, WRQ)
    assert _is_malformed(decode, memoryview(data)) is malformed
    assert _is_malformed(decode_request, data) is (malformed or not request)
    if not malformed:
        packet = decode(data)
        assert decode(memoryview(data)) == packet
        assert decode(memoryview(bytearray(data))) == packet
        if request:
            assert decode_request(data) == packet
        _encode_again(packet, data)


def _is_malformed(read: Callable[[bytes | memoryview], object], data: bytes | memoryview) -> bool:
    try:
        read(data)
    except MalformedPacket:
        return True
    return False


def _encode_again(packet: Packet, data: bytes) -> None:
    try:
        octets = encode(packet)
    except ValueError:
        assert not _has_strict_form(packet), packet
        return
    again = decode(octets)
    assert encode(again) == octets
    if isinstance(packet, Error):  # what is no ASCII was made plain on the way
        assert isinstance(again, Error)
        assert again.code == packet.code
        assert len(octets) <= 4 + 200 + 1
    else:
        assert again == packet
    if isinstance(packet, Data):
        assert octets == data


def _has_strict_form(packet: Packet) -> bool:
    match packet:
        case Data(_, payload):
            return len(payload) <= MAX_BLOCK_SIZE
        case Ack() | Error():
            return True
        case Oack(options):
            return _each_once(options)
        case Request(_, filename, mode, options):
            texts = [mode, *(text for pair in options for text in pair)]
            size = 2 + len(filename.encode("utf-8", "surrogateescape")) + 1
            size += sum(len(text) + 1 for text in texts)
            return bool(filename and mode) and _each_once(options) and size <= MAX_REQUEST


def _each_once(options: Options) -> bool:
    names = [name.lower() for name, _ in options]
    return len(set(names)) == len(names)
