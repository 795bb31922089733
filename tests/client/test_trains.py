"""Gets whose windows come as trains: cuts, gaps, strangers, and when octets are written.

RFC 7440 section 4, and RFC 1350 section 4 for strangers. The server sends many blocks in
one call, as a kernel that can segment does; where it cannot, all holds as well.
"""

import errno
import io
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tftp
from tests.client.scripted import PATIENCE, Line, Stage, ack, error, oack
from tftp.net.files import Readable
from tftp.net.writing import write_all

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BLOCK = 1024
ROOM = 60  # blocks that one call of the server takes


def open_window(stage: Stage, window: int, **options: int) -> Line:
    line = stage.accept()
    line.send(oack(blksize=BLOCK, windowsize=window, **options))
    line.expect(ack(0))
    return line


def debris(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


# 300 blocks are more than is kept in memory before it is written: 256 KiB.
@pytest.mark.parametrize("window", [2, 64, 300])
@pytest.mark.parametrize("rest", [-BLOCK, -1, 0, 1])
@pytest.mark.parametrize("blocks", [1, 60, 64, 255, 256, 300, 600])
def test_every_octet_arrives_wherever_the_file_ends(
    tmp_path: Path, window: int, rest: int, blocks: int
) -> None:
    content = os.urandom(blocks * BLOCK + rest)

    def script(stage: Stage) -> None:
        open_window(stage, window, tsize=len(content)).serve(content, BLOCK, window, train=ROOM)

    with Stage(script) as stage:
        result = tftp.download(
            stage.host, "a", tmp_path / "a", port=stage.port, block_size=BLOCK, window=window
        )
    assert (tmp_path / "a").read_bytes() == content
    assert (result.resent, result.timeouts) == (0, 0)


def test_a_gap_inside_a_train_is_told_at_once_and_filled() -> None:
    content = os.urandom(20 * BLOCK - 1)

    def script(stage: Stage) -> None:
        line = open_window(stage, 8)
        line.send_blocks(content, [1, 2, 3, 5, 6, 7, 8], BLOCK)
        line.expect(ack(3))
        line.send_blocks(content, range(4, 12), BLOCK)
        line.expect(ack(11))
        line.send_blocks(content, range(13, 20), BLOCK)  # the first of a window
        line.expect(ack(11))
        line.send_blocks(content, range(12, 20), BLOCK)
        line.expect(ack(19))
        line.send_blocks(content, [20], BLOCK)
        line.expect(ack(20))

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, block_size=BLOCK, window=8) == content


def test_what_is_no_block_does_no_harm_in_a_train() -> None:
    """A repeated OACK is shorter than a block: the kernel may hand over both at once."""
    content = os.urandom(16 * BLOCK + 5)
    again = oack(blksize=BLOCK, windowsize=8)

    def script(stage: Stage) -> None:
        line = open_window(stage, 8)
        for first in (1, 9):
            for block in range(first, first + 6, 3):
                packets = [line.block(content, number, BLOCK) for number in range(block, block + 3)]
                line.send_train(*packets, again)
            line.send_blocks(content, range(first + 6, first + 8), BLOCK)
            line.expect(ack(first + 7))
        line.send_blocks(content, [17], BLOCK)
        line.expect(ack(17))

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, block_size=BLOCK, window=8) == content


def test_blocks_that_came_before_are_not_written_twice() -> None:
    content = os.urandom(16 * BLOCK + 5)

    def script(stage: Stage) -> None:
        line = open_window(stage, 8)
        line.send_blocks(content, range(1, 5), BLOCK)
        line.send_blocks(content, range(3, 9), BLOCK)
        line.expect(ack(8))
        line.send_blocks(content, range(1, 9), BLOCK)
        line.expect(ack(8))
        line.send_blocks(content, range(9, 17), BLOCK)
        line.expect(ack(16))
        line.send_blocks(content, [17], BLOCK)
        line.expect(ack(17))

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, block_size=BLOCK, window=8) == content


def test_a_stranger_among_trains_is_told_so_and_changes_nothing() -> None:
    content = os.urandom(40 * BLOCK + 7)
    forged = bytes(40 * BLOCK)

    def script(stage: Stage) -> None:
        asked = stage.request()
        line, stranger = stage.answer(asked), stage.answer(asked)
        line.send(oack(blksize=BLOCK, windowsize=16))
        line.expect(ack(0))
        line.send_blocks(content, range(1, 10), BLOCK)
        stranger.send_blocks(forged, range(10, 17), BLOCK)
        line.send_blocks(content, range(10, 17), BLOCK)
        stranger.expect_error(5)
        line.expect(ack(16))
        stranger.send_blocks(forged, [17], BLOCK)
        line.send_blocks(content, range(17, 33), BLOCK)
        line.expect(ack(32))
        line.send_blocks(content, range(33, 42), BLOCK)
        line.expect(ack(41))

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, block_size=BLOCK, window=16) == content


def test_a_window_is_acknowledged_before_it_is_written_and_the_last_one_after() -> None:
    content = os.urandom(8 * BLOCK + 1)
    heard = threading.Event()

    class Slow(io.BytesIO):
        def write(self, octets: "ReadableBuffer") -> int:
            if len(self.getvalue()) < 8 * BLOCK:
                assert heard.wait(PATIENCE), "the server has not heard of a window that is here"
            return super().write(octets)

    written = Slow()

    def script(stage: Stage) -> None:
        line = open_window(stage, 4)
        line.send_blocks(content, range(1, 5), BLOCK)
        line.expect(ack(4))
        assert not written.getvalue()
        heard.set()
        line.send_blocks(content, range(5, 9), BLOCK)
        line.expect(ack(8))
        line.send_blocks(content, [9], BLOCK)
        line.expect(ack(9))
        assert written.getvalue() == content, "the last ACK says that all of it is there"

    with Stage(script) as stage:
        tftp.download(stage.host, "a", written, port=stage.port, block_size=BLOCK, window=4)


@pytest.mark.parametrize("count", [1, 3])
def test_what_has_come_of_a_window_does_not_wait_for_the_rest_of_it(count: int) -> None:
    seen = threading.Event()

    class Noting(io.BytesIO):
        def write(self, octets: "ReadableBuffer") -> int:
            seen.set()
            return super().write(octets)

    def script(stage: Stage) -> None:
        line = open_window(stage, 4)
        line.send_blocks(bytes(BLOCK * count), range(1, count + 1), BLOCK)
        assert seen.wait(PATIENCE)
        line.send(error(0, "enough"))

    with Stage(script) as stage, pytest.raises(tftp.PeerError, match="enough"):
        tftp.download(stage.host, "a", Noting(), port=stage.port, block_size=BLOCK, window=4)


class Full:
    """A disk that has room for so many octets, half of the next write included."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self._room = room
        monkeypatch.setattr("tftp.net.upload.write_all", self.write_all)

    def write_all(self, file: int, views: Sequence[Readable]) -> int:
        octets = b"".join(views)
        count = write_all(file, [octets[: self._room]])
        self._room -= count
        if count < len(octets):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return count


WINDOW = 80  # blocks: more than the octets that are kept for a larger write


# No room at all, room for less than two windows, and for all but the last block.
@pytest.mark.fault
@pytest.mark.parametrize("room", [0, (WINDOW + 50) * BLOCK + 7, 2 * WINDOW * BLOCK])
@pytest.mark.parametrize("there", [True, False])
def test_a_disk_that_fills_up_leaves_what_was_there_and_is_told_to_both(
    tmp_path: Path, there: bool, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {"a": b"old"} if there else {}
    for name, octets in before.items():
        (tmp_path / name).write_bytes(octets)
    content = os.urandom(2 * WINDOW * BLOCK + 1)
    last = 2 * WINDOW + 1
    texts: list[bytes] = []

    def script(stage: Stage) -> None:
        line = open_window(stage, WINDOW, tsize=len(content))
        block = 0
        while (answer := line.receive() if block else ack(0)) == ack(block):
            assert block < last, "the last ACK says that all of it is there"
            first, block = block + 1, min(block + WINDOW, last)
            for start in range(first, block + 1, ROOM):
                line.send_blocks(content, range(start, min(start + ROOM, block + 1)), BLOCK)
        assert answer[:4] == b"\0\5\0\3"
        texts.append(answer[4:-1])

    Full(monkeypatch, room)
    with Stage(script) as stage, pytest.raises(tftp.DiskFull) as caught:
        tftp.download(
            stage.host, "a", tmp_path / "a", port=stage.port, block_size=BLOCK, window=WINDOW
        )
    assert str(caught.value) == f"Cannot write '{tmp_path / 'a'}': No space left on device"
    assert texts == [b"Disk full"]
    assert debris(tmp_path) == before


def test_a_download_that_is_cancelled_between_two_windows_leaves_nothing(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def progress(done: int, _: int | None) -> None:
        if done >= 4 * BLOCK:
            raise Stop

    content = os.urandom(8 * BLOCK + 1)

    def script(stage: Stage) -> None:
        line = open_window(stage, 4, tsize=len(content))
        line.send_blocks(content, range(1, 5), BLOCK)
        line.expect(ack(4))
        assert line.expect_error(0) == b"Cancelled"

    with Stage(script) as stage, pytest.raises(Stop):
        tftp.download(
            stage.host,
            "a",
            tmp_path / "a",
            port=stage.port,
            block_size=BLOCK,
            window=4,
            timeout=60,
            progress=progress,
        )
    assert debris(tmp_path) == {}
