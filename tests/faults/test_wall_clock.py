"""A wall clock that is set by years: nothing but the times in log lines and of files follows it.

All deadlines are of the monotonic clock, which nobody can set.
"""

import ast
import io
import logging
import os
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

import tftp
from tests.faults.readers import KINDS, Kind, Reader, put_settled
from tests.server.lab import CONTENT, QUICK, Lab, open_lab
from tests.server.wire import PATIENCE, data, rrq
from tftp.protocol.netascii import encode
from tftp.server import Upload

pytestmark = pytest.mark.fault

YEARS = 10 * 365 * 86_400
JUMPS = [0, YEARS, -YEARS, 3600, -3600, 2 * YEARS, -2 * YEARS]
PACKAGE = Path(tftp.__path__[0])

# Who reads the wall clock, and what for.
READERS = {
    "cli/logs.py": {"strftime", "localtime", "gmtime"},  # the times of log lines
    "net/files.py": {"time_ns"},  # whether a file has just changed: then it is not shared
    "net/privileges.py": {"localtime"},  # has the time zone loaded while that can be done
}
HARMLESS = {"monotonic", "monotonic_ns", "perf_counter", "process_time", "thread_time", "sleep"}


class Jumping:
    """A clock that is set anew before each look at it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = 0
        self._jumps = cycle(JUMPS)
        self._time = time.time
        for name in ("time", "time_ns"):
            monkeypatch.setattr(time, name, getattr(self, name))

    def time(self) -> float:
        self.looks += 1
        return self._time() + next(self._jumps)

    def time_ns(self) -> int:
        return int(self.time() * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Jumping]:
    caplog.set_level(logging.INFO)
    clock = Jumping(monkeypatch)
    yield clock
    assert clock.looks > 0, "somebody has looked, if only for the log"
    times = [record.created for record in caplog.records]
    assert len(times) < 2 or max(times) - min(times) >= 3600, "the log follows it"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_reads_are_the_same_packet_for_packet(lab: Lab, clock: Jumping, kind: Kind) -> None:
    """The server never sends anything twice within such a test, whatever the clock says."""
    put_settled(lab, CONTENT)
    readers = [Reader(lab.peer(), kind) for _ in range(2)]
    for reader in readers:
        assert reader.receive_all()
        assert bytes(reader.got) == (encode(CONTENT) if kind.mode == "netascii" else CONTENT)
        report = lab.report()
        assert (report.ok, report.resent, report.timeouts) == (True, 0, 0)
        assert 0 <= report.seconds < PATIENCE


@pytest.mark.parametrize("window", [1, 4])
def test_writes_are_the_same_packet_for_packet(lab: Lab, clock: Jumping, window: int) -> None:
    lab.peer().store("new", CONTENT, blksize=1024, windowsize=window)
    report = lab.report()
    assert (report.ok, report.resent, report.timeouts) == (True, 0, 0)
    assert 0 <= report.seconds < PATIENCE
    assert (lab.root / "new").read_bytes() == CONTENT


def test_a_silent_peer_gets_its_copies_and_is_given_up(root: Path, clock: Jumping) -> None:
    """A jump forward ends no patience, and one backward makes none endless."""
    with open_lab(root, timing=QUICK) as lab:
        lab.put_file("f", b"here")
        peer = lab.peer()
        peer.ask(rrq("f"))
        report = lab.report()
        assert report.outcome == "failed, the peer stopped answering"
        assert QUICK.retries <= report.resent <= QUICK.retries + 1
        peer.expect(*[data(1, b"here")] * (report.resent + 1))


@pytest.mark.parametrize("window", [1, 4])
def test_our_client_goes_by_no_such_clock(root: Path, clock: Jumping, window: int) -> None:
    with open_lab(root, upload=Upload.CREATE) as lab:
        client = tftp.Client(lab.server.host, lab.server.port, block_size=1024, window=window)
        lab.put_file("f", CONTENT)
        assert client.get("f") == CONTENT
        result = client.upload("new", io.BytesIO(CONTENT))
        assert 0 <= result.seconds < PATIENCE
        assert (root / "new").read_bytes() == CONTENT


def test_a_file_of_the_future_and_one_of_the_past_are_sent(lab: Lab) -> None:
    """As they lie on the disk of a machine whose clock was set meanwhile."""
    for name, offset in (("future", YEARS), ("past", -5 * YEARS)):
        path = lab.put_file(name, CONTENT)
        moment = path.stat().st_mtime + offset
        os.utime(path, (moment, moment))
        assert lab.peer().fetch(name) == CONTENT
        assert lab.peer().fetch(name, windowsize=4) == CONTENT


def test_nobody_else_reads_the_wall_clock() -> None:
    """Found in the source, so that it stays true of what is yet to be written."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        names = wall_clock_of(ast.parse(path.read_text(encoding="utf-8")))
        if names:
            found[path.relative_to(PACKAGE).as_posix()] = names
    assert found == READERS


def wall_clock_of(tree: ast.AST) -> set[str]:
    """Returns what a module takes of `time`, and of `datetime` anything at all."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="time"), attr=name):
                names.add(name)
            case ast.ImportFrom(module="time"):
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module="datetime"):
                names.add("datetime")
            case ast.Import():
                names |= {alias.name for alias in node.names} & {"datetime"}
    return names - HARMLESS


def test_the_look_at_the_source_finds_what_it_looks_for() -> None:
    for text, names in {
        "import time\ntime.time()": {"time"},
        "from time import time_ns": {"time_ns"},
        "from time import monotonic as now": set(),
        "import datetime": {"datetime"},
        "from datetime import datetime as d": {"datetime"},
    }.items():
        assert wall_clock_of(ast.parse(text)) == names
