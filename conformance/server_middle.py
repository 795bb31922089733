"""Transfers with a server that stop in the middle: for silence, for ERRORs, for odd ends.

A quick timer is asked for where the target's own is slow, so that what it does about a
silence can be watched. Must not know requirements; a broken step fails the case.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .invariants import shrinks
from .server_scenes import BACKED_OFF, an_option, hurried
from .server_steps import chunk
from .server_trial import Client, ServerTrial
from .wire import ACK, DATA, ERROR, OACK, Packet, Value, ack, data, rrq, wrq

__all__ = ["Middle", "Silence", "begin_read", "begin_write", "silent", "watch"]

WATCH = 16.0  # seconds that a silence is watched
SILENT = 2.2  # times its last interval, after which a sender has ended
LOOKS = 0.5  # seconds
AWAKE = 2.0  # seconds in which somebody who has not ended answers
OVER = 0.3  # seconds in which what was on its way arrives


@dataclass(slots=True)
class Middle:
    """A transfer under way."""

    client: Client
    octets: bytes
    interval: float
    """Seconds after which the target would repeat something."""
    name: str = ""
    """Of an upload."""

    def wakes(self, block: int) -> bool:
        """Goes on behind that block after a pause; tells whether the target does so too."""
        while self.client.hear(0.0) is not None:
            pass
        if self.client.ended:
            return False
        octets = chunk(self.octets, block + 1)
        self.client.send(data(block + 1, octets) if self.name else ack(block))
        kind, deadline = (ACK, DATA)[not self.name], self.client.trial.now() + AWAKE
        while (
            packet := self.client.hear(max(0.0, deadline - self.client.trial.now()))
        ) is not None:
            if (packet.kind, packet.block) == (kind, block + 1):
                return True
        return False

    def rest_of_read(self, block: int) -> None:
        """Acknowledges DATA `block` and all behind it, to the right end."""
        last = len(self.octets) // 512 + 1
        for number in range(block, last):
            self.client.send(ack(number))
            self.client.expect_data(number + 1, chunk(self.octets, number + 1))
        self.client.send(ack(last))

    def rest_of_write(self, block: int) -> None:
        """Sends DATA `block` and all behind it, and looks at the file."""
        for number in range(block, len(self.octets) // 512 + 2):
            self.client.send(data(number, chunk(self.octets, number)))
            self.client.expect(ACK, number)
        self.client.trial.holds(self.name, self.octets)


def begin_read(
    t: ServerTrial, block: int, fixture: str = "b3000", *, plain: bool = False
) -> Middle:
    """Opens a read; DATA `block` has come, and its ACK is due. Block 0: its OACK has."""
    octets = t.fixture(fixture)
    wishes: dict[str, Value] = {} if plain else hurried(t, always=True)
    if block == 0 and not wishes:
        wishes = an_option(t)
    client = t.client()
    client.ask(rrq(fixture, options=wishes))
    first = _first(t, client, DATA)
    if first.kind == OACK and block > 0:
        client.send(ack(0))
        client.expect_data(1, chunk(octets, 1))
    for number in range(2, block + 1):
        client.send(ack(number - 1))
        client.expect_data(number, chunk(octets, number))
    return Middle(client, octets, _interval(t, first))


def begin_write(t: ServerTrial, octets: bytes, block: int, *, plain: bool = False) -> Middle:
    """Opens an upload; ACK `block` has come."""
    wishes: dict[str, Value] = {} if plain else hurried(t, always=True)
    name = t.new_name()
    client = t.client()
    client.ask(wrq(name, options=wishes))
    first = _first(t, client, ACK)
    for number in range(1, block + 1):
        client.send(data(number, chunk(octets, number)))
        client.expect(ACK, number)
    return Middle(client, octets, _interval(t, first), name)


@dataclass(slots=True)
class Silence:
    """What a target did while nothing was said to it."""

    times: list[float]
    """When it sent the packet that is not answered."""
    error: Packet | None
    ended: bool
    """Whether it has ended, as far as can be seen."""

    @property
    def words(self) -> str:
        """Returns it in words."""
        steps = [later - time for time, later in zip(self.times, self.times[1:], strict=False)]
        said = ", ".join(f"{step:.1f}" for step in steps)
        return f"repeats after {said} s" if steps else "no repeat"


def watch(t: ServerTrial, middles: Iterable[Middle]) -> list[Silence]:
    """Watches transfers until all have ended, for a bounded time; fails for what none may do."""
    found = list(middles)
    deadline = t.now() + WATCH
    while True:
        for middle in found:
            while middle.client.hear(0.0) is not None:
                pass
        silences = [_silence(t, middle) for middle in found]
        if t.now() >= deadline or all(silence.ended for silence in silences):
            break
        t.pause(LOOKS)
    for middle in found:
        _proper(t, middle)
    return silences


def silent(t: ServerTrial, middles: Iterable[Middle], what: str) -> None:
    """Fails if any of these transfers goes on after what ended it, or answers it."""
    found = list(middles)
    began = {id(middle): middle.client.sent_at for middle in found}
    t.pause(max(1.3 * middle.interval for middle in found) + OVER)
    for middle in found:
        while (packet := middle.client.hear(0.0)) is not None:
            if packet.kind == ERROR:
                t.fail(f"{what} was answered by {packet}")
            t.check(packet.at < began[id(middle)] + OVER, f"after {what} there came {packet}")


def _first(t: ServerTrial, client: Client, usual: str) -> Packet:
    first = client.hear()
    if first is None:
        t.fail("a request is not answered")
    t.check(first.kind in (usual, OACK), f"{usual} or OACK was due, and {first} came")
    return first


def _interval(t: ServerTrial, first: Packet) -> float:
    if first.options.get("timeout") == "1":
        return 1.0
    return min(t.manners.first_interval or BACKED_OFF, BACKED_OFF)


def _silence(t: ServerTrial, middle: Middle) -> Silence:
    heard = [packet for packet in middle.client.heard if packet.kind != ERROR]
    errors = [packet for packet in middle.client.heard if packet.kind == ERROR]
    times = [packet.at for packet in heard if packet.raw == heard[-1].raw]
    last = times[-1] - times[-2] if len(times) > 1 else middle.interval
    quiet = t.now() - times[-1] > SILENT * max(last, middle.interval) + 1.0
    return Silence(times, errors[0] if errors else None, bool(errors) or quiet)


def _proper(t: ServerTrial, middle: Middle) -> None:
    errors = [packet for packet in middle.client.heard if packet.kind == ERROR]
    t.check(len(errors) < 2, f"one silence brought {len(errors)} ERRORs")
    if errors:
        later = middle.client.heard[-1]
        t.check(later.kind == ERROR, f"behind its own ERROR came {later}")
    for trouble in shrinks(_silence(t, middle).times):
        t.fail(trouble)
