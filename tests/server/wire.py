"""A client that does what a test says, with wire code of its own.

`Peer` is one UDP socket: it asks the listening port, notes from where it was answered
(the server's TID), and speaks to that. Every wait is bounded. `silence` asserts that
nothing came before a datagram whose answer is certain: no test waits for nothing to happen.
"""

import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Self

__all__ = [
    "PATIENCE",
    "Address",
    "Peer",
    "ack",
    "blocks_of",
    "data",
    "error",
    "oack",
    "parse_error",
    "rrq",
    "wrq",
]

PATIENCE = 20.0  # seconds for what has to arrive; far more than it ever takes

Address = tuple[str, int] | tuple[str, int, int, int]
Text = str | bytes


def _octets(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _strings(texts: Iterable[Text]) -> bytes:
    return b"".join(_octets(text) + b"\0" for text in texts)


def _pairs(options: dict[str, int | str]) -> bytes:
    return _strings(str(text) for pair in options.items() for text in pair)


def rrq(name: Text, mode: Text = "octet", /, **options: int | str) -> bytes:
    return b"\0\1" + _strings([name, mode]) + _pairs(options)


def wrq(name: Text, mode: Text = "octet", /, **options: int | str) -> bytes:
    return b"\0\2" + _strings([name, mode]) + _pairs(options)


def data(block: int, payload: bytes = b"") -> bytes:
    return struct.pack("!HH", 3, block & 0xFFFF) + payload


def ack(block: int) -> bytes:
    return struct.pack("!HH", 4, block & 0xFFFF)


def error(code: int, text: Text = "") -> bytes:
    return struct.pack("!HH", 5, code) + _strings([text])


def oack(**options: int | str) -> bytes:
    return b"\0\6" + _pairs(options)


def parse_error(packet: bytes) -> tuple[int, str]:
    """Returns code and text of an ERROR; checks its form (RFC 1350 section 5)."""
    assert packet[:2] == b"\0\5", f"awaited an ERROR, got {packet[:40]!r}"
    assert packet.count(b"\0", 4) == 1, packet
    assert packet.endswith(b"\0"), packet
    text = packet[4:-1].decode("ascii")
    assert text.isprintable()
    assert len(packet) <= 512
    return packet[3], text


def blocks_of(content: bytes, block_size: int) -> list[bytes]:
    """Cuts a file into blocks: all full but the last, which may be empty."""
    count = len(content) // block_size + 1
    return [content[n * block_size : (n + 1) * block_size] for n in range(count)]


class Peer:
    """One socket of a client. `server` is whom it asks, `tid` who answered first."""

    def __init__(self, server: Address, bind: Address | None = None) -> None:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self.server = server
        self.tid: Address | None = None
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        # A window of the largest blocks must find room, however late this process reads it.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        if bind is None:
            bind = ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0)
        self.socket.bind(bind)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    @property
    def address(self) -> Address:
        name: Address = self.socket.getsockname()
        return name

    def ask(self, datagram: bytes) -> None:
        """Sends to the listening port, and forgets who answered before."""
        self.tid = None
        self.socket.sendto(datagram, self.server)

    def say(self, *packets: bytes) -> None:
        """Sends to whom it has an answer from."""
        assert self.tid is not None, "nobody has answered yet"
        for packet in packets:
            self.socket.sendto(packet, self.tid)

    def receive(self) -> bytes:
        """Returns the next datagram; the first one after `ask` tells the TID."""
        packet, source = self.socket.recvfrom(65536)
        if self.tid is None:
            self.tid = source
        assert source == self.tid, f"{packet[:40]!r} came from {source}, not from {self.tid}"
        return packet

    def expect(self, *packets: bytes) -> None:
        for packet in packets:
            arrived = self.receive()
            assert arrived == packet, f"awaited {packet[:40]!r}, got {arrived[:40]!r}"

    def expect_error(self, code: int) -> str:
        """Returns the text."""
        found, text = parse_error(self.receive())
        assert found == code, text
        return text

    def is_silent(self, seconds: float = 0.0) -> bool:
        """Tells whether nothing waits here (or comes within so many seconds)."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(65536)
        except (BlockingIOError, TimeoutError):
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False

    def take(self, block_size: int = 512, window: int = 1, first: int = 1) -> bytes:
        """Receives blocks from `first` on to the end of the file, acknowledging windows."""
        content = []
        block = first
        while True:
            packet = self.receive()
            assert packet[:4] == struct.pack("!HH", 3, block & 0xFFFF), packet[:40]
            payload = packet[4:]
            assert len(payload) <= block_size
            content.append(payload)
            last = len(payload) < block_size
            if last or (block - first + 1) % window == 0:
                self.say(ack(block))
            if last:
                return b"".join(content)
            block += 1

    def give(self, content: bytes, block_size: int = 512, window: int = 1, first: int = 1) -> None:
        """Sends the blocks of a file, and awaits an ACK for each window."""
        blocks = blocks_of(content, block_size)
        for start in range(0, len(blocks), window):
            part = blocks[start : start + window]
            for index, payload in enumerate(part):
                self.say(data(first + start + index, payload))
            self.expect(ack(first + start + len(part) - 1))

    def fetch(self, name: Text, mode: Text = "octet", /, **options: int | str) -> bytes:
        """Reads a whole file. All options have to be granted as they are asked for."""
        self.ask(rrq(name, mode, **options))
        if options:
            self.expect(oack(**options))
            self.say(ack(0))
        return self.take(int(options.get("blksize", 512)), int(options.get("windowsize", 1)))

    def store(
        self, name: Text, content: bytes, mode: Text = "octet", /, **options: int | str
    ) -> None:
        """Writes a whole file. All options have to be granted as they are asked for."""
        self.ask(wrq(name, mode, **options))
        self.expect(oack(**options) if options else ack(0))
        self.give(content, int(options.get("blksize", 512)), int(options.get("windowsize", 1)))
