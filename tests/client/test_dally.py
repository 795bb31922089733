"""The last ACK is repeated after the call has returned (RFC 1350 section 6)."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic

import pytest

from tests.client.scripted import PATIENCE, Line, Stage, ack, data
from tftp import Client
from tftp.client.dally import MAX_DALLYING, Dallying, Keeper, serve
from tftp.net.clock import now
from tftp.net.udp import bind_transfer
from tftp.protocol.pace import Timing
from tftp.protocol.packets import Request
from tftp.protocol.receiver import Receiver

LINGER = 0.5


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    keeper = Keeper()
    yield keeper
    keeper.leave()


class Ward:
    """A receiver that has everything, and the server's socket that it answers to."""

    def __init__(self, linger: float = LINGER) -> None:
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("127.0.0.1", 0))
        endpoint = bind_transfer(socket.AF_INET, "127.0.0.1", 0, None)
        peer = self.server.getsockname()
        transfer = Receiver.requesting(Request(1, "a"), peer, Timing(dally=linger), now())
        transfer.receive(data(1, b"all"), peer, now())
        while transfer.poll() is not None:
            pass
        self.dallying = Dallying(endpoint, transfer)
        self.line = Line(self.server, endpoint.socket.getsockname())

    def ask_again(self) -> None:
        self.line.send(data(1, b"all"))

    def wait_until_closed(self) -> float:
        """Returns how long the socket of the client stayed open."""
        start = monotonic()
        while self.dallying.endpoint.fileno() >= 0:
            assert monotonic() - start < PATIENCE, "it stays for ever"
            self.ask_again()
            self.line.socket.settimeout(0.02)
            with suppress(TimeoutError):
                self.line.receive()
        return monotonic() - start

    def close(self) -> None:
        self.server.close()


def wait_for_the_end(keeper: Keeper) -> None:
    start = monotonic()
    while keeper._thread is not None:
        assert monotonic() - start < PATIENCE, "the thread stays for ever"
        threading.Event().wait(0.01)


def test_a_call_returns_at_once_and_its_last_ack_is_repeated_after_it() -> None:
    returned = threading.Event()

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, b"all"))
        line.expect(ack(1))
        assert returned.wait(PATIENCE)
        for _ in range(3):
            line.send(data(1, b"all"))
            line.expect(ack(1))

    with Stage(script) as stage:
        assert Client(stage.host, stage.port, linger=5).get("a") == b"all"
        returned.set()


def test_without_linger_nobody_stays() -> None:
    before = {thread.name for thread in threading.enumerate()}

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, b"all"))
        line.expect(ack(1))
        line.send(data(1, b"all"))
        line.expect_silence(0.1)

    with Stage(script) as stage:
        client = Client(stage.host, stage.port, linger=0)
        assert client.keep is None
        assert client.get("a") == b"all"
        assert {thread.name for thread in threading.enumerate()} <= before | {"script"}


def test_one_thread_serves_many_and_ends_with_the_last(keeper: Keeper) -> None:
    wards = [Ward() for _ in range(5)]
    for ward in wards:
        keeper.keep(ward.dallying)
    thread = keeper._thread
    assert thread is not None
    for _ in range(2):
        for ward in wards:
            ward.ask_again()
            ward.line.expect(ack(1))
    assert keeper._thread is thread
    wait_for_the_end(keeper)
    assert all(ward.dallying.endpoint.fileno() < 0 for ward in wards)
    late = Ward()
    keeper.keep(late.dallying)
    late.ask_again()
    late.line.expect(ack(1))
    for ward in (*wards, late):
        ward.close()


def test_a_ward_that_comes_while_the_thread_waits_is_served(keeper: Keeper) -> None:
    first, second = Ward(linger=60), Ward(linger=60)
    keeper.keep(first.dallying)
    first.ask_again()
    first.line.expect(ack(1))  # the thread is at its poll, for a minute
    keeper.keep(second.dallying)
    second.ask_again()
    second.line.expect(ack(1))
    keeper.leave()
    assert first.dallying.endpoint.fileno() == second.dallying.endpoint.fileno() == -1
    third = Ward()
    keeper.keep(third.dallying)
    assert third.dallying.endpoint.fileno() == -1, "who leaves takes nothing in"
    for ward in (first, second, third):
        ward.close()


def test_the_oldest_make_room(keeper: Keeper) -> None:
    wards = [Ward(linger=60) for _ in range(MAX_DALLYING + 2)]
    for ward in wards:
        keeper.keep(ward.dallying)
    for ward in wards[:2]:
        ward.wait_until_closed()
    for ward in wards[2:]:
        ward.ask_again()
        ward.line.expect(ack(1))
    for ward in wards:
        ward.close()


def test_serve_stays_for_its_time_and_answers_each_copy_once() -> None:
    ward = Ward(linger=0.3)
    thread = threading.Thread(target=serve, args=[ward.dallying])
    start = monotonic()
    thread.start()
    ward.ask_again()
    ward.line.expect(ack(1))
    ward.line.expect_silence(0.05)
    ward.line.send(data(7, b"other"), data(1, b"all"))
    ward.line.expect(ack(1))
    thread.join(PATIENCE)
    assert 0.25 <= monotonic() - start < PATIENCE
    assert ward.dallying.endpoint.fileno() == -1
    ward.close()


def test_an_error_of_the_server_ends_the_stay() -> None:
    ward = Ward(linger=60)
    thread = threading.Thread(target=serve, args=[ward.dallying])
    thread.start()
    ward.line.send(b"\0\5\0\0bye\0")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    ward.close()


FORKING = """
import os, sys, tftp
client = tftp.Client("127.0.0.1", int(sys.argv[1]), linger=60)
client.get("a")  # from here on there is a thread, which no child of a fork has
child = os.fork()
if child == 0:
    client.get("b")
    client.get("c")
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_begins_with_a_keeper_of_its_own() -> None:
    def script(stage: Stage) -> None:
        for again in (1, 2, 1):
            line = stage.accept()
            for _ in range(again):
                line.send(data(1, b"all"))
                line.expect(ack(1))

    with Stage(script) as stage:
        program = [sys.executable, "-W", "ignore", "-c", FORKING, str(stage.port)]
        assert subprocess.run(program, timeout=60).returncode == 0


def test_a_program_that_ends_does_not_wait() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, b"all"))
        line.expect(ack(1))

    code = "import sys, tftp; tftp.get('127.0.0.1', 'a', port=int(sys.argv[1]), linger=3600)"
    with Stage(script) as stage:
        program = [sys.executable, "-X", "dev", "-W", "error", "-c", code, str(stage.port)]
        run = subprocess.run(program, timeout=60, capture_output=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
