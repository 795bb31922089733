"""RFC 7440, windows in long files, tried against servers: the wrap, huge windows, bursts.

Each function is one case: its docstring says why it is tried in this way. They move more
than half a million octets in small blocks, so nothing else runs beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..catalogue import server_case
from ..play import Played, receive_file, send_file
from ..server_trial import Client, ServerTrial, granted
from ..wire import ACK, DATA, ERROR, Packet, ack, data, parse, rrq, wrq
from .terms import hang_up, window_of_reads, window_of_writes

SMALL = 8
BOUND = 20.0  # seconds for one such transfer
BURST = 0.01


@dataclass(slots=True)
class Faulty:
    """A wire that loses what it is told to, and breaks off when the time is over."""

    client: Client
    lost: Callable[[Packet], bool] = lambda _: False
    late: bool = False
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        """The time begins with it."""
        self._end = self.client.trial.now() + BOUND

    def send(self, datagram: bytes) -> None:
        """Sends it, or loses it."""
        if not self.lost(parse(datagram)):
            self.client.send(datagram)

    def hear(self, within: float | None = None) -> Packet | None:
        """Returns what comes next and is not lost; nothing when the time is over."""
        now = self.client.trial.now
        deadline = now() + (self.client.trial.patience if within is None else within)
        while now() < self._end:
            packet = self.client.hear(max(0.0, deadline - now()))
            if packet is None or packet.kind == ERROR or not self.lost(packet):
                return packet
        self.late = True
        return None


def _loses_once(*blocks: int) -> Callable[[Packet], bool]:
    """Returns what loses the first DATA of each of these numbers."""
    left = set(blocks)

    def lost(packet: Packet) -> bool:
        if packet.kind != DATA or packet.block not in left:
            return False
        left.remove(packet.block)
        return True

    return lost


def _right(t: ServerTrial, what: str, wire: Faulty, played: Played) -> None:
    if wire.late and played.error is None:
        t.skip(f"{what}: not at its end after {BOUND:.0f} s")
    t.check(played.complete, f"{what}: {played.trouble}")


@server_case("RFC7440-4-22", alone=True)
def windows_run_over_the_wrap_of_the_block_number(t: ServerTrial) -> None:
    """65,601 blocks of 8 octets in windows of 7, which no wrap begins or ends.

    The blocks 65535 and 65536, whose number is 0, are lost once each: both sides have to
    find their place again right there.
    """
    octets = t.fixture("roll")
    read = window_of_reads(t, "roll", 7, {"blksize": SMALL})
    if read.size != SMALL:
        t.unsupported(f"the target grants blocks of {read.size} octets only")
    wire = Faulty(read.client, _loses_once(65535, 0))
    played = receive_file(wire, block_size=SMALL, window=7, opening=ack(0))
    _right(t, "a read over the wrap", wire, played)
    t.check(played.content == octets, "a read over the wrap makes another file")
    if not t.manners.creates:
        return
    write = window_of_writes(t, octets, 7, {"blksize": SMALL})
    wire = Faulty(write.client, _loses_once(65535, 0))
    played = send_file(wire, octets, block_size=SMALL, window=7)
    _right(t, "a write over the wrap", wire, played)
    t.holds(write.name, octets)


HUGE = 65535
HALF = 32768
BEYOND = 50_000  # a block so far from the first one


def _ask(t: ServerTrial, request: bytes) -> tuple[Client, int, int]:
    """Opens a transfer; returns block size and window, or ends as UNSUPPORTED."""
    client = t.client()
    client.ask(request)
    first = client.hear()
    if first is None or "windowsize" not in first.options:
        t.unsupported(f"windowsize={HUGE} gets {first or 'no answer'}")
    return client, *granted(first)


@server_case("RFC7440-4-23", alone=True)
def windows_over_half_the_number_range_are_safe(t: ServerTrial) -> None:
    """65,601 blocks in windows of 65,535: nearly every number is on its way at once.

    One far behind the middle is lost, so that the ACK before it is as far from the last one;
    and most buffers lose some of their own. A server that grants half of the range or less
    has avoided the question.
    """
    t.needs_option("windowsize")
    octets = t.fixture("roll")
    wish = {"windowsize": HUGE, "blksize": SMALL}
    client, size, window = _ask(t, rrq("roll", options=wish))
    if window >= HALF:
        wire = Faulty(client, _loses_once(BEYOND))
        played = receive_file(wire, block_size=size, window=window, opening=ack(0))
        _right(t, f"a read in windows of {window}", wire, played)
        t.check(played.content == octets, f"windows of {window} make another file")
    else:
        t.note(f"the target grants {window} to a read")
        hang_up(client)
    if not t.manners.creates:
        return
    name = t.new_name()
    client, size, window = _ask(t, wrq(name, options=wish))
    if window >= HALF:
        _sends_evenly(t, Faulty(client, _loses_once(BEYOND)), octets, size, window)
        t.holds(name, octets)
    else:
        t.note(f"the target grants {window} to a write")
        hang_up(client)


STEP = 100  # blocks that go out at once, so that most of a window finds room


def _sends_evenly(t: ServerTrial, wire: Faulty, octets: bytes, size: int, window: int) -> None:
    """Sends a file with a small pause now and then, which an ACK may use to turn it back."""
    base, top, silent = 0, 0, 0
    last = len(octets) // size + 1
    while base < last:
        end = min(base + window, last)
        first, top = top + 1, min(top + STEP, end)
        for number in range(first, top + 1):
            wire.send(data(number, octets[(number - 1) * size : number * size]))
        told = _farthest(t, wire, base, top, 1.0 if top == end else 0.001)
        if told is not None:
            base, top, silent = told, told, 0  # whatever is behind it goes out again
        elif top == end:
            top, silent = base, silent + 1
        if silent > 6 or wire.late:
            _right(t, f"a write in windows of {window}", wire, Played())


def _farthest(t: ServerTrial, wire: Faulty, base: int, top: int, wait: float) -> int | None:
    """Returns the farthest block that was acknowledged, `base` too; None: nothing was said."""
    told = None
    while (packet := wire.hear(wait)) is not None:
        if packet.kind == ERROR:
            t.fail(f"a write in a huge window is ended by {packet}")
        ahead = (packet.block - base) & 0xFFFF
        if packet.kind == ACK and ahead <= top - base:
            told = base + max(ahead, (told or base) - base)
        wait = 0.001
    return told


@server_case("RFC7440-5-01", alone=True)
def a_huge_window_does_not_flood_the_path(t: ServerTrial) -> None:
    """The largest window is asked for; the first 10 ms show what the target makes of it.

    The receiver is played with room for 200 blocks: what comes beyond is lost, until its
    timer says how far it is. With such a receiver too the transfer has to come to its end.
    """
    t.needs_option("windowsize")
    octets = t.fixture("roll")
    client, size, window = _ask(t, rrq("roll", options={"windowsize": HUGE, "blksize": 1024}))
    wire = Faulty(client, _small_buffer(200))
    played = receive_file(wire, block_size=size, window=window, opening=ack(0))
    blocks = [packet for packet in client.heard if packet.kind == DATA]
    if blocks:
        burst = sum(len(one.raw) for one in blocks if one.at - blocks[0].at <= BURST)
        grant = f"windows of {window} blocks of {size} octets"
        t.policy(f"{burst} octets within 10 ms, in {grant}")
    right = played.complete and played.content == octets
    t.check(right, "with room for 200 blocks the transfer does not end, or not right")


def _small_buffer(room: int) -> Callable[[Packet], bool]:
    """Returns what loses all DATA that comes behind so many in one burst."""
    used, before = 0, 0.0

    def lost(packet: Packet) -> bool:
        nonlocal used, before
        if packet.kind != DATA:
            used = 0
            return False
        if packet.at - before > 5 * BURST:
            used = 0
        used, before = used + 1, packet.at
        return used > room

    return lost
