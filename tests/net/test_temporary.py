"""Temporary files: recognisable, locked while they live, swept when nobody holds them."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import DROP, open_files, run
from tests.net.trees import CANARY, LEFTOVER, names, text_of
from tftp.errors import LocalError, TftpError
from tftp.net import temporary
from tftp.net.root import Root
from tftp.net.temporary import create_temporary, is_temporary, sweep


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    file = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield file
    os.close(file)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (b".tftp-0123456789ab.part", True),
        (b".tftp-ffffffffffff.part", True),
        (b".tftp-0123456789AB.part", False),
        (b".tftp-0123456789a.part", False),
        (b".tftp-0123456789abc.part", False),
        (b".tftp-0123456789ag.part", False),
        (b".tftp-0123456789ab.parts", False),
        (b".tftp-0123456789ab.PART", False),
        (b"x.tftp-0123456789ab.part", False),
        (b"_tftp-0123456789ab.part", False),
        (b".tftp-0123456789ab.part/", False),
        (b".tftp-.part", False),
        (b"", False),
    ],
)
def test_only_names_of_our_own_making_are_temporary(name: bytes, answer: bool) -> None:
    assert is_temporary(name) is answer


def test_a_temporary_file_is_recognisable_empty_and_locked(tmp_path: Path, folder: int) -> None:
    file, name = create_temporary(folder, 0o666)
    path = tmp_path / os.fsdecode(name)
    assert is_temporary(name)
    assert path.stat().st_size == 0
    assert not os.get_inheritable(file)
    with path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    os.close(file)


def test_a_temporary_file_is_never_executable_or_set_id(tmp_path: Path, folder: int) -> None:
    before = os.umask(0)
    try:
        file, name = create_temporary(folder, 0o7777)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / os.fsdecode(name)).stat().st_mode) == 0o666
    os.close(file)


def test_a_name_that_is_taken_is_not_touched(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter([bytes(6), bytes(6), b"\xff" * 6])
    monkeypatch.setattr(os, "urandom", lambda _: next(numbers))
    (tmp_path / ".tftp-000000000000.part").symlink_to("elsewhere")
    file, name = create_temporary(folder, 0o666)
    os.close(file)
    assert name == b".tftp-ffffffffffff.part"
    assert names(tmp_path) == {".tftp-000000000000.part", ".tftp-ffffffffffff.part"}


def test_a_new_file_that_a_sweep_has_locked_is_given_up_for_another(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    tries: list[int] = []

    def flock(file: int, operation: int) -> None:
        tries.append(file)
        if len(tries) == 1:
            raise BlockingIOError
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    file, name = create_temporary(folder, 0o666)
    os.close(file)
    assert len(tries) == 2
    assert names(tmp_path) == {os.fsdecode(name)}


def test_a_new_file_that_a_sweep_has_removed_is_given_up_for_another(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    swept: list[list[str]] = []

    def flock(file: int, operation: int) -> None:
        if not swept:
            monkeypatch.setattr(fcntl, "flock", real)
            swept.append(sweep(folder))
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    file, name = create_temporary(folder, 0o666)
    assert len(swept[0]) == 1
    assert names(tmp_path) == {os.fsdecode(name)} != set(swept[0])
    os.close(file)


@pytest.mark.fault
def test_without_locks_a_file_can_be_made_and_is_never_swept(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    file, name = create_temporary(folder, 0o666)
    os.close(file)
    assert sweep(folder) == []
    assert names(tmp_path) == {os.fsdecode(name)}


def test_a_folder_where_every_name_is_taken_ends_in_an_error(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / ".tftp-000000000000.part").touch()
    with pytest.raises(LocalError) as caught:
        create_temporary(folder, 0o666)
    text_of(caught.value)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EACCES, 2), (errno.EROFS, 2), (errno.ENOSPC, 3), (errno.EDQUOT, 3), (errno.EIO, 0)],
)
def test_a_folder_that_refuses_gives_the_code_of_the_wire(
    folder: int, number: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(TftpError) as caught:
        create_temporary(folder, 0o666)
    assert caught.value.code == code
    text_of(caught.value)


def test_a_sweep_removes_leftovers_at_every_depth_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "root"
    outside = tmp_path / "outside"
    (root / "a" / "b").mkdir(parents=True)
    outside.mkdir()
    (outside / LEFTOVER).write_bytes(CANARY)
    weird = os.fsdecode(b"a/\xff")
    (root / weird).mkdir()
    leftovers = {LEFTOVER, f"a/{LEFTOVER}", "a/b/.tftp-ffffffffffff.part", f"{weird}/{LEFTOVER}"}
    for name in leftovers:
        (root / name).write_bytes(b"half")
    kept = [".tftp-0123456789AB.part", "a/.tftp-01.part", f"a/{LEFTOVER}x", "plain", ".hidden"]
    for name in kept:
        (root / name).write_bytes(b"whole")
    (root / ".tftp-00000000000a.part").symlink_to("plain")
    (root / ".tftp-00000000000b.part").mkdir()
    os.mkfifo(root / ".tftp-00000000000c.part")
    (root / "out").symlink_to(outside)
    with Root(root) as opened:
        assert set(opened.sweep()) == leftovers
        assert opened.sweep() == []
    assert not any((root / name).exists() for name in leftovers)
    assert all((root / name).read_bytes() == b"whole" for name in kept)
    assert (root / ".tftp-00000000000a.part").is_symlink()
    assert (root / ".tftp-00000000000b.part").is_dir()
    assert (root / ".tftp-00000000000c.part").is_fifo()
    assert (outside / LEFTOVER).read_bytes() == CANARY


def test_a_sweep_opens_no_special_file_and_follows_no_link(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / ".tftp-00000000000a.part")
    (tmp_path / ".tftp-00000000000b.part").symlink_to("/dev/zero")
    (tmp_path / "link").symlink_to("/")
    real = os.open
    opened: list[object] = []

    def recorded(name: bytes, flags: int, *, dir_fd: int) -> int:
        opened.append(name)
        return real(name, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", recorded)
    assert sweep(folder) == []
    assert opened == [b"."]


def test_a_sweep_keeps_what_somebody_holds(tmp_path: Path, folder: int) -> None:
    file, name = create_temporary(folder, 0o666)
    (tmp_path / LEFTOVER).write_bytes(b"half")
    assert sweep(folder) == [LEFTOVER]
    os.close(file)
    assert sweep(folder) == [os.fsdecode(name)]
    assert names(tmp_path) == set()


def test_a_leftover_that_is_replaced_by_something_else_meanwhile_is_left_alone(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open
    (tmp_path / LEFTOVER).write_bytes(b"half")

    def swapped(name: bytes, flags: int, *, dir_fd: int) -> int:
        if name == os.fsencode(LEFTOVER):
            (tmp_path / LEFTOVER).unlink()
            os.mkfifo(tmp_path / LEFTOVER)
        return real(name, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapped)
    assert sweep(folder) == []
    assert (tmp_path / LEFTOVER).is_fifo()


@pytest.mark.fault
def test_what_vanishes_during_a_sweep_is_passed_over(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open
    (tmp_path / "gone").mkdir()
    (tmp_path / LEFTOVER).write_bytes(b"half")
    (tmp_path / ".tftp-00000000000a.part").write_bytes(b"half")

    def vanishing(name: bytes, flags: int, *, dir_fd: int) -> int:
        if name == b"gone":
            (tmp_path / "gone").rmdir()
        if name == os.fsencode(LEFTOVER):
            (tmp_path / LEFTOVER).unlink()
        return real(name, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", vanishing)
    assert sweep(folder) == [".tftp-00000000000a.part"]


def test_a_sweep_passes_over_what_it_may_not_read_or_remove(tmp_path: Path) -> None:
    for inner, mode in (("closed", 0o000), ("fixed", 0o555), ("open", 0o777)):
        (tmp_path / inner).mkdir()
        (tmp_path / inner / LEFTOVER).write_bytes(b"half")
        (tmp_path / inner / LEFTOVER).chmod(0o666)
        (tmp_path / inner).chmod(mode)
    (tmp_path / "open" / ".tftp-00000000000a.part").touch(mode=0)
    code = f"""
import sys
from tftp.net.root import Root
root = Root(sys.argv[1])
{DROP}
print(root.sweep())
"""
    tmp_path.chmod(0o755)
    said = run(code, tmp_path)
    for inner in ("closed", "fixed"):
        (tmp_path / inner).chmod(0o700)
    assert said == f"['open/{LEFTOVER}']\n"
    assert names(tmp_path / "closed") == names(tmp_path / "fixed") == {LEFTOVER}


def test_a_sweep_ends_at_its_bounds(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for depth in range(4):
        inner = tmp_path.joinpath(*["d"] * depth)
        inner.mkdir(exist_ok=True)
        (inner / LEFTOVER).touch()
    monkeypatch.setattr(temporary, "_SWEEP_ENTRIES", 0)
    assert sweep(folder) == []
    monkeypatch.setattr(temporary, "_SWEEP_ENTRIES", 3)
    few = sweep(folder)
    assert 0 < len(few) <= 3
    monkeypatch.setattr(temporary, "_SWEEP_ENTRIES", 100)
    monkeypatch.setattr(temporary, "_SWEEP_DEPTH", 2)
    sweep(folder)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob(LEFTOVER)] == [
        f"d/d/d/{LEFTOVER}"
    ]
