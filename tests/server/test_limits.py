"""What is bounded: transfers, ports, descriptors. Beyond a bound there is silence, not an end.

A client that hears nothing asks again in a second or two; an ERROR would end its boot.
"""

import errno
import logging
import os
import socket
from pathlib import Path

import pytest

from tests.net.children import run
from tests.server.lab import CONTENT, QUICK, Lab, open_lab
from tests.server.wire import ack, data, error, rrq, wrq
from tftp.server import Limits, Upload


def free_ports(count: int) -> range:
    """Ports of 127.0.0.1 that are free, one after the other."""
    for start in range(20_000, 32_000, count):
        socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        try:
            for offset, sock in enumerate(socks):
                sock.bind(("127.0.0.1", start + offset))
        except OSError:
            continue
        finally:
            for sock in socks:
                sock.close()
        return range(start, start + count)
    raise AssertionError("no ports are free")


def test_only_so_many_transfers_at_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """ROB-LOAD-02, ROB-LOAD-03"""
    limits = Limits(transfers=2)
    with (
        caplog.at_level(logging.INFO, "tftp.server"),
        open_lab(root, upload=Upload.CREATE, limits=limits) as lab,
    ):
        lab.put_file("f", CONTENT[:100])
        reader, writer, third = (lab.peer() for _ in range(3))
        reader.ask(rrq("f"))
        reader.expect(data(1, CONTENT[:100]))
        writer.ask(wrq("new"))
        writer.expect(ack(0))
        third.ask(rrq("f"))
        third.ask(rrq("nope"))
        lab.turned_away(2)
        reader.say(ack(1))
        assert lab.report().ok
        lab.check_alive(third)  # and no answer to what it asked before
        assert lab.server.totals.turned_away == 2
    lines = [record.getMessage() for record in caplog.records if "no room" in record.getMessage()]
    head = "no room for 1 request(s), the last one from 127.0.0.1: "
    assert lines == [head + "as many transfers as allowed are running"]


def test_ports_out_of_a_range(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    ports = free_ports(3)
    with (
        caplog.at_level(logging.INFO, "tftp.server"),
        open_lab(root, ports=ports) as lab,
    ):
        lab.put_file("f", CONTENT[:100])
        peers = [lab.peer() for _ in range(3)]
        for peer in peers:
            peer.ask(rrq("f"))
            peer.expect(data(1, CONTENT[:100]))
        assert {peer.tid[1] for peer in peers if peer.tid} == set(ports)
        late = lab.peer()
        late.ask(rrq("f"))
        stranger = lab.stranger(peers[0])
        stranger.say(ack(1))
        stranger.expect_error(5)
        assert late.is_silent()
        peers[0].say(ack(1))
        assert lab.report().ok
        assert late.fetch("f") == CONTENT[:100]
        assert late.tid is not None
        assert late.tid[1] in ports
    lines = [record.getMessage() for record in caplog.records if "no room" in record.getMessage()]
    assert lines[0].endswith("from 127.0.0.1: all ports of the range are taken")


def test_a_port_of_the_range_that_somebody_else_has(root: Path) -> None:
    ports = free_ports(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", ports[1]))
        with open_lab(root, ports=ports) as lab:
            lab.put_file("f", CONTENT[:100])
            peers = [lab.peer() for _ in range(3)]
            for peer in peers:
                peer.ask(rrq("f"))
                peer.expect(data(1, CONTENT[:100]))
            used = {peer.tid[1] for peer in peers if peer.tid}
            assert used == set(ports) - {ports[1]}


def test_an_upload_that_finds_no_port_leaves_nothing(root: Path) -> None:
    with open_lab(root, upload=Upload.CREATE, ports=free_ports(1)) as lab:
        lab.put_file("f", CONTENT[:100])
        peer = lab.peer()
        peer.ask(rrq("f"))
        peer.expect(data(1, CONTENT[:100]))
        lab.peer().ask(wrq("new"))
        lab.turned_away(1)
        peer.say(error(0, "enough"))
        lab.report()
        lab.check_alive()
        assert {entry.name for entry in root.iterdir()} == {"f", "alive"}


@pytest.mark.fault
def test_no_socket_to_be_had(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    lab.put_file("f", CONTENT[:100])
    peer = lab.peer()
    with monkeypatch.context() as patch:
        patch.setattr("tftp.server.loop.bind_transfer", bind)
        peer.ask(rrq("f"))
        peer.ask(wrq("new"))
        assert lab.refused(rrq("nope"))[0] == 1
    lab.check_alive(peer)
    assert lab.server.totals.turned_away == 2


EXHAUSTED = """
import json, resource, sys
from pathlib import Path
from tests.server.lab import open_lab
from tests.server.wire import ack, data, error, rrq, wrq
from tftp.server import Upload

root = Path(sys.argv[1])
(root / "f").write_bytes(bytes(1000))
with open_lab(root, upload=Upload.CREATE) as lab:
    first = lab.peer()
    first.ask(rrq("f"))
    first.expect(data(1, bytes(512)))
    peers = [lab.peer() for _ in range(60)]
    late = lab.peer()
    stranger = lab.stranger(first)
    used = len(list(Path("/proc/self/fd").iterdir()))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, hard))
    for number, peer in enumerate(peers):
        peer.ask(rrq("f") if number % 2 else wrq(f"new{number}"))
    late.ask(rrq("f"))
    stranger.say(ack(1))
    stranger.expect_error(5)
    first.say(ack(1))
    assert first.take(first=2) == bytes(488)  # whoever has a place is served on
    served = []
    for peer in peers:
        if not peer.is_silent():
            served.append(peer)
    print(0 < len(served) < 40, late.is_silent(), lab.server.totals.turned_away > 20)
    print(lab.server.totals.refused, lab.server.totals.failed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert late.fetch("f") == bytes(1000)
    print("recovered")
print(sorted(path.name for path in root.iterdir()))
"""


@pytest.mark.fault
def test_no_descriptors_left(root: Path) -> None:
    """ROB-LOAD-02: silence for those who come too late, till there is room again."""
    assert run(EXHAUSTED, root).splitlines() == [
        "True True True",
        "0 0",
        "recovered",
        "['f']",
    ]


def test_silent_peers_give_their_place_back(root: Path) -> None:
    """ROB-LOAD-11, ROB-TIMER-02"""
    with open_lab(root, upload=Upload.CREATE, timing=QUICK) as lab:
        lab.put_file("f", CONTENT)
        before = {entry.name for entry in Path("/proc/self/fd").iterdir()}
        peers = [lab.peer() for _ in range(50)]
        own = {str(peer.socket.fileno()) for peer in peers}
        for number, peer in enumerate(peers):
            peer.ask(rrq("f") if number % 2 else wrq(f"new{number}"))
        for _ in peers:
            assert lab.report().outcome == "failed, the peer stopped answering"
        after = {entry.name for entry in Path("/proc/self/fd").iterdir()}
        assert len(after - own) <= len(before), "one of them is the listing's own"
        assert {entry.name for entry in root.iterdir()} == {"f"}
        lab.check_alive()
