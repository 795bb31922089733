"""Files to transfer: the same octets on every machine, made when they are first wanted.

A folder that servers serve, with `up/` in it for what clients send. Contents go by number
(so many random octets) or by name (texts that are hard on netascii).
"""

import hashlib
import itertools
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.peers import Way

Content = int | str

UPLOADS = "up"

BIG = 1 << 20  # octets above which a file is made anew for each test, to spare the disk

TEXT_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Exchange:
    """The files of one transfer: `original` goes over the wire and comes out as `arrived`."""

    original: Path
    arrived: Path
    remote: str
    """What the client calls it."""
    local: Path
    """Which of the two the client has."""


class Shelf:
    """A served folder, and a folder for what comes back."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._local = folder / "local"
        self._numbers = itertools.count(1)
        for place in (self.root / UPLOADS, self._local):
            place.mkdir(parents=True)

    @contextmanager
    def file(self, content: Content) -> Iterator[Path]:
        """Lends a file of the root with that content."""
        path = self.root / str(content)
        if not path.exists():
            path.write_bytes(octets_of(content))
            path.chmod(0o644)  # started as root, some serve only what everybody may read
        try:
            yield path
        finally:
            if path.stat().st_size > BIG:
                path.unlink()

    @contextmanager
    def exchange(self, way: Way, content: Content) -> Iterator[Exchange]:
        """Lends a file and the places for a transfer of it; nothing has arrived yet."""
        number = str(next(self._numbers))
        with self.file(content) as original:
            if way == "get":
                arrived = self._local / number
                exchange = Exchange(original, arrived, original.name, arrived)
            else:
                remote = f"{UPLOADS}/{number}"
                exchange = Exchange(original, self.root / remote, remote, original)
            try:
                yield exchange
            finally:
                exchange.arrived.unlink(missing_ok=True)


def octets_of(content: Content) -> bytes:
    """Returns the octets of a content."""
    if isinstance(content, int):
        return random.Random(content).randbytes(content)
    return TEXTS[content]


def compare(original: Path, arrived: Path) -> str:
    """Says in two words what became of a file on its way."""
    if not arrived.exists():
        return "nothing arrived"
    if digest(original) == digest(arrived):
        return "same bytes"
    before, after = original.read_bytes(), arrived.read_bytes()
    if not after:
        return "empty file"
    if after == to_wire(before):
        return "left in wire form"
    if after == from_wire(before):
        return "sent without translation"
    return f"other bytes ({len(after)} instead of {len(before)})"


def digest(path: Path) -> str:
    """Returns the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_wire(text: bytes) -> bytes:
    """Translates to netascii (RFC 764), told apart from the product's own way to do it."""
    return text.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")


def from_wire(text: bytes) -> bytes:
    """Translates back from netascii."""
    return re.sub(b"\r[\n\0]", lambda pair: b"\n" if pair[0] == b"\r\n" else b"\r", text)


def _mixed() -> bytes:
    """Line ends of all kinds, at all places of a block, and octets beyond ASCII."""
    return bytes(random.Random(764).choices(b"ab\n\r\xe9", weights=(6, 6, 3, 2, 1), k=20_000))


def _bordering() -> bytes:
    """A pair of octets on each border between two blocks, and a full last block."""
    line = b"x" * (TEXT_BLOCK - 1)
    return line + b"\n" + line[1:] + b"\r" + line[1:] + b"\n" + b"y" * (TEXT_BLOCK - 1)


TEXTS = {"mixed": _mixed(), "bordering": _bordering(), "no-line-end": b"one\ntwo\r\nthree\r"}
