"""What a service manager hears, and that a server is none the worse for one that is not there."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.manager import FakeManager
from tests.server.process import Serving
from tests.server.wire import PATIENCE
from tftp.net.clock import NEVER
from tftp.server import Server
from tftp.server.notify import AGAIN, Manager, Watch


@pytest.fixture(params=["path", "abstract"])
def fake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeManager]:
    address = tmp_path / "notify" if request.param == "path" else f"@tftp-test-{os.getpid()}"
    with FakeManager(address) as fake:
        yield fake


def linked(fake: FakeManager, **more: str) -> Manager:
    return Manager.from_environment({"NOTIFY_SOCKET": fake.address, **more})


def test_each_state_has_its_lines(fake: FakeManager) -> None:
    manager = linked(fake)
    before = time.monotonic_ns() // 1000
    manager.ready()
    assert fake.hear() == ["READY=1", f"MAINPID={os.getpid()}"]
    manager.reloading()
    state, moment = fake.hear()
    assert state == "RELOADING=1"
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    manager.status("two\nlines")
    assert fake.hear() == ["STATUS=two lines"]
    manager.alive()
    assert fake.hear() == ["WATCHDOG=1"]
    manager.stopping()
    assert fake.hear() == ["STOPPING=1"]
    manager.close()
    manager.ready()
    assert fake.is_silent()


@pytest.mark.parametrize(
    ("variables", "beat"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
    ],
)
def test_the_watchdog_gets_a_sign_in_half_its_time(
    variables: dict[str, str], beat: float | None
) -> None:
    environment = dict(variables)
    assert Manager.from_environment(environment).beat == beat
    assert environment == {}, "children must not take them for theirs"


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234", "@", "/", "/" + 200 * "x"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    manager = Manager.from_environment({"NOTIFY_SOCKET": address})
    for tell in (manager.ready, manager.alive, manager.stopping, manager.flush, manager.close):
        tell()


def test_one_that_has_gone_and_comes_again_is_found(tmp_path: Path) -> None:
    with FakeManager(tmp_path / "notify") as first:
        manager = linked(first)
        manager.ready()
        first.wait_for("READY=1")
    manager.status("nobody hears this yet")
    assert manager.waits
    with FakeManager(tmp_path / "notify") as second:
        manager.alive()
        assert second.hear() == ["STATUS=nobody hears this yet"]
        assert second.hear() == ["WATCHDOG=1"]
    manager.close()


def test_one_that_does_not_read_costs_nothing_and_is_told_later(tmp_path: Path) -> None:
    """Its queue has an end; what is told in between is kept, as far as it still matters."""
    with FakeManager(tmp_path / "notify") as fake:
        manager = linked(fake)
        while not manager.waits:
            manager.status("full soon")
        for _ in range(1000):
            manager.alive()
        manager.stopping()
        heard = []
        while not fake.is_silent():
            manager.flush()
        heard = fake.heard
        assert heard[-1] == "STOPPING=1"
        assert heard.count("WATCHDOG=1") == 1
        manager.close()


def test_threads_and_signals_do_not_mix_messages_up(tmp_path: Path) -> None:
    with FakeManager(tmp_path / "notify") as fake:
        manager = linked(fake)
        threads = [
            threading.Thread(target=lambda n=n: manager.status(f"thread {n}")) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        heard = {fake.hear()[0] for _ in threads}
        for thread in threads:
            thread.join()
        assert heard == {f"STATUS=thread {n}" for n in range(8)}
        manager.close()


def test_a_watch_says_ready_once_and_then_that_it_lives(tmp_path: Path) -> None:
    with FakeManager(tmp_path / "notify") as fake:
        manager = linked(fake, WATCHDOG_USEC="20000000")
        called: list[float] = []
        watch = Watch(manager, lambda: called.append(1.0))
        watch.run(100.0)
        assert fake.hear()[0] == "READY=1"
        assert fake.hear() == ["WATCHDOG=1"]
        assert watch.due == 110.0
        watch.run(110.0)
        assert fake.hear() == ["WATCHDOG=1"]
        assert called == [1.0]
        manager.close()


def test_a_watch_without_a_watchdog_is_done_soon(tmp_path: Path) -> None:
    with FakeManager(tmp_path / "notify") as fake:
        manager = linked(fake)
        watch = Watch(manager)
        watch.run(100.0)
        assert watch.due == NEVER
        while not manager.waits:
            manager.status("full soon")
        watch.run(200.0)
        assert watch.due == 200.0 + AGAIN, "to tell what is still untold"
        manager.close()


# The whole server


def watched(fake: FakeManager, seconds: float) -> tuple[str, ...]:
    """What a manager gives a process along: here before its number is known."""
    usec = round(seconds * 1e6)
    return ("env", f"NOTIFY_SOCKET={fake.address}", f"WATCHDOG_USEC={usec}")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_from_the_start_to_the_end(root: Path, fake: FakeManager, workers: str) -> None:
    (root / "f").write_bytes(b"served")
    with Serving(root, "--workers", workers, under=watched(fake, 0.4)).listening() as serving:
        assert fake.wait_for("READY=1") == ["READY=1", f"MAINPID={serving.pid}"]
        for _ in range(3):
            fake.wait_for("WATCHDOG=1")
        assert any(line.startswith("STATUS=Serving on 127.0.0.1:") for line in fake.heard)
        with serving.peer() as peer:
            assert peer.fetch("f") == b"served"
        serving.signal(signal.SIGTERM)
        fake.wait_for("STOPPING=1")
        assert serving.wait() == 0


def test_a_manager_that_dies_does_no_harm(root: Path, tmp_path: Path) -> None:
    (root / "f").write_bytes(b"served")
    fake = FakeManager(tmp_path / "notify")
    with Serving(root, under=watched(fake, 0.1)).listening() as serving, serving.peer() as peer:
        fake.wait_for("WATCHDOG=1")
        fake.close()
        assert peer.fetch("f") == b"served"
        with FakeManager(tmp_path / "notify") as second:
            second.wait_for("WATCHDOG=1")
        serving.signal(signal.SIGTERM)
        assert serving.wait() == 0


class Stuck:
    """A chore that does not come back until it is let go."""

    def __init__(self) -> None:
        self.due = 0.0
        self.reached = threading.Event()
        self.free = threading.Event()

    def run(self, now: float) -> None:
        self.due = NEVER
        self.reached.set()
        assert self.free.wait(PATIENCE)


def test_a_loop_that_is_stuck_gives_no_sign(root: Path, tmp_path: Path) -> None:
    stuck = Stuck()
    with FakeManager(tmp_path / "notify") as fake:
        manager = linked(fake, WATCHDOG_USEC="20000")
        with Server(root, chores=[Watch(manager), stuck]):
            assert stuck.reached.wait(PATIENCE)
            while not fake.is_silent():
                pass
            assert fake.is_silent(0.2), "twenty signs would have been due"
            stuck.free.set()
            fake.wait_for("WATCHDOG=1")
        manager.close()


def test_no_child_inherits_the_line(root: Path, fake: FakeManager) -> None:
    """Its variables are gone, and the socket is closed in what a server starts."""
    manager = linked(fake)
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    sockets = [n for n in numbers if _is_link_to(n, fake)]
    assert sockets
    assert not any(os.get_inheritable(number) for number in sockets)
    manager.close()


def _is_link_to(number: int, fake: FakeManager) -> bool:
    try:
        with socket.socket(fileno=os.dup(number)) as sock:
            name = sock.getpeername()
    except OSError:
        return False
    return name in (fake.address, b"\0" + fake.address[1:].encode())
