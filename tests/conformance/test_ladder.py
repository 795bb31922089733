"""What is kept of the packets of a case: text for people, a capture for tools."""

import struct
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from conformance.ladder import Ladder
from conformance.wire import ack, data, rrq

OURS, THEIRS = ("127.0.0.1", 2000), ("127.0.0.2", 69)
OURS_6, THEIRS_6 = ("::1", 2000), ("::1", 69)


class Frame(NamedTuple):
    """A datagram of a capture."""

    time: float
    source: tuple[str, int]
    to: tuple[str, int]
    payload: bytes


def captured(path: Path) -> list[Frame]:
    """Reads a capture of raw IP, and checks all lengths in it."""
    octets = path.read_bytes()
    magic, *_, kind = struct.unpack_from("!IHHiIII", octets)
    assert (magic, kind) == (0xA1B2C3D4, 101)
    frames, start = [], 24
    while start < len(octets):
        seconds, micros, size, whole = struct.unpack_from("!IIII", octets, start)
        assert size == whole
        frame = octets[start + 16 : start + 16 + size]
        frames.append(Frame(seconds + micros / 1e6, *dissected(frame)))
        start += 16 + size
    return frames


def dissected(frame: bytes) -> tuple[tuple[str, int], tuple[str, int], bytes]:
    """Takes an IP packet apart."""
    head = 20 if frame[0] >> 4 == 4 else 40
    if head == 20:
        length, protocol, ends = struct.unpack_from("!H", frame, 2)[0], frame[9], frame[12:20]
        assert length == len(frame)
    else:
        length, protocol, ends = struct.unpack_from("!H", frame, 4)[0], frame[6], frame[8:40]
        assert length == len(frame) - 40
    assert protocol == 17
    half = len(ends) // 2
    source, to, length, _ = struct.unpack_from("!HHHH", frame, head)
    assert length == len(frame) - head
    hosts = str(ip_address(ends[:half])), str(ip_address(ends[half:]))
    return (hosts[0], source), (hosts[1], to), frame[head + 8 :]


def filled() -> Ladder:
    ladder = Ladder(began=100.0)
    ladder.sent(100.0, OURS, THEIRS, rrq("f"))
    ladder.heard(100.25, OURS, THEIRS, data(1, b"x"))
    ladder.note(100.5, "now it is quiet")
    ladder.sent(101.000001, OURS_6, THEIRS_6, ack(1))
    return ladder


def test_the_text() -> None:
    assert filled().lines() == [
        "   0.0000  2000 > 69  RRQ 'f' octet",
        "   0.2500  2000 < 69  DATA 1, 1 octets",
        "   0.5000  -- now it is quiet",
        "   1.0000  2000 > 69  ACK 1",
    ]


def test_a_long_one_loses_its_middle() -> None:
    ladder = Ladder(0.0)
    for block in range(100):
        ladder.sent(0.0, OURS, THEIRS, ack(block))
    lines = ladder.lines(10)
    assert len(lines) == 11
    assert lines[5] == "  ... 90 more ..."
    assert lines[0].endswith("ACK 0")
    assert lines[-1].endswith("ACK 99")


def test_the_words_of_a_step() -> None:
    assert [step.words for step in filled().steps] == [
        "RRQ 'f' octet",
        "DATA 1, 1 octets",
        "now it is quiet",
        "ACK 1",
    ]


def test_the_capture(tmp_path: Path) -> None:
    path = tmp_path / "case.pcap"
    filled().write_pcap(path)
    first, second, third = captured(path)
    assert first == (0.0, OURS, THEIRS, rrq("f"))
    assert second == (0.25, THEIRS, OURS, data(1, b"x"))
    assert (third.source, third.to, third.payload) == (OURS_6, THEIRS_6, ack(1))
    assert abs(third.time - 1.0) < 2e-6
