"""When a client looks on for packets, and when it sleeps: on a clock that the test turns."""

import select
import socket
from collections.abc import Iterator

import pytest

from tftp.client import watch as watch_module
from tftp.client.watch import LOOK, Watch

READY = [(7, select.POLLIN)]


class Kernel:
    """Stands for the clock and for `poll`: a packet comes so many seconds after each call."""

    def __init__(self) -> None:
        self.time = 100.0
        self.gap = 0.0
        self.due = self.time
        self.looks = self.sleeps = 0

    def now(self) -> float:
        self.time += 1e-6
        return self.time

    def poll(self, milliseconds: int) -> list[tuple[int, int]]:
        if milliseconds == 0:
            self.looks += 1
        else:
            self.sleeps += 1
            self.time = max(self.time, min(self.due, self.time + milliseconds / 1000))
        return READY if self.time >= self.due else []

    def packets(self, watch: Watch, count: int, gap: float) -> tuple[int, int]:
        """Has that many packets come; returns how often it looked and slept meanwhile."""
        self.looks = self.sleeps = 0
        for _ in range(count):
            self.due = self.time + gap
            while not watch.wait(1.0):
                pass
        return self.looks, self.sleeps


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(watch_module, "now", kernel.now)
    return kernel


@pytest.fixture
def watch(kernel: Kernel) -> Iterator[Watch]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        watch = Watch(sock.fileno())
        watch._poll = kernel  # type: ignore[assignment]
        yield watch


def test_it_sleeps_at_first(kernel: Kernel, watch: Watch) -> None:
    assert kernel.packets(watch, 1, 0.00002) == (0, 1)


def test_it_looks_on_while_packets_are_close(kernel: Kernel, watch: Watch) -> None:
    kernel.packets(watch, 1, 0.00002)
    looks, sleeps = kernel.packets(watch, 100, 0.00002)
    assert looks >= 100
    assert sleeps == 0


def test_it_sleeps_when_nothing_comes_for_a_while(kernel: Kernel, watch: Watch) -> None:
    kernel.packets(watch, 10, 0.00002)
    start = kernel.time
    looks, sleeps = kernel.packets(watch, 1, 0.5)
    assert sleeps == 1
    assert looks <= 2 * LOOK / 1e-6
    assert kernel.time - start == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize("gap", [0.0015, 0.02, 0.9])
def test_a_server_that_is_far_away_is_waited_for_asleep(
    kernel: Kernel, watch: Watch, gap: float
) -> None:
    assert kernel.packets(watch, 100, gap) == (0, 100)


def test_looks_in_vain_become_rare(kernel: Kernel, watch: Watch) -> None:
    """A server that always answers a little too late: each look costs LOOK and finds nothing."""
    kernel.packets(watch, 1000, 3 * LOOK)
    looks, sleeps = kernel.packets(watch, 1024, 3 * LOOK)
    assert sleeps == 1024
    assert looks <= 2 * LOOK / 1e-6  # one packet in 512


def test_a_server_that_has_become_quick_is_looked_for_again(kernel: Kernel, watch: Watch) -> None:
    kernel.packets(watch, 1000, 3 * LOOK)
    kernel.packets(watch, 512, LOOK / 4)
    _, sleeps = kernel.packets(watch, 100, LOOK / 4)
    assert sleeps == 0


def test_a_wait_ends_when_its_time_is_up(kernel: Kernel, watch: Watch) -> None:
    kernel.packets(watch, 10, 0.00002)
    kernel.due = kernel.time + 60
    start = kernel.time
    assert watch.wait(0.25) == []
    assert kernel.time - start == pytest.approx(0.25, abs=0.001)


def test_it_watches_for_room_only_while_that_is_wanted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        watch = Watch(sock.fileno())
        watch.change(sock.fileno(), room=True)
        assert watch.wait(1.0) == [(sock.fileno(), select.POLLOUT)]
        watch.change(sock.fileno(), room=False)
        assert watch.wait(0.0) == []


def test_it_watches_a_second_socket() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
    ):
        for sock in (first, second):
            sock.bind(("127.0.0.1", 0))
        watch = Watch(first.fileno())
        watch.add(second.fileno())
        first.sendto(b"x", second.getsockname())
        assert watch.wait(10.0) == [(second.fileno(), select.POLLIN)]
