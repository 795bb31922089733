"""A bug is planted for each invariant of the simulator, and some seed finds it.

What is wrong is put in where a bug would be: in the core, in the service, in a driver, or in
what a file is known by. The sentence says which invariant has caught it.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import pytest

from tftp.errors import LocalError
from tftp.net.channel import Inbound, Outbound
from tftp.protocol.options import Terms
from tftp.protocol.pace import Pace, Timing
from tftp.protocol.packets import ERROR, peek
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address, Burst, Datagram
from tftp.server import service
from tftp.server.service import Admitted, Refused, Service, Verdict
from tftp.sim import disk, play
from tftp.sim.disk import Disk, Inode, VirtualSource
from tftp.sim.invariants import Broken
from tftp.sim.play import Cast

SEEDS = 300

Plant = Callable[[pytest.MonkeyPatch], Cast]


def sentence(cast: Cast) -> str:
    """Returns what the first seed says that finds the bug."""
    for seed in range(SEEDS):
        try:
            play.play(seed, cast)
        except Broken as error:
            return str(error) if f"--seed {seed} " in error.__notes__[0] else "nothing of the seed"
    raise AssertionError(f"none of {SEEDS} seeds finds it")


class Greedy(Sender):
    """Sends a block more than the window has."""

    __slots__ = ()

    def poll(self, room: int = 1) -> Datagram | Burst | None:
        word = super().poll(room)
        if isinstance(word, Burst) and word.count < room:
            return word._replace(count=word.count + 1)
        if word is None and self.state is State.STREAMING and self._next <= (self._last or 99):
            return Burst(self._next, 1, (self._next - 1) * self.terms.block_size)
        return word


class Eager(Sender):
    """Does not wait for the answer to its request."""

    __slots__ = ()

    def poll(self, room: int = 1) -> Datagram | Burst | None:
        word = super().poll(room)
        if word is None and self.state is State.OPENING and self._next == 1:
            return Burst(1, 1, 0)
        return word


class Garbler(Receiver):
    """Hands out other octets than have come."""

    __slots__ = ()

    def receive(
        self, datagram: bytes | memoryview, source: Address, now: float
    ) -> memoryview | None:
        payload = super().receive(datagram, source, now)
        return payload and memoryview(bytes(octet ^ 1 for octet in payload))


class Hurried(Receiver):
    """Takes block 3 for the last one."""

    __slots__ = ()

    def _take(self, length: int, now: float) -> None:
        super()._take(0 if self._expected == 3 else length, now)


class Arguing(Receiver):
    """Answers an ERROR by another."""

    __slots__ = ()

    def receive(
        self, datagram: bytes | memoryview, source: Address, now: float
    ) -> memoryview | None:
        payload = super().receive(datagram, source, now)
        if len(datagram) > 1 and peek(datagram) == ERROR:
            self._out.append(Datagram(b"\0\5\0\0no\0", source))
        return payload


class Impressed(Receiver):
    """Counts what a stranger says as a sign of life."""

    __slots__ = ()

    def _reject(self, datagram: bytes | memoryview, source: Address) -> None:
        super()._reject(datagram, source)
        self._progress_at += 1.0


class Timeless(Receiver):
    """Forgets its timer when it has taken a block."""

    __slots__ = ()

    def _take(self, length: int, now: float) -> None:
        super()._take(length, now)
        self.deadline = None


class Undying(Receiver):
    """Never gives up."""

    __slots__ = ()

    def expire(self, now: float) -> None:
        self._progress_at = now
        super().expire(now)


class Hasty(Sender):
    """Asks again before any answer can have come."""

    __slots__ = ()

    def sent(self, burst: Burst, payload_bytes: int, now: float) -> None:
        super().sent(burst, payload_bytes, now)
        self.deadline = now + 0.3


class Talkative(Service):
    """Answers what is no request."""

    def decide(self, datagram: bytes, source: Address, now: float) -> Admitted | Refused | Verdict:
        decided = super().decide(datagram, source, now)
        return Refused(None, 4, "What?") if decided is Verdict.NO_REQUEST else decided


class Forgetful(Service):
    """Does not count a transfer down when it is over."""

    def release(self, admitted: Admitted) -> None:
        super().release(admitted)
        self._count += 1


class Shouting(Sender):
    """Says its first word many times over."""

    __slots__ = ()

    @classmethod
    def answering(
        cls, peer: Address, terms: Terms, timing: Timing, now: float, pace: Pace | None = None
    ) -> Self:
        sender = super().answering(peer, terms, timing, now, pace)
        sender._out *= 40
        return sender


class SameForAll(VirtualSource):
    """A file that cannot be told from any other, though packets are shared."""

    __slots__ = ()

    def __init__(self, owner: Disk, inode: Inode) -> None:
        super().__init__(owner, inode)
        self.identity = (0, 0, 0, 0, 0)


def lie(channel: Inbound) -> LocalError | None:
    """Says that an upload is durable, which it is not."""
    return None


def leave_open(channel: Outbound) -> None:
    """Closes the port, but not the file."""
    channel.endpoint.close()


def impatient(patch: pytest.MonkeyPatch) -> Cast:
    patch.setattr(play, "STEPS", 50_000)
    return Cast(receiver=Undying)


class Planted(NamedTuple):
    """A bug, and a part of the sentence by which it is found."""

    plant: Plant
    says: str


def serving(name: str, kind: type[Sender] | type[Receiver]) -> Plant:
    """Puts a class into the service's place for it."""

    def plant(patch: pytest.MonkeyPatch) -> Cast:
        patch.setattr(service, name, kind)
        return Cast()

    return plant


def patched(owner: object, name: str, value: object) -> Plant:
    """Replaces a function or a class."""

    def plant(patch: pytest.MonkeyPatch) -> Cast:
        patch.setattr(owner, name, value)
        return Cast()

    return plant


BUGS = {
    "a client beyond its window": Planted(lambda _: Cast(sender=Greedy), "the window ends at"),
    "a server beyond its window": Planted(serving("Sender", Greedy), "the window ends at"),
    "a block before the answer": Planted(lambda _: Cast(sender=Eager), "before the peer has"),
    "wrong bytes to a client": Planted(lambda _: Cast(receiver=Garbler), "wrong bytes are deliv"),
    "wrong bytes to the disk": Planted(serving("Receiver", Garbler), "wrong bytes are stored"),
    "done too early": Planted(lambda _: Cast(receiver=Hurried), "which is not all"),
    "visible too early": Planted(serving("Receiver", Hurried), "before all of it has come"),
    "acknowledged, not stored": Planted(patched(Inbound, "finish", lie), "but not stored"),
    "a client answers an ERROR": Planted(lambda _: Cast(receiver=Arguing), "ERROR is answered"),
    "a server answers an ERROR": Planted(serving("Receiver", Arguing), "ERROR is answered"),
    "no request is answered": Planted(lambda _: Cast(service=Talkative), "what is no request"),
    "a stranger matters to a client": Planted(
        lambda _: Cast(receiver=Impressed), "a stranger has changed _progress_at"
    ),
    "a stranger matters to a server": Planted(
        serving("Receiver", Impressed), "a stranger has changed _progress_at"
    ),
    "no deadline": Planted(lambda _: Cast(receiver=Timeless), "has no deadline"),
    "no deadline on the server": Planted(serving("Receiver", Timeless), "has no deadline"),
    "no end": Planted(impatient, "has not come to rest"),
    "sent twice": Planted(serving("Sender", Hasty), "octets were sent where"),
    "a reflector": Planted(serving("Sender", Shouting), "has never answered and gets"),
    "a count that leaks": Planted(lambda _: Cast(service=Forgetful), "the service still counts"),
    "a file that leaks": Planted(patched(Outbound, "close", leave_open), "are still open"),
    "two files taken for one": Planted(
        patched(disk, "VirtualSource", SameForAll), "wrong bytes are delivered"
    ),
}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS.keys())
def test_a_planted_bug_is_found(bug: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bug.says in sentence(bug.plant(monkeypatch))
