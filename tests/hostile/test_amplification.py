"""What an address hears that never answers: whoever forges it cannot make us a weapon.

At default settings and for the cheapest requests there are. First without sockets, on virtual
time, for every combination of options; then as the kernel delivers it. `BOUNDS` is what is
promised; the worst cases are printed as a table (-s).
"""

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.server.bad_input import ASKED
from tests.server.desk import Box
from tests.server.lab import open_lab
from tests.server.wire import Peer, ack, data, error, oack, rrq, wrq
from tftp.errors import AccessDenied, DiskFull, LocalError, NoSuchFile
from tftp.net.files import BytesSource, Source
from tftp.protocol.pace import Timing
from tftp.protocol.transfer import Address, Burst
from tftp.server import Limits, Upload
from tftp.server.service import Reading, Refused, Service, Writing

ANSWERS = 4  # the first one and three repeats
BOUNDS = {
    "OACK": 10.0,  # octets for each octet of the request
    "DATA": ANSWERS * 516 / 10,
    "ACK": ANSWERS * 4 / 10,
    "ERROR": 22.0,  # for a request of two octets; answered once, never repeated
    "stranger": 6.0,
}
HEADERS = 28  # octets of IPv4 and UDP, there and back

VICTIM: Address = ("192.0.2.66", 4000)
QUICK = Timing(first=0.02, floor=0.02, least=0.02, ceiling=0.04, dally=0.1)
VALUES: dict[str, tuple[int | None, ...]] = {
    "blksize": (None, 8, 512, 65464),
    "windowsize": (None, 1, 65535),
    "timeout": (None, 1, 255),
    "tsize": (None, 0),
    "utimeout": (None, 10_000, 255_000_000),
    "rollover": (None, 0),
}


class Library:
    """A file so large that its size takes as many digits as there are; all names may be written."""

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        if name != "f":
            raise NoSuchFile("File not found")
        source = BytesSource(bytes(1 << 20))
        source.size = 10**18 - 1
        return source

    def write(self, name: str, *, netascii: bool, size: int | None) -> Box:
        return Box()


class Struck(NamedTuple):
    """What one request made us send to its source."""

    what: str
    asked: int
    octets: int
    packets: int
    requests: int = 1

    @property
    def ratio(self) -> float:
        """Returns how many octets came for each that was sent."""
        return self.octets / self.asked

    @property
    def on_the_wire(self) -> float:
        """Returns the same with the headers of IPv4 and UDP."""
        there = self.asked + HEADERS * self.requests
        return (self.octets + HEADERS * self.packets) / there


class Forger:
    """Asks in the name of one who never answers, and notes what that one hears."""

    def __init__(self) -> None:
        self.service = Service(Library(), Limits(), Timing())
        self.heard: list[int] = []

    def strike(self, what: str, datagram: bytes, again: Iterable[float] = ()) -> Struck:
        """Asks at time 0, and with the same octets at the times `again`; waits for the end."""
        self.heard.clear()
        times = list(again)
        planned = len(times)
        decided = self.service.decide(datagram, VICTIM, 0.0)
        if isinstance(decided, Refused):
            self.heard.append(len(decided.datagram))
        elif isinstance(decided, Reading | Writing):
            self._play(decided, times)
            self.service.release(decided)
        asked = 1 + planned - len(times)
        return Struck(what, asked * len(datagram), sum(self.heard), len(self.heard), asked)

    def _play(self, admitted: Reading | Writing, times: list[float]) -> None:
        transfer = admitted.transfer
        now = 0.0
        self._speak(admitted, now)
        while (due := transfer.deadline) is not None:
            if times and times[0] < due:
                now = times.pop(0)
                transfer.ask_again(now)
            else:
                now = due
                transfer.expire(now)
            self._speak(admitted, now)
        assert transfer.outcome is not None

    def _speak(self, admitted: Reading | Writing, now: float) -> None:
        transfer = admitted.transfer
        while (word := transfer.poll(64)) is not None:
            if isinstance(word, Burst):
                assert isinstance(admitted, Reading)
                assert word.count == 1, "one block before the first ACK"
                self.heard.append(4 + admitted.transfer.terms.block_size)
                admitted.transfer.sent(word, admitted.transfer.terms.block_size, now)
            else:
                assert word.to == VICTIM
                self.heard.append(len(word.data))


def combinations() -> Iterator[dict[str, int | str]]:
    """Yields every set of options, and each with several values; the first one has none."""
    for values in product(*VALUES.values()):
        yield {name: v for name, v in zip(VALUES, values, strict=True) if v is not None}


def table(rows: Iterable[Struck]) -> None:
    print(f"\n{'':44} {'asked':>6} {'heard':>6} {'packets':>7} {'ratio':>7} {'on the wire':>11}")
    for row in rows:
        figures = f"{row.asked:6} {row.octets:6} {row.packets:7} {row.ratio:6.1f}x"
        print(f"{row.what:44} {figures} {row.on_the_wire:10.1f}x")


def worst(rows: Iterable[Struck]) -> list[Struck]:
    """Returns the worst few, the worst one first."""
    return sorted(rows, key=lambda row: -row.ratio)[:5]


def test_options_are_answered_by_an_oack_that_is_small() -> None:
    forger = Forger()
    rows = []
    for wishes in combinations():
        if not wishes:
            continue
        for what, make, name in (("RRQ", rrq, "f"), ("WRQ", wrq, "n")):
            spelled = " ".join(f"{key}={value}" for key, value in wishes.items())
            rows.append(forger.strike(f"{what} {spelled}", make(name, **wishes)))
    assert len(rows) > 800
    table(worst(rows))
    assert max(row.ratio for row in rows) < BOUNDS["OACK"]
    assert max(row.on_the_wire for row in rows) < BOUNDS["OACK"]
    assert max(row.packets for row in rows) <= ANSWERS


@pytest.mark.parametrize(
    ("what", "datagram", "bound"),
    [
        ("RRQ", rrq("f"), "DATA"),
        ("RRQ in netascii", rrq("f", "netascii"), "DATA"),
        ("RRQ, options that are passed over", rrq("f", blksize=7, windowsize=0), "DATA"),
        ("WRQ", wrq("n"), "ACK"),
        ("WRQ, options that are passed over", wrq("n", blksize=7, windowsize=0), "ACK"),
    ],
)
def test_without_options_it_is_the_first_packet_and_few_repeats(
    what: str, datagram: bytes, bound: str
) -> None:
    struck = Forger().strike(what, datagram)
    table([struck])
    assert struck.ratio <= BOUNDS[bound]
    assert struck.packets == ANSWERS


@pytest.mark.parametrize("apart", [0.01, 0.11, 0.9, 1.1, 3.0])
def test_asking_again_buys_no_more_than_asking(apart: float) -> None:
    """The same octets again are one more answer at the most, and our own repeats run on."""
    times = [apart * n for n in range(1, 30)]
    for datagram, bound in ((rrq("f"), "DATA"), (rrq("f", blksize=8), "OACK")):
        struck = Forger().strike(f"30 times, {apart} s apart", datagram, times)
        table([struck])
        assert struck.ratio <= BOUNDS[bound]


def test_who_has_answered_before_is_struck_no_harder() -> None:
    """The round trips of a real client are known; somebody forges its address now."""
    forger = Forger()
    admitted = forger.service.decide(rrq("f"), VICTIM, -10.0)
    assert isinstance(admitted, Reading)
    now = -10.0
    for number in range(1, 200):
        while (word := admitted.transfer.poll()) is not None:
            assert isinstance(word, Burst)
            admitted.transfer.sent(word, 512, now)
        now += 0.001
        admitted.transfer.receive(ack(number), VICTIM, now)
    admitted.transfer.receive(error(0, "enough"), VICTIM, now)
    forger.service.release(admitted)
    struck = forger.strike("RRQ in the name of a client", rrq("f"))
    table([struck])
    assert struck.ratio <= BOUNDS["DATA"]


def refusals() -> Iterator[bytes]:
    """Yields requests that are refused, the shortest of each kind among them."""
    yield from (b"\0\1", b"\0\2", b"\0\1f", b"\0\1\0", b"\0\1f\0", b"\0\1f\0octet", b"\0\2\0\0")
    yield from (rrq("f", ""), rrq("", "x"), rrq("x"), rrq("f", "mail"), rrq("f") + bytes(2048))
    for row in ASKED:
        if row.answer.startswith("ERROR"):
            yield from row.datagrams


def test_a_refusal_is_one_small_packet() -> None:
    forger = Forger()
    rows = [forger.strike(str(datagram[:20]), datagram) for datagram in refusals()]
    refused = [row for row in rows if row.packets == 1]
    assert len(refused) > 30
    table(worst(refused))
    assert max(row.ratio for row in refused) <= BOUNDS["ERROR"]


@pytest.mark.parametrize(
    "problem",
    [
        AccessDenied("Access violation: it is not a plain file"),
        DiskFull("Disk full: the file is larger than the limit"),
        LocalError("Local error (ENAMETOOLONG)"),
    ],
)
def test_what_the_files_refuse_is_one_small_packet(
    problem: LocalError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Source:
        raise problem

    monkeypatch.setattr(Library, "read", refuse)
    struck = Forger().strike(str(problem), rrq("f"))
    table([struck])
    assert struck.packets == 1
    assert struck.ratio < BOUNDS["OACK"]


def test_what_is_no_request_is_not_answered() -> None:
    forger = Forger()
    for datagram in (data(1, bytes(512)), ack(0), error(4, "x"), oack(), b"", b"\0", bytes(600)):
        assert forger.strike("no request", datagram or b"").packets == 0


# As it arrives


def overhear(peer: Peer) -> list[int]:
    """Returns the sizes of all that has arrived."""
    sizes = []
    peer.socket.setblocking(False)
    try:
        while True:
            sizes.append(len(peer.socket.recv(65536)))
    except BlockingIOError:
        return sizes


def test_what_arrives_is_what_was_reckoned(tmp_path: Path) -> None:
    asked = {
        "RRQ": (rrq("f"), "DATA"),
        "RRQ with all options": (rrq("f", blksize=65464, windowsize=65535, tsize=0), "OACK"),
        "RRQ with one": (rrq("f", blksize=8), "OACK"),
        "WRQ": (wrq("n"), "ACK"),
        "WRQ with one": (wrq("m", windowsize=64), "OACK"),
        "RRQ of what is not there": (rrq("x"), "ERROR"),
        "two octets": (b"\0\1", "ERROR"),
    }
    rows = []
    with open_lab(tmp_path / "root", upload=Upload.CREATE, timing=QUICK) as lab:
        lab.put_file("f", bytes(100_000))
        for what, (datagram, bound) in asked.items():
            victim = lab.peer()
            victim.ask(datagram)
            lab.report()  # it is over
            sizes = overhear(victim)
            rows.append(Struck(what, len(datagram), sum(sizes), len(sizes)))
            assert len(sizes) == (1 if bound == "ERROR" else ANSWERS)
            assert rows[-1].ratio <= BOUNDS[bound]
        lab.check_alive()
    table(rows)


def test_strangers_at_a_transfers_port_hear_little(tmp_path: Path) -> None:
    """ERROR 5 for each packet, and no more than 32 in all."""
    with open_lab(tmp_path / "root") as lab:
        lab.put_file("f", bytes(100_000))
        reader = lab.peer()
        reader.ask(rrq("f"))
        reader.expect(data(1, bytes(512)))
        strangers = [lab.stranger(reader) for _ in range(50)]
        for stranger in strangers:
            stranger.say(ack(1))
        reader.say(ack(1))
        reader.expect(data(2, bytes(512)))  # so it has heard all of them
        heard = [overhear(stranger) for stranger in strangers]
        assert sum(map(len, heard)) == 32
        struck = Struck("a stranger's ACK", 4, max(map(sum, heard)), 1)
        table([struck])
        assert struck.ratio <= BOUNDS["stranger"]
        reader.say(error(0, "enough"))
