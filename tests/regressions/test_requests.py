"""Requests that overflowed, killed or confused other servers: lengths, options, odd octets."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.regressions.check import GOOD, answers, begin, check_good, finish
from tests.server.lab import Lab, open_lab
from tests.server.wire import ack, data, error, oack, parse_error, rrq, wrq

pytestmark = pytest.mark.regression

LENGTHS = (255, 256, 511, 512, 513, 1024, 1500, 2000, 2036, 2047, 2048, 4096, 9000, 32_768, 65_000)


def check_refused(lab: Lab, datagram: bytes) -> str:
    """It gets one ERROR, small and well formed; returns its text."""
    answer = answers(lab, datagram)
    code, text = parse_error(answer)
    assert code in (1, 4)
    assert len(answer) == 4 + len(text) + 1 <= 516
    return text


def test_cve_2009_2957_long_names_fit_nowhere_and_overflow_nothing(lab: Lab) -> None:
    """dnsmasq before 2.50 put prefix and name into one buffer on the heap."""
    for length in LENGTHS:
        check_refused(lab, rrq("n" * length))
        check_refused(lab, rrq("d/" * (length // 2) + "f"))
        if length > 255:  # up to there it is a name
            check_refused(lab, wrq("n" * length))
    check_good(lab)


def test_cve_2009_2958_a_request_without_a_mode_is_an_error_4(lab: Lab) -> None:
    """dnsmasq before 2.50 followed a null pointer where a string was missing."""
    for opcode in (b"\0\1", b"\0\2"):
        for rest in (b"", b"\0", b"\0\0", b"good", b"good\0", b"good\0\0", b"\0octet\0", b"\0\0\0"):
            assert answers(lab, opcode + rest)[:4] == b"\0\5\0\4"
    check_good(lab)


def test_cve_2011_2199_long_options_and_many_of_them(lab: Lab) -> None:
    """tftpd-hpa before 5.1 overflowed on the value of an option (utimeout)."""
    for name in ("utimeout", "timeout", "blksize", "tsize", "windowsize", "rollover", "x" * 300):
        for value in ("9" * 300, "9" * 1700, "-" + "9" * 20, "0" * 500, "%s" * 200, ""):
            answer = answers(lab, rrq("good", **{name: value}))
            assert answer[:2] in (b"\0\3", b"\0\6")
            assert len(answer) <= 516
    many = {f"o{number}": number for number in range(100)}
    assert answers(lab, rrq("good", **many)) == data(1, GOOD[:512])
    assert answers(lab, rrq("good", **many, blksize=1000)) == oack(blksize=1000)
    check_good(lab)


def test_cve_2013_0145_a_long_read_request(lab: Lab) -> None:
    """Serva32 2.1.0 died of one long RRQ, whatever was in it."""
    for filler in (b"A", b"\xff", b"%n", b"../", b"\0"):
        for length in LENGTHS:
            datagram = (b"\0\1" + filler * length)[:length]
            assert answers(lab, datagram)[:3] == b"\0\5\0"
    check_good(lab)


def test_cve_2021_44429_a_long_mode_or_option(lab: Lab) -> None:
    """Serva 4.4.0 overflowed a buffer by one long field of a request."""
    for length in LENGTHS:
        check_refused(lab, rrq("good", "m" * length))
        check_refused(lab, wrq("new", "octet" * (length // 5) + "x"))
    assert answers(lab, rrq("good", **{"o" * 1500: "v"})) == data(1, GOOD[:512])
    check_good(lab)


def test_cve_2019_11365_an_error_of_three_octets(lab: Lab) -> None:
    """atftpd counted the text of an ERROR as its length less four, and copied that many."""
    reader = begin(lab)
    for octets in (b"\0\5", b"\0\5\0", b"\0", b""):
        reader.say(octets)
        lab.stranger(reader).say(octets)
        lab.peer().ask(octets)
    finish(reader)
    writer = lab.peer()
    writer.ask(wrq("new"))
    writer.expect(ack(0))
    writer.say(b"\0\5", b"\0\5\0")
    writer.give(GOOD)
    assert (lab.root / "new").read_bytes() == GOOD
    check_good(lab)


def test_cve_2019_11366_sixteen_threads_that_ask_and_abort(lab: Lab) -> None:
    """atftpd walked its list of threads without holding the lock."""

    def ask_and_abort(_: int) -> int:
        peer = lab.peer()
        for turn in range(12):
            peer.ask(rrq("good") if turn % 2 else rrq("good", blksize=8))
            peer.receive()
            peer.say(error(0, "enough"))
        return 1

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(ask_and_abort, range(16))) == 16
    check_good(lab)


def test_cve_2020_6097_many_ports_of_both_families(lab: Lab) -> None:
    """atftpd asserted that an address could be printed, and ended when it could not."""
    with open_lab(lab.root, host=("127.0.0.1", "::1")) as both:
        peers = [both.peer(host) for host in ("127.0.0.1", "::1") * 60]
        for peer in peers:
            peer.ask(b"\0\1")
            peer.socket.sendto(b"", peer.server)
            peer.socket.sendto(rrq("x"), peer.server)
        for peer in peers:
            assert {peer.expect_error(4), peer.expect_error(1)}
        check_good(both)


def test_cve_2021_41054_the_smallest_block_and_every_option(lab: Lab) -> None:
    """atftpd made the buffer of its answers as large as the block: 8 octets do for no OACK."""
    every: dict[str, int | str] = {"blksize": 8, "tsize": 0, "timeout": 255, "windowsize": 64}
    more: dict[str, int | str] = {**every, "multicast": "", "rollover": 0, "utimeout": 100_000}
    peer = lab.peer()
    peer.ask(rrq("good", **more))
    granted: dict[str, int | str] = {**every, "tsize": len(GOOD), "rollover": 0}
    peer.expect(oack(**granted))
    peer.say(ack(0))
    assert peer.take(8, 64) == GOOD
    writer = lab.peer()
    writer.store("new", GOOD[:300], blksize=8, tsize=300, timeout=255)
    assert (lab.root / "new").read_bytes() == GOOD[:300]
    check_good(lab)


def test_cve_2021_46671_an_option_without_its_end(lab: Lab) -> None:
    """atftpd read on behind a request whose last option had no zero octet, and told what was there.

    Cut off at any octet, a request gets an ERROR, or an answer to what is whole in it.
    """
    whole = rrq("good", blksize=1024, tsize=0, timeout=3)
    told = {"blksize": "1024", "tsize": str(len(GOOD)), "timeout": "3"}
    for length in range(2, len(whole) + 1):
        cut = whole[:length]
        answer = answers(lab, cut)
        strings = cut[2:].split(b"\0")[2:-1]
        names = [name.decode() for name in strings[0 : len(strings) // 2 * 2 : 2]]
        if cut.count(b"\0", 2) < 2:
            assert answer[:4] == b"\0\5\0\4"
        elif names:
            assert answer == oack(**{name: told[name] for name in names})
        else:
            assert answer == data(1, GOOD[:512])
    check_good(lab)


def test_netric_adv010_long_names_to_the_server(lab: Lab) -> None:
    """atftp 0.7 copied the name into an array of its own; the client's side is in test_clients."""
    for length in range(240, 300, 7):
        check_refused(lab, rrq("a" * length + "\x90" * 30))
    check_good(lab)


def test_tftpd32_format_strings_are_a_name_like_any_other(lab: Lab) -> None:
    """Tftpd32 gave the name to printf."""
    for name in ("%n%s", "%s" * 100, "%n" * 100, "%99999999d", "{0}", "%(x)s", "%", "$(id)`id`"):
        text = check_refused(lab, rrq(name))
        assert name not in text
        assert lab.report().file == name
    check_good(lab)


def test_tftpd32_exploit_long_strings_of_every_kind(lab: Lab) -> None:
    """Tftpd32 2.21 died of an over-long request with a valid tail."""
    for length in (500, 509, 510, 600, 1900, 3000):
        for make in (rrq, wrq):
            check_refused(lab, make("A" * length, "netascii"))
            check_refused(lab, make(b"\x90" * length + b"\xeb\x10", "octet"))
    check_good(lab)


def test_tftpy_head_one_request_kills_no_server(lab: Lab) -> None:
    """tftpy ends by an exception of a directory, of a name that is no UTF-8, or of a number."""
    reader = begin(lab)
    assert answers(lab, rrq("incoming"))[:4] == b"\0\5\0\2"
    assert answers(lab, rrq(b"\xff"))[:4] == b"\0\5\0\1"
    assert answers(lab, rrq("good", blksize="abc")) == data(1, GOOD[:512])
    finish(reader)
    check_good(lab)


def test_hikvision_tftpd_15_every_opcode_with_a_short_body(lab: Lab) -> None:
    """A packet of two octets, an ACK without its block, raised through its only loop."""
    reader, fence = begin(lab), lab.peer()
    for opcode in (*range(10), 255, 256, 65_535):
        for size in range(4):
            for filler in (b"\0", b"x", b"\xff"):
                octets = opcode.to_bytes(2, "big") + filler * size
                stranger = lab.stranger(reader)
                stranger.say(octets)
                lab.peer().ask(octets)
                # One that the reader itself may say: an ERROR of two octets and code ends it.
                if opcode not in (3, 4, 5):
                    reader.say(octets)
        check_good(lab, fence)
    finish(reader)


def test_cve_2021_3595_datagrams_of_one_to_three_octets(lab: Lab) -> None:
    """libslirp read an opcode and more from whatever had come, however short it was."""
    reader = begin(lab)
    for octets in (b"", *(bytes([n]) for n in (0, 1, 5, 255))):
        for rest in (b"", b"\1", b"\3\0", b"\4\0", b"\5\xff"):
            short = (octets + rest)[:3]
            peer = lab.peer()
            peer.ask(short)
            if short[:2] in (b"\0\1", b"\0\2"):
                peer.expect_error(4)
            check_good(lab, peer)
            reader.say(short)
    finish(reader)
    check_good(lab)


def test_cve_2019_0603_and_cve_2018_8476_one_port_that_begins_again_and_again(lab: Lab) -> None:
    """Windows Deployment Services used a session after it was freed: requests, ERRORs and ACKs
    of one port in every order must meet either a living transfer or none.
    """
    peer = lab.peer()
    tids = []
    for turn in range(24):
        name, options = ("good", {"blksize": 8 + turn}) if turn % 3 else ("missing", {})
        peer.ask(rrq(name, **options))
        answer = peer.receive()
        assert answer == oack(**options) if options else answer[:4] == b"\0\5\0\1"
        assert peer.tid is not None
        tids.append(peer.tid)
        if turn % 2:
            peer.say(error(0, "enough"))
        for tid in tids[-3:-1]:
            if tid != peer.server:
                peer.socket.sendto(error(0, "over"), tid)
                peer.socket.sendto(ack(65_535), tid)
    check_good(lab)
