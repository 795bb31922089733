"""Many at once: a thousand clients of one server process, and ten thousand that never answer.

The clients are one loop in this process, lock-step and naive. Where this system allows
fewer descriptors than that takes, the numbers are scaled, and the test's output says so.
"""

import hashlib
import os
import resource
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from tests.server.process import Serving
from tests.server.wire import PATIENCE, Address, ack, error, oack, rrq

CLIENTS = 1000
SIZE = 128 << 10
BLOCK_SIZE = 1428
FILES = 8
MOST_MEMORY = 60_000  # kB

IDLE = 10_000
BATCH = 200  # requests before we wait until the server has read them
SPARE = 80  # descriptors of a process for other things
EACH = 1  # descriptors of the server for one that reads what others read too

# All come from one address, as no thousand machines do.
UNGUARDED = (
    *("--max-host-transfers", "0", "--host-rate", "0", "--max-unproven", "0"),
    *("--max-host-unproven", "0", "--unproven-rate", "0"),
)

AGAIN = 1.0  # seconds until a client asks again
TIME_LIMIT = 100.0


@contextmanager
def descriptors(wanted: int) -> Iterator[int]:
    """Raises the limit of this process and its children, as far as that goes; yields it."""
    soft, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= wanted
    with suppress(ValueError, PermissionError):  # more than the hard limit takes a privilege
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard if enough else wanted))
        soft = wanted
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    try:
        yield soft
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def content_of(number: int) -> bytes:
    unit = hashlib.sha256(bytes([number])).digest()
    return (unit * (SIZE // len(unit) + 1))[:SIZE]


class Client:
    """One lock-step read. `last` is what it said last, and says again if nothing comes."""

    __slots__ = ("digest", "done", "expected", "heard_at", "last", "refusal", "size", "sock", "tid")

    def __init__(self, server: Address, name: str) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", 0))
        self.tid: Address = server
        self.expected = 0
        self.size = 0
        self.digest = hashlib.sha256()
        self.done = False
        self.refusal = b""
        self.last = rrq(name, blksize=BLOCK_SIZE)
        self.speak()

    def speak(self) -> None:
        self.heard_at = monotonic()
        self.sock.sendto(self.last, self.tid)

    def hear(self) -> None:
        packet, source = self.sock.recvfrom(2048)
        opcode, number = struct.unpack_from("!HH", packet)
        if opcode == 5:
            self.refusal = packet
            self.done = True
        elif opcode == 6 and self.expected == 0:
            assert packet == oack(blksize=BLOCK_SIZE)
            self.tid = source
            self._acknowledge(0)
        elif opcode == 3 and number == self.expected and source == self.tid:
            self.digest.update(packet[4:])
            self.size += len(packet) - 4
            self.done = len(packet) < BLOCK_SIZE + 4
            self._acknowledge(number)

    def _acknowledge(self, number: int) -> None:
        self.last = ack(number)
        self.expected = number + 1
        self.speak()


def run_clients(clients: list[Client]) -> int:
    """Runs all to their end; returns how often one had to ask again."""
    epoll = select.epoll()
    running = {client.sock.fileno(): client for client in clients}
    for fd in running:
        epoll.register(fd, select.EPOLLIN)
    repeats = 0
    until = monotonic() + TIME_LIMIT
    looked_at = monotonic()
    while running:
        for fd, _ in epoll.poll(AGAIN, 1024):
            client = running[fd]
            client.hear()
            if client.done:
                epoll.unregister(fd)
                del running[fd]
        if (now := monotonic()) - looked_at > AGAIN:
            looked_at = now
            assert now < until, f"{len(running)} clients never come to an end"
            for client in running.values():
                if now - client.heard_at > AGAIN:
                    client.speak()
                    repeats += 1
    epoll.close()
    return repeats


@pytest.mark.slow
def test_a_thousand_clients_at_once(root: Path) -> None:
    """ROB-LOAD-02, ROB-LOAD-05: all byte-exact, none refused, and little memory."""
    digests = []
    for number in range(FILES):
        content = content_of(number)
        (root / f"f{number}").write_bytes(content)
        digests.append(hashlib.sha256(content).digest())
    with descriptors(CLIENTS + SPARE) as most, Serving(root).listening() as serving:
        count = min(CLIENTS, most - SPARE)
        if count < CLIENTS:
            print(f"scaled: {count} clients, for {most} descriptors are allowed here")
        began = monotonic()
        clients = [Client(serving.address, f"f{n % FILES}") for n in range(count)]
        repeats = run_clients(clients)
        seconds = monotonic() - began
        memory = int(serving.status("VmHWM").split()[0])
        for number, client in enumerate(clients):
            client.sock.close()
            assert client.refusal == b""
            assert client.size == SIZE
            assert client.digest.digest() == digests[number % FILES]
        serving.process.terminate()
        assert serving.wait() == 0
        assert serving.seen[-1].endswith(f"stopped: {count} done, 0 failed")
    print(
        f"{count} clients: {count * SIZE / seconds / 1e6:.0f} MB/s, {repeats} repeats, {memory} kB"
    )
    assert memory < MOST_MEMORY


@pytest.mark.slow
def test_ten_thousand_that_never_answer(root: Path) -> None:
    """ROB-LOAD-02, ROB-LOAD-11, ROB-TIMER-02: they expire and leave no descriptor behind."""
    (root / "f").write_bytes(bytes(SIZE))
    os.utime(root / "f", (1, 1))  # what has just changed is not shared
    options = ("--timeout", "1", "--retries", "2", "--max-transfers", str(IDLE + 1), *UNGUARDED)
    with (
        descriptors(IDLE * EACH + SPARE) as most,
        Serving(root, *options).listening() as serving,
        serving.peer() as fence,
    ):
        count = min(IDLE, (most - SPARE) // EACH)
        if count < IDLE:
            print(f"scaled: {count} transfers, for the server is allowed {most} descriptors")
        before = serving.descriptors()
        peak = 0
        for number in range(count):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                # Somewhere else: what is sent to them again and again must not reach the
                # next user of the port. The option makes them differ, should one come twice.
                sock.bind(("127.9.9.9", 0))
                sock.sendto(rrq("f", blksize=1024, number=number), serving.address)
            if number % BATCH == BATCH - 1:
                fence.ask(rrq("nope"))
                fence.expect(error(1, "File not found"))
                peak = max(peak, serving.descriptors())
        until = monotonic() + PATIENCE
        while serving.descriptors() > before:
            assert monotonic() < until, "descriptors are left behind"
            assert fence.is_silent(0.05)
        print(f"{count} transfers, {peak} descriptors at most, {serving.status('VmHWM')}")
        assert peak > count // 2, "they lived at the same time, most of them"
        assert fence.fetch("f", blksize=1024) == bytes(SIZE)
        serving.process.terminate()
        assert serving.wait() == 0
        assert serving.seen[-1].endswith(f"stopped: 1 done, {count} failed")
