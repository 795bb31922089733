"""The naive reader of the conformance suite: it never raises, and agrees with our codec.

Two readers written apart see the same packet in the same octets (RFC 1350 section 5).
Must not know about sockets.
"""

from conformance import wire
from tftp.errors import MalformedPacket
from tftp.protocol.packets import Ack, Data, Error, Oack, Opcode, Request, decode

__all__ = ["target"]


def target(data: bytes) -> None:
    """Reads the input twice and compares."""
    seen = wire.parse(data)
    assert isinstance(wire.words(data), str)
    assert str(seen) == wire.words(data)
    try:
        packet = decode(data)
    except MalformedPacket:
        assert seen.odd, "one reader found nothing odd in it"
        return
    match packet:
        case Request(opcode, filename, mode, options):
            assert seen.kind == Opcode(opcode).name
            assert seen.name == filename.encode("utf-8", "surrogateescape")
            if mode.isascii():
                assert seen.mode.lower() == mode
            _check_pairs(seen, options)
        case Data(block, payload):
            assert (seen.kind, seen.block, seen.payload) == ("DATA", block, payload)
        case Ack(block):
            assert (seen.kind, seen.block) == ("ACK", block)
        case Error(code, message):
            assert (seen.kind, seen.code) == ("ERROR", code)
            if message.isascii():
                assert seen.text == message
        case Oack(options):
            assert seen.kind == "OACK"
            _check_pairs(seen, options)


def _check_pairs(seen: wire.Packet, options: tuple[tuple[str, str], ...]) -> None:
    """Where nothing is odd, both see the same options; padding ends them for one only."""
    texts = [text for pair in seen.pairs for text in pair]
    if not seen.odd and all(text.isascii() and "\\" not in text for text in texts):
        assert seen.pairs[: len(options)] == options
        rest = seen.pairs[len(options) :]
        assert not rest or rest[0][0] == ""
