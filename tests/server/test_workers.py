"""Several processes that serve one port: spread, replaced, added up, and ended together."""

import os
import re
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.net.trees import names
from tests.server.process import Serving
from tests.server.team import (
    ANSWER,
    ASK,
    CONTENT,
    CROWD,
    SLOW,
    Team,
    take_rest,
    wait_until_free,
    wait_until_gone,
)
from tests.server.wire import Address, Peer, ack, blocks_of, data, error, rrq, wrq
from tftp.net.temporary import is_temporary

NOT_FOUND = error(1, "File not found")


@pytest.fixture
def root(root: Path) -> Path:
    (root / "f").write_bytes(CONTENT)
    return root


def test_transfers_are_spread_and_exact(root: Path) -> None:
    with Team(root).listening() as team:
        peers = team.reading()
        first, second = team.split(peers)
        assert set(first).isdisjoint(second)
        take_rest(peers)
        team.signal(signal.SIGTERM)
        assert team.wait() == 0
        assert team.seen[-1].endswith(f"stopped: {CROWD} done, 0 failed")


def test_uploads_are_spread_and_exact(root: Path) -> None:
    with Team(root, "--upload", "create").listening() as team:
        peers = [team.peer() for _ in range(CROWD)]
        for number, peer in enumerate(peers):
            peer.ask(wrq(f"up{number}", **SLOW))
            peer.expect(ANSWER)
        assert len(team.split(peers)) == 2
        for number, peer in enumerate(peers):
            peer.give(CONTENT[number:])
    for number in range(CROWD):
        assert (root / f"up{number}").read_bytes() == CONTENT[number:]


def test_a_request_that_comes_again_begins_nothing(root: Path) -> None:
    """From the same port it reaches the worker that knows it: nobody is answered by two."""
    with Team(root, workers=4).listening() as team:
        peers = [team.peer() for _ in range(CROWD)]
        for request in (ASK, ASK, ASK, rrq("nope")):
            for peer in peers:
                peer.ask(request)
        for peer in peers:
            answers: list[tuple[bytes, Address]] = []
            while not answers or answers[-1][0] != NOT_FOUND:  # the answer to the last request
                answers.append(peer.socket.recvfrom(1000))
            assert {packet for packet, _ in answers[:-1]} == {ANSWER}
            (peer.tid,) = {source for _, source in answers[:-1]}
            peer.say(error(0, "enough"))
        for _ in peers:
            team.line("the peer ended it with error 0")
        team.signal(signal.SIGTERM)
        assert team.wait() == 0
        assert team.seen[-1].endswith(f"stopped: 0 done, {CROWD} failed")


@pytest.mark.fault
def test_a_worker_that_dies_is_replaced(root: Path) -> None:
    """The transfers of the other one do not notice, and the port answers everybody."""
    with Team(root).listening() as team:
        peers = team.reading()
        bereft, others = team.split(peers)
        said = team.kill(0)
        assert re.search(r"was killed by signal 9 \(Killed\): another one follows ", said)
        take_rest(others)
        for peer in bereft:
            assert peer.fetch("f", **SLOW) == CONTENT
        team.signal(signal.SIGTERM)
        assert team.wait() == 0
        # Those that died with their worker were never counted.
        assert team.seen[-1].endswith(f"stopped: {CROWD} done, 0 failed")


@pytest.mark.fault
def test_what_waited_for_a_dead_worker_is_answered_by_the_next(root: Path) -> None:
    with Team(root).listening() as team:
        peers = team.reading()
        waiting, _ = team.split(peers)
        os.kill(team.workers[0], signal.SIGSTOP)
        for peer in waiting:
            peer.ask(ASK)
        team.kill(0)
        for peer in waiting:  # asked once, and while nobody was there to answer
            peer.expect(ANSWER)
            peer.say(ack(0))
            assert peer.take() == CONTENT


@pytest.mark.fault
def test_both_die_in_turn_under_load(root: Path) -> None:
    with Team(root).listening() as team:
        for number in (0, 1, 0):
            peers = team.reading()
            others = team.split(peers)[1 - number]
            team.kill(number)
            take_rest(others)
        peers = team.reading()
        team.split(peers)
        take_rest(peers)


@pytest.mark.fault
def test_what_a_dead_worker_had_counted_stays_counted(root: Path) -> None:
    with Team(root).listening() as team:
        peers = team.reading(count=8)
        take_rest(peers[:5])
        for peer in peers[5:]:
            peer.say(error(0, "enough"))
        for _ in range(8):
            team.line("read .*: (done|the peer ended it)")
        team.kill(0)
        team.kill(1)
        assert team.peer().fetch("f", **SLOW) == CONTENT
        team.signal(signal.SIGTERM)
        assert team.wait() == 0
        assert team.seen[-1].endswith("stopped: 6 done, 3 failed")
        assert sum("stopped:" in line for line in team.seen) == 1


@pytest.mark.fault
def test_half_an_upload_dies_with_its_worker_alone(root: Path) -> None:
    blocks = blocks_of(CONTENT, 512)
    with Team(root, "--upload", "create").listening() as team:
        peers = [team.peer() for _ in range(CROWD)]
        for number, peer in enumerate(peers):
            peer.ask(wrq(f"up{number}", **SLOW))
            peer.expect(ANSWER)
            peer.say(data(1, blocks[0]))
            peer.expect(ack(1))
        _, others = team.split(peers)
        parts = temporary(root)
        assert len(parts) == CROWD
        os.kill(team.workers[0], signal.SIGKILL)
        removed = {
            team.line("removed '(.+)', left behind by an upload that was killed")[1]
            for _ in range(CROWD - len(others))
        }
        assert removed < parts
        assert temporary(root) == parts - removed
        for peer in others:
            peer.give(CONTENT[512:], first=2)
        assert temporary(root) == set()
        complete = {f"up{peers.index(peer)}" for peer in others}
        assert names(root) == complete | {"f"}
        assert all((root / name).read_bytes() == CONTENT for name in complete)


def temporary(root: Path) -> set[str]:
    return {name for name in names(root) if is_temporary(os.fsencode(name))}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_transfers_of_all_end(root: Path, number: signal.Signals) -> None:
    with Team(root, "--drain", "100").listening() as team:
        peers = team.reading()
        team.signal(number)
        running = [
            int(team.line(r"stopping: (\d+) transfer\(s\) get up to 100 s to end")[1])
            for _ in team.workers
        ]
        assert sum(running) == CROWD
        wait_until_free(team.address)  # whoever comes next need not wait for the last transfer
        late = team.peer()
        late.ask(rrq("f"))
        take_rest(peers)
        assert team.wait() == 0
        assert late.is_silent()
        assert team.seen[-1].endswith(f"stopped: {CROWD} done, 0 failed")
    wait_until_gone(*team.workers)


def test_a_second_signal_ends_all_at_once(root: Path) -> None:
    with Team(root, "--drain", "100").listening() as team:
        peers = team.reading()
        team.signal(signal.SIGTERM)
        for _ in team.workers:
            team.line("stopping")
        team.signal(signal.SIGINT)
        assert team.wait() == 0
        for peer in peers:
            assert peer.expect_error(0) == "The server is shutting down"
        assert team.seen[-1].endswith(f"stopped: 0 done, {CROWD} failed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_for_the_whole_group_counts_once(root: Path, number: signal.Signals) -> None:
    """As Ctrl-C in a terminal sends it, or a service manager that stops a unit."""
    with Team(root, "--drain", "100", under=("setsid",)).listening() as team:
        peers = team.reading()
        os.killpg(team.pid, number)
        for _ in team.workers:
            team.line("stopping")
        take_rest(peers)
        assert team.wait() == 0
        assert team.seen[-1].endswith(f"stopped: {CROWD} done, 0 failed")


@pytest.mark.fault
def test_without_the_parent_the_workers_end(root: Path) -> None:
    with Team(root).listening() as team:
        team.signal(signal.SIGKILL)
        assert team.wait() == -signal.SIGKILL
        wait_until_gone(*team.workers)


@pytest.mark.fault
def test_without_the_parent_transfers_still_end_well(root: Path) -> None:
    with Team(root, "--drain", "100").listening() as team:
        peers = team.reading()
        team.signal(signal.SIGKILL)
        for _ in team.workers:
            team.line("stopping")
        take_rest(peers)
        team.wait()
        wait_until_gone(*team.workers)


@pytest.mark.fault
def test_a_parent_that_is_killed_while_it_stops(root: Path) -> None:
    """Its end is no second signal to the workers."""
    with Team(root, "--drain", "100").listening() as team:
        peers = team.reading()
        team.signal(signal.SIGTERM)
        for _ in team.workers:
            team.line("stopping")
        team.signal(signal.SIGKILL)
        assert team.process.wait(20) == -signal.SIGKILL
        take_rest(peers)
        team.wait()
        wait_until_gone(*team.workers)


@pytest.mark.fault
def test_a_worker_that_is_killed_while_it_stops(root: Path) -> None:
    with Team(root, "--drain", "100").listening() as team:
        peers = team.reading()
        _, others = team.split(peers)
        team.signal(signal.SIGTERM)
        for _ in team.workers:
            team.line("stopping")
        os.kill(team.workers[0], signal.SIGKILL)
        team.line("worker 1 .* was killed .*: nobody follows, since the server ends")
        take_rest(others)
        assert team.wait() == 0
        assert team.seen[-1].endswith(f"stopped: {len(others)} done, 0 failed")


@pytest.mark.parametrize("ours", [1, 2])
@pytest.mark.parametrize("theirs", [1, 2])
def test_a_port_that_is_taken(root: Path, ours: int, theirs: int) -> None:
    """Also by another server of the same user that shares it among its own workers."""
    with Serving(root, "--workers", str(theirs)).listening() as first:
        host, port = first.address
        with Serving(root, "--workers", str(ours), "--host", host, "--port", str(port)) as second:
            assert second.wait() == 1
            assert len(second.seen) == 1
            assert f"port {port} is taken: another TFTP server is running" in second.seen[0]
        with first.peer() as peer:
            assert peer.fetch("f", **SLOW) == CONTENT


# What is broken here runs in front of the command: it is run instead of it, and runs it.
BROKEN = """
import os, sys
del sys.argv[1:4]
{what}
from tftp.cli.serve import main
main()
"""


def broken(what: str) -> tuple[str, ...]:
    return (sys.executable, "-c", BROKEN.format(what=what))


@pytest.mark.fault
def test_workers_that_die_at_once_again_and_again(root: Path) -> None:
    under = broken("import tftp.server.loop as l\ndel l.Loop.run")
    with Serving(root, "--workers", "2", under=under) as team:
        for pause in ("0.1", "0.2", "0.4"):
            team.line(
                r"worker 1 \(process \d+\) ended with status 1: "
                f"another one follows in {pause} s"
            )
        team.signal(signal.SIGTERM)
        assert team.wait() == 0
        assert any("AttributeError" in line for line in team.seen)
        assert team.seen[-1].endswith("stopped: 0 done, 0 failed")


NO_FORK = """
real, calls = os.fork, []
def fork():
    calls.append(1)
    if len(calls) <= 2:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return real()
os.fork = fork
"""


@pytest.mark.fault
def test_no_process_is_to_be_had_for_a_while(root: Path) -> None:
    with Team(root, under=broken(NO_FORK)) as team:
        Serving.listening(team)
        for number in (1, 2):
            team.line(
                rf"worker {number} could not be started \(Resource temporarily unavailable\): "
                "another one follows in 0.1 s"
            )
        team.workers = [team.started(0), team.started(1)]
        take_rest(team.reading())


def test_peers_of_several_hosts_and_families(root: Path) -> None:
    with (
        Team(root, "--host", "127.0.0.1", "--host", "127.0.0.2", "--port", "0") as team,
        ExitStack() as stack,
    ):
        team.listening()
        assert f"127.0.0.2:{team.address[1]}, serving" in team.seen[0]
        for host in ("127.0.0.1", "127.0.0.2"):
            peer = stack.enter_context(Peer((host, team.address[1])))
            assert peer.fetch("f", **SLOW) == CONTENT
