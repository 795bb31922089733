"""Puts: what is sent, from where, and what is said when it does not arrive (RFC 1350, 2349)."""

import io
import os
import threading
from pathlib import Path

import pytest

import tftp
from tests.client.scripted import PATIENCE, Script, Stage, ack, data, error, oack
from tftp import Client, LocalError, PeerError, TransferTimeout

CONTENT = bytes(range(256)) * 5


class Taker:
    """A script that takes one file, and keeps what it got."""

    def __init__(self, **granted: int) -> None:
        self.granted = granted
        self.options: dict[str, str] = {}
        self.content = b""

    def __call__(self, stage: Stage) -> None:
        asked = stage.request()
        assert asked.opcode == 2
        self.options = asked.options
        line = stage.answer(asked)
        line.send(oack(**self.granted) if self.granted else ack(0))
        self.content = line.take(
            self.granted.get("blksize", 512), self.granted.get("windowsize", 1)
        )


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024])
def test_bytes_of_any_size_are_sent(size: int) -> None:
    content, taker = os.urandom(size), Taker()
    with Stage(taker) as stage:
        tftp.put(stage.host, "a", content, port=stage.port)
    assert taker.content == content
    assert taker.options["tsize"] == str(size)


def test_a_file_is_sent_in_windows_and_its_size_is_told(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(content := os.urandom(300_001))
    taker = Taker(blksize=1400, windowsize=5)
    with Stage(taker) as stage:
        result = tftp.upload(stage.host, "a", tmp_path / "f", port=stage.port)
    assert taker.content == content
    assert taker.options["tsize"] == "300001"
    assert (result.size, result.terms.block_size, result.terms.window) == (300_001, 1400, 5)
    assert (result.resent, result.timeouts, result.path) == (0, 0, None)


def test_an_open_file_is_sent_from_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    for opened in (io.BytesIO(CONTENT), (tmp_path / "f").open("rb")):
        with opened:
            opened.seek(100)
            taker = Taker(blksize=600)
            with Stage(taker) as stage:
                tftp.upload(stage.host, "a", opened, port=stage.port)
            assert taker.content == CONTENT[100:]
            assert taker.options["tsize"] == str(len(CONTENT) - 100)
            assert not opened.closed


def test_a_pipe_is_sent_without_a_size_and_its_slow_writer_is_waited_for() -> None:
    read, write = os.pipe()
    step = threading.Event()
    taker = Taker(blksize=1000, windowsize=2)

    def script(stage: Stage) -> None:
        stage.no_request(0.1)  # nothing is asked before there is something to send
        step.set()
        taker(stage)

    def feed() -> None:
        with os.fdopen(write, "wb", buffering=0) as pipe:
            pipe.write(CONTENT[:999])
            step.wait(PATIENCE)
            pipe.write(CONTENT[999:])

    feeder = threading.Thread(target=feed)
    feeder.start()
    with Stage(script) as stage, os.fdopen(read, "rb") as source:
        result = tftp.upload(
            stage.host, "a", source, port=stage.port, block_size=1000, window=2, timeout=0.05
        )
    feeder.join(PATIENCE)
    assert taker.content == CONTENT
    assert "tsize" not in taker.options
    assert (result.resent, result.timeouts) == (0, 0)


def test_a_named_pipe_is_sent(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    writer = threading.Thread(target=lambda: pipe.write_bytes(CONTENT))
    writer.start()
    taker = Taker()
    with Stage(taker) as stage:
        tftp.upload(stage.host, "a", pipe, port=stage.port)
    writer.join(PATIENCE)
    assert taker.content == CONTENT


def test_a_stream_keeps_what_a_rewind_needs() -> None:
    content = os.urandom(5000)

    class Forward(io.RawIOBase):
        """Readable, and never to be read again."""

        def __init__(self) -> None:
            self.inner = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            return self.inner.readinto(buffer)  # type: ignore[arg-type]

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=1000, windowsize=4))
        first = [line.receive() for _ in range(4)]
        line.send(ack(1))  # the second block was lost
        again = [line.receive() for _ in range(4)]
        assert again[:3] == first[1:]
        line.send(ack(5))
        line.expect(data(6, b""))
        line.send(ack(6))
        assert b"".join(p[4:] for p in [first[0], *again]) == content

    with Stage(script) as stage:
        source = io.BufferedReader(Forward())
        client = Client(stage.host, stage.port, block_size=1000, window=4)
        result = client.upload("a", source)
    assert result.resent == 3
    assert result.size == 5000


def test_the_window_of_a_stream_is_limited_by_what_is_kept() -> None:
    taker = Taker()
    with Stage(taker) as stage:
        client = Client(stage.host, stage.port, block_size=65464, window=65535)
        client.upload("a", io.BytesIO(b"x"))
    assert taker.options["windowsize"] == str((16 << 20) // 65464)


def test_netascii_is_made_of_local_text_and_no_size_is_told() -> None:
    taker = Taker()
    with Stage(taker) as stage:
        tftp.put(stage.host, "a", b"a\nb\rc" + b"\n" * 400, port=stage.port, mode="netascii")
    assert taker.content == b"a\r\nb\r\0c" + b"\r\n" * 400
    assert "tsize" not in taker.options


def test_a_last_block_that_is_never_acknowledged_is_told_as_uncertain() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(ack(0))
        line.expect(data(1, b"x"))

    with Stage(script) as stage, pytest.raises(TransferTimeout, match="probably complete"):
        tftp.put(stage.host, "a", b"x", port=stage.port, timeout=0.05, retries=1, options=False)


@pytest.mark.fault
def test_a_server_that_falls_silent_is_given_up() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(ack(0))
        line.expect(data(1, bytes(512)))
        line.send(ack(1))

    with Stage(script) as stage, pytest.raises(TransferTimeout, match="stopped answering"):
        tftp.put(
            stage.host, "a", bytes(5000), port=stage.port, timeout=0.05, retries=1, options=False
        )


def test_an_error_in_the_middle_is_raised() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(ack(0))
        line.expect(data(1, bytes(512)))
        line.send(error(3, "no room"))
        stage.no_request(0.05)

    with Stage(script) as stage, pytest.raises(PeerError, match="no room") as caught:
        tftp.put(stage.host, "a", bytes(5000), port=stage.port)
    assert caught.value.code == 3


@pytest.mark.fault
def test_a_file_that_shrinks_is_told_to_both_sides(tmp_path: Path) -> None:
    source = tmp_path / "secret"
    source.write_bytes(bytes(5000))
    texts: list[bytes] = []

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(ack(0))
        line.expect(data(1, bytes(512)))
        source.write_bytes(b"")
        line.send(ack(1))
        texts.append(line.expect_error(0))

    with Stage(script) as stage, pytest.raises(tftp.FileChanged, match=r"Cannot read '.*secret'"):
        tftp.upload(stage.host, "a", source, port=stage.port)
    assert texts
    assert b"secret" not in texts[0]


@pytest.mark.fault
def test_an_exception_out_of_a_source_is_raised_and_ends_the_transfer() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 1024:
                raise RuntimeError("the source is broken")
            return super().read(size)

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=600))
        line.expect(data(1, CONTENT[:600]))
        line.send(ack(1))
        while (answer := line.receive())[1] == 3:
            line.send(ack(answer[3]))
        assert answer == error(0, "Cancelled")

    with Stage(script) as stage, pytest.raises(RuntimeError, match="broken"):
        tftp.upload(stage.host, "a", Broken(CONTENT), port=stage.port, block_size=600, window=1)


@pytest.mark.parametrize("what", ["missing", "folder", "unreadable"])
def test_a_file_that_cannot_be_read_is_told_before_a_packet(what: str, tmp_path: Path) -> None:
    source = tmp_path / "f"
    if what == "folder":
        source.mkdir()
    elif what == "unreadable":
        source.symlink_to("f")  # a link to itself, for which even root is refused
    quiet: Script = lambda stage: stage.no_request(0.05)  # noqa: E731
    with Stage(quiet) as stage, pytest.raises(LocalError, match=r"Cannot read '.*f': "):
        tftp.upload(stage.host, "a", source, port=stage.port)


def test_progress_is_told_with_the_size() -> None:
    content = os.urandom(8 * 5000)
    told: list[tuple[int, int | None]] = []
    taker = Taker(blksize=8, windowsize=16)
    with Stage(taker) as stage:
        result = Client(stage.host, stage.port, block_size=8, window=16).upload(
            "a", io.BytesIO(content), progress=lambda done, total: told.append((done, total))
        )
    assert told == sorted(told)
    assert told[-1] == (len(content), len(content))
    assert {total for _, total in told} == {len(content)}
    assert len(told) <= result.seconds * 20 + 2
