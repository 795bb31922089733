"""Files on a slow disk: the loop never waits, and every octet comes nevertheless."""

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import open_files
from tests.net.disks import TRAIN, Hand, Kernel, chill, is_cold, open_source, read, read_all, wait
from tftp.errors import FileChanged, LocalError
from tftp.net import disk
from tftp.net.cold import Cold
from tftp.net.disk import AHEAD, PIECE, DiskSource
from tftp.net.files import NetasciiSource
from tftp.net.openfiles import OpenFiles
from tftp.protocol.netascii import encode

CONTENT = random.Random(3).randbytes(3 * AHEAD + 12_345)


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(disk, "NOWAIT", 8)
    monkeypatch.setattr(disk, "_is_in_memory", lambda _: False)
    return Kernel(monkeypatch)


@pytest.fixture
def hand(kernel: Kernel) -> Hand:
    return Hand(kernel)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def source(path: Path, hand: Hand) -> Iterator[DiskSource]:
    with open_source(path) as source:
        yield source
    hand.finish()


def test_what_is_in_memory_costs_one_call_and_no_thread(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    kernel.memory.update(range(len(CONTENT) // 4096 + 1))
    assert read_all(source, hand) == CONTENT
    assert not hand.waiting
    assert not kernel.stalls
    assert kernel.asked == -(-len(CONTENT) // TRAIN) + 1


def test_a_cold_file_comes_whole_and_the_loop_never_waits(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    assert read_all(source, hand) == CONTENT
    assert not kernel.stalls


def test_nothing_is_read_before_it_is_fetched(source: DiskSource, hand: Hand) -> None:
    for _ in range(2):
        with pytest.raises(Cold) as cold:
            read(source, 0)
        assert cold.value.source is source
    assert not hand.waiting


def test_to_ask_for_help_twice_gets_it_once(source: DiskSource, hand: Hand) -> None:
    told: list[int] = []
    for number in (1, 2):
        with pytest.raises(Cold):
            read(source, 0)
        source.fetch(hand, lambda number=number: told.append(number))  # type: ignore[misc]
    assert len(hand.waiting) == 1
    hand.turn()
    assert told == [2]


def test_the_thread_stays_ahead_of_the_reader(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    """A reader that the disk can follow is cold once, at the start."""
    wait(source, hand, 0)
    colds = 0
    for offset in range(0, len(CONTENT), TRAIN):
        hand.finish()
        try:
            assert read(source, offset) == CONTENT[offset : offset + TRAIN]
        except Cold:
            colds += 1
    assert colds == 0
    assert not kernel.stalls


def test_no_more_is_read_ahead_than_allowed(source: DiskSource, hand: Hand, kernel: Kernel) -> None:
    wait(source, hand, 0)
    hand.finish()
    assert max(kernel.memory) * 4096 < AHEAD
    read(source, AHEAD // 2 - TRAIN)
    assert not hand.waiting, "before half of it is used up there is nothing to do"
    read(source, AHEAD // 2)
    hand.finish()
    assert AHEAD < max(kernel.memory) * 4096 < AHEAD * 3 // 2


def test_the_loop_is_told_after_a_piece_not_after_all(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    wait(source, hand, 0)
    assert len(kernel.memory) * 4096 == PIECE


def test_a_file_that_is_warm_but_for_a_hole(source: DiskSource, hand: Hand, kernel: Kernel) -> None:
    kernel.memory.update(range(len(CONTENT) // 4096 + 1))
    kernel.memory.difference_update(range(300, 310))
    assert read_all(source, hand) == CONTENT
    assert not kernel.stalls


def test_what_was_fetched_may_be_forgotten_again(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    """When memory is short, the kernel drops pages that were not used yet."""
    wait(source, hand, 0)
    hand.finish()
    kernel.memory.clear()
    assert wait(source, hand, TRAIN) == CONTENT[TRAIN : 2 * TRAIN]
    assert wait(source, hand, 0) == CONTENT[:TRAIN], "a sender goes back by a window"
    assert not kernel.stalls


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_kernel_that_cannot_tell_is_asked_once(
    source: DiskSource, hand: Hand, kernel: Kernel, number: int
) -> None:
    """Then what a thread has read counts as being there, and nothing else."""
    kernel.refusal = number
    assert read_all(source, hand) == CONTENT
    assert kernel.asked == 1
    assert not kernel.stalls


def test_a_system_without_the_flag(
    path: Path, hand: Hand, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "NOWAIT", 0)
    with open_source(path) as source:
        assert read_all(source, hand) == CONTENT
        assert wait(source, hand, TRAIN) == CONTENT[TRAIN : 2 * TRAIN]
    assert kernel.asked == 0
    assert not kernel.stalls


def test_a_kernel_that_always_says_not_now_is_not_asked_for_ever(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    kernel.refusal = errno.EAGAIN
    assert read_all(source, hand) == CONTENT
    assert kernel.asked == 2
    assert not kernel.stalls


def test_zero_for_not_now_is_not_the_end(
    source: DiskSource, hand: Hand, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux 5.9 and 5.10 say so."""
    honest = kernel.preadv

    def preadv(
        file: int, buffers: list[bytearray | memoryview], offset: int, flags: int = 0
    ) -> int:
        try:
            return honest(file, buffers, offset, flags)
        except BlockingIOError:
            return 0

    monkeypatch.setattr(os, "preadv", preadv)
    assert read_all(source, hand) == CONTENT
    assert not kernel.stalls


@pytest.mark.parametrize("refusal", [None, errno.EOPNOTSUPP])
@pytest.mark.parametrize("size", [0, 1, TRAIN, 2 * PIECE])
def test_the_end_of_a_file_is_its_end(
    tmp_path: Path, hand: Hand, kernel: Kernel, size: int, refusal: int | None
) -> None:
    """RFC1350-6-01: the block after a full last one is empty, and needs no disk."""
    kernel.refusal = refusal
    path = tmp_path / "small"
    path.write_bytes(CONTENT[:size])
    with open_source(path) as source:
        assert read_all(source, hand) == CONTENT[:size]
        assert read(source, size) == b""
        hand.finish()


def test_a_file_system_in_memory_needs_no_thread(
    source: DiskSource, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.refusal = errno.EOPNOTSUPP
    monkeypatch.setattr(disk, "_is_in_memory", lambda _: True)
    assert read_all(source, Hand()) == CONTENT
    assert kernel.asked == 1


def test_which_file_systems_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "29 1 {} / /place rw,nosuid shared:4 - {} none rw\n"
    mounts = tmp_path / "mounts"
    mounts.write_text(line.format("0:1", "proc") + line.format("8:2", "tmpfs"))
    is_in_memory = disk._is_in_memory.__wrapped__
    monkeypatch.setattr(disk, "MOUNTS", mounts)
    assert is_in_memory(os.makedev(8, 2))
    assert not is_in_memory(os.makedev(0, 1))
    assert not is_in_memory(os.makedev(8, 1)), "it is not in the table"
    monkeypatch.setattr(disk, "MOUNTS", tmp_path / "absent")
    assert not is_in_memory(os.makedev(8, 2))


@pytest.mark.fault
def test_a_disk_that_cannot_read_says_so_to_who_waits(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    kernel.bad = {0}
    with pytest.raises(LocalError, match=r"^Local error \(EIO\)$"):
        wait(source, hand, 0)


@pytest.mark.fault
def test_what_cannot_be_read_ahead_matters_when_the_reader_comes(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    place = 100 * 4096
    kernel.bad = {100}
    whole = b""
    while len(whole) + TRAIN <= place:
        whole += wait(source, hand, len(whole))
        hand.finish()
    with pytest.raises(LocalError, match="EIO"):
        wait(source, hand, len(whole))
    assert whole == CONTENT[: len(whole)]
    assert not kernel.stalls


@pytest.mark.fault
def test_a_disk_that_recovers_before_the_reader_comes_is_forgiven(
    source: DiskSource, hand: Hand, kernel: Kernel
) -> None:
    kernel.bad = {100}
    wait(source, hand, 0)
    hand.finish()
    kernel.bad.clear()
    assert read_all(source, hand) == CONTENT


@pytest.mark.fault
@pytest.mark.parametrize("refusal", [None, errno.EOPNOTSUPP])
def test_a_file_that_shrinks_while_it_is_cold(
    path: Path, source: DiskSource, hand: Hand, kernel: Kernel, refusal: int | None
) -> None:
    kernel.refusal = refusal
    assert wait(source, hand, 0) == CONTENT[:TRAIN]
    hand.finish()
    os.truncate(path, 2 * TRAIN + 1)
    assert wait(source, hand, TRAIN) == CONTENT[TRAIN : 2 * TRAIN]
    with pytest.raises(FileChanged):
        wait(source, hand, 2 * TRAIN)


@pytest.mark.fault
def test_a_file_that_grows_is_an_error_at_its_end(
    path: Path, source: DiskSource, hand: Hand
) -> None:
    with path.open("ab") as file:
        file.write(b"more" * 5000)
    with pytest.raises(FileChanged):
        read_all(source, hand)


def test_text_from_a_cold_file_loses_nothing(tmp_path: Path, hand: Hand, kernel: Kernel) -> None:
    text = b"A line of text\nand a bare\rreturn\n" * 10_000
    path = tmp_path / "text"
    path.write_bytes(text)
    with NetasciiSource(open_source(path), 4 * 1024) as source:
        assert read_all(source, hand, 1024) == encode(text)
        hand.finish()
    assert not kernel.stalls


def test_a_file_is_closed_only_when_the_thread_has_done_with_it(path: Path, hand: Hand) -> None:
    """Or the number would be another file's, and its octets somebody else's."""
    before = open_files()
    source = open_source(path)
    with pytest.raises(Cold):
        read(source, 0)
    told: list[bool] = []
    source.fetch(hand, lambda: told.append(True))
    follow = hand.work()
    source.close()
    source.close()
    assert len(open_files()) == len(before) + 1
    follow()
    assert open_files() == before
    assert not told
    assert not hand.waiting


def test_work_for_a_transfer_that_is_over_is_not_done(
    path: Path, hand: Hand, kernel: Kernel
) -> None:
    source = open_source(path)
    with pytest.raises(Cold):
        read(source, 0)
    source.fetch(hand, lambda: None)
    source.close()
    assert hand.finish() == 1
    assert not kernel.memory


@pytest.mark.fault
def test_a_disk_that_is_gone_says_so_to_nobody_at_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system does; the descriptor is free all the same."""
    close = os.close

    def fail(file: int) -> None:
        close(file)
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    for source in (open_source(path), OpenFiles().source(os.open(path, os.O_RDONLY))):
        with monkeypatch.context() as patch:
            patch.setattr(os, "close", fail)
            source.close()


def test_a_shared_file_stays_open_for_the_others(path: Path, hand: Hand) -> None:
    status = path.stat()
    os.utime(path, (status.st_atime - 3600, status.st_mtime - 3600))
    files = OpenFiles()
    one, other = (files.source(os.open(path, os.O_RDONLY)) for _ in range(2))
    with pytest.raises(Cold):
        read(one, 0)
    one.fetch(hand, lambda: None)
    one.close()
    assert read_all(other, hand) == CONTENT
    other.close()
    hand.finish()
    assert len(files) == 0


def test_a_file_dropped_from_the_real_page_cache(path: Path) -> None:
    """The one test here that asks the kernel itself."""
    chill(path)
    if not is_cold(path):
        pytest.skip("this file system does not tell what is in memory, or it all is")
    chill(path)
    hand = Hand()
    with open_source(path) as source:
        with pytest.raises(Cold):
            read(source, AHEAD)
        chill(path)
        assert read_all(source, hand) == CONTENT
        hand.finish()
