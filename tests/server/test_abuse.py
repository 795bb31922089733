"""Each limit against abuse, on the wire: when it bites, nobody else is hurt."""

import logging
from pathlib import Path

import pytest

from tests.server.lab import CONTENT, QUICK, Lab, open_lab
from tests.server.wire import (
    Address,
    Peer,
    ack,
    blocks_of,
    data,
    error,
    oack,
    parse_error,
    rrq,
    wrq,
)
from tftp.server import Limits, Upload
from tftp.server.access import Access, parse_network

HERE, THERE = ("127.0.0.1", 0), ("127.0.0.77", 0)


def ask(lab: Lab, request: bytes, bind: Address = HERE) -> Peer:
    peer = lab.peer(bind=bind)
    peer.ask(request)
    return peer


def change(lab: Lab, limits: Limits) -> None:
    """Returns when the new limits hold: whoever asks now is answered a turn later."""
    lab.server.set(limits, Access())
    lab.check_alive(lab.peer(bind=("127.0.0.88", 0)))


def test_hosts_that_may_not_ask_hear_nothing(root: Path) -> None:
    access = Access(deny=(parse_network("127.0.0.77"),))
    with open_lab(root, access=access) as lab:
        lab.put_file("f", CONTENT[:100])
        kept_away = ask(lab, rrq("f"), THERE)
        kept_away.ask(rrq("no such file"))
        lab.check_alive()
        assert lab.server.totals.denied == 2
        change(lab, Limits())
        lab.check_alive(kept_away)  # and no answer to what it asked before


def test_who_may_read_may_not_write_yet(root: Path) -> None:
    access = Access(allow_upload=(parse_network("127.0.0.1"),))
    with open_lab(root, upload=Upload.CREATE, access=access) as lab:
        other = ask(lab, wrq("a"), THERE)
        ask(lab, wrq("b")).expect(ack(0))
        lab.check_alive(other)
        assert lab.server.totals.denied == 1


def test_source_ports_of_other_servers_hear_nothing(root: Path) -> None:
    """CVE-2024-2169"""
    with open_lab(root) as lab:
        looping = lab.peer()
        port = looping.address[1]
        change(lab, Limits(muted_ports=frozenset({port})))
        looping.ask(rrq("no such file"))
        looping.ask(rrq("nor this"))
        lab.check_alive()
        assert lab.server.totals.muted == 2
        change(lab, Limits())
        lab.check_alive(looping)


def test_a_host_that_asks_too_often_hears_nothing(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "tftp.server"),
        open_lab(root, limits=Limits(host_requests=1.0)) as lab,  # eight together
    ):
        greedy = lab.peer()
        lab.check_alive(greedy)
        assert lab.report().ok, "now it is known, and has eight requests"
        for number in range(19):
            greedy.ask(rrq(f"missing {number}"))
        for _ in range(8):
            assert parse_error(greedy.receive())[0] == 1
        other = lab.peer(bind=THERE)
        lab.check_alive(other)
        assert lab.server.totals.host_requests == 11
    lines = [r.getMessage() for r in caplog.records if "too often" in r.getMessage()]
    assert lines == [
        "no room for 1 request(s), the last one from 127.0.0.1: the host asks too often"
    ]


def test_a_host_has_its_share_of_the_transfers(root: Path) -> None:
    with open_lab(root, limits=Limits(host_transfers=2)) as lab:
        lab.put_file("f", CONTENT)
        for _ in range(2):
            ask(lab, rrq("f")).expect(data(1, CONTENT[:512]))
        third = ask(lab, rrq("f"))
        lab.check_alive(lab.peer(bind=THERE))
        assert lab.server.totals.host_transfers == 1
        change(lab, Limits())
        lab.check_alive(third)


def test_the_oldest_without_an_answer_gives_way(root: Path) -> None:
    """Who never answers keeps nobody away."""
    with open_lab(root, limits=Limits(unproven=2)) as lab:
        lab.put_file("f", CONTENT)
        answering, silent = ask(lab, rrq("f")), ask(lab, rrq("f"))
        for peer in (answering, silent):
            peer.expect(data(1, CONTENT[:512]))
        answering.say(ack(1))
        answering.expect(data(2, CONTENT[512:1024]))
        later = [ask(lab, rrq("f")) for _ in range(2)]
        for peer in later:
            peer.expect(data(1, CONTENT[:512]))
        report = lab.report()
        assert report.peer == silent.address
        assert not report.ok
        assert lab.server.totals.gave_way == 1
        answering.say(ack(2))
        answering.expect(data(3, CONTENT[1024:1536]))
        later[0].say(ack(1))
        later[0].expect(data(2, CONTENT[512:1024]))


def test_a_silent_peer_hears_few_repeats(root: Path) -> None:
    """And no more: the address may be that of somebody who never asked."""
    limits = Limits(unproven_repeats=1)
    with open_lab(root, limits=limits, timing=QUICK) as lab:
        lab.put_file("f", CONTENT[:100])
        silent = ask(lab, rrq("f"))
        silent.expect(data(1, CONTENT[:100]))
        silent.expect(data(1, CONTENT[:100]))
        report = lab.report()
        assert (report.ok, report.timeouts) == (False, 1)
        lab.check_alive(silent)


def test_no_transfer_lasts_for_ever(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tftp.server.chores.EVERY", 0.01)
    with open_lab(root, limits=Limits(transfer_seconds=0.05)) as lab:
        lab.put_file("f", CONTENT)
        slow = ask(lab, rrq("f"))
        slow.expect(data(1, CONTENT[:512]))
        slow.expect(error(0, "The transfer takes longer than the limit"))
        assert not lab.report().ok
        assert lab.server.totals.overdue == 1


def test_no_transfer_carries_more_than_the_limit(root: Path) -> None:
    with open_lab(root, limits=Limits(transfer_octets=1000)) as lab:
        lab.put_file("f", CONTENT[:1001])
        assert lab.refused(rrq("f")) == (2, "Access violation: the file is larger than the limit")
        lab.put_file("g", CONTENT[:1000])
        assert lab.peer().fetch("g") == CONTENT[:1000]


def test_what_has_no_size_is_stopped_on_its_way(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tftp.server.chores.EVERY", 0.01)
    limits = Limits(transfer_octets=1000)
    with open_lab(root, upload=Upload.CREATE, limits=limits) as lab:
        writer = ask(lab, wrq("f"))
        writer.expect(ack(0))
        for number, block in enumerate(blocks_of(CONTENT[:1024], 512)[:2], 1):
            writer.say(data(number, block))
        writer.expect(ack(1))
        writer.expect(ack(2))
        writer.expect(error(0, "The transfer carries more than the limit"))
        assert not lab.report().ok
    assert list(root.iterdir()) == []


def test_small_blocks_are_passed_over(root: Path) -> None:
    """RFC 2347: an option that is not in the OACK does not hold, so that 512 does."""
    with open_lab(root, limits=Limits(block_size_least=64)) as lab:
        lab.put_file("f", CONTENT)
        small = ask(lab, rrq("f", blksize=8, tsize=0))
        small.expect(oack(tsize=len(CONTENT)))
        small.say(ack(0))
        small.expect(data(1, CONTENT[:512]))
        ask(lab, rrq("f", blksize=8)).expect(data(1, CONTENT[:512]))
        ask(lab, rrq("f", blksize=64)).expect(oack(blksize=64))


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        (Limits(uploads=2), "uploads"),
        (Limits(host_uploads=2), "host_uploads"),
        (Limits(upload_requests=0.2), "upload_requests"),
    ],
)
def test_uploads_have_limits_of_their_own(root: Path, limits: Limits, count: str) -> None:
    with open_lab(root, upload=Upload.CREATE, limits=limits) as lab:
        for name in "ab":
            ask(lab, wrq(name)).expect(ack(0))
        third = ask(lab, wrq("c"))
        lab.check_alive(third)
        assert getattr(lab.server.totals, count) == 1


def test_uploads_leave_some_of_the_disk_free(root: Path) -> None:
    with open_lab(root, upload=Upload.CREATE, limits=Limits(free=1 << 60)) as lab:
        assert lab.refused(wrq("f")) == (3, "Disk full")
        assert lab.refused(wrq("f", tsize=5))[0] == 3
        change(lab, Limits(free=0))
        ask(lab, wrq("f")).expect(ack(0))


def test_uploads_stop_where_the_free_rest_begins(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tftp.net.upload._CHECK_EVERY", 1024)
    with open_lab(root, upload=Upload.CREATE, limits=Limits(free=1)) as lab:
        writer = ask(lab, wrq("f"))
        writer.expect(ack(0))
        monkeypatch.setattr("tftp.net.upload.room_for", lambda *_: False)
        writer.say(data(1, bytes(512)))
        writer.expect(ack(1))
        writer.say(data(2, bytes(512)))
        writer.expect(error(3, "Disk full: the server keeps the rest free"))
        assert not lab.report().ok
    assert list(root.iterdir()) == []


def test_a_flood_of_refusals_does_not_fill_the_log(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "tftp.server"),
        open_lab(root, limits=Limits(lines=1.0)) as lab,  # five together
    ):
        peer = lab.peer()
        for number in range(30):
            peer.ask(rrq(f"missing {number}"))
        for _ in range(30):
            assert parse_error(peer.receive())[0] == 1
        lab.check_alive()
        assert lab.server.totals.refused == 30
        assert lab.server.totals.unlogged >= 20
    told = [r.getMessage() for r in caplog.records]
    assert len([line for line in told if "missing" in line]) <= 10
    assert any("more were refused or failed" in line for line in told)


def test_new_limits_touch_no_transfer(root: Path) -> None:
    with open_lab(root) as lab:
        lab.put_file("f", CONTENT)
        running = ask(lab, rrq("f", blksize=1024))
        running.expect(oack(blksize=1024))
        change(lab, Limits(block_size=600))
        ask(lab, rrq("f", blksize=1024)).expect(oack(blksize=600))
        running.say(ack(0))
        running.expect(data(1, CONTENT[:1024]))
