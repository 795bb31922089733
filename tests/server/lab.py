"""A server in a thread, a folder to serve, and everything that it reported.

`QUIET` times let nothing be sent twice within a test, so that whatever arrives was caused
by the test; `QUICK` ones let transfers die at once.
"""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tests.server.wire import PATIENCE, Address, Peer, parse_error, rrq
from tftp.protocol.pace import Timing
from tftp.server import Config, Limits, Report, Server, Upload
from tftp.server.access import Access

__all__ = ["CONTENT", "QUICK", "QUIET", "Lab", "open_lab"]

QUIET = Timing(first=100.0, floor=100.0, least=100.0, ceiling=100.0, retries=5, dally=100.0)
QUICK = Timing(first=0.05, floor=0.05, ceiling=0.1, retries=2, dally=0.1)

CONTENT = bytes((n * 7 + n // 251) & 0xFF for n in range(70_000))
"""Octets in which no two neighbouring blocks are the same."""


@dataclass
class Lab:
    """One server under test."""

    root: Path
    server: Server
    reports: "queue.Queue[Report]"
    peers: list[Peer] = field(default_factory=list)
    halt: "queue.Queue[threading.Event]" = field(default_factory=queue.Queue)

    def peer(self, host: str = "", bind: Address | None = None) -> Peer:
        """A new client, closed with the lab."""
        host = host or ("::1" if bind and ":" in bind[0] else self.server.host)
        address = (host, self.server.port)
        peer = Peer(address, bind)
        self.peers.append(peer)
        return peer

    def stranger(self, of: Peer, bind: Address | None = None) -> Peer:
        """Another socket, which knows the port of somebody's transfer."""
        assert of.tid is not None
        other = self.peer(bind=bind)
        other.tid = of.tid
        return other

    def report(self) -> Report:
        """The next report, which has to come."""
        return self.reports.get(timeout=PATIENCE)

    def turned_away(self, count: int) -> None:
        """Waits until so many requests have found no room."""
        until, fence = monotonic() + PATIENCE, self.peer()
        while self.server.totals.turned_away < count:
            assert monotonic() < until, self.server.totals
            assert fence.is_silent(0.005)

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Keeps the server from doing anything: what arrives meanwhile, arrives at once."""
        entered, free = threading.Event(), threading.Event()
        self.halt.put(entered)
        self.halt.put(free)
        try:
            self.peer().ask(rrq("what is not there"))
            assert entered.wait(PATIENCE)
            yield
        finally:
            free.set()

    def put_file(self, name: str, content: bytes) -> Path:
        path = self.root / name
        path.write_bytes(content)
        return path

    def check_alive(self, peer: Peer | None = None) -> None:
        """Has a file served from the start; `peer` must hear nothing else before."""
        self.put_file("alive", b"yes")
        peer = peer or self.peer()
        assert peer.fetch("alive") == b"yes"

    def refused(self, datagram: bytes) -> tuple[int, str]:
        """Asks, and returns code and text of the ERROR that comes."""
        peer = self.peer()
        peer.ask(datagram)
        code, text = parse_error(peer.receive())
        assert peer.tid == peer.server, "a refusal comes from the listening port"
        assert str(self.root) not in text
        assert "/" not in text
        return code, text


@contextmanager
def open_lab(
    root: Path,
    *,
    host: str | tuple[str, ...] = "127.0.0.1",
    upload: Upload = Upload.DENY,
    timing: Timing = QUIET,
    limits: Limits | None = None,
    ports: range | None = None,
    drain: float = 10.0,
    access: Access | None = None,
) -> Iterator[Lab]:
    """Serves `root`, which is made if it is absent, until the block is left."""
    root.mkdir(exist_ok=True)
    reports: queue.Queue[Report] = queue.Queue()
    halt: queue.Queue[threading.Event] = queue.Queue()

    def note(report: Report) -> None:
        if halt.empty():
            reports.put(report)
        else:
            halt.get().set()
            halt.get().wait(PATIENCE)

    config = Config(upload, limits or Limits(), timing, ports, drain, access=access or Access())
    server = Server(root, host=host, config=config, on_transfer=note)
    lab = Lab(root, server.start(), reports, halt=halt)
    try:
        yield lab
    finally:
        server.stop(at_once=True)
        # Only now: what a server still has to say must not reach the next user of a port.
        for peer in lab.peers:
            peer.close()
