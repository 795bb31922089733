"""What workers are made of: the pauses, the totals they share, their shares, their sockets."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.net.children import open_files, run
from tftp.server import Limits, Totals
from tftp.server.journal import Journal
from tftp.server.ledger import Ledger
from tftp.server.seats import Backoff
from tftp.server.server import bind_listeners

LOCAL = "127.0.0.1"


def test_a_worker_that_had_lived_is_replaced_at_once() -> None:
    backoff = Backoff()
    assert [backoff.ended(lived) for lived in (1.0, 5.0, 1e6)] == [0.0, 0.0, 0.0]


def test_the_pause_doubles_while_workers_die_soon() -> None:
    backoff = Backoff()
    pauses = [backoff.ended(0.9) for _ in range(9)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_one_that_lives_makes_up_for_those_that_died() -> None:
    backoff = Backoff()
    assert [backoff.ended(lived) for lived in (0.0, 0.0, 2.0, 0.0)] == [0.1, 0.2, 0.0, 0.1]


def test_a_ledger_begins_with_nothing_and_adds_up() -> None:
    ledger = Ledger(3)
    assert ledger.total() == Totals()
    first = Totals(1, 2, 3, 4, 5, 6, 7)
    ledger.write(0, first)
    ledger.write(2, Totals(10, 20, 30, 40, 1 << 40, 60, 70))
    assert ledger.read(0) == first
    assert ledger.read(1) == Totals()
    assert ledger.total() == Totals(11, 22, 33, 44, (1 << 40) + 5, 66, 77)
    ledger.write(0, Totals())
    assert ledger.total() == ledger.read(2)


LEDGER = """
import os, signal
from tftp.server.journal import Totals
from tftp.server.ledger import Ledger
ledger = Ledger(2)
child = os.fork()
if not child:
    ledger.write(1, Totals(completed=3, octets=1000))
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
print(ledger.total())
"""


def test_what_a_killed_process_wrote_stays() -> None:
    assert "completed=3," in run(LEDGER)


def test_a_journal_counts_on_and_tells_each_time() -> None:
    told: list[int] = []
    journal = Journal(totals=Totals(turned_away=5), keep=lambda now: told.append(now.turned_away))
    journal.busy((LOCAL, 1), "no room", 0.0)
    journal.busy((LOCAL, 1), "no room", 0.0)
    assert told == [6, 7]


@pytest.mark.parametrize(
    ("workers", "transfers", "cache", "connected", "waiting"),
    [(1, 100, 1000, 10, 9), (2, 50, 500, 5, 5), (3, 34, 334, 4, 3), (200, 1, 5, 1, 1)],
)
def test_shares(workers: int, transfers: int, cache: int, connected: int, waiting: int) -> None:
    """Rounded up, and what bounds a single transfer stays."""
    limits = Limits(transfers=100, cache=1000, connected=10, waiting=9, window=7, upload=5)
    share = limits.share(workers)
    assert (share.transfers, share.cache) == (transfers, cache)
    assert (share.connected, share.waiting) == (connected, waiting)
    assert (share.window, share.upload, share.text) == (7, 5, limits.text)


def test_no_cache_is_none_for_all() -> None:
    assert Limits(cache=0).share(4).cache == 0


@contextmanager
def bound(hosts: list[str], port: int, sets: int) -> Iterator[list[list[socket.socket]]]:
    with ExitStack() as stack:
        found = bind_listeners(hosts, port, sets)
        for sock in (sock for group in found for sock in group):
            stack.enter_context(sock)
        yield found


def drained(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(100))
        except BlockingIOError:
            return found


def test_sets_share_a_port_and_a_source_keeps_its_socket() -> None:
    with bound([LOCAL, "127.0.0.2"], 0, 3) as sets, ExitStack() as stack:
        assert [len(group) for group in sets] == [2, 2, 2]
        names = [[sock.getsockname() for sock in group] for group in sets]
        assert names[0] == names[1] == names[2]
        assert len({port for _, port in names[0]}) == 1
        clients = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(60)
        ]
        for _ in range(3):
            for number, client in enumerate(clients):
                client.sendto(b"%d" % number, names[0][0])
        arrived = [drained(group[0]) for group in sets]
        assert sum(map(len, arrived)) == 180
        assert all(arrived)
        homes = [set(part) for part in arrived]
        assert sum(map(len, homes)) == 60, "somebody has come to two of them"


@pytest.mark.parametrize("ours", [1, 2])
@pytest.mark.parametrize("theirs", [1, 2])
def test_a_port_that_is_shared_by_others_is_taken(ours: int, theirs: int) -> None:
    with bound([LOCAL], 0, theirs) as sets:
        before = open_files()
        with pytest.raises(OSError, match="in use") as caught:
            bind_listeners([LOCAL], sets[0][0].getsockname()[1], ours)
        assert caught.value.errno == errno.EADDRINUSE
        assert open_files() <= before


def test_all_is_closed_when_one_cannot_be_bound() -> None:
    before = open_files()
    with pytest.raises(OSError, match="assign"):
        bind_listeners([LOCAL, "192.0.2.1"], 0, 2)
    assert open_files() <= before


def test_all_is_closed_when_no_other_may_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the system does not know that a port can be shared."""
    before = open_files()
    real = socket.socket.setsockopt

    def refuse(sock: socket.socket, level: int, option: int, value: int) -> None:
        if option == socket.SO_REUSEPORT and value:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        real(sock, level, option, value)

    monkeypatch.setattr(socket.socket, "setsockopt", refuse)
    with pytest.raises(OSError, match="not available"):
        bind_listeners([LOCAL], 0, 2)
    assert open_files() <= before
