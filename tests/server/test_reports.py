"""What the operator is told: one line for each transfer, in words and for machines."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.lab import CONTENT, QUICK, Lab, open_lab
from tests.server.wire import ack, data, error, oack, rrq, wrq
from tftp.protocol.transfer import Address
from tftp.server import Journal, Report, Totals, Upload
from tftp.server.journal import QUIET, Notice
from tftp.server.report import escaped, shown, spelled

EVIL = [
    "x\n2026-01-01 00:00:00 forged",
    "\x1b[2J\x1b[31m",
    "a\rb\tc\x00"[:-1],
    "\x9b1m\u202egnp.exe",
    "\u2028\u2029\ufeff",
    'quo"te',
    "$(id)`id`|id",
    "%s %d %(levelname)s {0}",
]

HEAD = '192.0.2.1:2000 read "f" 1500000 bytes in 0.250 s, 6 MB/s'


def report_of(**changes: object) -> Report:
    fields: dict[str, object] = {
        "peer": ("192.0.2.1", 2000),
        "verb": "read",
        "file": "f",
        "mode": "octet",
        "size": 1_500_000,
        "seconds": 0.25,
        "options": (("blksize", "1428"), ("windowsize", "16")),
        "resent": 0,
        "timeouts": 0,
        "outcome": "done",
        "ok": True,
    }
    return Report(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {},
            HEAD + " (blksize=1428 windowsize=16): done",
        ),
        (
            {"options": (), "size": 0, "seconds": 0.0},
            '192.0.2.1:2000 read "f" 0 bytes in 0.000 s, 0 B/s: done',
        ),
        (
            {"peer": ("2001:db8::1", 2000, 0, 0), "mode": "netascii", "options": ()},
            '[2001:db8::1]:2000 read "f" as netascii 1500000 bytes in 0.250 s, 6 MB/s: done',
        ),
        (
            {"resent": 3, "timeouts": 2, "options": (), "verb": "write"},
            HEAD.replace("read", "write") + " 3 sent again, 2 timeouts: done",
        ),
        (
            {"ok": False, "options": (), "outcome": "failed, the peer stopped answering"},
            '192.0.2.1:2000 read "f" 1500000 bytes: failed, the peer stopped answering',
        ),
        (
            {"ok": False, "options": (), "size": 0, "outcome": "refused with error 1, no"},
            '192.0.2.1:2000 read "f": refused with error 1, no',
        ),
        (
            {"probe": True, "size": 0, "options": (("tsize", "9"),), "outcome": "size probe"},
            '192.0.2.1:2000 read "f" (tsize=9): size probe',
        ),
        ({"options": (), "size": 2**40, "seconds": 100.0}, None),
    ],
)
def test_the_line_for_people(changes: dict[str, object], line: str | None) -> None:
    text = str(report_of(**changes))
    assert text == line or (line is None and text.endswith(", 11 GB/s: done"))


def test_the_line_for_machines() -> None:
    fields = report_of(resent=3, timeouts=2).fields()
    assert json.loads(json.dumps(fields)) == {
        "event": "transfer",
        "peer": "192.0.2.1",
        "port": 2000,
        "operation": "read",
        "file": "f",
        "mode": "octet",
        "bytes": 1_500_000,
        "seconds": 0.25,
        "rate": 6_000_000,
        "options": {"blksize": "1428", "windowsize": "16"},
        "resent": 3,
        "timeouts": 2,
        "ok": True,
        "outcome": "done",
    }
    assert report_of(probe=True).fields()["event"] == "probe"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("plain name", "plain name"),
        ("café", "café"),
        ("a\nb", "a\\nb"),
        ("\x00\x1b\x7f", "\\x00\\x1b\\x7f"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\u202e\u2028", "\\u202e\\u2028"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_nothing_unprintable_gets_through(name: str, form: str) -> None:
    """RFC1350-5-15"""
    assert escaped(name) == form
    assert shown(name) == f'"{form}"'


def test_addresses_as_people_write_them() -> None:
    v4: Address = ("192.0.2.1", 69)
    v6: Address = ("fe80::1", 69, 0, 2)
    assert spelled(v4) == "192.0.2.1:69"
    assert spelled(v6) == "[fe80::1]:69"


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("make", [rrq, wrq])
def test_names_from_the_network_forge_no_line(
    root: Path, caplog: pytest.LogCaptureFixture, name: str, make: Callable[[str], bytes]
) -> None:
    """RFC1350-5-15"""
    with caplog.at_level(logging.DEBUG, "tftp.server"), open_lab(root) as lab:
        assert lab.refused(make(name))[0] in (1, 2)
        report = lab.report()
    assert str(report).isprintable()
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert json.dumps(report.fields()).isprintable()
    assert report.file == name


def test_texts_from_the_network_forge_no_line(lab: Lab) -> None:
    """RFC1350-5-15, RFC1350-7-05"""
    lab.put_file("f", CONTENT)
    texts: list[str | bytes] = [*EVIL, b"\xff\xfe\x80", "", "x" * 60_000]
    for text in texts:
        peer = lab.peer()
        peer.ask(rrq("f"))
        peer.expect(data(1, CONTENT[:512]))
        peer.say(error(99, text))
        report = lab.report()
        assert report.outcome.startswith("the peer ended it with error 99")
        assert str(report).isprintable()
        assert len(str(report)) < 1000


def test_requests_with_every_detail(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tftp.server"), open_lab(root) as lab:
        lab.put_file("f\n", CONTENT[:100])
        peer = lab.peer()
        options: dict[str, int | str] = {"blksize": 600, "x\x1b": "\n"}
        peer.ask(rrq("f\n", **options))
        peer.expect(oack(blksize=600))
        peer.say(ack(0))
        peer.take(600)
        port = lab.report().peer[1]
    first = caplog.records[0]
    assert first.levelno == logging.DEBUG
    start = f'127.0.0.1:{port} asks to read "f\\n" in octet mode, '
    assert first.getMessage() == start + '"blksize=600 x\\x1b=\\n"'
    assert [record.levelno for record in caplog.records] == [
        logging.DEBUG,
        logging.INFO,
        logging.INFO,
    ]


def test_failures_are_warnings_and_refusals_are_not(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Boot loaders ask for much that is not there."""
    with caplog.at_level(logging.DEBUG, "tftp.server"), open_lab(root, timing=QUICK) as lab:
        lab.refused(rrq("nope"))
        assert lab.report().outcome == "refused with error 1, File not found"
        lab.put_file("f", CONTENT)
        lab.peer().ask(rrq("f"))
        assert lab.report().outcome == "failed, the peer stopped answering"
    levels = [record.levelno for record in caplog.records if isinstance(record.msg, Report)]
    assert levels == [logging.INFO, logging.WARNING]


def test_totals(root: Path) -> None:
    with open_lab(root, upload=Upload.CREATE) as lab:
        lab.put_file("f", CONTENT[:3000])
        lab.peer().fetch("f")
        lab.peer().store("new", CONTENT[:100])
        lab.refused(rrq("nope"))
        peer = lab.peer()
        peer.ask(rrq("f"))
        peer.receive()
        peer.say(error(0, "stop"))
        for _ in range(4):
            lab.report()
        assert lab.server.totals == Totals(completed=2, failed=1, refused=1, octets=3100)


def test_a_flood_of_requests_without_room_is_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    with caplog.at_level(logging.DEBUG, "tftp.server"):
        for number in range(1000):
            journal.busy(("192.0.2.1", number), "no room", number * 0.01)
    assert journal.totals.turned_away == 1000
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "no room for 1 request(s), the last one from 192.0.2.1: no room",
        f"no room for {round(QUIET * 100)} request(s), the last one from 192.0.2.1: no room",
    ]


def test_a_notice_is_a_line_too() -> None:
    notice = Notice("busy", "words")
    assert str(notice) == "words"
    assert notice.fields() == {"event": "busy", "message": "words"}
