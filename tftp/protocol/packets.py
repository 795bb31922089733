"""The codec: six packets, to and from octets (RFC 1350 section 5, RFC 2347).

Decoding ends with a value or with `MalformedPacket`, whatever the octets; encoding
makes strict packets only and raises `ValueError` for what has no strict form. File
names are UTF-8 with surrogate escapes, so that every name a peer can send makes the
way to the file system and back unchanged; option texts are ASCII with surrogate
escapes, so that no letter outside ASCII ever folds into one inside.
Must not know about sockets, transfers or what an option means.
"""

import struct
from enum import IntEnum
from typing import NamedTuple, assert_never

from tftp.errors import MalformedPacket

__all__ = [
    "ACK",
    "DATA",
    "ERROR",
    "HEADER",
    "MAX_BLOCK_SIZE",
    "MAX_REQUEST",
    "OACK",
    "RRQ",
    "WRQ",
    "Ack",
    "Data",
    "Error",
    "Oack",
    "Opcode",
    "Options",
    "Packet",
    "Request",
    "decode",
    "decode_request",
    "describe",
    "encode",
    "encode_ack",
    "encode_error",
    "peek",
]

Options = tuple[tuple[str, str], ...]
"""Option names and values in the order of the packet, spelled as the peer spelled them."""


class Opcode(IntEnum):
    """What a datagram is (RFC 1350 section 5; OACK is RFC 2347)."""

    RRQ = 1
    WRQ = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OACK = 6


# Plain integers for the paths taken once per packet: comparing an enum member costs more.
RRQ, WRQ, DATA, ACK, ERROR, OACK = (int(member) for member in Opcode)

HEADER = struct.Struct("!HH")
"""Opcode and block number (or error code): the four octets before a payload."""

MAX_REQUEST = 512
"""A request that we send is at most this long (RFC 2347, Packet Formats)."""

MAX_BLOCK_SIZE = 65464
_OPCODE = struct.Struct("!H")


class Request(NamedTuple):
    """RRQ or WRQ. `mode` is in lower case, `options` is in the peer's order and spelling."""

    opcode: int
    filename: str
    mode: str = "octet"
    options: Options = ()


class Data(NamedTuple):
    """One block. A decoded payload is a view of the datagram and lives as long as that."""

    block: int
    payload: bytes | memoryview


class Ack(NamedTuple):
    """Every block up to this one has arrived."""

    block: int


class Error(NamedTuple):
    """The end of a transfer, or a word to a stranger. Any code from 0 to 65535 decodes."""

    code: int
    message: str


class Oack(NamedTuple):
    """The options that the server takes."""

    options: Options


Packet = Request | Data | Ack | Error | Oack


def decode(datagram: bytes | memoryview) -> Packet:
    """Reads one datagram. Raises MalformedPacket for everything that is no TFTP packet."""
    opcode = peek(datagram)
    if opcode in (RRQ, WRQ):
        return decode_request(datagram)
    if opcode == OACK:
        return Oack(_pairs(bytes(datagram[2:])))
    if not DATA <= opcode <= ERROR:
        raise MalformedPacket(f"Unknown opcode {opcode}")
    if len(datagram) < 4:
        raise MalformedPacket("Packet shorter than its header")
    number = HEADER.unpack_from(datagram)[1]
    if opcode == DATA:
        return Data(number, memoryview(datagram)[4:])
    if opcode == ACK:
        return Ack(number)
    # An ERROR ends a transfer even when its text is missing or has no end: be lenient.
    text = bytes(datagram[4:]).split(b"\0", 1)[0]
    return Error(number, text.decode("utf-8", "replace"))


def peek(datagram: bytes | memoryview) -> int:
    """Returns the opcode, known or not. Raises MalformedPacket below two octets."""
    if len(datagram) < 2:
        raise MalformedPacket("Packet without an opcode")
    opcode: int = _OPCODE.unpack_from(datagram)[0]
    return opcode


def decode_request(datagram: bytes | memoryview) -> Request:
    """Reads an RRQ or a WRQ. Raises MalformedPacket when name or mode has no ending NUL.

    What follows a complete mode and forms no option is passed over: old boot ROMs pad
    their requests with zeros or with whatever lay in memory (RFC 1785 section 2).
    """
    opcode = peek(datagram)
    if opcode != RRQ and opcode != WRQ:
        raise MalformedPacket("Not a request")
    name, end, rest = bytes(datagram[2:]).partition(b"\0")
    if not end:
        raise MalformedPacket("File name without its ending zero octet")
    mode, end, rest = rest.partition(b"\0")
    if not end:
        raise MalformedPacket("Mode without its ending zero octet")
    return Request(
        opcode,
        name.decode("utf-8", "surrogateescape"),
        mode.decode("ascii", "surrogateescape").lower(),
        _pairs(rest),
    )


def _pairs(octets: bytes) -> Options:
    """Splits NUL-ended strings into pairs; stops at an empty name or an unended string."""
    strings = octets.split(b"\0")[:-1]
    pairs = []
    for name, value in zip(strings[::2], strings[1::2], strict=False):
        if not name:
            break
        pairs.append(
            (name.decode("ascii", "surrogateescape"), value.decode("ascii", "surrogateescape"))
        )
    return tuple(pairs)


def encode(packet: Packet) -> bytes:
    """Makes the datagram of a packet. Raises ValueError for what has no strict form."""
    if isinstance(packet, Data):
        if len(packet.payload) > MAX_BLOCK_SIZE:
            raise ValueError(f"a block holds at most {MAX_BLOCK_SIZE} octets")
        return HEADER.pack(DATA, packet.block) + packet.payload
    if isinstance(packet, Ack):
        return encode_ack(packet.block)
    if isinstance(packet, Error):
        return encode_error(packet.code, packet.message)
    if isinstance(packet, Oack):
        return _OPCODE.pack(OACK) + _join(packet.options)
    return _encode_request(packet)


def encode_ack(block: int) -> bytes:
    """Makes an ACK of a wire block number, 0 to 65535."""
    return HEADER.pack(ACK, block)


def encode_error(code: int, message: str) -> bytes:
    """Makes an ERROR. The text is cut to printable ASCII of at most 200 characters."""
    text = "".join(c if " " <= c <= "~" else "?" for c in message[:200])
    return HEADER.pack(ERROR, code) + text.encode("ascii") + b"\0"


def _encode_request(request: Request) -> bytes:
    if request.opcode != RRQ and request.opcode != WRQ:
        raise ValueError("a request is an RRQ or a WRQ")
    if not request.filename or not request.mode:
        raise ValueError("a request needs a file name and a mode")
    datagram = (
        _OPCODE.pack(request.opcode)
        + _string(request.filename, "utf-8")
        + _string(request.mode.lower(), "ascii")
        + _join(request.options)
    )
    if len(datagram) > MAX_REQUEST:
        raise ValueError(f"the request is longer than {MAX_REQUEST} octets: shorten the file name")
    return datagram


def _join(options: Options) -> bytes:
    names = [name.lower() for name, _ in options]
    if len(set(names)) != len(names) or "" in names:
        raise ValueError("every option needs a name, and appears once")
    return b"".join(_string(text, "ascii") for pair in options for text in pair)


def _string(text: str, encoding: str) -> bytes:
    octets = text.encode(encoding, "surrogateescape")
    if b"\0" in octets:
        raise ValueError("a zero octet would end the string early")
    return octets + b"\0"


def describe(datagram: bytes | memoryview) -> str:
    """Says in a few words what a datagram is: for logs and wire ladders."""
    try:
        packet = decode(datagram)
    except MalformedPacket as error:
        return f"malformed ({error}, {len(datagram)} octets)"
    match packet:
        case Request(opcode, filename, mode, options):
            return " ".join([Opcode(opcode).name, repr(filename), _plain(mode), *_spell(options)])
        case Data(block, payload):
            return f"DATA {block} ({len(payload)} octets)"
        case Ack(block):
            return f"ACK {block}"
        case Error(code, message):
            return f"ERROR {code} {message!r}"
        case Oack(options):
            return " ".join(["OACK", *_spell(options)])
        case _:
            assert_never(packet)


def _spell(options: Options) -> list[str]:
    return [f"{_plain(name)}={_plain(value)}" for name, value in options]


def _plain(text: str) -> str:
    # A peer's control characters must not reach a terminal or forge a line of a log.
    return text if text.isprintable() else ascii(text)
