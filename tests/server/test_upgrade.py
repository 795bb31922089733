"""The server is restarted, and replaced, while clients go on: not one transfer fails."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from tests.server.crowd import FILES, Crowd, fill
from tests.server.manager import FakeManager
from tests.server.process import COMMAND, Serving, environment
from tests.server.wire import PATIENCE, Peer, ack, data, error, rrq
from tftp.server import Config, Server

TRANSFERS = 1_000
REPLACED = 4  # times in each of the tests
OPTIONS = ("--upload", "create", "--drain", "60", "--quiet")


@pytest.fixture
def root(root: Path) -> Path:
    fill(root)
    return root


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[FakeManager]:
    with FakeManager(tmp_path / "notify") as manager:
        yield manager


class Unit:
    """A server that is given its socket, and tells when it is ready, as under systemd."""

    def __init__(self, root: Path, sock: socket.socket, manager: FakeManager) -> None:
        script = f'exec 3<&{sock.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "-", *COMMAND, str(root), *OPTIONS],
            pass_fds=[sock.fileno()],
            env=environment() | {"NOTIFY_SOCKET": manager.address},
            stdin=subprocess.DEVNULL,
        )
        self._manager = manager

    def ready(self) -> None:
        lines = self._manager.wait_for("READY=1")
        assert f"MAINPID={self.process.pid}" in lines

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)


def test_a_restart_with_the_socket_kept(root: Path, manager: FakeManager) -> None:
    """Socket activation: what comes while nobody is there waits in the socket."""
    with ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind(("127.0.0.1", 0))
        units: list[Unit] = []

        def start() -> None:
            units.append(Unit(root, sock, manager))
            stack.callback(units[-1].kill)
            units[-1].ready()

        start()
        with Crowd(sock.getsockname()[1], root) as crowd:
            for turn in range(REPLACED):
                crowd.wait_for((turn + 1) * TRANSFERS // (REPLACED + 1))
                if turn % 2:  # one goes before the next one comes
                    units[-1].end()
                    start()
                else:  # for a while both take requests
                    start()
                    units[-2].end()
            crowd.wait_for(TRANSFERS)
        units[-1].end()
    assert crowd.failures == []
    assert crowd.done >= TRANSFERS


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_replaces_another(root: Path, workers: int) -> None:
    """Without a service manager: the next one joins the port, and sends the old one away."""
    options = (*OPTIONS[:-1], "--workers", str(workers))
    with ExitStack() as stack:
        serving = stack.enter_context(Serving(root, *options)).listening()
        host, port = serving.address
        with Crowd(port, root) as crowd:
            for turn in range(REPLACED):
                crowd.wait_for((turn + 1) * TRANSFERS // (REPLACED + 1))
                joins = ("--host", host, "--port", str(port), "--replace", str(serving.pid))
                old, serving = serving, stack.enter_context(Serving(root, *options, *joins))
                serving.line(f"process {old.pid} is replaced: it lets its transfers end")
                assert old.wait() == 0
                assert old.seen[-1].endswith(" 0 failed"), old.seen[-1]
            crowd.wait_for(TRANSFERS)
        serving.signal(signal.SIGTERM)
        assert serving.wait() == 0
    assert crowd.failures == []
    assert crowd.done >= TRANSFERS


def test_what_has_arrived_is_answered_before_the_end(root: Path) -> None:
    """A server that is to end finds requests in its socket: nobody else knows of them."""
    with ExitStack() as stack:
        server = Server(root)
        server.open()
        peers = [stack.enter_context(Peer((server.host, server.port))) for _ in range(50)]
        for peer in peers:
            peer.ask(rrq("f100"))
        server.stop()
        joined = stack.enter_context(Server(root, port=server.port, joins=True))
        thread = threading.Thread(target=server.serve)
        thread.start()
        for peer in peers:
            assert len(peer.take()) == 100
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert server.totals.completed == len(peers)
        assert joined.totals.completed == 0


def test_a_request_that_reaches_both_is_one_transfer_for_its_client(root: Path) -> None:
    """The second answer is a stranger's to the client; its ERROR 5 ends that one alone."""
    content = FILES["f5000"]
    config = Config(drain=60)
    with ExitStack() as stack:
        old = stack.enter_context(Server(root, config=config))
        peers = [stack.enter_context(Peer((old.host, old.port))) for _ in range(16)]
        for peer in peers:
            peer.ask(rrq("f5000"))
            peer.expect(data(1, content[:512]))
        new = stack.enter_context(Server(root, port=old.port, joins=True))
        stopper = threading.Thread(target=old.stop)
        stopper.start()
        for peer in peers:
            answer_twice(peer, data(1, content[:512]))
            assert go_on(peer) == content[512:]
        stopper.join(PATIENCE)
        assert not stopper.is_alive()
    assert (old.totals.completed, old.totals.failed) == (len(peers), 0)
    assert new.totals.completed == 0
    assert new.totals.failed >= len(peers), "the second answers, and third ones if it was slow"


def answer_twice(peer: Peer, first: bytes) -> None:
    """Asks again until another transfer answers, and turns that one away."""
    until = monotonic() + PATIENCE
    while True:
        assert monotonic() < until, "nobody else answers"
        peer.socket.sendto(rrq("f5000"), peer.server)
        answer, source = peer.socket.recvfrom(1000)
        assert answer == first
        if source != peer.tid:
            peer.socket.sendto(error(5, "unknown transfer"), source)
            return


def go_on(peer: Peer) -> bytes:
    """Reads on from block 2, and turns away whoever else answers what was asked so often."""
    content, awaited = b"", 2
    peer.say(ack(1))
    while True:
        packet, source = peer.socket.recvfrom(1000)
        if source != peer.tid:
            peer.socket.sendto(error(5, "unknown transfer"), source)
        elif packet[:4] == data(awaited):
            content += packet[4:]
            peer.say(ack(awaited))
            awaited += 1
            if len(packet) < 516:
                return content


def test_a_port_is_not_joined_unasked(root: Path) -> None:
    with Server(root) as old:
        taken = Server(root, port=old.port)
        with pytest.raises(OSError, match="in use"):
            taken.open()


def test_there_is_nobody_to_replace(root: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with Serving(root, "--replace", str(gone.pid)) as serving:
        assert serving.wait() == 1
        assert serving.seen == [f"tftp-serve: There is no process {gone.pid} to replace."]


def test_it_does_not_replace_those_it_must_not(root: Path) -> None:
    with Serving(root, "--replace", str(os.getpid())) as serving:
        assert serving.wait() == 1
        assert "is not a server to replace" in serving.seen[-1]
