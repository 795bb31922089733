"""Reads the golden vectors of tests/vectors: octets, their meaning, their decoded form.

A text field may hold `\\xNN` for an octet that is no text; it stands for the surrogate
that Python's `surrogateescape` makes of it. Nothing here uses the codec under test.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from tftp.protocol.packets import Ack, Data, Error, Oack, Options, Packet, Request

FOLDER = Path(__file__).parent.parent / "vectors"
FILES = ("firmware", "lenient", "malformed", "strict")
OPCODES = {"RRQ": 1, "WRQ": 2}


class Vector(NamedTuple):
    """One datagram. `packet` is None where it is malformed; `strict` ones encode to `octets`."""

    name: str
    ids: tuple[str, ...]
    octets: bytes
    strict: bool
    packet: Packet | None


def load(name: str) -> list[Vector]:
    """Reads one file of vectors."""
    table = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    return [_vector(entry) for entry in table["vector"]]


def load_all() -> list[Vector]:
    return [vector for name in FILES for vector in load(name)]


def _vector(entry: dict[str, Any]) -> Vector:
    assert entry["rfc"], "a vector cites its RFC"
    assert entry["meaning"], "a vector says what it is there for"
    malformed = entry.get("malformed", False)
    return Vector(
        name=entry["name"],
        ids=tuple(entry["ids"]),
        octets=bytes.fromhex(entry["hex"]),
        strict=not malformed and entry["strict"],
        packet=None if malformed else _packet(entry["packet"]),
    )


def _packet(fields: dict[str, Any]) -> Packet:
    match fields["type"]:
        case "RRQ" | "WRQ" as kind:
            name, mode = _text(fields["filename"]), _text(fields["mode"])
            return Request(OPCODES[kind], name, mode, _options(fields))
        case "DATA":
            return Data(fields["block"], bytes.fromhex(fields["payload"]))
        case "ACK":
            return Ack(fields["block"])
        case "ERROR":
            return Error(fields["code"], fields["message"])
        case "OACK":
            return Oack(_options(fields))
        case other:
            raise AssertionError(f"unknown type {other}")


def _options(fields: dict[str, Any]) -> Options:
    return tuple((_text(name), _text(value)) for name, value in fields["options"])


def _text(text: str) -> str:
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda m: chr(0xDC00 + int(m[1], 16)), text)
