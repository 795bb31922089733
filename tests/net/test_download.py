"""Where a client's download goes: a file replaced at the end, or a device written through."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.net.children import DROP, open_files, run
from tests.net.trees import CANARY
from tftp.errors import AccessDenied, DiskFull, LocalError, NoSuchFile
from tftp.net.files import Sink, StreamSink
from tftp.net.upload import UploadSink, download_sink


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


def download(dest: str | os.PathLike[str], content: bytes) -> Sink:
    sink = download_sink(dest)
    sink.write([content])
    sink.commit()
    return sink


def test_a_new_file_appears_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for dest in ("x", "./y", "sub/x", tmp_path / "z", "sub/../up", os.fsdecode(b"\xff")):
        with download_sink(dest) as sink:  # type: ignore[union-attr]
            sink.write([b"new"])
            assert not os.path.lexists(dest)
            sink.commit()
        assert Path(dest).read_bytes() == b"new"
    assert {path.name for path in tmp_path.iterdir()} == {"x", "y", "z", "up", "sub", "\udcff"}


@pytest.mark.fault
def test_a_failure_leaves_the_old_file_or_none(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    for name in ("old", "new"):
        sink = download_sink(tmp_path / name)
        sink.write([b"half"])
        sink.discard()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"old"}


def test_a_download_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    for name in ("fsync", "fdatasync", "sync"):
        monkeypatch.setattr(os, name, calls.append)
    download(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert calls == []


@pytest.mark.fault
def test_a_disk_that_says_only_at_a_close_that_it_is_full_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As network file systems do, which write behind."""
    (tmp_path / "x").write_bytes(b"old")
    sink = download_sink(tmp_path / "x")
    sink.write([b"new"])
    copies: list[int] = []
    copy, close = os.dup, os.close

    def dup(file: int) -> int:
        copies.append(copy(file))
        return copies[0]

    def fail(file: int) -> None:
        close(file)
        if file in copies:
            copies.remove(file)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "dup", dup)
    monkeypatch.setattr(os, "close", fail)
    with pytest.raises(DiskFull):
        sink.commit()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x": b"old"}


def test_an_old_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    (tmp_path / "x").chmod(0o600)
    download(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_a_link_is_followed_to_the_file_it_means(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "v1").write_bytes(b"old")
    (tmp_path / "current").symlink_to("sub/v1")
    (tmp_path / "dangling").symlink_to("sub/v2")
    download(tmp_path / "current", b"new")
    download(tmp_path / "dangling", b"newer")
    assert (tmp_path / "current").is_symlink()
    assert (tmp_path / "dangling").is_symlink()
    assert (tmp_path / "sub" / "v1").read_bytes() == b"new"
    assert (tmp_path / "sub" / "v2").read_bytes() == b"newer"


def test_a_device_is_written_through_and_stays_one() -> None:
    assert isinstance(download("/dev/null", CANARY), StreamSink)
    assert Path("/dev/null").is_char_device()


def test_a_pipe_with_a_name_is_written_through(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    download(tmp_path / "pipe", CANARY)
    reader.join(20)
    assert got == [CANARY]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("target", ["file", "pipe"])
def test_dev_stdout_is_what_the_shell_made_of_it(tmp_path: Path, target: str) -> None:
    code = """
from tftp.net.upload import download_sink
sink = download_sink("/dev/stdout")
sink.write([b"hello"])
sink.commit()
"""
    before = os.lstat("/dev/stdout")
    if target == "pipe":
        assert run(code) == "hello"
    else:
        shell = ("sh", "-c", 'out=$1; shift; exec "$@" > "$out"', "sh", str(tmp_path / "out"))
        assert run(code, under=shell) == ""
        assert (tmp_path / "out").read_bytes() == b"hello"
    assert os.path.samestat(os.lstat("/dev/stdout"), before)


@pytest.mark.parametrize(
    ("dest", "kind", "reason"),
    [
        ("folder", LocalError, "it is a folder"),
        ("folder/", LocalError, "it is a folder"),
        (".", LocalError, "it is a folder"),
        ("link", LocalError, "it is a folder"),
        ("new/", NoSuchFile, "No such file or directory"),
        ("", NoSuchFile, "No such file or directory"),
        ("no/x", NoSuchFile, "No such file or directory"),
        ("file/x", NoSuchFile, "Not a directory"),
        ("x" * 256, NoSuchFile, "File name too long"),
        ("socket", AccessDenied, "No such device or address"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_sentence(
    tmp_path: Path,
    dest: str,
    kind: type[LocalError],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "file").touch()
    if dest == "socket":
        make_socket(dest)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(kind) as caught:
        download_sink(dest)
    assert type(caught.value) is kind
    assert str(caught.value) == f"Cannot write {dest!r}: {reason}"
    assert set(tmp_path.rglob("*")) == before


def make_socket(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)


def test_missing_permission_is_said_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "fixed").mkdir()
    (tmp_path / "fixed").chmod(0o555)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "protected").touch(mode=0o444)
    tmp_path.chmod(0o755)
    code = f"""
import os, sys
from tftp.errors import LocalError
from tftp.net.upload import download_sink
os.chdir(sys.argv[1])
{DROP}
for dest in ("fixed/x", "open/protected"):
    try:
        download_sink(dest)
    except LocalError as error:
        print(error)
"""
    assert run(code, tmp_path).splitlines() == [
        "Cannot write 'fixed/x': Permission denied",
        "Cannot write 'open/protected': the file is write-protected",
    ]


def test_a_download_says_under_which_name_it_stands(tmp_path: Path) -> None:
    sink = download(tmp_path / "x", b"")
    assert isinstance(sink, UploadSink)
    assert sink.final_name == "x"
