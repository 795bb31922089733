"""Sources of one content share a descriptor, and none is ever mistaken for another."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import open_files
from tftp.errors import FileChanged, LocalError
from tftp.net.cold import Cold
from tftp.net.files import FileSource
from tftp.net.openfiles import OpenFiles

OLD = bytes(range(256)) * 40
NEW = OLD[::-1]
AGES_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that has not changed for long."""
    path = tmp_path / "f"
    path.write_bytes(OLD)
    settle(path, AGES_AGO)
    return path


@pytest.fixture
def files() -> OpenFiles:
    return OpenFiles()


def settle(path: Path, seconds: int) -> None:
    os.utime(path, (seconds, seconds))


def source_of(files: OpenFiles, path: Path) -> FileSource:
    return files.source(os.open(path, os.O_RDONLY))


def read(source: FileSource, offset: int = 0, size: int = len(OLD)) -> bytes:
    buffer = memoryview(bytearray(size))
    return bytes(buffer[: source.read_into([buffer], offset)])


def test_many_readers_of_one_content_have_it_open_once(files: OpenFiles, path: Path) -> None:
    before = len(open_files())
    sources = [source_of(files, path) for _ in range(10)]
    assert len(open_files()) == before + 1
    for index, source in enumerate(sources):
        assert read(source, 100 * index, 50) == OLD[100 * index :][:50]
    for source in sources:
        source.close()
    assert len(files) == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_whoever_leaves_the_others_go_on(
    files: OpenFiles, path: Path, order: tuple[int, ...]
) -> None:
    sources = [source_of(files, path) for _ in range(3)]
    for count, index in enumerate(order):
        sources[index].close()
        sources[index].close()  # a second time is none of the others' business
        for left in order[count + 1 :]:
            assert read(sources[left]) == OLD
    assert len(files) == 0


def test_a_new_reader_after_the_last_one_opens_anew(files: OpenFiles, path: Path) -> None:
    source_of(files, path).close()
    source = source_of(files, path)
    assert read(source) == OLD
    source.close()


@pytest.mark.fault
def test_a_file_that_was_replaced_is_another(files: OpenFiles, path: Path) -> None:
    """Same name, size and times: the old readers keep the old one."""
    first = source_of(files, path)
    other = path.with_name("other")
    other.write_bytes(NEW)
    settle(other, AGES_AGO)
    other.replace(path)
    second = source_of(files, path)
    third = source_of(files, path)
    assert (read(first), read(second), read(third)) == (OLD, NEW, NEW)
    assert len(files) == 2
    for source in (first, second, third):
        source.close()


@pytest.mark.fault
def test_a_file_that_was_rewritten_is_another(files: OpenFiles, path: Path) -> None:
    """It bears another time; what it says to those who had it open is the kernel's matter."""
    first = source_of(files, path)
    path.write_bytes(NEW)
    settle(path, AGES_AGO + 1)
    second = source_of(files, path)
    assert read(second) == NEW
    assert len(files) == 2
    first.close()
    assert read(second) == NEW
    second.close()


def test_a_file_that_has_just_changed_is_not_shared(files: OpenFiles, path: Path) -> None:
    settle(path, int(time.time()))
    sources = [source_of(files, path) for _ in range(3)]
    assert len(files) == 0
    for source in sources:
        assert read(source) == OLD
        source.close()


@pytest.mark.fault
def test_one_that_grew_is_as_long_as_it_is_to_a_new_reader(files: OpenFiles, path: Path) -> None:
    first = source_of(files, path)
    with path.open("ab") as file:
        file.write(NEW)
    settle(path, AGES_AGO)
    second = source_of(files, path)
    assert (first.size, second.size) == (len(OLD), len(OLD + NEW))
    assert read(first, size=len(OLD)) == OLD
    with pytest.raises(FileChanged):  # its end, which is not where it was
        read(first, size=2 * len(OLD))
    assert read(second, size=2 * len(OLD)) == OLD + NEW
    first.close()
    second.close()


@pytest.mark.fault
def test_one_that_shrank_fails_each_by_itself(files: OpenFiles, path: Path) -> None:
    sources = [source_of(files, path) for _ in range(2)]
    os.truncate(path, 100)
    for source in sources:
        assert read(source, 0, 100) == OLD[:100]
        with pytest.raises((FileChanged, Cold)):  # by itself, or once a thread has looked
            read(source)
        source.close()


def test_what_cannot_be_looked_at_is_closed(
    files: OpenFiles, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = os.open(path, os.O_RDONLY)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fail)
        with pytest.raises(LocalError):
            files.source(file)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(file)
