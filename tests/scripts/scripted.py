"""A server that is played by hand, and the content that the load generator expects of it.

The content is computed here anew, byte by byte: a generator that checks nothing, or checks
something else, does not pass.
"""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.bench_tools.job import HOST, Generator, Job, Tally

PATIENCE = 10.0
QUIET = 0.15  # seconds in which nothing may come

MULTIPLIER = 0x9E3779B97F4A7C15


def content(size: int) -> bytes:
    """Returns the known content: words that count up, multiplied, the lowest octet first."""
    words = (((i + 1) * MULTIPLIER) % 2**64 for i in range(size // 8 + 1))
    return b"".join(word.to_bytes(8, "little") for word in words)[:size]


def data(block: int, payload: bytes) -> bytes:
    return struct.pack("!HH", 3, block & 0xFFFF) + payload


def ack(block: int) -> bytes:
    return struct.pack("!HH", 4, block & 0xFFFF)


def oack(**options: int) -> bytes:
    return b"\0\6" + b"".join(b"%s\0%d\0" % (k.encode(), v) for k, v in options.items())


class Server:
    """The server's side of one transfer, on a port of its own once it has answered."""

    def __init__(self, generator: Generator, job: Job, name: str) -> None:
        self._well_known = _bound()
        self._transfer = _bound()
        self._job = job
        self._generator = generator
        self._process = generator.start(job, self._well_known.getsockname()[1], name)
        self._client: tuple[str, int] | None = None

    def request(self) -> bytes:
        """Returns the next request; answers go to whom it came from."""
        packet, self._client = self._well_known.recvfrom(1024)
        return packet

    def send(self, *packets: bytes) -> None:
        assert self._client is not None
        for packet in packets:
            self._transfer.sendto(packet, self._client)

    def receive(self) -> bytes:
        packet, source = self._transfer.recvfrom(70_000)
        assert source == self._client
        return packet

    def hears_nothing(self) -> bool:
        self._transfer.settimeout(QUIET)
        try:
            return self._transfer.recvfrom(70_000)[0] == b"\0"
        except TimeoutError:
            return True
        finally:
            self._transfer.settimeout(PATIENCE)

    def tally(self) -> Tally:
        """Returns what the generator says in the end."""
        return self._generator.collect(self._process, self._job)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        self._well_known.close()
        self._transfer.close()


@contextmanager
def playing(generator: Generator, job: Job, name: str = "file") -> Iterator[Server]:
    """Starts one client; the test is its server."""
    server = Server(generator, job, name)
    try:
        yield server
    finally:
        server.close()


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.settimeout(PATIENCE)
    return sock


def output(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
