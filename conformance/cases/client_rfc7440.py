"""RFC 7440, tried against clients: windows that they read in, windows that they write in.

In most cases the window is 4, granted as it was asked for, and blocks have 512 octets.
"""

from ..catalogue import client_case
from ..client_moves import AT_ONCE, arrivals, go_on, offered, refuses
from ..client_trial import ClientTrial, Server
from ..fixtures import content
from ..wire import ACK, DATA, ERROR, RRQ, Packet, ack, data, oack

FILE = content(20 * 512 + 100, 20)
WINDOW = 4
LATER = 5.0  # seconds in which a timer of the client's would bring an ACK
TIMES = 3  # a thing that a busy machine may delay is tried so often


@client_case("RFC7440-3-04")
def a_window_above_the_offer_is_refused(t: ClientTrial) -> None:
    """One block more than was offered, and none."""
    for more in (True, False):
        for request in t.ways(FILE, windowsize=WINDOW):
            value = offered(t, request, "windowsize") + 1 if more else 0
            refuses(t, request, "windowsize", value)


@client_case("RFC7440-3-05")
def a_smaller_window_or_none_is_worked_with(t: ClientTrial) -> None:
    """Three blocks are granted where 16 were asked for; then the option is left out."""
    for request in t.ways(FILE, windowsize=16):
        window = min(3, offered(t, request, "windowsize"))
        line = t.server(request)
        line.send(oack({"windowsize": str(window)}))
        if request.kind == RRQ:
            line.expect(ACK, 0)
            rhythm(t, line, window)
        else:
            take_windows(t, line, window)
        t.succeeds(FILE if request.kind == RRQ else None)
    for request in t.ways(FILE, windowsize=16):
        line = t.server(request)
        if request.kind == RRQ:
            line.give(FILE)
        else:
            line.send(ack(0))
            take_windows(t, line, 1)
        t.succeeds(FILE if request.kind == RRQ else None)


@client_case("RFC7440-4-12")
def windows_are_acknowledged_not_blocks(t: ClientTrial) -> None:
    """Two full windows and a short last one, with time for ACKs that nobody needs."""
    line = opened(t)
    rhythm(t, line, WINDOW)
    t.succeeds(FILE)


@client_case("RFC7440-4-13")
def a_gap_is_reported_at_once_and_once(t: ClientTrial) -> None:
    """Block 3 of a window is missing, in three transfers; the ACK may not need a timer."""
    late = chatty = 0
    for _ in range(TIMES):
        line = opened(t)
        burst(line, 1, 2, 4)
        said = acks(t, line, AT_ONCE) or acks(t, line, LATER, late=True)
        t.check(set(said) <= {2}, f"without block 3 there came ACK {said}")
        late += not said or line.heard[-1].at > line.sent_at + AT_ONCE
        chatty += len(said) > 1
        t.check(go_on(line, FILE, 2, window=WINDOW), "after a gap the transfer does not go on")
        t.succeeds(FILE)
    if late * 2 > TIMES:
        t.warn("a gap is reported by a timer only")
    if chatty * 2 > TIMES:
        t.warn("one gap is reported several times")


@client_case("RFC7440-4-14")
def after_a_gap_the_window_counts_anew(t: ClientTrial) -> None:
    """Block 3 is missing; then 3 to 6 come, the window behind the ACK of the gap."""
    line = opened(t)
    burst(line, 1, 2, 4)
    line.expect(ACK, 2, within=LATER)
    burst(line, 3, 4, 5, 6)
    said = acks(t, line, AT_ONCE) or acks(t, line, LATER, late=True)
    t.check(set(said) <= {2, 4, 6}, f"blocks 3 to 6 behind a gap were answered by ACK {said}")
    t.check(6 in said, f"the window behind a gap is not acknowledged at its end: {said}")
    if 4 in said:
        t.lenient("the end of the window before the gap is acknowledged, too")
    t.check(go_on(line, FILE, 6, window=WINDOW), "after a gap the transfer does not go on")
    t.succeeds(FILE)


@client_case("RFC7440-4-15")
def more_blocks_behind_a_gap_are_met_with_silence(t: ClientTrial) -> None:
    """The second block of a window is missing, and all others come."""
    line, window = wide(t, 16)
    burst(line, 1, *range(3, window + 1))
    said = acks(t, line, 2 * AT_ONCE) or acks(t, line, LATER, late=True)
    t.check(set(said) <= {1}, f"without block 2 there came ACK {said}")
    if len(said) > 2:
        t.warn(f"one gap of {window - 2} blocks was reported {len(said)} times")
    t.check(go_on(line, FILE, 1, window=window), "after a gap the transfer does not go on")
    t.succeeds(FILE)


@client_case("RFC7440-4-16")
def a_lost_first_block_is_reported(t: ClientTrial) -> None:
    """Block 1 of the first window is missing, and later block 5, the first of the second."""
    line = opened(t)
    for base in (0, WINDOW):
        burst(line, *range(base + 2, base + WINDOW + 1))
        said = acks(t, line, AT_ONCE)
        if not said:
            t.lenient(f"without block {base + 1} the ACK before it is left to a timer")
            said = acks(t, line, LATER, late=True)
        t.check(set(said) <= {base}, f"without block {base + 1} there came ACK {said}")
        if not base:
            burst(line, *range(1, WINDOW + 1))
            line.expect(ACK, WINDOW)
    t.check(go_on(line, FILE, WINDOW, window=WINDOW), "after a gap the transfer does not go on")
    t.succeeds(FILE)


@client_case("RFC7440-4-17")
def a_lost_last_block_is_repaired(t: ClientTrial) -> None:
    """Block 4 of the first window is missing; the client may ask for it, or wait."""
    line = opened(t)
    burst(line, 1, 2, 3)
    said = acks(t, line, LATER, late=True)
    t.check(set(said) <= {3}, f"without block 4 there came ACK {said}")
    if not said:
        burst(line, 4)
        line.expect(ACK, 4)
    base = 3 if said else 4
    t.check(go_on(line, FILE, base, window=WINDOW), "the transfer does not go on")
    t.succeeds(FILE)


@client_case("RFC7440-4-18")
def a_short_block_ends_a_window(t: ClientTrial) -> None:
    """A file of three blocks in a window of eight, tried three times."""
    octets, late = content(1100, 21), 0
    for _ in range(TIMES):
        line, _ = wide(t, 8)
        burst(line, 1, 2, 3, octets=octets)
        packet = line.expect(ACK, 3, within=LATER)
        late += packet.at > line.sent_at + AT_ONCE
        t.succeeds(octets)
    t.check(late * 2 < TIMES, "the ACK of a short block waits for a timer")


@client_case("RFC7440-4-19")
def blocks_that_come_again_are_stored_once(t: ClientTrial) -> None:
    """Behind the ACK of block 4 come 3 to 6, as after a restart that was not needed."""
    line = opened(t)
    burst(line, 1, 2, 3, 4)
    line.expect(ACK, 4)
    burst(line, 3, 4, 5, 6)
    said = acks(t, line, 2 * AT_ONCE)
    t.check(set(said) <= {2, 3, 4, 5, 6}, f"blocks 3 to 6 behind ACK 4 brought ACK {said}")
    base = max([4, *said])
    t.check(go_on(line, FILE, base, window=WINDOW), "after old blocks the transfer is stuck")
    t.succeeds(FILE)


@client_case("RFC7440-4-20")
def two_swapped_blocks_cost_one_restart(t: ClientTrial) -> None:
    """Blocks 2 and 3 change places."""
    line = opened(t)
    burst(line, 1, 3, 2, 4)
    said = acks(t, line, 2 * AT_ONCE) or acks(t, line, LATER, late=True)
    t.check(set(said) <= {1, 2, 4}, f"blocks 1, 3, 2, 4 brought ACK {said}")
    if len(said) > 2:
        t.warn(f"two swapped blocks brought {len(said)} ACKs: {said}")
    base = said[-1] if said else 0
    t.check(go_on(line, FILE, base, window=WINDOW), "after a swap the transfer is stuck")
    t.succeeds(FILE)


def opened(t: ClientTrial) -> Server:
    """Grants a read the window of four that it asks for; returns the line, at ACK 0."""
    return wide(t, WINDOW)[0]


def wide(t: ClientTrial, window: int) -> tuple[Server, int]:
    """Grants a read a window of that size, or of the size that it asks for if that is less.

    Returns the line, at ACK 0, and the size; less than four is UNSUPPORTED.
    """
    request = t.get(windowsize=window)
    window = min(window, offered(t, request, "windowsize"))
    if window < WINDOW:
        t.unsupported(f"the client asks for a window of {window} only")
    line = t.server(request)
    line.send(oack({"windowsize": str(window)}))
    line.expect(ACK, 0)
    return line, window


def burst(line: Server, *blocks: int, octets: bytes = FILE) -> None:
    """Sends these blocks, one right behind the other."""
    for block in blocks:
        line.send(data(block, octets[(block - 1) * 512 : block * 512]))


def acks(t: ClientTrial, line: Server, seconds: float, *, late: bool = False) -> list[int]:
    """Returns the numbers of the ACKs that come within that time; FAIL for another packet.

    With `late` it is over with the first.
    """
    found: list[Packet] = []
    if late:
        packet = line.anything(seconds)
        found = [] if packet is None else [packet]
    else:
        found = arrivals(line, seconds)
    for packet in found:
        said = "an ERROR" if packet.kind == ERROR else "no ACK"
        t.check(packet.kind == ACK, f"to a window there came {said}: {packet}")
    return [packet.block for packet in found]


def rhythm(t: ClientTrial, line: Server, window: int) -> None:
    """Sends the file in windows; FAIL for an end without its ACK, or an ACK that is wrong."""
    last, extra = len(FILE) // 512 + 1, 0
    for first in range(1, last + 1, window):
        blocks = range(first, min(first + window, last + 1))
        burst(line, *blocks)
        said = acks(t, line, AT_ONCE) or acks(t, line, LATER, late=True)
        t.check(set(said) <= {*blocks}, f"blocks {first} to {blocks[-1]} brought ACK {said}")
        t.check(blocks[-1] in said, f"block {blocks[-1]}, the last of its window, got no ACK")
        extra += len(set(said)) > 1
    if extra:
        t.lenient(f"of {-(-last // window)} windows {extra} were acknowledged in their middle, too")


def take_windows(t: ClientTrial, line: Server, window: int) -> None:
    """Takes the file in windows; FAIL for a block beyond an unacknowledged window."""
    got, block, over = b"", 0, False
    while not over:
        for _ in range(window):
            block += 1
            payload = line.expect(DATA, block).payload
            got += payload
            over = len(payload) < 512
            if over:
                break
        if block <= 2 * window:
            line.quiet(0.4)
        line.send(ack(block))
    t.check(got == FILE, "the file arrived with other octets")
