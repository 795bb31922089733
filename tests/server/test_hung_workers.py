"""A worker that is hung is noticed, killed and replaced; one that was only stopped is not."""

import os
import select
import signal
import socket
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.server.manager import FakeManager
from tests.server.process import Serving
from tests.server.team import CONTENT, SLOW, Team, take_rest
from tftp.net.clock import NEVER
from tftp.server import seats
from tftp.server.seats import ADOPT, DRAIN, Beat, Seat, line_pair, receive_order

# What runs in front of the command: the same server, with less patience.
HASTY = """
import sys
del sys.argv[1:4]
import tftp.server.seats as s
s.HUNG, s.ENDING, s.GRACE, s.EVERY = {hung}, {ending}, 0.5, 0.1
{more}
from tftp.cli.serve import main
main()
"""


def hasty(hung: float = 30.0, ending: float = 30.0, more: str = "") -> tuple[str, ...]:
    return (sys.executable, "-c", HASTY.format(hung=hung, ending=ending, more=more))


@pytest.fixture
def root(root: Path) -> Path:
    (root / "f").write_bytes(CONTENT)
    return root


def test_a_worker_that_is_hung_is_replaced(root: Path) -> None:
    with Team(root, under=hasty(hung=1.5)).listening() as team:
        peers = team.reading()
        _, others = team.split(peers)
        hung = team.workers[0]
        os.kill(hung, signal.SIGSTOP)
        team.line(rf"worker 1 \(process {hung}\) is hung: it is killed")
        team.line(rf"worker 1 \(process {hung}\) was killed by signal 9 .*another one follows")
        team.workers[0] = team.started(0)
        take_rest(others)
        team.split(team.reading())


@pytest.mark.parametrize("signals", [1, 2])
def test_one_that_is_hung_does_not_hold_up_the_end(root: Path, signals: int) -> None:
    """One signal: it has the time that any worker has; two: a few seconds."""
    under = hasty(hung=1.5) if signals == 1 else hasty(ending=1.0)
    with Team(root, "--drain", "100", under=under).listening() as team:
        peers = team.reading()
        _, others = team.split(peers)
        os.kill(team.workers[0], signal.SIGSTOP)
        team.signal(signal.SIGTERM)
        team.line("stopping")
        if signals == 2:
            team.signal(signal.SIGINT)
        else:
            take_rest(others)
        team.line("worker 1 .* is hung: it is killed")
        assert team.wait() == 0
        done = len(others) if signals == 1 else 0
        assert team.seen[-1].endswith(f"stopped: {done} done, {len(others) - done} failed")


def test_a_pause_of_all_processes_kills_nobody(root: Path) -> None:
    """As a machine that slept has it, a debugger, or a container that was frozen."""
    with Team(root, under=hasty(hung=1.5)).listening() as team, ExitStack() as stack:
        peers = team.reading()
        everybody = [team.pid, *team.workers]
        poll = select.poll()
        for process in team.workers:
            fd = os.pidfd_open(process)
            stack.callback(os.close, fd)
            poll.register(fd, select.POLLIN)
        for process in everybody:
            os.kill(process, signal.SIGSTOP)
        assert poll.poll(2_500) == []
        for process in everybody:
            os.kill(process, signal.SIGCONT)
        take_rest(peers)
        assert poll.poll(500) == [], "a worker was given up"


def test_ready_is_told_when_all_workers_answer(root: Path, tmp_path: Path) -> None:
    """And not before; what a worker that is hung keeps back is the watchdog's sign."""
    silence = "s.Beat.run = lambda self, now: setattr(self, 'due', float('inf'))"
    with FakeManager(tmp_path / "notify") as fake:
        told = ("env", f"NOTIFY_SOCKET={fake.address}", "WATCHDOG_USEC=200000")
        with Serving(root, "--workers", "2", under=(*told, *hasty(more=silence))) as serving:
            serving.listening()
            assert fake.hear()[0].startswith("STATUS=Serving on ")
            assert fake.is_silent(0.5)
            with serving.peer() as peer:
                assert peer.fetch("f", **SLOW) == CONTENT


def test_the_sign_of_life_comes_again_after_a_replacement(root: Path, tmp_path: Path) -> None:
    with FakeManager(tmp_path / "notify") as fake:
        told = ("env", f"NOTIFY_SOCKET={fake.address}", "WATCHDOG_USEC=400000")
        with Team(root, under=(*told, *hasty(hung=1.5))).listening() as team:
            fake.wait_for("WATCHDOG=1")
            os.kill(team.workers[0], signal.SIGSTOP)
            team.line("worker 1 .* is hung")
            team.workers[0] = team.started(0)
            while not fake.is_silent():
                pass
            fake.wait_for("WATCHDOG=1")


# The parts


def seated() -> tuple[Seat, socket.socket]:
    seat = Seat(0, [])
    ours, theirs = line_pair()
    seat.fill(ours, None, 100.0)
    return seat, theirs


def test_a_seat_knows_when_its_worker_was_heard() -> None:
    seat, line = seated()
    with closing(line):
        assert not seat.answers(100.0)
        assert seat.patience() == NEVER, "it is still preparing itself"
        beat = Beat(line)
        beat.run(101.0)
        assert beat.due == 101.0 + seats.EVERY
        assert seat.listen(101.0)
        assert seat.answers(101.0)
        assert seat.patience() == 101.0 + seats.HUNG
        assert not seat.answers(101.0 + seats.HUNG)
        assert not seat.lost(140.0), "all of us may have been stopped"
        assert seat.patience() == 140.0 + seats.GRACE
        assert seat.lost(145.0)
        beat.run(146.0)
        assert seat.listen(146.0)
        assert seat.answers(146.0)
        assert not seat.lost(190.0), "it has made up for it"
        seat.hang_up()
        assert not seat.answers(101.0)


def test_the_end_of_a_line_is_noticed_at_both_ends() -> None:
    seat, line = seated()
    line.close()
    assert not seat.listen(100.0)
    assert not seat.say(DRAIN)
    seat.hang_up()
    seat, line = seated()
    seat.hang_up()
    assert receive_order(line) == (b"", b"")
    line.close()


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_an_order_is_whole_whatever_it_carries(size: int) -> None:
    seat, line = seated()
    with closing(line):
        assert seat.say(ADOPT, size * b"x")
        assert seat.say(DRAIN)
        assert receive_order(line) == (ADOPT, size * b"x")
        assert receive_order(line) == (DRAIN, b"")
        seat.hang_up()


def test_neither_side_waits_for_the_other() -> None:
    seat, line = seated()
    with closing(line):
        while seat.say(DRAIN):
            pass
        beat = Beat(line)
        for _ in range(10_000):
            beat.run(0.0)
        assert seat.listen(1.0)
        assert seat.heard == 1.0
        seat.hang_up()


def test_orders_unread_are_no_failure_when_a_worker_dies() -> None:
    seat, line = seated()
    assert seat.say(DRAIN)
    Beat(line).run(0.0)
    line.close()
    while seat.listen(1.0):
        pass
    seat.hang_up()
