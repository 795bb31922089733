"""A whole service without sockets and clock: requests, transfers, their channels, real files.

Each operation is one thing that can happen to a server; what has to hold is checked after
each. The folder lies beside canaries, with links that lead to them; whatever is opened for
a request must lie below the root. At the end every transfer ends by itself, and nothing is
left: no transfer, no descriptor, no temporary file. Must not know who chooses the operations.
"""

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from tests.fuzz.place import descriptors, make_place, opened_since
from tests.fuzz.wire import Wire
from tftp.net.arrivals import QuickInbound
from tftp.net.channel import Channel, Inbound, Outbound, Scratch
from tftp.net.lockstep import LockStep
from tftp.net.root import Root
from tftp.protocol.pace import Timing
from tftp.protocol.packets import ERROR, RRQ, WRQ, Data, Error, decode, peek
from tftp.protocol.transfer import Address
from tftp.server.config import Limits, Upload
from tftp.server.content import Folder
from tftp.server.guard import Verdict
from tftp.server.service import Admitted, Reading, Refused, Service, Writing

__all__ = ["FILES", "LINKS", "Hall", "Party"]

T = TypeVar("T")

FILES = {
    "f": bytes((n * 7 + n // 251) & 0xFF for n in range(3000)),
    "empty": b"",
    "exact": b"12345678" * 128,
    "text": b"one\r\ntwo\nthree\r" * 40,
    "sub/in": b"inside",
}
LINKS = {
    "link": "sub/in",
    "out": "../secret",
    "up": "..",
    "sub/out": "../../secret",
    "loop": "loop",
}
CANARY = b"\xa5nobody may read this\xa5"
# So narrow that every one of them bites.
LIMITS = Limits(
    transfers=6,
    text=4096,
    host_transfers=5,
    unproven=3,
    host_unproven=3,
    hosts=2,
    host_requests=5.0,
    uploads=3,
    host_uploads=2,
    acquaintances=2,
    free=0,
)
UPLOAD = 5000  # octets of one file
CACHE = 4096
MOST_EXPIRIES = 600


class Party:
    """One transfer under way, as a loop has it."""

    def __init__(self, admitted: Admitted, scratch: Scratch) -> None:
        """Joins it with a wire."""
        self.admitted = admitted
        self.wire = Wire()
        self.channel: Channel
        self.content: bytes | None = None
        """The file as it was when it was asked for; None for a text or an upload."""
        self.heard = False
        """Whether the peer has said anything but its request."""
        self.asked = 1
        """How often it has asked."""
        self.flights = 0
        self.mixed = False
        """Whether other octets than those have gone out, since the file was changed."""
        if isinstance(admitted, Reading):
            if admitted.file.size is not None:
                content = bytearray(admitted.file.size)
                admitted.file.read_into([memoryview(content)], 0)
                self.content = bytes(content)
            kind = LockStep if admitted.transfer.terms.window == 1 else Outbound
            self.channel = kind(admitted.transfer, self.wire, admitted.file, scratch)
        else:
            self.channel = QuickInbound(admitted.transfer, self.wire, admitted.file, scratch)

    def check_word(self, data: bytes, to: Address) -> None:
        """Checks a datagram that goes out."""
        transfer = self.admitted.transfer
        if to != transfer.peer:
            assert data.startswith(b"\0\5\0\5"), "a stranger got more than that"
            return
        packet = decode(data)
        if not self.heard:  # it may be somebody who never asked
            self.flights += 1
            assert len(data) <= 4 + 512, "a large answer"
            assert self.flights <= self.asked + LIMITS.unproven_repeats, "answered too often"
        if isinstance(packet, Data) and self.content is not None:
            size = transfer.terms.block_size
            start = (packet.block - 1) * size
            self.mixed = self.mixed or packet.payload != self.content[start : start + size]


class _AtOnce:
    """A helper without a thread."""

    def run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Does the work, and tells so."""
        then(work())


@cache
def _place() -> Path:
    base = make_place()
    (base / "secret").write_bytes(CANARY)
    return base


class Hall:
    """A service, its folder, and the transfers that it has admitted."""

    def __init__(self, upload: Upload, limits: Limits = LIMITS, *, settled: bool = True) -> None:
        """Makes the folder anew and opens it.

        In a settled one files are so old that transfers share what they have read.
        """
        self.now = 0.0
        self.base = _place()
        self._furnish(settled=settled)
        self._before = descriptors()
        self.root = Root(self.base / "root")
        content = Folder(self.root, upload, UPLOAD)
        timing = Timing(first=1.0, floor=0.1, retries=5, dally=5.0)
        self.limits = limits
        self.service = Service(content, limits, timing)
        self.scratch = Scratch(CACHE)
        self.parties: list[Party] = []

    def _furnish(self, *, settled: bool) -> None:
        root = self.base / "root"
        shutil.rmtree(root, ignore_errors=True)
        (root / "sub").mkdir(parents=True)
        for name, octets in FILES.items():
            (root / name).write_bytes(octets)
            if settled:
                os.utime(root / name, (1, 1))
        for name, target in LINKS.items():
            (root / name).symlink_to(target)

    # Operations

    def ask(self, datagram: bytes, source: Address) -> Admitted | Refused | Verdict:
        """Gives a datagram to the listening port."""
        before, count = descriptors(), self.service.count
        if len(datagram) < 2 or peek(datagram) not in (RRQ, WRQ):
            decided = self.service.decide(datagram, source, self.now)
            assert isinstance(decided, Verdict), "only a request is answered"
        else:
            verdict = self.service.guard.hear(datagram, source, self.now)
            decided = verdict or self.service.decide(datagram, source, self.now)
        if isinstance(decided, Reading | Writing):
            self._check_inside(before)
            assert decided.peer == source
            assert self.service.newest(source) is decided
            assert self.service.count == count + 1 <= self.limits.transfers
            party = Party(decided, self.scratch)
            self.parties.append(party)
            party.channel.flush(self.now)
            self._after(party)
            self._make_way()
        else:
            assert not opened_since(before), "a descriptor was left"
            assert self.service.count == count
        if isinstance(decided, Refused):
            packet = decode(decided.datagram)
            assert isinstance(packet, Error)
            assert str(self.base) not in packet.message
        if decided is Verdict.REPEATED:
            self._repeat(source)
        self._check()
        return decided

    def hear(self, party: Party, datagram: bytes, source: Address, stride: int = 0) -> None:
        """Gives a datagram, or a train, to the port of a transfer."""
        wire, channel = party.wire, party.channel
        party.heard = party.heard or source == party.admitted.peer
        wire.arrive(datagram, stride, source, party.admitted.transfer.peer)
        quiet = not channel.blocked and channel.waiting is None
        spoken = len(wire.sent)
        while wire.fast is not None and wire.fast_arrivals and not channel.over:
            if not channel.step(self.now):
                self._finish(party)
        if wire.arrivals:
            channel.readable(self.now)
        if quiet and not stride and len(datagram) >= 2 and peek(datagram) == ERROR:
            assert len(wire.sent) == spoken, "an ERROR was answered"
        self._after(party)
        self._check()

    def wait(self, seconds: float) -> None:
        """Lets time pass; deadlines on the way are met, one after another."""
        goal = self.now + seconds
        for _ in range(MOST_EXPIRIES):
            due = [(party.channel.deadline, party) for party in self.parties]
            times = [(time, party) for time, party in due if time is not None and time <= goal]
            if not times:
                break
            time, party = min(times, key=lambda pair: pair[0])
            self.now = max(self.now, time)
            party.channel.expire(self.now)
            self._after(party)
            self._check()
        else:
            raise AssertionError("the time stands still")
        self.now = goal

    def stall(self, party: Party, *, full: bool) -> None:
        """Fills the socket of a transfer, or gives it room again."""
        party.wire.full = full
        if not full and party.channel.blocked:
            party.channel.flush(self.now)
            self._after(party)
        self._check()

    def touch(self, name: str, octets: bytes | None) -> None:
        """Changes or removes a file of the folder, whoever may be reading it."""
        path = self.root.path + "/" + name
        if octets is None:
            Path(path).unlink(missing_ok=True)
        else:
            Path(path).write_bytes(octets)

    def give_up(self, party: Party) -> None:
        """Ends a transfer at once, as a server does that stops."""
        self._end(party)
        self._check()

    def close(self) -> None:
        """Lets all transfers end by themselves, and looks at what is left."""
        for party in self.parties:
            party.wire.full = False
        self.wait(100_000.0)
        assert not self.parties, "a transfer never ends"
        assert self.service.count == 0
        assert self.service.guard.empty
        assert self.scratch.cache.size <= CACHE
        self.root.close()
        assert not opened_since(self._before), "a descriptor was left"
        names = [name for _, _, files in os.walk(self.base / "root") for name in files]
        assert not [name for name in names if name.startswith(".tftp-")], "half a file was left"
        assert {path.name for path in self.base.iterdir()} == {"root", "secret"}
        assert (self.base / "secret").read_bytes() == CANARY

    # What follows

    def _after(self, party: Party) -> None:
        """Does what a loop does after an input."""
        channel = party.channel
        self._finish(party)
        for _ in range(MOST_EXPIRIES):
            if channel.waiting is None and (party.wire.full or not channel.blocked):
                break
            if channel.waiting is not None:
                channel.waiting.fetch(_AtOnce(), lambda: None)
            channel.flush(self.now)
        if not party.admitted.transfer.opening:
            self.service.prove(party.admitted)
        if channel.over:
            self._end(party)
        elif channel.wants_connection:
            party.wire.connect(party.admitted.transfer.peer)

    def _finish(self, party: Party) -> None:
        """Makes an upload that is whole durable, and has that told."""
        channel = party.channel
        if isinstance(channel, Inbound) and channel.finishing:
            channel.finished(channel.finish(), self.now)

    def _make_way(self) -> None:
        """Ends the transfer that has gone without an answer for longest, if there are too many."""
        surplus = self.service.surplus()
        for party in [party for party in self.parties if party.admitted is surplus]:
            assert party.admitted.transfer.opening
            party.admitted.transfer.give_up()
            self._after(party)
        assert self.service.surplus() is None

    def _end(self, party: Party) -> None:
        self.parties.remove(party)
        self._check_words(party)
        outcome = party.admitted.transfer.outcome
        assert not (party.mixed and outcome is not None and outcome.ok), "a mixture for a whole"
        party.channel.close()
        self.service.release(party.admitted)

    def _repeat(self, source: Address) -> None:
        newest = self.service.newest(source)
        for party in [party for party in self.parties if party.admitted is newest]:
            party.asked += 1
            party.admitted.transfer.ask_again(self.now)
            party.channel.flush(self.now)
            self._after(party)

    def _check(self) -> None:
        assert self.service.count == len(self.parties)
        for party in self.parties:
            transfer = party.admitted.transfer
            assert transfer.deadline is not None, "who lives has a deadline"
            assert transfer.peer == party.admitted.peer, "a stranger took over"
            self._check_words(party)

    def _check_words(self, party: Party) -> None:
        for data, to in party.wire.sent:
            assert CANARY not in data, "the root was left"
            party.check_word(data, to)
        party.wire.sent.clear()

    def _check_inside(self, before: dict[int, str]) -> None:
        for path in opened_since(before).values():
            assert (path + "/").startswith(self.root.path + "/"), f"{path} was opened"
