"""Plain wire code: packets from parts and parts from packets (RFC 1350 section 5, RFC 2347).

Deliberately naive. It builds whatever it is told to, right or wrong, and reads as much of
a datagram as makes sense, noting what is odd. Must not know sockets, verdicts or `tftp`.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = [
    "ACK",
    "DATA",
    "ERROR",
    "OACK",
    "RRQ",
    "WRQ",
    "Packet",
    "Pairs",
    "Text",
    "Value",
    "ack",
    "data",
    "error",
    "oack",
    "parse",
    "rrq",
    "words",
    "wrq",
]

RRQ, WRQ, DATA, ACK, ERROR, OACK = "RRQ", "WRQ", "DATA", "ACK", "ERROR", "OACK"
_OPCODES = {1: RRQ, 2: WRQ, 3: DATA, 4: ACK, 5: ERROR, 6: OACK}

Text = str | bytes
Value = str | bytes | int
Pairs = Mapping[str, Value] | Iterable[tuple[Text, Value]]


@dataclass(frozen=True, slots=True)
class Packet:
    """A datagram as it was read; `kind` is "?" for what is no TFTP packet."""

    raw: bytes
    kind: str
    block: int = -1
    payload: bytes = b""
    code: int = -1
    text: str = ""
    name: bytes = b""
    mode: str = ""
    options: dict[str, str] = field(default_factory=dict)
    """Names in lower case, in the order of the wire; values as they are."""
    pairs: tuple[tuple[str, str], ...] = ()
    """All options with their spelling, doubled ones too."""
    odd: str = ""
    """What is unusual about its form, in words; empty if nothing is."""
    source: tuple[str, int] = ("", 0)
    at: float = 0.0

    def __str__(self) -> str:
        return words(self.raw)


def rrq(name: Text, mode: Text = "octet", options: Pairs = ()) -> bytes:
    """Builds a read request."""
    return _request(1, name, mode, options)


def wrq(name: Text, mode: Text = "octet", options: Pairs = ()) -> bytes:
    """Builds a write request."""
    return _request(2, name, mode, options)


def data(block: int, payload: bytes = b"") -> bytes:
    """Builds DATA; the block number is taken modulo 65,536."""
    return struct.pack("!HH", 3, block & 0xFFFF) + payload


def ack(block: int) -> bytes:
    """Builds an ACK; the block number is taken modulo 65,536."""
    return struct.pack("!HH", 4, block & 0xFFFF)


def error(code: int, text: Text = "") -> bytes:
    """Builds an ERROR."""
    return struct.pack("!HH", 5, code) + _octets(text) + b"\0"


def oack(options: Pairs) -> bytes:
    """Builds an OACK."""
    return b"\0\6" + _pairs(options)


def parse(datagram: bytes, source: tuple[str, int] = ("", 0), at: float = 0.0) -> Packet:
    """Reads a datagram; never raises."""
    if len(datagram) < 2:
        return Packet(datagram, "?", odd="shorter than an opcode", source=source, at=at)
    (opcode,) = struct.unpack_from("!H", datagram)
    kind = _OPCODES.get(opcode, "?")
    if kind in (RRQ, WRQ):
        return _read_request(datagram, kind, source, at)
    if kind == OACK:
        pairs, odd = _read_pairs(datagram[2:])
        return Packet(
            datagram, kind, options=_fold(pairs), pairs=pairs, odd=odd, source=source, at=at
        )
    if kind == "?":
        return Packet(datagram, kind, odd=f"opcode {opcode}", source=source, at=at)
    if len(datagram) < 4:
        return Packet(datagram, "?", odd=f"{kind} cut short", source=source, at=at)
    (number,) = struct.unpack_from("!H", datagram, 2)
    rest = datagram[4:]
    if kind == DATA:
        return Packet(datagram, kind, block=number, payload=rest, source=source, at=at)
    if kind == ACK:
        odd = f"{len(rest)} octets too long" if rest else ""
        return Packet(datagram, kind, block=number, odd=odd, source=source, at=at)
    text, zero, behind = rest.partition(b"\0")
    odd = "" if zero else "text without its zero octet"
    if behind:
        odd = f"{len(behind)} octets behind the text"
    shown = text.decode("utf-8", "backslashreplace")
    return Packet(datagram, kind, code=number, text=shown, odd=odd, source=source, at=at)


def words(datagram: bytes) -> str:
    """Returns a datagram in words, for ladders."""
    packet = parse(datagram)
    odd = f" [{packet.odd}]" if packet.odd else ""
    match packet.kind:
        case "RRQ" | "WRQ":
            name = packet.name.decode("utf-8", "backslashreplace")
            return f"{packet.kind} {name!r} {packet.mode}{_spelled(packet.pairs)}{odd}"
        case "DATA":
            return f"DATA {packet.block}, {len(packet.payload)} octets"
        case "ACK":
            return f"ACK {packet.block}{odd}"
        case "ERROR":
            return f"ERROR {packet.code} {packet.text!r}{odd}"
        case "OACK":
            return f"OACK{_spelled(packet.pairs)}{odd}"
        case _:
            head = datagram[:16].hex(" ") + (" ..." if len(datagram) > 16 else "")
            return f"no TFTP packet ({packet.odd}), {len(datagram)} octets: {head}"


def _spelled(pairs: tuple[tuple[str, str], ...]) -> str:
    return "".join(f" {name}={value}" for name, value in pairs)


def _octets(text: Value) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()


def _request(opcode: int, name: Text, mode: Text, options: Pairs) -> bytes:
    head = struct.pack("!H", opcode) + _octets(name) + b"\0" + _octets(mode) + b"\0"
    return head + _pairs(options)


def _pairs(options: Pairs) -> bytes:
    items = options.items() if isinstance(options, Mapping) else options
    return b"".join(_octets(name) + b"\0" + _octets(value) + b"\0" for name, value in items)


def _read_request(datagram: bytes, kind: str, source: tuple[str, int], at: float) -> Packet:
    name, zero, rest = datagram[2:].partition(b"\0")
    if not zero:
        return Packet(datagram, kind, name=name, odd="name without end", source=source, at=at)
    mode, zero, rest = rest.partition(b"\0")
    shown = mode.decode("ascii", "backslashreplace")
    pairs, odd = _read_pairs(rest)
    if not zero:
        odd = "mode without end"
    return Packet(
        datagram,
        kind,
        name=name,
        mode=shown,
        options=_fold(pairs),
        pairs=pairs,
        odd=odd,
        source=source,
        at=at,
    )


def _read_pairs(octets: bytes) -> tuple[tuple[tuple[str, str], ...], str]:
    if not octets:
        return (), ""
    odd = "" if octets.endswith(b"\0") else "options without end"
    parts = octets.removesuffix(b"\0").split(b"\0")
    if len(parts) % 2:
        odd = odd or "an option without a value"
        parts.append(b"")
    texts = [part.decode("utf-8", "backslashreplace") for part in parts]
    return tuple(zip(texts[::2], texts[1::2], strict=True)), odd


def _fold(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name.lower(): value for name, value in reversed(pairs)}
