"""Readers that stop half-way, so that something can happen to the file that they read."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from tests.server.lab import Lab
from tests.server.wire import Peer, ack, oack, parse_error, rrq

__all__ = ["CHANGED", "KINDS", "Kind", "Reader", "put_settled"]

CHANGED = (0, "The file changed while it was being sent")
HOUR = 3600


@dataclass(frozen=True)
class Kind:
    """A way to read a file."""

    mode: str = "octet"
    block_size: int = 512
    window: int = 1

    @property
    def options(self) -> dict[str, int]:
        told = {}
        if self.block_size != 512:
            told["blksize"] = self.block_size
        if self.window != 1:
            told["windowsize"] = self.window
        return told


KINDS = {
    "lock-step": Kind(),
    "large blocks": Kind(block_size=8192),
    "window": Kind(block_size=1428, window=4),
    "netascii": Kind(mode="netascii"),
    "netascii window": Kind(mode="netascii", block_size=1024, window=4),
}
"""Lock-step reads over a connected socket in the second half, a window in trains."""


class Reader:
    """A peer that takes a file block by block, and notes what it got."""

    def __init__(self, peer: Peer, kind: Kind, name: str = "f") -> None:
        self._peer = peer
        self._kind = kind
        self.got = bytearray()
        self.refusal: tuple[int, str] | None = None
        self._block = 0
        peer.ask(rrq(name, kind.mode, **kind.options))
        if kind.options:
            peer.expect(oack(**kind.options))
            peer.say(ack(0))

    def take(self, blocks: int) -> None:
        """Takes so many blocks and acknowledges all windows but the last one."""
        for index in range(blocks):
            self._receive()
            if index < blocks - 1:
                self._acknowledge()

    def go_on(self) -> bool:
        """Goes on to the end; returns whether that was the end of the file, not an ERROR."""
        self._acknowledge()
        return self.receive_all()

    def receive_all(self) -> bool:
        """Does the same before anything was taken, or when all of it is acknowledged."""
        while self._receive():
            self._acknowledge()
        if self.refusal is None:
            self._peer.say(ack(self._block))
        return self.refusal is None

    def _receive(self) -> bool:
        """Takes a packet; returns whether it was a full block."""
        packet = self._peer.receive()
        if packet[:2] == b"\0\5":
            self.refusal = parse_error(packet)
            return False
        self._block += 1
        assert packet[:4] == struct.pack("!HH", 3, self._block), packet[:40]
        self.got += packet[4:]
        return len(packet) == 4 + self._kind.block_size

    def _acknowledge(self) -> None:
        if self._block % self._kind.window == 0:
            self._peer.say(ack(self._block))


def put_settled(lab: Lab, content: bytes, name: str = "f") -> Path:
    """A file that has not changed for an hour: only such are shared."""
    path = lab.put_file(name, content)
    settle(path)
    return path


def settle(path: Path) -> None:
    status = path.stat()
    os.utime(path, (status.st_atime - HOUR, status.st_mtime - HOUR))
