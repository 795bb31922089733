"""A server that plays a script, with wire code of its own.

A script is a function of a `Stage`; it runs in a thread and says what is awaited and what
is answered, packet by packet. What it finds wrong fails the test when the stage is left.
Every wait is bounded.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import NamedTuple, Self

__all__ = ["PATIENCE", "Asked", "Line", "Script", "Stage", "ack", "data", "error", "oack"]

UDP_SEGMENT = (17, 103)  # Linux's numbers, which the socket module does not name
PATIENCE = 10.0  # seconds for anything to arrive; far more than it ever takes


def data(block: int, payload: bytes) -> bytes:
    return struct.pack("!HH", 3, block) + payload


def ack(block: int) -> bytes:
    return struct.pack("!HH", 4, block)


def error(code: int, text: str | bytes = "") -> bytes:
    octets = text if isinstance(text, bytes) else text.encode()
    return struct.pack("!HH", 5, code) + octets + b"\0"


def oack(**options: int) -> bytes:
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in options.items())
    return b"\0\6" + pairs


class Asked(NamedTuple):
    """A request as it came."""

    opcode: int
    filename: bytes
    mode: bytes
    options: dict[str, str]
    source: tuple[str, int]


class Line:
    """One socket of the server, and the client that it talks to."""

    def __init__(self, sock: socket.socket, client: tuple[str, int]) -> None:
        sock.settimeout(PATIENCE)
        self.socket = sock
        self.client = client

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.socket.sendto(packet, self.client)

    def send_train(self, *packets: bytes) -> None:
        """Sends datagrams of one size, the last one maybe shorter, in one call.

        So they arrive in one call too, where the kernel can do that; if not, one by one.
        """
        size = struct.pack("=H", len(packets[0]))
        try:
            self.socket.sendmsg([b"".join(packets)], [(*UDP_SEGMENT, size)], 0, self.client)
        except OSError:
            self.send(*packets)

    def receive(self) -> bytes:
        packet, source = self.socket.recvfrom(65536)
        assert source == self.client, f"{packet!r} came from {source}, not from {self.client}"
        return packet

    def expect(self, *packets: bytes) -> None:
        for packet in packets:
            arrived = self.receive()
            assert arrived == packet, f"awaited {packet[:20]!r}, got {arrived[:20]!r}"

    def expect_error(self, code: int) -> bytes:
        """Returns the text."""
        arrived = self.receive()
        assert arrived[:4] == struct.pack("!HH", 5, code), f"awaited ERROR {code}: {arrived!r}"
        return arrived[4:-1]

    def expect_silence(self, seconds: float = 0.2) -> None:
        self.socket.settimeout(seconds)
        try:
            arrived = self.socket.recv(65536)
        except TimeoutError:
            return
        finally:
            self.socket.settimeout(PATIENCE)
        raise AssertionError(f"{arrived[:20]!r} came where nothing should")

    def serve(
        self, content: bytes, block_size: int = 512, window: int = 1, *, train: int = 1
    ) -> None:
        """Sends a whole file, so many blocks a call, with no patience for a client that errs."""
        last = len(content) // block_size + 1
        for first in range(1, last + 1, window):
            end = min(first + window, last + 1)
            for start in range(first, end, train):
                self.send_blocks(content, range(start, min(start + train, end)), block_size)
            self.expect(ack((end - 1) & 0xFFFF))

    def send_blocks(self, content: bytes, blocks: Iterable[int], block_size: int = 512) -> None:
        """Sends some blocks of a file in one call; only the last may be a short one."""
        packets = [self.block(content, number, block_size) for number in blocks]
        (self.send_train if len(packets) > 1 else self.send)(*packets)

    @staticmethod
    def block(content: bytes, number: int, block_size: int = 512) -> bytes:
        """Returns the DATA of one block of a file."""
        return data(number & 0xFFFF, content[(number - 1) * block_size : number * block_size])

    def take(self, block_size: int = 512, window: int = 1) -> bytes:
        """Receives a whole file, from block 1 on."""
        content = b""
        block = 0
        while True:
            block += 1
            packet = self.receive()
            assert packet[:4] == struct.pack("!HH", 3, block & 0xFFFF), packet[:4]
            content += packet[4:]
            short = len(packet) < 4 + block_size
            if short or block % window == 0:
                self.send(ack(block & 0xFFFF))
            if short:
                return content


Script = Callable[["Stage"], None]


class Stage:
    """The server: a listening socket, and the sockets of its transfers."""

    def __init__(self, script: Script, host: str = "127.0.0.1") -> None:
        self._script = script
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = host
        self._sockets: list[socket.socket] = []
        self._listener = self._make_socket()
        self._listener.settimeout(PATIENCE)
        self.port: int = self._listener.getsockname()[1]
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._play, name="script")

    def _make_socket(self) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        sock.bind((self.host, 0))
        self._sockets.append(sock)
        return sock

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.join(2 * PATIENCE)
        assert not self._thread.is_alive(), "the script has no end"
        for sock in self._sockets:
            sock.close()
        if self._failure is not None:
            raise self._failure

    def _play(self) -> None:
        try:
            self._script(self)
        except BaseException as error:
            self._failure = error

    def request(self) -> Asked:
        """Waits for a request."""
        packet, source = self._listener.recvfrom(65536)
        filename, mode, *rest = packet[2:].split(b"\0")[:-1]
        names, values = rest[::2], rest[1::2]
        options = {n.decode(): v.decode() for n, v in zip(names, values, strict=True)}
        return Asked(packet[1], filename, mode, options, source)

    def answer(self, asked: Asked) -> Line:
        """Opens a socket for a transfer: the server's TID."""
        return Line(self._make_socket(), asked.source)

    def accept(self) -> Line:
        """Waits for a request, and opens a socket for its transfer."""
        return self.answer(self.request())

    def no_request(self, seconds: float = 0.3) -> None:
        """Makes sure that no other request comes."""
        self._listener.settimeout(seconds)
        try:
            packet = self._listener.recv(65536)
        except TimeoutError:
            return
        finally:
            self._listener.settimeout(PATIENCE)
        raise AssertionError(f"{packet!r} came where nothing should")
