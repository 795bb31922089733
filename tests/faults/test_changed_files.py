"""A file that changes while it is sent: its old octets or an ERROR, and never a mixture.

What loses its name or its permissions is sent to its end as it was, for it is open. What is
written to in place ends with ERROR 0 where its last block should stand: so no reader takes
for whole what is partly old and partly new.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import tftp
from tests.client.scripted import Stage, ack
from tests.faults.readers import CHANGED, KINDS, Kind, Reader, put_settled
from tests.server.lab import CONTENT, Lab
from tftp.net import disk
from tftp.protocol.netascii import encode

pytestmark = pytest.mark.fault

Change = Callable[[Path], None]
OTHER = bytes(reversed(CONTENT))
HALF = 30_000  # octets: behind what is read by then, in whatever way


def truncate(path: Path) -> None:
    os.truncate(path, HALF + 5000)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def shorten_by_one(path: Path) -> None:
    os.truncate(path, len(CONTENT) - 1)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def overwrite(path: Path) -> None:
    """The same size and the same file, as `cp` does it."""
    path.write_bytes(OTHER)


def overwrite_one(path: Path) -> None:
    """One octet, far from what was read and from the end."""
    with path.open("r+b") as file:
        file.seek(len(CONTENT) - 20_000)
        file.write(b"!")


def overwrite_and_back(path: Path) -> None:
    """All octets are as they were, but who has read meanwhile?"""
    path.write_bytes(OTHER)
    path.write_bytes(CONTENT)


def empty_and_refill(path: Path) -> None:
    """The same size in the end, as an `rsync --inplace` of another version may leave it."""
    os.truncate(path, 0)
    with path.open("r+b") as file:
        file.write(OTHER)


def replace(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(OTHER)
    new.replace(path)


def move(path: Path) -> None:
    path.rename(path.with_name("moved"))


def remove(path: Path) -> None:
    path.unlink()


def forbid(path: Path) -> None:
    path.chmod(0)


def remove_the_folder(path: Path) -> None:
    path.unlink()
    path.parent.rename(path.parent.with_name("gone"))


WRITES = [
    truncate,
    empty,
    shorten_by_one,
    grow,
    overwrite,
    overwrite_one,
    overwrite_and_back,
    empty_and_refill,
]
MOVES = [replace, move, remove, forbid]


def named(changes: Sequence[Change]) -> list[str]:
    return [change.__name__.replace("_", " ") for change in changes]


every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
every_write = pytest.mark.parametrize("change", WRITES, ids=named(WRITES))
every_move = pytest.mark.parametrize("change", MOVES, ids=named(MOVES))


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that cannot tell what is in memory: a thread reads everything first."""
    monkeypatch.setattr(disk, "NOWAIT", 0)
    monkeypatch.setattr(disk, "_is_in_memory", lambda _: False)


def wire_form(kind: Kind) -> bytes:
    return encode(CONTENT) if kind.mode == "netascii" else CONTENT


def begin(lab: Lab, kind: Kind) -> Reader:
    """A reader that has about a third of the file; so much is read and no more."""
    reader = Reader(lab.peer(), kind)
    reader.take(min(20_000, len(CONTENT) // 3) // kind.block_size)
    return reader


def check_error(lab: Lab, reader: Reader, kind: Kind) -> None:
    """It ended with the ERROR, and without the block that would have made it look whole."""
    assert not reader.go_on()
    assert reader.refusal == CHANGED
    assert len(reader.got) % kind.block_size == 0
    report = lab.report()
    assert not report.ok
    assert report.outcome == f"failed with error 0, {CHANGED[1]}"


@every_write
@every_kind
def test_what_is_written_to_ends_with_an_error(lab: Lab, kind: Kind, change: Change) -> None:
    path = put_settled(lab, CONTENT)
    reader = begin(lab, kind)
    change(path)
    check_error(lab, reader, kind)
    lab.check_alive()


@every_move
@every_kind
def test_what_loses_its_name_or_its_permissions_is_sent_as_it_was(
    lab: Lab, kind: Kind, change: Change
) -> None:
    path = put_settled(lab, CONTENT)
    reader = begin(lab, kind)
    change(path)
    assert reader.go_on()
    assert bytes(reader.got) == wire_form(kind)
    assert lab.report().ok


@every_write
@pytest.mark.parametrize("kind", [KINDS["lock-step"], KINDS["window"]], ids=["lock-step", "window"])
@pytest.mark.usefixtures("unknown")
def test_what_comes_from_a_disk_and_is_written_to(lab: Lab, kind: Kind, change: Change) -> None:
    path = put_settled(lab, CONTENT)
    reader = begin(lab, kind)
    change(path)
    check_error(lab, reader, kind)


@every_move
@pytest.mark.usefixtures("unknown")
def test_what_comes_from_a_disk_and_loses_its_name(lab: Lab, change: Change) -> None:
    path = put_settled(lab, CONTENT)
    reader = begin(lab, KINDS["window"])
    change(path)
    assert reader.go_on()
    assert bytes(reader.got) == CONTENT


@every_write
def test_packets_that_are_shared_are_no_way_around_it(lab: Lab, change: Change) -> None:
    """One goes ahead and shares what it reads of the new octets; the other sends that."""
    kind = KINDS["lock-step"]
    path = put_settled(lab, CONTENT)
    ahead, behind = begin(lab, kind), Reader(lab.peer(), kind)
    behind.take(5)
    change(path)
    check_error(lab, ahead, kind)
    check_error(lab, behind, kind)


def test_what_was_shared_of_a_changed_file_is_never_sent_again(lab: Lab) -> None:
    """The old version comes back with its old time, while packets of the new one are kept."""
    kind = KINDS["lock-step"]
    path = put_settled(lab, CONTENT)
    old = path.stat()
    readers = [begin(lab, kind), begin(lab, kind)]
    path.write_bytes(OTHER)
    check_error(lab, readers[0], kind)  # and what it has read of the other one is kept
    path.write_bytes(CONTENT)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    for _ in range(2):
        assert lab.peer().fetch("f") == CONTENT


def test_a_new_reader_gets_the_new_octets(lab: Lab) -> None:
    kind = KINDS["window"]
    path = put_settled(lab, CONTENT)
    reader = begin(lab, kind)
    overwrite(path)
    check_error(lab, reader, kind)
    assert lab.peer().fetch("f") == OTHER


def test_a_file_whose_size_is_a_multiple_of_the_block_size(lab: Lab) -> None:
    """Then the last block is empty, and it is that one which does not come."""
    path = put_settled(lab, CONTENT[:10_240])
    reader = Reader(lab.peer(), KINDS["lock-step"])
    reader.take(20)
    overwrite_same_size(path)
    assert not reader.go_on()
    assert (reader.refusal, bytes(reader.got)) == (CHANGED, CONTENT[:10_240])


def overwrite_same_size(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@every_write
def test_what_was_read_before_is_not_read_again(lab: Lab, change: Change) -> None:
    """One train held all of it, so that it is all old."""
    path = put_settled(lab, CONTENT[:40_000])
    reader = Reader(lab.peer(), Kind(block_size=1024, window=64))
    reader.take(1)
    change(path)
    assert reader.go_on()
    assert bytes(reader.got) == CONTENT[:40_000]


def test_a_folder_that_goes_away(lab: Lab) -> None:
    """What is open is sent; the next one who asks is told, and nobody else is harmed."""
    (lab.root / "sub").mkdir()
    path = put_settled(lab, CONTENT, "sub/f")
    reader = Reader(lab.peer(), KINDS["window"], "sub/f")
    reader.take(8)
    remove_the_folder(path)
    assert reader.go_on()
    assert bytes(reader.got) == CONTENT
    assert lab.refused(b"\0\1sub/f\0octet\0")[0] == 1
    lab.check_alive()


@every_write
@pytest.mark.parametrize("window", [1, 4])
def test_a_put_of_what_changes_meanwhile_is_told_to_both(
    tmp_path: Path, change: Change, window: int
) -> None:
    path = tmp_path / "f"
    path.write_bytes(CONTENT)
    os.utime(path, (1, 1))
    heard: list[bytes] = []

    def script(stage: Stage) -> None:
        line = stage.accept()
        options = b"blksize\x001428\0windowsize\x00%d\0" % window
        line.send(b"\0\6" + options)
        block = 0
        while (packet := line.receive())[:2] == b"\0\3":
            block += 1
            assert len(packet) == 1432, "no last block"
            if block == 8:
                change(path)
            if block % window == 0:
                line.send(ack(block))
        heard.append(packet)

    with Stage(script) as stage, pytest.raises(tftp.LocalError, match="changed while"):
        tftp.upload(stage.host, "a", path, port=stage.port, block_size=1428, window=window)
    assert heard == [b"\0\5\0\0" + CHANGED[1].encode() + b"\0"]
