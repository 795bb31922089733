"""Small writes made large: what reaches the sink beneath, and when."""

import itertools
import os
from collections.abc import Sequence

import pytest

from tftp.client.pieces import PIECE, Pieces
from tftp.errors import DiskFull
from tftp.net.files import Readable


class Beneath:
    """A sink that notes all that is asked of it, and has room for so many octets."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.content = bytearray()
        self.sizes: list[int] = []
        self.calls: list[str] = []
        self._room = room

    @property
    def written(self) -> int:
        return len(self.content)

    def write(self, views: Sequence[Readable]) -> None:
        octets = b"".join(views)
        if len(self.content) + len(octets) > self._room:
            raise DiskFull("Disk full")
        self.content += octets
        self.sizes.append(len(octets))

    def commit(self) -> None:
        self.calls.append("commit")

    def discard(self) -> None:
        self.calls.append("discard")


def cut(content: bytes, sizes: Sequence[int]) -> list[list[memoryview]]:
    """Cuts into writes of one view each and of several, of those sizes in turn."""
    writes: list[list[memoryview]] = []
    view = memoryview(content)
    for size, number in zip(itertools.cycle(sizes), itertools.count()):
        if not view:
            return writes
        if number % 3 == 1:
            writes[-1].append(view[:size])
        else:
            writes.append([view[:size]])
        view = view[size:]
    raise AssertionError("it cycles for ever")


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE, 5 * PIECE - 1])
@pytest.mark.parametrize("sizes", [[512], [1428], [45 * 1428, 19 * 1428], [PIECE], [3 * PIECE + 1]])
def test_all_octets_reach_the_sink_in_whole_pieces(size: int, sizes: Sequence[int]) -> None:
    content = os.urandom(size)
    sink = Beneath()
    pieces = Pieces(sink)
    done = 0
    for views in cut(content, sizes):
        pieces.write(views)
        done += sum(map(len, views))
        assert pieces.written == done
        assert sink.written == done // PIECE * PIECE
    pieces.commit()
    assert sink.content == content
    assert all(count % PIECE == 0 for count in sink.sizes[:-1])
    assert sink.calls == ["commit"]


def test_what_is_kept_is_a_copy() -> None:
    """The views are of a buffer that the next packet overwrites."""
    sink = Beneath()
    pieces = Pieces(sink)
    buffer = bytearray(b"first")
    pieces.write([memoryview(buffer)])
    buffer[:] = b"other"
    pieces.commit()
    assert sink.content == b"first"


def test_a_write_of_nothing_is_nothing() -> None:
    sink = Beneath()
    pieces = Pieces(sink)
    pieces.write([])
    pieces.write([b""])
    pieces.commit()
    assert not sink.content
    assert not sink.sizes


@pytest.mark.fault
def test_a_full_disk_is_told_by_the_write_that_finds_it_so() -> None:
    pieces = Pieces(Beneath(room=PIECE))
    pieces.write([bytes(PIECE + 5)])
    with pytest.raises(DiskFull):
        pieces.write([bytes(PIECE)])


@pytest.mark.fault
def test_a_disk_that_is_full_at_the_end_leaves_nothing() -> None:
    sink = Beneath(room=PIECE)
    pieces = Pieces(sink)
    pieces.write([bytes(PIECE + 5)])
    with pytest.raises(DiskFull):
        pieces.commit()
    assert sink.calls == ["discard"]


def test_what_is_discarded_reaches_nobody() -> None:
    sink = Beneath()
    pieces = Pieces(sink)
    pieces.write([b"half"])
    pieces.discard()
    pieces.discard()
    assert sink.content == b""
    assert set(sink.calls) == {"discard"}
