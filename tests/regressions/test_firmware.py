"""What real boot firmware and network gear sends, and what users complained of to other servers."""

import logging
from pathlib import Path

import pytest

from tests.regressions.check import GOOD, answers, begin, check_good, finish
from tests.server.lab import Lab, open_lab
from tests.server.wire import ack, data, error, oack, rrq, wrq
from tftp.server import Report, Server

pytestmark = pytest.mark.regression


def blocks(first: int, last: int, size: int = 512) -> list[bytes]:
    return [data(n, GOOD[size * (n - 1) : size * n]) for n in range(first, last + 1)]


def test_tftpy_79_whatever_follows_a_refusal(lab: Lab) -> None:
    """tftpy died of a packet of one whose file was not found."""
    peer = lab.peer()
    for packet in (ack(0), ack(1), data(1, b"x"), error(0, "so what"), oack(tsize=1), b"\0"):
        peer.ask(rrq("missing", tsize=0))
        peer.expect_error(1)
        peer.say(packet)
    check_good(lab, peer)


def test_dnsmasq_grown_file_is_served_as_it_is_now(lab: Lab) -> None:
    """dnsmasq shares the open file and its size: a client that comes later gets the old size.

    Who reads already gets what there was when it asked, or an ERROR; never a mixture.
    """
    path = lab.put_file("grows", GOOD)
    reader = lab.peer()
    reader.ask(rrq("grows"))
    reader.expect(data(1, GOOD[:512]))
    with path.open("ab") as file:
        file.write(b"more" * 1000)
    grown = GOOD + b"more" * 1000
    later = lab.peer()
    later.ask(rrq("grows", tsize=0))
    later.expect(oack(tsize=len(grown)))
    later.say(ack(0))
    assert later.take() == grown
    for number in range(2, len(GOOD) // 512 + 2):
        reader.say(ack(number - 1))
        packet = reader.receive()
        if packet[:2] == b"\0\5":
            break
        assert packet == data(number, GOOD[512 * number - 512 : 512 * number])


def test_uftpd_43_an_oack_holds_its_options_and_not_an_octet_more(lab: Lab) -> None:
    """uftpd padded it with zero octets, and IOS took it for broken."""
    assert answers(lab, rrq("good", blksize=8192)) == b"\0\6blksize\x008192\0"
    assert answers(lab, rrq("good", TSIZE=0, blksize="08192", foo=1)).startswith(
        b"\0\6TSIZE\x005000\0"
    )
    assert answers(lab, wrq("new", tsize=9)) == b"\0\6tsize\x009\0"


def test_uftpd_44_a_gap_in_a_window_is_gone_back_to(lab: Lab) -> None:
    """uftpd streamed on, whatever number an ACK had: small files came over, large ones did not."""
    peer = lab.peer()
    peer.ask(rrq("good", windowsize=4))
    peer.expect(oack(windowsize=4))
    peer.say(ack(0))
    peer.expect(*blocks(1, 4))
    peer.say(ack(2))  # 3 was lost
    peer.expect(*blocks(3, 6))
    peer.say(ack(6))
    peer.expect(*blocks(7, 10))
    peer.say(ack(10))
    check_good(lab)


@pytest.mark.parametrize("size", [8, 512, 700, 1000, 1024, 1428])
def test_limine_55_every_block_but_the_last_is_full(lab: Lab, size: int) -> None:
    """A server went on in blocks of 512 behind an OACK that said more."""
    assert lab.peer().fetch("good", blksize=size) == GOOD  # `take` ends at a block that is not


@pytest.mark.filterwarnings("ignore")
def test_cobbler_2016_a_failure_to_note_a_refusal_does_not_prevent_it(root: Path) -> None:
    """Cobbler's server raised while it wrote about a missing file, and the board heard nothing."""

    def fail(report: Report) -> None:
        raise OSError(28, "No space left on device")

    logging.getLogger("tftp.server").addFilter(silent)
    try:
        with Server(root, on_transfer=fail) as server, open_lab(root) as lab:
            peer = lab.peer()
            peer.server = (server.host, server.port)
            for _ in range(3):
                peer.ask(rrq("missing"))
                peer.expect_error(1)
            assert peer.fetch("good") == GOOD
    finally:
        logging.getLogger("tftp.server").removeFilter(silent)


def silent(record: logging.LogRecord) -> bool:
    return False


def test_atftpd_directory_is_no_empty_file(lab: Lab) -> None:
    """atftpd sends nothing, as one block of DATA."""
    for name in ("incoming", "incoming/", "/", ".", ""):
        for options in ({}, {"tsize": 0}):
            assert answers(lab, rrq(name, **options))[:3] == b"\0\5\0"
    check_good(lab)


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"U\xaa", b"junk\0", bytes(range(256))])
def test_pa_risc_padding_behind_the_mode_is_ignored(lab: Lab, filler: bytes) -> None:
    """The ROM of PA-RISC sends 516 octets, with whatever was in its memory behind the mode."""
    datagram = (rrq("good") + b"\0" + filler * 512)[:516]
    peer = lab.peer()
    peer.ask(datagram)
    peer.expect(data(1, GOOD[:512]))
    finish(peer)


def test_grub_old_acks_wake_no_apprentice(lab: Lab) -> None:
    """GRUB acknowledges every old block at once: none of these ACKs is answered with DATA."""
    peer = begin(lab)
    for number in range(1, 10):
        old = [ack(block) for block in range(max(0, number - 3), number)]
        peer.say(*old, ack(number), *old, ack(number))
        peer.expect(*blocks(number + 1, number + 1))
    peer.say(*(ack(block) for block in range(11)))
    check_good(lab, lab.peer())
    assert peer.is_silent()


def test_u_boot_reset_begins_anew_from_the_same_port(lab: Lab) -> None:
    """U-Boot takes its port from a timer of three thousand values, and uses it again soon."""
    peer = lab.peer()
    for _ in range(5):
        peer.ask(rrq("good", timeout=5, tsize=0, blksize=1468))
        peer.expect(oack(timeout=5, tsize=len(GOOD), blksize=1468))
        peer.say(ack(0))
        peer.expect(data(1, GOOD[:1468]))
        peer.ask(rrq("good"))
        peer.expect(data(1, GOOD[:512]))
    finish(peer)
    check_good(lab)
