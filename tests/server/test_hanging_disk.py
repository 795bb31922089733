"""A real file system that hangs: whoever reads from it waits, and nobody else does."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.server.hanging import Hanging, hanging
from tests.server.lab import Lab, open_lab
from tests.server.wire import PATIENCE, Peer, parse_error, rrq

pytestmark = [pytest.mark.root, pytest.mark.fault]

CONTENT = random.Random(7).randbytes(3_000_001)


@pytest.fixture
def disk(root: Path) -> Iterator[Hanging]:
    """A disk below the root of the server."""
    (root / "disk").mkdir()
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(hanging(root / "disk", CONTENT))
        except OSError as error:
            pytest.skip(f"no FUSE here: {error}")
        yield disk


@pytest.fixture
def lab(disk: Hanging, root: Path) -> Iterator[Lab]:
    """A server that never sends anything twice; it ends before its disk is taken away."""
    with open_lab(root) as lab:
        yield lab


@pytest.fixture
def waiting(lab: Lab, disk: Hanging) -> Peer:
    """A peer whose file has to come from the disk, which hangs."""
    peer = lab.peer()
    peer.ask(rrq("disk/slow"))
    assert disk.held.wait(PATIENCE)
    return peer


def test_others_are_served_while_it_hangs(lab: Lab, disk: Hanging, waiting: Peer) -> None:
    lab.check_alive()
    assert lab.report().ok
    assert waiting.is_silent()
    disk.free.set()
    assert waiting.take() == CONTENT
    report = lab.report()
    assert (report.ok, report.resent, report.timeouts) == (True, 0, 0)


def test_a_server_ends_although_it_hangs(lab: Lab, disk: Hanging, waiting: Peer) -> None:
    lab.server.stop(at_once=True)
    assert not lab.report().ok
    assert not disk.free.is_set()


def test_a_disk_that_goes_away_is_an_error(lab: Lab, disk: Hanging, waiting: Peer) -> None:
    disk.unplug()
    code, text = parse_error(waiting.receive())
    assert code == 0
    assert text.startswith("Local error (E")
    assert not lab.report().ok
    lab.check_alive()
