"""A server whose files are on slow disks: who waits, waits alone.

Where a test needs a disk that hangs, the server's threads are held before they read, and
nothing counts as being in memory until they have. The last ones use the real page cache.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.net.children import open_files
from tests.net.disks import chill, is_cold
from tests.server.lab import QUICK, Lab, open_lab
from tests.server.wire import PATIENCE, Peer, ack, data, error, oack, parse_error, rrq
from tftp.errors import LocalError
from tftp.net import disk
from tftp.protocol.netascii import encode
from tftp.server.readers import READERS

pytestmark = pytest.mark.fault

CONTENT = random.Random(5).randbytes(300_001)
SMALL = b"small" * 1000
READ = disk._read_piece


@dataclass
class Disk:
    """Holds all reads of files that are as long as CONTENT, until it is freed."""

    free: threading.Event = field(default_factory=threading.Event)
    held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    pieces: int = 0
    trouble: LocalError | None = None

    def read(self, ahead: disk._Ahead, file: int, piece: range, news: range) -> int | LocalError:
        self.pieces += 1
        if os.fstat(file).st_size == len(CONTENT):
            self.held.release()
            assert self.free.wait(PATIENCE)
        return self.trouble or READ(ahead, file, piece, news)

    def wait(self, threads: int = 1) -> None:
        """Waits until so many threads hang."""
        for _ in range(threads):
            assert self.held.acquire(timeout=PATIENCE)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A kernel that cannot tell what is in memory, and a disk that hangs."""
    slow = Disk()
    monkeypatch.setattr(disk, "NOWAIT", 0)
    monkeypatch.setattr(disk, "_is_in_memory", lambda _: False)
    monkeypatch.setattr(disk, "_read_piece", slow.read)
    yield slow
    slow.free.set()


@pytest.fixture
def lab(slow: Disk, lab: Lab) -> Lab:
    """A server on such a disk; it never sends anything twice."""
    lab.put_file("slow", CONTENT)
    lab.put_file("small", SMALL)
    return lab


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def is_open(path: Path) -> bool:
    """Tells whether this process has a file open."""
    return any(file.endswith(str(path)) for file in open_files())


def ask(lab: Lab, name: str = "slow") -> Peer:
    peer = lab.peer()
    peer.ask(rrq(name))
    return peer


def test_others_are_served_while_one_waits_for_its_disk(lab: Lab, slow: Disk) -> None:
    waiting = ask(lab)
    slow.wait()
    for _ in range(3):
        assert lab.peer().fetch("small", blksize=1000, windowsize=2) == SMALL
        assert lab.report().ok
    assert waiting.is_silent()
    slow.free.set()
    assert waiting.take() == CONTENT
    report = lab.report()
    assert (report.ok, report.resent, report.timeouts) == (True, 0, 0)


def test_a_disk_slower_than_every_timer_is_not_the_peers_fault(slow: Disk, tmp_path: Path) -> None:
    with open_lab(tmp_path / "root", timing=QUICK) as lab:
        lab.put_file("slow", CONTENT)
        lab.put_file("small", SMALL)
        waiting = ask(lab)
        slow.wait()
        gone = ask(lab, "small")
        assert gone.receive() == data(1, SMALL[:512])
        assert not lab.report().ok, "in the same time a peer that is silent was given up"
        slow.free.set()
        assert waiting.receive() == data(1, CONTENT[:512])
        waiting.say(ack(1))
        assert waiting.receive() == data(2, CONTENT[512:1024])
        waiting.say(error(0, "enough"))
        report = lab.report()
        assert (report.resent, report.timeouts) == (0, 0)


def test_more_wait_than_there_are_threads(lab: Lab, slow: Disk) -> None:
    peers = [ask(lab) for _ in range(3 * READERS)]
    slow.wait(READERS)
    slow.free.set()
    for peer in peers:
        assert peer.take() == CONTENT
        assert lab.report().ok


def test_a_request_that_comes_again_meanwhile_is_the_same(lab: Lab, slow: Disk) -> None:
    peer = ask(lab)
    slow.wait()
    peer.ask(rrq("slow"))
    lab.check_alive()
    lab.report()
    slow.free.set()
    assert peer.take() == CONTENT
    assert lab.report().resent == 0


def test_a_peer_that_leaves_while_the_disk_hangs(lab: Lab, slow: Disk) -> None:
    peer = lab.peer()
    peer.ask(rrq("slow", blksize=1024))
    peer.expect(oack(blksize=1024))
    peer.say(ack(0))
    slow.wait()
    peer.say(error(0, "enough"))
    report = lab.report()
    assert "enough" in report.outcome
    lab.check_alive()
    lab.report()
    assert is_open(lab.root / "slow"), "as long as a thread reads it"
    slow.free.set()
    until(lambda: not is_open(lab.root / "slow"))


def test_an_error_of_the_disk_is_told_to_the_peer(lab: Lab, slow: Disk) -> None:
    slow.trouble = LocalError("Local error (EIO)")
    slow.free.set()
    assert parse_error(ask(lab).receive()) == (0, "Local error (EIO)")
    assert not lab.report().ok


def test_a_server_ends_although_a_disk_hangs(lab: Lab, slow: Disk) -> None:
    ask(lab)
    slow.wait()
    lab.server.stop(at_once=True)
    assert not lab.report().ok
    assert not slow.free.is_set()


def test_what_waits_for_its_disk_may_end_while_the_server_drains(lab: Lab, slow: Disk) -> None:
    peer = ask(lab)
    slow.wait()
    ending = threading.Thread(target=lab.server.stop)
    ending.start()
    slow.free.set()
    assert peer.take() == CONTENT
    ending.join(PATIENCE)
    assert not ending.is_alive()
    assert lab.report().ok


def test_text_from_a_slow_disk(lab: Lab, slow: Disk) -> None:
    text = b"a line\nand a\rreturn\n" * 5000
    lab.put_file("text", text)
    assert lab.peer().fetch("text", "netascii") == encode(text)
    assert slow.pieces > 0


@pytest.mark.parametrize("options", [{}, {"blksize": 1428}, {"blksize": 1428, "windowsize": 16}])
def test_a_file_dropped_from_the_page_cache(root: Path, options: dict[str, int]) -> None:
    """With the kernel's own word for what is in memory, and what it reads ahead itself."""
    content = CONTENT * 4
    with open_lab(root) as lab:
        path = lab.put_file("f", content)
        chill(path)
        if not is_cold(path):
            pytest.skip("this file system does not tell what is in memory, or it all is")
        chill(path)
        count = 0

        def read(*of: object) -> int | LocalError:
            nonlocal count
            count += 1
            return READ(*of)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(disk, "_read_piece", read)
            assert lab.peer().fetch("f", **options) == content
        report = lab.report()
        assert (report.ok, report.resent) == (True, 0)
        assert count, "nobody waited for the disk"
