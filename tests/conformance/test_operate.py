"""Servers that the suite runs: started, asked, started anew, ended with all that is theirs."""

import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance import operate
from conformance.operate import Server
from conformance.targets import NotAvailable, Programs, Target
from conformance.wire import rrq

TOY = Path(__file__).with_name("toy_server.py")
WITHIN = 20.0


def target(arguments: str, launch: str = "port") -> Target:
    start = shlex.join([sys.executable, str(TOY)]) + " " + arguments
    return Target("toy", "Toy", "server", "A toy.", "toy", start=start, launch=launch)


@contextmanager
def running(arguments: str, launch: str = "port") -> Iterator[Server]:
    server = Server(target(arguments, launch), Programs())
    try:
        yield server
    finally:
        server.stop()


def ask(server: Server, name: str) -> bytes | None:
    """Sends a read; returns the answer, None without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.0 if name in ("die", "hang") else WITHIN)
        sock.sendto(rrq(name), server.address)
        try:
            return sock.recv(1000)
        except BlockingIOError:
            return None


def process_of(server: Server) -> int:
    """Returns the number of its process, which the toy tells."""
    answer = ask(server, "b1")
    assert answer is not None
    assert answer[:4] == b"\0\5\0\1"
    return int(answer[4:-1])


def end(server: Server) -> str:
    """Waits until the end of a server is noticed; returns how it ended."""
    deadline = time.monotonic() + WITHIN
    pause = threading.Event()
    while not (said := server.revive(ask=False)) and time.monotonic() < deadline:
        pause.wait(0.01)
    return said


@pytest.mark.parametrize(("arguments", "launch"), [("{host} {port}", "port"), ("-", "stdin")])
def test_it_answers_until_it_is_stopped_and_leaves_nothing(arguments: str, launch: str) -> None:
    with running(arguments, launch) as server:
        number = process_of(server)
        assert (server.root / "b511").is_file()
    assert not server.root.parent.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(server.address)  # its port is free again


@pytest.mark.netns
@pytest.mark.root
def test_one_with_a_network_of_its_own_has_port_69() -> None:
    try:
        with running("{host} {port}", "namespace") as server:
            assert server.address == ("127.0.0.1", 69)
            assert server.beside(lambda: process_of(server)) > 1
            assert server.revive(ask=False) == ""
    except NotAvailable as trouble:
        if "no network of its own" not in str(trouble):
            raise
        pytest.skip(str(trouble))


def test_one_that_has_ended_is_started_anew_at_its_port() -> None:
    with running("{host} {port}") as server:
        address, number = server.address, process_of(server)
        assert server.revive(ask=True) == ""
        ask(server, "die")
        assert end(server) == "the server has ended, status 1: what was that?"
        assert server.ends == ["the server has ended, status 1: what was that?"]
        assert server.revive(ask=True) == ""
        assert server.address == address
        assert process_of(server) != number


def test_one_that_hangs_is_found_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operate, "WORKS", 1.0)
    with running("{host} {port}") as server:
        ask(server, "hang")
        assert server.revive(ask=False) == ""
        assert server.revive(ask=True) == "the server runs, but answered no read for 1 s"
        assert server.revive(ask=True) == ""


def test_status_127_is_not_tried_again() -> None:
    with pytest.raises(NotAvailable, match="status 127: there is no engine for it"):
        Server(target("cannot"), Programs())


def test_one_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operate, "READY", 1.0)
    with pytest.raises(NotAvailable, match="it does not answer"):
        Server(target("dumb"), Programs())


def test_one_that_ends_at_once_tells_its_last_words() -> None:
    with pytest.raises(NotAvailable, match=r"has ended, status 1: .*invalid literal for int"):
        Server(target("{host} none"), Programs())


def test_after_stop_it_is_not_started_again() -> None:
    with running("{host} {port}") as server:
        pass
    with pytest.raises(NotAvailable, match="it was stopped"):
        server.revive(ask=False)
