"""Whether the shape is right: ahead of or beside atftpd in the same run, and quick to start.

Both servers serve the same file to the same client in turn, A B A B, each pinned to one core
and the client to another; each is judged by its best round, since noise of the machine only
ever takes time. Figures are printed (-s).
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tftp
from tests.interop.running import Running
from tests.interop.servers import SERVERS
from tests.interop.shelf import Shelf

pytestmark = pytest.mark.speed

ROUNDS = 9
BIG, SMALL = 32 << 20, 4 << 20
NAMES = ("tftp-serve", "atftpd")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("speed"))


@pytest.fixture(scope="module")
def pair(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    folder = tmp_path_factory.mktemp("logs")
    peers = {peer.name: peer for peer in SERVERS}
    running: list[Running] = []
    cores = sorted(os.sched_getaffinity(0))
    try:
        running.extend(Running(peers[name], "127.0.0.1", shelf, folder) for name in NAMES)
        for server in running:
            os.sched_setaffinity(server.process_id, cores[:1])
        os.sched_setaffinity(0, cores[-1:])
        yield running
    finally:
        os.sched_setaffinity(0, cores)
        for server in running:
            server.stop()


def best(rounds: int, works: list[Callable[[], None]]) -> list[float]:
    """Returns the shortest time of each, taken in turn."""
    times = [float("inf")] * len(works)
    for _ in range(rounds):
        for place, work in enumerate(works):
            began = time.perf_counter()
            work()
            times[place] = min(times[place], time.perf_counter() - began)
    return times


def race(pair: list[Running], shelf: Shelf, size: int, block_size: int, window: int) -> float:
    """Returns how many times faster than atftpd our server is."""

    def fetch(server: Running) -> Callable[[], None]:
        client = tftp.Client(
            "127.0.0.1", server.port, block_size=block_size, window=window, linger=0
        )
        return lambda: None if len(client.get(str(size))) == size else pytest.fail("cut short")

    with shelf.file(size):
        ours, theirs = best(ROUNDS, [fetch(server) for server in pair])
    rates = [f"{size / seconds / 1e6:.0f} MB/s" for seconds in (ours, theirs)]
    print(f"{block_size} x {window}: ours {rates[0]}, atftpd {rates[1]}, x{theirs / ours:.2f}")
    return theirs / ours


def test_a_windowed_client_is_served_at_least_as_fast_as_by_atftpd(
    pair: list[Running], shelf: Shelf
) -> None:
    assert race(pair, shelf, BIG, 1428, 64) >= 1.0


@pytest.mark.parametrize("block_size", [512, 1428])
def test_lock_step_is_within_15_percent_of_atftpd(
    pair: list[Running], shelf: Shelf, block_size: int
) -> None:
    assert race(pair, shelf, SMALL, block_size, 1) >= 0.85


def test_importing_takes_under_40_ms() -> None:
    code = "import time; t = time.perf_counter(); import tftp; print(time.perf_counter() - t)"

    def seconds() -> float:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return float(done.stdout)

    least = min(seconds() for _ in range(ROUNDS))
    print(f"import tftp: {least * 1000:.1f} ms")
    assert least < 0.040


def test_a_small_file_is_fetched_within_250_ms_in_all(
    pair: list[Running], shelf: Shelf, tmp_path: Path
) -> None:
    code = "from tftp.cli.get import main; main()"
    command = [sys.executable, "-c", code, "-q", "--no-linger", f"127.0.0.1:{pair[0].port}", "1024"]
    environment = {**os.environ, "PYTHONPATH": str(Path(tftp.__file__).parents[1])}

    def fetch() -> None:
        subprocess.run([*command, str(tmp_path / "copy")], check=True, env=environment)

    with shelf.file(1024):
        (seconds,) = best(ROUNDS, [fetch])
    assert (tmp_path / "copy").stat().st_size == 1024
    print(f"tftp-get of 1 KiB: {seconds * 1000:.0f} ms")
    assert seconds < 0.250
