"""Sinks: every octet in order, and errors that the wire has a code for."""

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
from tftp.errors import DiskFull, LocalError
from tftp.net.files import BufferSink, NetasciiSink, Readable, Sink, StreamSink
from tftp.net.refusal import refusal
from tftp.net.writing import write_all
from tftp.protocol.netascii import decode, encode

DATA = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


def views_of(data: bytes, size: int) -> list[memoryview]:
    view = memoryview(data)
    return [view[place : place + size] for place in range(0, len(data), size)]


def test_a_buffer_sink_keeps_copies_in_order() -> None:
    sink = BufferSink()
    arrival = bytearray(b"abcd")
    sink.write([memoryview(arrival)[:2], memoryview(arrival)[2:]])
    arrival[:] = b"####"
    sink.write([])
    sink.write([b"e", bytearray(b"f")])
    sink.commit()
    assert sink.getvalue() == b"abcdef"
    assert sink.written == 6


def test_a_discarded_buffer_sink_is_empty() -> None:
    sink = BufferSink()
    sink.write([b"abc"])
    sink.discard()
    sink.discard()
    assert sink.getvalue() == b""


def drained(write: Callable[[int], None], *, blocking: bool = True) -> bytes:
    """Gives a function the writing end of a pipe, and returns what came out."""
    reading, writing = os.pipe()
    os.set_blocking(writing, blocking)
    got: list[bytes] = []

    def drain() -> None:
        with os.fdopen(reading, "rb") as pipe:
            got.append(pipe.read())

    reader = Thread(target=drain, daemon=True)
    reader.start()
    try:
        write(writing)
    finally:
        os.close(writing)
        reader.join(20)
    return got[0]


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("size", [1, 512, 100_000])
def test_a_descriptor_gets_everything_however_slow_it_is(blocking: bool, size: int) -> None:
    data = DATA * (40 if size > 1 else 1)

    def write(file: int) -> None:
        sink = StreamSink(file)
        sink.write(views_of(data, size))
        sink.write([])
        sink.commit()
        assert sink.written == len(data)

    assert drained(write, blocking=blocking) == data


@pytest.mark.parametrize(("blocking", "buffering"), [(True, -1), (True, 0), (False, 0)])
def test_a_file_object_gets_everything(blocking: bool, buffering: int) -> None:
    data = DATA * 40

    def write(file: int) -> None:
        with os.fdopen(file, "wb", buffering=buffering, closefd=False) as stream:
            sink = StreamSink(stream)
            sink.write(views_of(data, 10_000))
            sink.commit()
            assert sink.written == len(data)

    assert drained(write, blocking=blocking) == data


def test_empty_views_are_no_reason_to_wait() -> None:
    views = [b""] * 1500 + [b"a"] + [b""] * 1500 + [b"b", b""]
    assert drained(lambda file: check(write_all(file, views), 2)) == b"ab"
    assert drained(lambda file: check(write_all(file, [b""]), 0)) == b""


def check(got: int, wanted: int) -> None:
    assert got == wanted


@pytest.mark.fault
def test_short_writes_of_the_kernel_are_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.writev

    def few(file: int, views: Sequence[bytes]) -> int:
        return real(file, [next(view for view in views if view)[:3]])

    monkeypatch.setattr(os, "writev", few)
    views = [b"abcd", b"", b"efghij", b"k"]
    assert drained(lambda file: check(write_all(file, views), 11)) == b"abcdefghijk"


def test_a_stream_is_flushed_by_commit_and_not_closed(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as stream:
        sink = StreamSink(stream)
        sink.write([b"abc"])
        sink.commit()
        assert (tmp_path / "f").read_bytes() == b"abc"
        sink.discard()
        assert not stream.closed


@pytest.mark.parametrize("end", ["commit", "discard"])
def test_an_owned_stream_is_closed_once(tmp_path: Path, end: str) -> None:
    stream = (tmp_path / "f").open("wb")
    file = os.open(tmp_path / "g", os.O_WRONLY | os.O_CREAT)
    for sink in (StreamSink(stream, owned=True), StreamSink(file, owned=True)):
        sink.write([b"abc"])
        getattr(sink, end)()
        sink.discard()
    assert stream.closed
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(file)


@pytest.mark.fault
def test_a_closed_pipe_is_a_local_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = StreamSink(writing, owned=True)
    with pytest.raises(LocalError) as caught:
        sink.write([b"abc"])
    assert text_of(caught.value) == "Local error (EPIPE)"
    sink.discard()


@pytest.mark.fault
def test_a_full_device_is_a_full_disk() -> None:
    file = os.open("/dev/full", os.O_WRONLY)
    sink = StreamSink(file, owned=True)
    with pytest.raises(DiskFull):
        sink.write([b"abc"])
    sink.discard()
    buffered = io.BufferedWriter(io.FileIO("/dev/full", "w"))
    sink = StreamSink(buffered)
    sink.write([b"abc"])
    with pytest.raises(DiskFull):
        sink.commit()
    with pytest.raises(OSError, match="No space"):
        buffered.close()


def test_netascii_is_decoded_on_its_way() -> None:
    inner = BufferSink()
    sink = NetasciiSink(inner)
    sink.write([b"foo\r", b"\nbar\r"])
    assert sink.written == 7
    sink.write([])
    sink.write([b"\0baz\r\nend\r"])
    sink.commit()
    assert inner.getvalue() == b"foo\nbar\rbaz\nend\r"
    assert sink.written == len(inner.getvalue())


def test_a_discarded_netascii_sink_discards_the_one_beneath() -> None:
    inner = BufferSink()
    sink = NetasciiSink(inner)
    sink.write([b"abc"])
    sink.discard()
    assert inner.getvalue() == b""


class Full:
    """A sink whose disk has room for three octets."""

    def __init__(self) -> None:
        self.written = 0
        self.ended: list[str] = []

    def write(self, views: Sequence[Readable]) -> None:
        self.written += sum(map(len, views))
        if self.written > 3:
            raise DiskFull("Disk full")

    def commit(self) -> None:
        self.ended.append("commit")

    def discard(self) -> None:
        self.ended.append("discard")


@pytest.mark.fault
def test_a_last_cr_that_finds_no_room_discards_the_file() -> None:
    inner = Full()
    sink: Sink = NetasciiSink(inner)
    sink.write([b"abc\r"])
    with pytest.raises(DiskFull):
        sink.commit()
    assert inner.ended == ["discard"]


@given(
    text=st.lists(st.sampled_from([b"\n", b"\r", b"\0", b"a", b"\xff"]), max_size=60).map(b"".join),
    size=st.integers(1, 9),
    window=st.integers(1, 4),
)
def test_netascii_arrives_whatever_the_blocks(text: bytes, size: int, window: int) -> None:
    for wire, local in ((encode(text), text), (text, decode(text))):
        inner = BufferSink()
        sink = NetasciiSink(inner)
        blocks = views_of(wire, size)
        for first in range(0, len(blocks), window):
            sink.write(blocks[first : first + window])
        sink.commit()
        assert inner.getvalue() == local


@pytest.mark.parametrize("number", [*errno.errorcode, 0, 99_999])
def test_every_refusal_of_the_kernel_has_a_text_that_may_be_sent(number: int) -> None:
    answer = refusal(OSError(number, "why", "/srv/secret/path"))
    assert 0 <= answer.code <= 8
    assert "secret" not in text_of(answer)


def test_an_error_without_a_number_has_a_text_too() -> None:
    assert text_of(refusal(io.UnsupportedOperation("read"))) == "Local error (unknown)"
