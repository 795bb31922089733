"""Gets: what arrives, where it goes, and what is left when it does not (RFC 1350, 2349)."""

import io
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

import tftp
from tests.client.scripted import PATIENCE, Line, Stage, ack, data, error, oack
from tftp import Client, IllegalOperation, LocalError, OptionRefused, PeerError, SizeMismatch
from tftp.protocol.options import Terms

CONTENT = bytes(range(256)) * 5


def serve(content: bytes = CONTENT) -> Stage:
    return Stage(lambda stage: stage.accept().serve(content))


def debris(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024])
def test_a_file_of_any_size_arrives_without_options(size: int) -> None:
    content = os.urandom(size)
    with serve(content) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, options=False) == content


def test_the_agreed_terms_are_used_and_told(tmp_path: Path) -> None:
    content = os.urandom(100_000)

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=1000, windowsize=7, tsize=len(content)))
        line.expect(ack(0))
        line.serve(content, 1000, 7)

    with Stage(script) as stage:
        result = tftp.download(stage.host, "a", tmp_path / "b", port=stage.port)
    assert (tmp_path / "b").read_bytes() == content
    assert result.size == 100_000
    options = (("blksize", "1000"), ("windowsize", "7"), ("tsize", "100000"))
    assert result.terms == Terms(1000, 7, None, 100_000, 0, options)
    assert (result.resent, result.timeouts, result.notes) == (0, 0, ())
    assert result.path == str(tmp_path / "b")
    assert result.seconds > 0
    assert result.rate == pytest.approx(100_000 / result.seconds)


def test_an_empty_file_with_its_size_announced_is_whole() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(tsize=0))
        line.expect(ack(0))
        line.serve(b"")

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port) == b""


def test_block_numbers_wrap_behind_65535() -> None:
    content = os.urandom(8 * 65_540 + 3)

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=8, windowsize=128, tsize=len(content)))
        line.expect(ack(0))
        line.serve(content, 8, 128)

    with Stage(script) as stage:
        data = tftp.get(stage.host, "a", port=stage.port, block_size=8, window=128)
    assert data == content


def test_netascii_becomes_local_text(tmp_path: Path) -> None:
    def script(stage: Stage) -> None:
        asked = stage.request()
        assert asked.mode == b"netascii"
        assert "tsize" not in asked.options, "nobody knows the size on the wire beforehand"
        stage.answer(asked).serve(b"a\r\n" + b"b" * 508 + b"\r" + b"\nc\r\0d")

    with Stage(script) as stage:
        client = Client(stage.host, stage.port)
        result = client.download("a", tmp_path / "t", mode="netascii")
    assert (tmp_path / "t").read_bytes() == b"a\n" + b"b" * 508 + b"\nc\rd"
    assert result.size == 517


@pytest.mark.parametrize("promised", [len(CONTENT) + 1, len(CONTENT) - 1, 0])
def test_a_size_other_than_promised_is_an_error_and_leaves_nothing(
    promised: int, tmp_path: Path
) -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(tsize=promised))
        line.expect(ack(0))
        for block in (1, 2, 3):
            line.send(data(block, CONTENT[512 * block - 512 : 512 * block]))
            answer = line.receive()
            if answer[1] == 5:
                return
            assert answer == ack(block)
        raise AssertionError("the last ACK was sent, though the size was wrong")

    with Stage(script) as stage, pytest.raises(SizeMismatch, match=f"promised {promised}"):
        tftp.download(stage.host, "a", tmp_path / "b", port=stage.port)
    assert debris(tmp_path) == []


def test_netascii_is_not_measured_by_its_size() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=512))
        line.expect(ack(0))
        line.serve(b"\r\n")

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, mode="netascii") == b"\n"


def test_data_larger_than_a_block_ends_the_transfer(tmp_path: Path) -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(513)))
        line.expect_error(4)

    with Stage(script) as stage, pytest.raises(IllegalOperation, match="larger"):
        tftp.download(stage.host, "a", tmp_path / "b", port=stage.port)
    assert debris(tmp_path) == []


@pytest.mark.parametrize(
    "answer",
    [
        oack(blksize=1025),
        oack(blksize=7),
        oack(windowsize=9),
        oack(timeout=3),
        oack(blksize=512, BLKSIZE=512),
        b"\0\6blksize\0abc\0",
        b"\0\6multicast\0" + b"1\0",
    ],
)
def test_options_that_were_not_asked_for_so_are_refused_with_error_8(answer: bytes) -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(answer)
        line.expect_error(8)
        stage.no_request(0.05)

    with Stage(script) as stage, pytest.raises(OptionRefused):
        tftp.get(stage.host, "a", port=stage.port, block_size=1024, window=8)


def test_strangers_are_told_so_and_change_nothing() -> None:
    def script(stage: Stage) -> None:
        asked = stage.request()
        line, stranger = stage.answer(asked), stage.answer(asked)
        line.send(data(1, CONTENT[:512]))
        line.expect(ack(1))
        stranger.send(data(2, bytes(512)), error(1, "forged"))
        stranger.expect_error(5)
        stranger.expect_silence(0.05)
        line.send(data(2, CONTENT[512:1024]))
        line.expect(ack(2))
        line.send(data(3, CONTENT[1024:]))
        line.expect(ack(3))

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, options=False) == CONTENT


def test_a_request_that_was_heard_twice_is_answered_by_two_ports_and_one_is_taken() -> None:
    def script(stage: Stage) -> None:
        asked = stage.request()
        first, second = stage.answer(asked), stage.answer(asked)
        first.send(data(1, CONTENT[:512]))
        first.expect(ack(1))
        second.send(data(1, CONTENT[:512]))
        second.expect_error(5)
        first.send(data(2, CONTENT[512:1024]))
        first.expect(ack(2))
        first.send(data(3, CONTENT[1024:]))
        first.expect(ack(3))

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, options=False) == CONTENT


def test_the_text_of_an_error_comes_through_as_it_is() -> None:
    def script(stage: Stage) -> None:
        stage.accept().send(error(1, b"\x1b[31mr\xc3\xb6t\xff"))

    with Stage(script) as stage, pytest.raises(PeerError) as caught:
        tftp.get(stage.host, "a", port=stage.port)
    assert caught.value.message == "\x1b[31mröt\ufffd"


def test_a_server_that_falls_silent_leaves_nothing(tmp_path: Path) -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect(ack(1))

    with Stage(script) as stage, pytest.raises(tftp.TransferTimeout, match="stopped answering"):
        tftp.download(
            stage.host, "a", tmp_path / "b", port=stage.port, timeout=0.05, retries=1, options=False
        )
    assert debris(tmp_path) == []


def test_an_existing_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    dest = tmp_path / "b"
    dest.write_bytes(b"old")
    dest.chmod(0o640)

    def failing(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect(ack(1))
        assert dest.read_bytes() == b"old"
        line.send(error(0, "no more"))

    with Stage(failing) as stage, pytest.raises(PeerError):
        tftp.download(stage.host, "a", dest, port=stage.port, options=False)
    assert debris(tmp_path) == ["b"]
    assert dest.read_bytes() == b"old"
    with serve() as stage:
        tftp.download(stage.host, "a", dest, port=stage.port)
    assert debris(tmp_path) == ["b"]
    assert dest.read_bytes() == CONTENT
    assert stat.S_IMODE(dest.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("pxelinux.0", "pxelinux.0"),
        ("/boot/x86/grub.cfg", "grub.cfg"),
        ("../../etc/passwd", "passwd"),
        ("\\Boot\\BCD", "BCD"),
        ("..\\..\\x", "x"),
        ("a b", "a b"),
        ("-rf", "-rf"),
    ],
)
def test_a_folder_gets_the_last_part_of_the_name(name: str, local: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with serve() as stage:
        result = tftp.download(stage.host, name, folder, port=stage.port)
    assert result.path == str(folder / local)
    assert debris(folder) == [local]
    assert debris(tmp_path) == ["in"]


@pytest.mark.parametrize("name", ["..", "a/..", "a/", ".", "/", "\\", "a\\..", "a/."])
def test_a_name_that_would_leave_the_folder_is_refused_before_a_packet(
    name: str, tmp_path: Path
) -> None:
    with (
        Stage(lambda stage: stage.no_request(0.05)) as stage,
        pytest.raises(LocalError, match="no file name"),
    ):
        tftp.download(stage.host, name, tmp_path, port=stage.port)
    assert debris(tmp_path) == []


def test_a_place_that_cannot_be_written_is_told_before_a_packet(tmp_path: Path) -> None:
    with (
        Stage(lambda stage: stage.no_request(0.05)) as stage,
        pytest.raises(LocalError, match=r"Cannot write .*/no/where': No such file"),
    ):
        tftp.download(stage.host, "a", tmp_path / "no" / "where", port=stage.port)


@pytest.mark.parametrize(
    ("filename", "mode"),
    [("", "octet"), ("a\0b", "octet"), ("n" * 600, "octet"), ("a", "mail"), ("a", "OCTET")],
)
def test_what_no_request_can_say_is_a_value_error(filename: str, mode: str, tmp_path: Path) -> None:
    client = Client("127.0.0.1")
    with pytest.raises(ValueError, match=r"name|zero|longer|mode"):
        client.download(filename, tmp_path / "x", mode=mode)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"name|zero|longer|mode"):
        client.put(filename, b"", mode=mode)  # type: ignore[arg-type]
    assert debris(tmp_path) == []


def test_open_files_and_devices_take_the_octets() -> None:
    buffer = io.BytesIO(b"before ")
    buffer.seek(0, io.SEEK_END)
    with serve() as stage:
        result = tftp.download(stage.host, "a", buffer, port=stage.port)
    assert result.path is None
    assert buffer.getvalue() == b"before " + CONTENT
    with serve() as stage:
        result = tftp.download(stage.host, "a", "/dev/null", port=stage.port)
    assert result.path == "/dev/null"
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_pipe_with_a_name_takes_the_octets(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with serve() as stage:
        tftp.download(stage.host, "a", pipe, port=stage.port)
    reader.join(PATIENCE)
    assert read == [CONTENT]
    assert debris(tmp_path) == ["pipe"]


def test_a_text_file_is_refused_before_a_packet() -> None:
    with pytest.raises(TypeError, match="binary"):
        tftp.download("127.0.0.1", "a", io.StringIO())  # type: ignore[arg-type]


def test_a_full_device_is_told_to_the_server_without_its_path() -> None:
    texts: list[bytes] = []

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        texts.append(line.expect_error(3))

    with Stage(script) as stage, pytest.raises(tftp.DiskFull, match="Cannot write '/dev/full'"):
        tftp.download(stage.host, "a", "/dev/full", port=stage.port)
    assert texts == [b"Disk full"]


def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    content = os.urandom(8 * 20_000)
    told: list[tuple[int, int | None]] = []

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=8, windowsize=64, tsize=len(content)))
        line.expect(ack(0))
        line.serve(content, 8, 64)

    with Stage(script) as stage:
        result = tftp.download(
            stage.host,
            "a",
            "/dev/null",
            port=stage.port,
            block_size=8,
            window=64,
            progress=lambda done, total: told.append((done, total)),
        )
    assert told[-1] == (len(content), len(content))
    assert told == sorted(told)
    assert {total for _, total in told[1:]} == {len(content)}
    assert len(told) <= result.seconds * 20 + 2


def test_progress_is_told_without_a_total_where_there_is_none() -> None:
    told: list[tuple[int, int | None]] = []

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect(ack(1), ack(1))  # the client asks again, and tells while it waits
        line.send(data(2, b""))
        line.expect(ack(2))

    with Stage(script) as stage:
        tftp.download(
            stage.host,
            "a",
            "/dev/null",
            port=stage.port,
            progress=lambda done, total: told.append((done, total)),
        )
    assert (512, None) in told
    assert told[-1] == (512, 512)


def test_an_exception_out_of_progress_ends_the_transfer_and_is_raised(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def progress(done: int, _: int | None) -> None:
        if done:
            raise Stop

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect(ack(1))
        assert line.expect_error(0) == b"Cancelled"

    with Stage(script) as stage, pytest.raises(Stop):
        tftp.download(
            stage.host,
            "a",
            tmp_path / "b",
            port=stage.port,
            timeout=60,  # progress is told in shorter intervals than this
            progress=progress,
        )
    assert debris(tmp_path) == []


def test_the_local_address_and_port_can_be_chosen() -> None:
    asked = []

    def script(stage: Stage) -> None:
        asked.append(stage.request())
        stage.answer(asked[0]).serve(b"")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.3", 0))
        port: int = probe.getsockname()[1]
    with Stage(script) as stage:
        client = Client(
            stage.host, stage.port, local_address="127.0.0.3", local_ports=range(port, port + 1)
        )
        client.get("a")
    assert asked[0].source == ("127.0.0.3", port)


def test_a_local_address_of_somebody_else_is_told() -> None:
    with pytest.raises(LocalError, match=r"Cannot use 192\.0\.2\.1"):
        Client("127.0.0.1", local_address="192.0.2.1").get("a")
    with pytest.raises(LocalError, match="no address of that kind"):
        Client("127.0.0.1", local_address="::1").get("a")


def test_ipv6_works() -> None:
    def script(stage: Stage) -> None:
        asked = stage.request()
        Line(stage.answer(asked).socket, asked.source).serve(CONTENT)

    try:
        stage = Stage(script, "::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with stage:
        assert tftp.get("::1", "a", port=stage.port) == CONTENT
