"""Uploads: a file under its name only when it is whole, by every policy."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.net.children import open_files
from tests.net.trees import CANARY, names, text_of
from tftp.errors import AccessDenied, DiskFull, FileExists, LocalError, NoSuchFile
from tftp.net import upload as upload_module
from tftp.net.temporary import is_temporary
from tftp.net.upload import Policy, UploadSink

POLICIES = list(Policy)


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


def open_sink(
    folder: Path,
    name: str = "x",
    policy: Policy = Policy.CREATE,
    limit: int | None = None,
    mode: int = 0o666,
) -> UploadSink:
    parent = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    return UploadSink(parent, name, policy, limit, mode)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["x", "sp ace", "a\\b", "...", "-rf", "\udcff\udcfe", "é"])
def test_a_file_appears_when_it_is_whole(tmp_path: Path, policy: Policy, name: str) -> None:
    sink = open_sink(tmp_path, name, policy)
    sink.write([memoryview(b"hello "), memoryview(b"world")])
    sink.write([])
    sink.write([b"!" * 100_000])
    (temporary,) = names(tmp_path)
    assert is_temporary(os.fsencode(temporary))
    assert sink.written == 100_011
    assert not sink.final_name
    sink.commit()
    assert sink.final_name == name
    assert names(tmp_path) == {name}
    assert (tmp_path / name).read_bytes() == b"hello world" + b"!" * 100_000
    sink.discard()
    assert names(tmp_path) == {name}


@pytest.mark.parametrize("policy", POLICIES)
def test_an_empty_upload_makes_an_empty_file(tmp_path: Path, policy: Policy) -> None:
    open_sink(tmp_path, "x", policy).commit()
    assert (tmp_path / "x").read_bytes() == b""
    assert names(tmp_path) == {"x"}


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_stays_of_a_discarded_upload(tmp_path: Path, policy: Policy) -> None:
    with open_sink(tmp_path, "x", policy) as sink:
        sink.write([b"half"])
        sink.discard()
        sink.discard()
        assert names(tmp_path) == set()
        with pytest.raises(LocalError):
            sink.write([b"more"])
        with pytest.raises(LocalError):
            sink.commit()
    assert names(tmp_path) == set()


def test_a_committed_upload_cannot_go_on(tmp_path: Path) -> None:
    sink = open_sink(tmp_path)
    sink.commit()
    with pytest.raises(LocalError) as caught:
        sink.write([b"more"])
    text_of(caught.value)
    with pytest.raises(LocalError) as caught:
        sink.commit()
    text_of(caught.value)
    assert (tmp_path / "x").read_bytes() == b""


def test_leaving_the_with_statement_discards_what_was_not_committed(tmp_path: Path) -> None:
    with open_sink(tmp_path) as sink:
        sink.write([b"half"])
    assert names(tmp_path) == set()
    with open_sink(tmp_path) as sink:
        sink.write([b"whole"])
        sink.commit()
    assert (tmp_path / "x").read_bytes() == b"whole"


def test_create_refuses_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    before = names(tmp_path)
    for name in before:
        with pytest.raises(FileExists) as caught:
            open_sink(tmp_path, name)
        assert text_of(caught.value) == "File already exists"
        assert caught.value.code == 6
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("fallback", [False, True])
def test_create_refuses_a_name_that_was_taken_meanwhile(
    tmp_path: Path, fallback: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = open_sink(tmp_path)
    sink.write([b"new"])
    (tmp_path / "x").write_bytes(b"old")
    if fallback:
        no_hard_links(monkeypatch)
    with pytest.raises(FileExists):
        sink.commit()
    assert sink.final_name is None
    assert names(tmp_path) == {"x"}
    assert (tmp_path / "x").read_bytes() == b"old"


def no_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("policy", [Policy.CREATE, Policy.RENAME])
def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_hard_links(monkeypatch)
    taken = names(tmp_path)
    if policy is Policy.RENAME:
        (tmp_path / "x").write_bytes(b"old")
        taken = {"x"}
    sink = open_sink(tmp_path, "x", policy)
    sink.write([b"new"])
    sink.commit()
    assert sink.final_name is not None
    assert names(tmp_path) == {sink.final_name} | taken
    assert (tmp_path / sink.final_name).read_bytes() == b"new"


def test_without_hard_links_a_failure_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_hard_links(monkeypatch)

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    sink = open_sink(tmp_path)
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(LocalError):
        sink.commit()
    assert names(tmp_path) == set()


def test_overwrite_replaces_the_file_at_the_end_and_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"old")
    for mode in (0o600, 0o640, 0o755, 0o666):
        target.chmod(mode)
        sink = open_sink(tmp_path, "x", Policy.OVERWRITE)
        sink.write([b"new %o" % mode])
        assert target.read_bytes() != b"new %o" % mode
        (arriving,) = names(tmp_path) - {"x"}
        assert stat.S_IMODE((tmp_path / arriving).stat().st_mode) == mode
        sink.commit()
        assert target.read_bytes() == b"new %o" % mode
        assert stat.S_IMODE(target.stat().st_mode) == mode
        assert sink.final_name == "x"
    assert names(tmp_path) == {"x"}


def test_overwrite_gives_no_set_id_bits_to_new_content(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.touch()
    target.chmod(0o6755)
    open_sink(tmp_path, "x", Policy.OVERWRITE).commit()
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_overwrite_keeps_permissions_that_were_changed_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "x").touch(mode=0o644)
    sink = open_sink(tmp_path, "x", Policy.OVERWRITE)
    (tmp_path / "x").chmod(0o600)
    sink.commit()
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


@pytest.mark.fault
def test_an_upload_that_dies_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with open_sink(tmp_path, "x", Policy.OVERWRITE) as sink:
        sink.write([b"half"])
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == {"x"}


def test_a_reader_of_the_old_file_goes_on_reading_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with (tmp_path / "x").open("rb") as reader:
        sink = open_sink(tmp_path, "x", Policy.OVERWRITE)
        sink.write([b"new!"])
        sink.commit()
        assert reader.read() == b"old"


def test_overwrite_leaves_a_file_that_it_may_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(AccessDenied) as caught:
        open_sink(tmp_path, "x", Policy.OVERWRITE)
    text_of(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x": b"old"}


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [Path.mkdir, make_fifo])
def test_overwrite_refuses_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x")
    with pytest.raises(AccessDenied) as caught:
        open_sink(tmp_path, "x", Policy.OVERWRITE)
    text_of(caught.value)
    assert names(tmp_path) == {"x"}


@pytest.mark.parametrize("make", [Path.mkdir, make_fifo])
def test_overwrite_refuses_what_is_no_file_any_more(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    sink = open_sink(tmp_path, "x", Policy.OVERWRITE)
    make(tmp_path / "x")
    with pytest.raises(AccessDenied):
        sink.commit()
    assert names(tmp_path) == {"x"}
    assert not (tmp_path / "x").is_file()


def test_overwrite_replaces_a_link_and_never_follows_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(CANARY)
    (tmp_path / "secret").chmod(0o400)
    for target in ("../secret", "nowhere", "..", "/dev/null"):
        (folder / "x").unlink(missing_ok=True)
        (folder / "x").symlink_to(target)
        sink = open_sink(folder, "x", Policy.OVERWRITE)
        sink.write([b"new"])
        sink.commit()
        assert not (folder / "x").is_symlink()
        assert (folder / "x").read_bytes() == b"new"
    assert (tmp_path / "secret").read_bytes() == CANARY
    assert names(tmp_path) == {"folder", "secret"}


def test_rename_takes_the_first_free_name(tmp_path: Path) -> None:
    (tmp_path / "x.2").mkdir()
    (tmp_path / "x.4").symlink_to("nowhere")
    given = []
    for number in range(5):
        sink = open_sink(tmp_path, "x", Policy.RENAME)
        sink.write([b"%d" % number])
        sink.commit()
        given.append(sink.final_name)
    assert given == ["x", "x.1", "x.3", "x.5", "x.6"]
    assert [(tmp_path / str(name)).read_bytes() for name in given] == [b"0", b"1", b"2", b"3", b"4"]


def test_rename_ends_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_module, "_MAX_SUFFIX", 1)
    for _ in range(2):
        open_sink(tmp_path, "x", Policy.RENAME).commit()
    with pytest.raises(FileExists):
        open_sink(tmp_path, "x", Policy.RENAME).commit()
    assert names(tmp_path) == {"x", "x.1"}


@pytest.mark.parametrize(
    ("policy", "content", "refused"),
    [
        (Policy.CREATE, {"x": b"b" * 9}, 1),
        (Policy.OVERWRITE, {"x": b"a" * 9}, 0),
        (Policy.RENAME, {"x": b"b" * 9, "x.1": b"a" * 9}, 0),
    ],
)
def test_two_uploads_of_one_name_never_mix(
    tmp_path: Path, policy: Policy, content: dict[str, bytes], refused: int
) -> None:
    sinks = [open_sink(tmp_path, "x", policy) for _ in range(2)]
    for _ in range(3):
        for sink, letter in zip(sinks, (b"aaa", b"bbb"), strict=True):
            sink.write([letter])
    failures = 0
    for sink in reversed(sinks):
        try:
            sink.commit()
        except FileExists:
            failures += 1
    assert failures == refused
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == content


def test_the_limit_holds_to_the_octet(tmp_path: Path) -> None:
    with open_sink(tmp_path, limit=1000) as sink:
        sink.write([b"x" * 600, b"x" * 400])
        sink.write([])
        with pytest.raises(DiskFull) as caught:
            sink.write([b"x"])
        assert "larger than the limit" in text_of(caught.value)
        assert caught.value.code == 3
        assert sink.written == 1000
        assert os.fstat(sink._file).st_size == 1000
    with open_sink(tmp_path, limit=0) as sink, pytest.raises(DiskFull):
        sink.write([b"x"])
    assert names(tmp_path) == set()
    open_sink(tmp_path, limit=0).commit()
    assert names(tmp_path) == {"x"}


@pytest.mark.parametrize("policy", POLICIES)
def test_new_files_are_never_executable_and_obey_the_umask(tmp_path: Path, policy: Policy) -> None:
    for mask, mode, bits in ((0o022, 0o666, 0o644), (0o027, 0o777, 0o640), (0, 0o7777, 0o666)):
        before = os.umask(mask)
        try:
            open_sink(tmp_path, "x.sh", policy, mode=mode).commit()
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "x.sh").stat().st_mode) == bits
        (tmp_path / "x.sh").unlink()


def test_a_name_that_the_file_system_cannot_hold_is_refused_at_once(tmp_path: Path) -> None:
    for policy in POLICIES:
        with pytest.raises(NoSuchFile) as caught:
            open_sink(tmp_path, "x" * 256, policy)
        text_of(caught.value)
        with pytest.raises(UnicodeEncodeError):
            open_sink(tmp_path, "\ud800", policy)
        with pytest.raises(AssertionError):
            open_sink(tmp_path, "../x", policy)
    assert names(tmp_path) == set()


def test_the_longest_name_has_no_room_for_a_suffix(tmp_path: Path) -> None:
    name = "x" * 255
    open_sink(tmp_path, name, Policy.RENAME).commit()
    with pytest.raises(LocalError):
        open_sink(tmp_path, name, Policy.RENAME).commit()
    assert names(tmp_path) == {name}


def test_the_file_is_durable_before_it_is_visible_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync
    seen: list[tuple[bool, bool]] = []

    def fsync(file: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(file).st_mode), (tmp_path / "x").exists()))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    for policy in POLICIES:
        seen.clear()
        open_sink(tmp_path, "x", policy).commit()
        assert seen == [(False, False), (True, True)]
        (tmp_path / "x").unlink()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_folder_that_is_gone_is_an_error(tmp_path: Path, policy: Policy) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    sink = open_sink(folder, "x", policy)
    parent = os.open(folder, os.O_PATH)
    (folder / names(folder).pop()).unlink()
    folder.rmdir()
    with pytest.raises(NoSuchFile):
        sink.commit()
    with pytest.raises(NoSuchFile):
        UploadSink(parent, "x", policy)
