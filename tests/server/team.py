"""`tftp-serve` with workers: which process is which, and whose transfer is whose."""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from tests.server.process import Serving
from tests.server.wire import PATIENCE, Address, Peer, ack, data, oack, rrq

__all__ = [
    "ANSWER",
    "ASK",
    "BLOCK",
    "CONTENT",
    "CROWD",
    "SLOW",
    "Team",
    "take_rest",
    "wait_until_free",
    "wait_until_gone",
]

CONTENT = bytes((n * 7 + n // 251) & 0xFF for n in range(20_000))
BLOCK = CONTENT[:512]
SLOW = {"timeout": 100}  # seconds: nothing is sent twice, however slow the test is
ASK, ANSWER = rrq("f", **SLOW), oack(**SLOW)
CROWD = 24  # clients; that they all find the same one of two workers happens in no lifetime


class Team(Serving):
    """A server with workers. The served folder needs a file `f` of `CONTENT` for `reading`."""

    def __init__(
        self, root: Path, *options: str, workers: int = 2, under: tuple[str, ...] = ()
    ) -> None:
        super().__init__(root, "--workers", str(workers), "-v", *options, under=under)
        self._count = workers
        self.workers: list[int] = []
        """Their processes."""
        self._peers: list[Peer] = []

    def listening(self) -> Self:
        """Waits until all workers run."""
        super().listening()
        self.workers = [self.started(number) for number in range(self._count)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGINT):  # at once
                self.signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
        super().__exit__(kind, failure, trace)
        wait_until_gone(*self.workers)
        # Only now: what a server still has to say must not reach the next user of a port.
        for peer in self._peers:
            peer.close()

    def peer(self, bind: Address | None = None) -> Peer:
        """A new client, closed with the server."""
        self._peers.append(super().peer(bind))
        return self._peers[-1]

    def started(self, number: int) -> int:
        """Waits until a worker runs, and returns its process."""
        return int(self.line(rf"worker {number + 1} is process (\d+)")[1])

    def kill(self, number: int) -> str:
        """Kills a worker, waits for the next one in its place, and returns what was said."""
        process = self.workers[number]
        os.kill(process, signal.SIGKILL)
        said = self.line(rf"worker {number + 1} \(process {process}\) .*").string
        self.workers[number] = self.started(number)
        return said

    def split(self, peers: list[Peer]) -> list[list[Peer]]:
        """Returns for each worker those of the peers whose transfer it has: some, each of them."""
        until = monotonic() + PATIENCE
        while True:
            ports = [_ports(process) for process in self.workers]
            parts = [[peer for peer in peers if _port(peer) in part] for part in ports]
            # What the kernel lists while ports come and go may lack some of them.
            if sum(map(len, parts)) == len(peers):
                break
            assert monotonic() < until, f"nobody's: {parts}"
        assert all(parts), "one of the workers has nothing to do"
        return parts

    def asking(self, count: int = CROWD) -> list[Peer]:
        """Clients that have asked for `f` and have been answered."""
        peers = [self.peer() for _ in range(count)]
        for peer in peers:
            peer.ask(ASK)
        for peer in peers:
            peer.expect(ANSWER)
        return peers

    def reading(self, count: int = CROWD) -> list[Peer]:
        """Clients that have the first block of `f`."""
        peers = self.asking(count)
        for peer in peers:
            peer.say(ack(0))
            peer.expect(data(1, BLOCK))
        return peers


def take_rest(peers: list[Peer]) -> None:
    """Takes what `reading` has left of the file, and checks every octet."""
    for peer in peers:
        peer.say(ack(1))
        assert peer.take(first=2) == CONTENT[512:]


def wait_until_gone(*processes: int) -> None:
    """Waits until none of the processes runs any more."""
    until = monotonic() + PATIENCE
    while alive := [process for process in processes if _runs(process)]:
        assert monotonic() < until, f"still there: {alive}"


def wait_until_free(address: tuple[str, int]) -> None:
    """Waits until nobody listens there any more."""
    until = monotonic() + PATIENCE
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, suppress(OSError):
            sock.bind(address)
            return
        assert monotonic() < until, "the port is still taken"


def _runs(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"  # whoever has inherited it may be slow


def _port(peer: Peer) -> int:
    assert peer.tid is not None
    return peer.tid[1]


def _ports(process: int) -> set[int]:
    """Returns the UDP ports that a process is bound to."""
    sockets = set()
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            sockets.add(str(entry.readlink()))
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in sockets}
