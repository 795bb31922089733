"""Uploads over real sockets: policies, limits, full disks, and files that appear when whole."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.net.children import namespace, run
from tests.net.trees import names
from tests.server.lab import CONTENT, QUICK, Lab, open_lab
from tests.server.wire import PATIENCE, ack, data, error, oack, rrq, wrq
from tftp.net.temporary import is_temporary
from tftp.server import Limits, Upload

OLD, NEW = b"old" * 1000, CONTENT[:1500]


@pytest.fixture(params=[Upload.OVERWRITE, Upload.RENAME])
def keeping(request: pytest.FixtureRequest, root: Path) -> Iterator[Lab]:
    """A server with a policy that takes a name which is taken."""
    (root / "file").write_bytes(OLD)
    with open_lab(root, upload=request.param) as lab:
        yield lab


@contextmanager
def held_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A disk that makes everybody wait: (somebody waits, let them go)."""
    real: Callable[[int], None] = os.fsync
    waiting, free = threading.Event(), threading.Event()

    def fsync(file: int) -> None:
        waiting.set()
        assert free.wait(PATIENCE)
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    try:
        yield waiting, free
    finally:
        free.set()


def test_deny_is_the_default(root: Path) -> None:
    """SEC-PATH-14, DF-PORT-04"""
    with open_lab(root) as lab:
        assert lab.refused(wrq("new")) == (2, "Access violation: uploads are not allowed")
        assert lab.refused(wrq("new", tsize=5))[0] == 2
        assert names(root) == set()


def test_create_takes_new_names_only(lab: Lab) -> None:
    """RFC1350-A-06"""
    lab.put_file("file", OLD)
    assert lab.refused(wrq("file")) == (6, "File already exists")
    assert (lab.root / "file").read_bytes() == OLD
    lab.peer().store("other", NEW)
    assert (lab.root / "other").read_bytes() == NEW


def test_overwrite_replaces_when_complete(root: Path) -> None:
    """RFC1350-6-13"""
    (root / "file").write_bytes(OLD)
    with open_lab(root, upload=Upload.OVERWRITE) as lab:
        peer = lab.peer()
        peer.ask(wrq("file"))
        peer.expect(ack(0))
        peer.say(data(1, NEW[:512]), data(2, NEW[512:1024]))
        peer.expect(ack(1), ack(2))
        assert lab.peer().fetch("file") == OLD, "till the last block everybody gets the old one"
        peer.say(data(3, NEW[1024:]))
        peer.expect(ack(3))
        assert lab.peer().fetch("file") == NEW
        assert names(root) == {"file"}


def test_rename_keeps_both(root: Path) -> None:
    (root / "file").write_bytes(OLD)
    with open_lab(root, upload=Upload.RENAME) as lab:
        lab.peer().store("file", NEW)
        lab.peer().store("file", b"third")
        assert (root / "file").read_bytes() == OLD
        assert (root / "file.1").read_bytes() == NEW
        assert (root / "file.2").read_bytes() == b"third"


@pytest.mark.fault
@pytest.mark.parametrize("how", ["error", "too large", "shutdown"])
def test_an_upload_that_fails_leaves_what_was_there(keeping: Lab, how: str) -> None:
    """RFC1350-6-13, RFC1350-7-04"""
    peer = keeping.peer()
    peer.ask(wrq("file"))
    peer.expect(ack(0))
    peer.say(data(1, NEW[:512]))
    peer.expect(ack(1))
    assert any(is_temporary(os.fsencode(name)) for name in names(keeping.root))
    if how == "error":
        peer.say(error(0, "no more"))
    elif how == "too large":
        peer.say(data(2, bytes(513)))
        peer.expect_error(4)
    else:
        keeping.server.stop(at_once=True)
        assert peer.expect_error(0) == "The server is shutting down"
    assert not keeping.report().ok
    assert names(keeping.root) == {"file"}
    assert (keeping.root / "file").read_bytes() == OLD


def test_a_client_that_falls_silent_leaves_nothing(root: Path) -> None:
    """ROB-LOAD-03, RFC1350-2-13"""
    with open_lab(root, upload=Upload.CREATE, timing=QUICK) as lab:
        peer = lab.peer()
        peer.ask(wrq("new"))
        peer.expect(ack(0))
        peer.say(data(1, NEW[:512]))
        assert lab.report().outcome == "failed, the peer stopped answering"
        assert names(root) == set()


@pytest.mark.parametrize("policy", [Upload.CREATE, Upload.OVERWRITE, Upload.RENAME])
def test_two_uploads_of_one_name_never_mix(root: Path, policy: Upload) -> None:
    """RFC1350-4-19"""
    with open_lab(root, upload=policy) as lab:
        first, second = lab.peer(), lab.peer()
        for peer in (first, second):
            peer.ask(wrq("file"))
            peer.expect(ack(0))
        for block in (1, 2):
            for peer, letter in ((first, b"1"), (second, b"2")):
                peer.say(data(block, letter * 512))
                peer.expect(ack(block))
        first.say(data(3, b"1"))
        first.expect(ack(3))
        second.say(data(3, b"2"))
        one, two = b"1" * 1025, b"2" * 1025
        if policy is Upload.CREATE:
            assert second.expect_error(6) == "File already exists", "and no ACK before"
            expected = {"file": one}
        else:
            second.expect(ack(3))
            expected = {"file": two} if policy is Upload.OVERWRITE else {"file": one, "file.1": two}
        lab.report()
        lab.report()
        assert {name: (root / name).read_bytes() for name in names(root)} == expected


@pytest.mark.parametrize(("size", "fits"), [(0, True), (1000, True), (1001, False), (5000, False)])
def test_an_upload_larger_than_the_limit(root: Path, size: int, fits: bool) -> None:
    """ROB-LOAD-10, RFC2349-S-06: whatever the client announced."""
    with open_lab(root, upload=Upload.CREATE, limits=Limits(upload=1000)) as lab:
        peer = lab.peer()
        peer.ask(wrq("new", tsize=0))
        peer.expect(oack(tsize=0))
        if fits:
            peer.give(CONTENT[:size])
            assert (root / "new").read_bytes() == CONTENT[:size]
            return
        peer.say(data(1, CONTENT[:512]))
        peer.expect(ack(1))
        peer.say(data(2, CONTENT[512:1024][: size - 512]))
        assert peer.expect_error(3) == "Disk full: the file is larger than the limit"
        assert lab.report().outcome.startswith("failed with error 3")
        assert names(root) == set()


def test_a_size_announced_beyond_the_limit_is_refused_at_once(root: Path) -> None:
    """RFC2349-S-05"""
    with open_lab(root, upload=Upload.CREATE, limits=Limits(upload=1000)) as lab:
        assert lab.refused(wrq("new", tsize=1001))[0] == 3
        lab.peer().store("new", CONTENT[:1000], tsize=1000)


def test_a_size_announced_beyond_the_disk_is_refused_at_once(lab: Lab) -> None:
    """RFC2349-S-05, RFC1350-A-05"""
    assert lab.refused(wrq("new", tsize=10**18)) == (3, "Disk full: no room for the size announced")
    assert names(lab.root) == set()


def test_an_upload_longer_than_announced_is_kept(lab: Lab) -> None:
    """RFC2349-S-06: some announce what is not so, and nothing is lost."""
    peer = lab.peer()
    peer.ask(wrq("new", tsize=1000))
    peer.expect(oack(tsize=1000))
    peer.give(CONTENT[:1500])
    assert (lab.root / "new").read_bytes() == CONTENT[:1500]


@pytest.mark.parametrize("size", [0, 700, 999])
def test_an_upload_shorter_than_announced_is_not(lab: Lab, size: int) -> None:
    """RFC2349-S-06: curl loses its first block when it hears an OACK twice, and ends as if done."""
    peer = lab.peer()
    peer.ask(wrq("new", tsize=1000, blksize=1024))
    peer.expect(oack(tsize=1000, blksize=1024))
    peer.say(data(1, CONTENT[:size]))
    assert peer.expect_error(0) == "The file ended before the size announced"
    assert not lab.report().ok
    assert names(lab.root) == set()


def test_an_upload_of_text_may_be_shorter_than_announced(lab: Lab) -> None:
    """What a client counts there is its own form of the text."""
    peer = lab.peer()
    peer.ask(wrq("new", "netascii", tsize=1000))
    peer.expect(oack(tsize=1000))
    peer.give(b"a line\r\n")
    assert (lab.root / "new").read_bytes() == b"a line\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../w", 2),
        ("sub/../../w", 2),
        ("nodir/w", 1),
        ("sub", 6),
        ("sub/", 2),
        (".", 2),
        ("out/w", 2),
        (".tftp-0123456789ab.part", 2),
        ("n" * 256, 1),
    ],
)
def test_places_that_take_no_upload(lab: Lab, name: str, code: int) -> None:
    """SEC-PATH-02, SEC-PATH-11, RFC1350-5-11"""
    (lab.root / "sub").mkdir()
    (lab.root / "out").symlink_to("..")
    assert lab.refused(wrq(name))[0] == code
    assert names(lab.root.parent) == {"root"}
    assert names(lab.root) == {"sub", "out"}


def test_an_absolute_name_lies_below_the_root(lab: Lab) -> None:
    """SEC-PATH-02, SEC-PATH-15"""
    (lab.root / "sub").mkdir()
    lab.peer().store("/sub/x.sh", NEW)
    assert (lab.root / "sub" / "x.sh").read_bytes() == NEW
    assert (lab.root / "sub" / "x.sh").stat().st_mode & 0o7111 == 0


def test_the_line_comes_when_the_file_is_complete(lab: Lab) -> None:
    """DF-PORT-05: and not when the server stops dallying, which here is minutes away."""
    peer = lab.peer()
    peer.store("new", NEW)
    report = lab.report()
    assert str(report).startswith(f'127.0.0.1:{peer.address[1]} write "new" 1500 bytes in ')
    assert str(report).endswith(": done")
    assert report.seconds < PATIENCE


def test_the_last_ack_waits_for_the_disk(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC1350-6-12: and nothing that arrives meanwhile brings it forward."""
    with held_disk(monkeypatch) as (waiting, free):
        peer = lab.peer()
        peer.ask(wrq("new"))
        peer.expect(ack(0))
        peer.say(data(1, b"x" * 512))
        peer.expect(ack(1))
        peer.say(data(2, b"end"))
        assert waiting.wait(PATIENCE)
        for _ in range(50):
            peer.say(data(2, b"end"))
            peer.socket.sendto(wrq("new"), peer.server)
        lab.check_alive()  # the others are served on, and all of that has been read
        assert peer.is_silent()
        assert "new" not in names(lab.root)
        free.set()
        peer.expect(ack(2))
        assert (lab.root / "new").read_bytes() == b"x" * 512 + b"end"
        peer.say(data(2, b"end"))
        peer.expect(ack(2))  # the answer to this one: there was one before, not fifty
        reports = {report.file: report for report in (lab.report(), lab.report())}
        assert reports["new"].resent == 0


def test_uploads_under_way_at_the_end_become_durable(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_disk(monkeypatch) as (waiting, free), open_lab(root, upload=Upload.CREATE) as lab:
        peers = [lab.peer() for _ in range(6)]  # more than there are threads that wait
        for number, peer in enumerate(peers):
            peer.ask(wrq(f"new{number}"))
            peer.expect(ack(0))
            peer.say(data(1, b"whole"))
        assert waiting.wait(PATIENCE)
        lab.check_alive()
        stopper = threading.Thread(target=lab.server.stop, kwargs={"at_once": True})
        stopper.start()
        free.set()
        stopper.join(PATIENCE)
        assert not stopper.is_alive()
        for peer in peers:
            peer.expect(ack(1))
        assert names(root) == {"alive"} | {f"new{number}" for number in range(6)}


@pytest.mark.fault
@pytest.mark.parametrize("threads", [0, 1])
def test_no_thread_to_be_had(lab: Lab, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """What cannot be done beside the loop is done in it."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def start_a_few(thread: threading.Thread) -> None:
        if len(started) == threads:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_a_few)
    peers = [lab.peer() for _ in range(8)]
    for number, peer in enumerate(peers):
        peer.ask(wrq(f"new{number}"))
        peer.expect(ack(0))
    for peer in peers:
        peer.say(data(1, b"whole"))
    for peer in peers:
        peer.expect(ack(1))
        assert lab.report().ok
    assert names(lab.root) == {f"new{number}" for number in range(8)}


@pytest.mark.fault
def test_a_disk_that_fails_at_the_end_gives_an_error(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC1350-A-05: no last ACK for octets that are not on the disk."""

    def fsync(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    peer = lab.peer()
    peer.ask(wrq("new"))
    peer.expect(ack(0))
    peer.say(data(1, b"lost"))
    assert peer.expect_error(3) == "Disk full"
    assert lab.report().outcome == "failed with error 3, Disk full"
    assert names(lab.root) == set()


def test_an_upload_can_be_read_at_once(lab: Lab) -> None:
    """RFC1350-6-12"""
    peer, reader = lab.peer(), lab.peer()
    for number in range(20):
        content = CONTENT[: 500 + number]
        peer.store(f"new{number}", content)
        assert reader.fetch(f"new{number}") == content


@pytest.mark.parametrize("mode", ["octet", "netascii"])
def test_what_an_upload_is_not_about_is_passed_over(lab: Lab, mode: str) -> None:
    """RFC1350-5-26"""
    peer = lab.peer()
    peer.ask(wrq("new", mode))
    peer.expect(ack(0))
    peer.say(ack(0), ack(1), rrq("new"), oack(blksize=8), data(1, b"a\r\n"))
    peer.expect(ack(1))
    content = b"a\n" if mode == "netascii" else b"a\r\n"
    assert (lab.root / "new").read_bytes() == content


FULL_DISK = """
import subprocess, sys
from pathlib import Path
from tests.net.trees import names
from tests.server.lab import CONTENT, open_lab
from tests.server.wire import ack, blocks_of, data, oack, parse_error, wrq
from tftp.server import Limits

root = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", root], check=True)
with open_lab(root, upload=sys.argv[2], limits=Limits(free=0)) as lab:
    for window in (1, 16):
        peer, small = lab.peer(), lab.peer()
        small.ask(wrq("small"))
        small.expect(ack(0))
        peer.ask(wrq("big", blksize=1428, windowsize=window))
        peer.expect(oack(blksize=1428, windowsize=window))
        blocks = blocks_of(CONTENT * 30, 1428)
        for start in range(0, len(blocks), window):
            part = blocks[start : start + window]
            peer.say(*(data(start + n + 1, block) for n, block in enumerate(part)))
            packet = peer.receive()
            if packet != ack(start + len(part)):
                break
        stored = start * 1428
        print(parse_error(packet), 900_000 < stored <= 1 << 20, lab.report().ok)
        small.give(b"there is room again")
        print(lab.report().ok, sorted(names(root)))
        (root / "small").unlink()
"""


@pytest.mark.fault
@pytest.mark.parametrize("policy", [Upload.CREATE, Upload.OVERWRITE, Upload.RENAME])
def test_a_full_disk(root: Path, policy: Upload) -> None:
    """RFC1350-A-05: the code for it, no ACK for what was lost, and nothing is left."""
    prefix = namespace()
    if prefix is None:
        pytest.skip("no mount namespaces here")
    full = ["(3, 'Disk full') True False", "True ['small']"]
    assert run(FULL_DISK, root, policy, under=prefix).splitlines() == full * 2
