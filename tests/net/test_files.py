"""Sources: the right octets at every offset, and a short read only at the end."""

import errno
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.net.children import open_files
from tests.net.trees import text_of
from tftp.errors import FileChanged, LocalError
from tftp.net.files import (
    BytesSource,
    FileSource,
    NetasciiSource,
    Source,
    StreamSource,
)
from tftp.protocol.netascii import encode

DATA = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


def buffers_of(*sizes: int) -> list[memoryview]:
    """Buffers as a train has them: slices of one block of memory, with gaps between."""
    train = memoryview(bytearray(b"#" * sum(size + 4 for size in sizes)))
    cut = []
    for size in sizes:
        cut.append(train[4 : 4 + size])
        train = train[4 + size :]
    return cut


def read(source: Source, offset: int, *sizes: int) -> bytes:
    buffers = buffers_of(*sizes)
    count = source.read_into(buffers, offset)
    assert 0 <= count <= sum(sizes)
    return b"".join(buffers)[:count]


def read_whole(source: Source, size: int) -> bytes:
    got = bytearray()
    while piece := read(source, len(got), size):
        got += piece
        if len(piece) < size:
            break
    return bytes(got)


def file_source(path: Path, content: bytes) -> FileSource:
    path.write_bytes(content)
    return FileSource(os.open(path, os.O_RDONLY))


Maker = Callable[[Path, bytes], Source]
RANDOM_ACCESS: dict[str, Maker] = {
    "file": file_source,
    "bytes": lambda _, content: BytesSource(content),
    "memoryview": lambda _, content: BytesSource(memoryview(bytearray(content))),
    "stream": lambda _, content: StreamSource(io.BytesIO(content), keep=1 << 30),
}


@pytest.mark.parametrize("kind", RANDOM_ACCESS)
def test_octets_come_from_any_offset_into_any_buffers(tmp_path: Path, kind: str) -> None:
    source = RANDOM_ACCESS[kind](tmp_path / "f", DATA)
    assert read(source, 0, 512) == DATA[:512]
    assert read(source, 512, 512, 512, 1, 0, 7) == DATA[512:1544]
    assert read(source, 3, 5) == DATA[3:8]
    assert read(source, 0) == b""
    assert read(source, 7, 0) == b""
    assert read(source, len(DATA) - 5, 3, 5, 100) == DATA[-5:]
    assert read(source, len(DATA), 512) == b""
    assert read(source, len(DATA) + 99, 512, 512) == b""
    assert read(source, 0, len(DATA)) == DATA
    assert read(source, 1, len(DATA)) == DATA[1:]
    source.close()
    source.close()


@pytest.mark.parametrize("kind", RANDOM_ACCESS)
def test_a_file_of_nothing_ends_at_once(tmp_path: Path, kind: str) -> None:
    source = RANDOM_ACCESS[kind](tmp_path / "f", b"")
    assert read(source, 0, 512) == b""
    assert read(source, 0, 512) == b""
    source.close()


@pytest.mark.parametrize("kind", RANDOM_ACCESS)
def test_what_lies_between_and_after_the_buffers_stays(tmp_path: Path, kind: str) -> None:
    source = RANDOM_ACCESS[kind](tmp_path / "f", b"abcdef")
    train = bytearray(b"#" * 16)
    view = memoryview(train)
    assert source.read_into([view[1:3], view[4:6], view[8:14]], 0) == 6
    assert train == b"#ab#cd##ef######"
    source.close()


def test_a_bytearray_is_a_buffer_too(tmp_path: Path) -> None:
    with file_source(tmp_path / "f", b"abcdef") as source:
        buffer = bytearray(4)
        assert source.read_into([buffer], 1) == 4
        assert buffer == b"bcde"


@pytest.mark.parametrize("kind", RANDOM_ACCESS)
def test_more_buffers_than_one_call_of_the_kernel_takes(tmp_path: Path, kind: str) -> None:
    source = RANDOM_ACCESS[kind](tmp_path / "f", DATA)
    assert read(source, 1, *[3] * 2500) == DATA[1:7501]
    assert read(source, len(DATA) - 4000, *[3] * 2500) == DATA[-4000:]
    assert read(source, 2, *[0] * 1024, *[3] * 3, *[0] * 1100, 2) == DATA[2:13]
    source.close()


def test_the_size_is_known_where_it_can_be(tmp_path: Path) -> None:
    with file_source(tmp_path / "f", DATA) as source:
        assert source.size == len(DATA)
    assert BytesSource(DATA).size == len(DATA)
    assert BytesSource(memoryview(bytes(8)).cast("I")).size == 8
    assert StreamSource(io.BytesIO(DATA), 1).size is None
    with NetasciiSource(BytesSource(DATA), 1) as coated:
        assert coated.size is None


def test_a_file_beyond_four_gigabytes_is_read_at_its_end(tmp_path: Path) -> None:
    size = (1 << 32) + 1000
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(size - 3)
        file.seek(size - 3)
        file.write(b"end")
    with FileSource(os.open(path, os.O_RDONLY)) as source:
        assert source.size == size
        assert read(source, size - 5, 512) == b"\0\0end"


@pytest.mark.fault
def test_what_is_appended_later_is_not_delivered(tmp_path: Path) -> None:
    """Nor is the file taken for a whole one: what was appended to may have been rewritten."""
    path = tmp_path / "f"
    with file_source(path, b"abc") as source:
        with path.open("ab") as file:
            file.write(b"def")
        assert source.size == 3
        assert read(source, 0, 3) == b"abc"
        for offset, room in ((0, [512]), (1, [1, 1, 1]), (3, [512])):
            with pytest.raises(FileChanged):
                read(source, offset, *room)


@pytest.mark.fault
@pytest.mark.parametrize("left", [0, 1, 511, 512, 600, 1023])
def test_a_file_that_shrinks_is_an_error_and_no_short_file(tmp_path: Path, left: int) -> None:
    path = tmp_path / "f"
    with file_source(path, DATA[:1024]) as source:
        assert read(source, 0, 512) == DATA[:512]
        os.truncate(path, left)
        with pytest.raises(FileChanged) as caught:
            read(source, 512, 512)
        text_of(caught.value)
        with pytest.raises(FileChanged):
            read(source, 512, 512, 512)


@pytest.mark.fault
def test_a_file_that_is_removed_or_replaced_is_sent_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with file_source(path, DATA) as source:
        path.unlink()
        path.write_bytes(b"new")
        assert read_whole(source, 512) == DATA


@pytest.mark.fault
def test_short_reads_of_the_kernel_are_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.preadv

    def few(file: int, buffers: Sequence[memoryview], offset: int) -> int:
        return real(file, [buffer for buffer in buffers if buffer][:1], offset) and real(
            file, [next(buffer for buffer in buffers if buffer)[:3]], offset
        )

    with file_source(tmp_path / "f", DATA) as source:
        monkeypatch.setattr(os, "preadv", few)
        assert read(source, 5, 0, 4, 7, 0, 100) == DATA[5:116]
        assert read(source, len(DATA) - 10, 4, 100) == DATA[-10:]


@pytest.mark.fault
def test_a_disk_that_fails_is_a_local_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "no", str(tmp_path))

    with file_source(tmp_path / "f", DATA) as source:
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(LocalError) as caught:
            read(source, 0, 512)
        assert text_of(caught.value) == "Local error (EIO)"


def test_a_file_source_owns_its_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = file_source(tmp_path / "f", DATA)
    source.close()
    source.close()
    with pytest.raises(LocalError):
        read(source, 0, 1)

    real = os.fstat

    def fail(number: int) -> os.stat_result:
        if number == file:
            raise OSError(errno.EIO, "no")
        return real(number)

    file = os.open(tmp_path / "f", os.O_RDONLY)
    monkeypatch.setattr(os, "fstat", fail)
    with pytest.raises(LocalError):
        FileSource(file)


def piped(pieces: Sequence[bytes]) -> int:
    """The reading end of a pipe that a thread fills piece by piece."""
    reading, writing = os.pipe()

    def fill() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for piece in pieces:
                pipe.write(piece)

    Thread(target=fill, daemon=True).start()
    return reading


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_is_read_to_its_end_however_it_trickles(buffering: int, blocking: bool) -> None:
    data = DATA * 20
    reading = piped([data[place : place + 777] for place in range(0, len(data), 777)])
    os.set_blocking(reading, blocking)
    with os.fdopen(reading, "rb", buffering=buffering) as pipe:
        assert read_whole(StreamSource(pipe, 512), 512) == data


def test_a_stream_source_reads_no_further_than_asked() -> None:
    stream = io.BytesIO(DATA)
    source = StreamSource(stream, 512)
    read(source, 0, 512)
    assert stream.tell() == 512
    source.close()
    assert not stream.closed


@pytest.mark.fault
def test_a_stream_that_fails_is_a_local_error(tmp_path: Path) -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            raise OSError(errno.EIO, "no", str(tmp_path))

    with pytest.raises(LocalError) as caught:
        read(StreamSource(Broken(), 512), 0, 512)  # type: ignore[arg-type]
    text_of(caught.value)


def replays(data: bytes, keep: int) -> dict[str, tuple[Source, bytes]]:
    return {
        "stream": (StreamSource(io.BytesIO(data), keep), data),
        "netascii": (NetasciiSource(BytesSource(data), keep), encode(data)),
        "netascii of a stream": (
            NetasciiSource(StreamSource(io.BytesIO(data), 0), keep),
            encode(data),
        ),
    }


@pytest.mark.parametrize("kind", replays(b"", 1))
def test_a_replay_goes_back_by_what_it_keeps_and_no_further(kind: str) -> None:
    source, wire = replays(DATA, 1000)[kind]
    assert read(source, 0, 500, 500) == wire[:1000]
    assert read(source, 0, 1000) == wire[:1000]
    assert read(source, 1000, 500) == wire[1000:1500]
    assert read(source, 500, 600) == wire[500:1100]
    assert read(source, 500, 1000) == wire[500:1500]
    with pytest.raises(ValueError, match="offset 499 is gone"):
        read(source, 499, 1)


@pytest.mark.parametrize("kind", replays(b"", 1))
def test_the_end_can_be_read_again(kind: str) -> None:
    source, wire = replays(DATA[:1300], 512)[kind]
    for offset in range(0, len(wire) + 1, 256):
        for _ in range(2):
            assert read(source, offset, 512) == wire[offset : offset + 512]
    assert read(source, len(wire) + 10_000, 512) == b""
    assert read(source, len(wire) - 100, 512) == wire[-100:]


@pytest.mark.parametrize("size", [8, 9, 512])
def test_netascii_pairs_may_be_split_and_repeated(size: int) -> None:
    text = (b"x" * (size - 1) + b"\n\r") * 7
    wire = encode(text)
    source = NetasciiSource(BytesSource(text), 2 * size)
    for offset in range(0, len(wire) + 1, size):
        first = read(source, offset, size)
        assert first == wire[offset : offset + size]
        back = max(0, offset - size)
        assert read(source, back, size, size) == wire[back : back + 2 * size]


def test_a_netascii_source_owns_the_one_beneath_and_passes_its_errors_on(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with NetasciiSource(file_source(path, DATA), 512) as source:
        read(source, 0, 512)
        os.truncate(path, 10)
        with pytest.raises(FileChanged):
            read(source, 512, 512)


@given(
    data=st.binary(max_size=300) | st.lists(st.sampled_from(b"\r\n\0a"), max_size=300).map(bytes),
    size=st.integers(1, 40),
    window=st.integers(1, 5),
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40),
)
def test_a_sender_that_loses_packets_reads_what_random_access_gives(
    data: bytes, size: int, window: int, steps: list[tuple[int, int]]
) -> None:
    """Bursts of a window from a base that only moves on, sent again in any part."""
    for source, wire in replays(data, size * window).values():
        base = reach = 0
        for ahead, back in steps:
            first = max(base, reach - back * size)
            blocks = max(0, min(ahead, (base + window * size - first) // size))
            got = read(source, first, *[size] * blocks)
            assert got == wire[first : first + size * blocks]
            reach = max(reach, first + len(got))
            base = max(base, first)
