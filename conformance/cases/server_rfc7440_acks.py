"""RFC 7440, section 4, ACKs that are out of the ordinary in a windowed read, against servers.

Each function is one case: its docstring says why it is tried in this way. How RFC 7440 and
RFC 1123 are read together where they pull in two directions stands with each requirement.
"""

from itertools import pairwise

from ..catalogue import server_case
from ..server_trial import Client, ServerTrial
from ..wire import DATA, ERROR, Packet, ack, rrq
from .terms import Windowed, answers, window_of_reads, window_of_writes

WINDOW = 4


def _begun(t: ServerTrial, windows: int = 1) -> Windowed:
    """Opens a read of b10k and takes so many windows, of which the last one is not answered."""
    read = window_of_reads(t, "b10k", WINDOW)
    read.begin()
    for number in range(1, windows):
        read.client.send(ack(number * WINDOW))
        read.take(number * WINDOW + 1, (number + 1) * WINDOW)
    return read


@server_case("RFC7440-4-05")
def an_ack_inside_the_window_restarts_right_behind_it(t: ServerTrial) -> None:
    """Blocks 3 and 4 are played as lost.

    What comes within a moment was caused by the ACK; if nothing does, the timer's window
    still has to begin at the right block.
    """
    read = _begun(t)
    read.client.send(ack(2))
    found = read.caused()
    if found:
        t.check(found == [3, 4, 5, 6], f"ACK 2 of a window 1 to 4 brought the blocks {found}")
        return
    late = read.client.hear(max(t.resend, 8.0))
    right = late is not None and (late.kind, late.block) == (DATA, 3)
    t.check(right, f"ACK 2 of a window 1 to 4 brought {late or 'nothing'}")
    read.take(4, 6)
    t.warn("the missing blocks come only when the timer runs out")


@server_case("RFC7440-4-06")
def copies_of_one_ack_cause_one_restart_at_most(t: ServerTrial) -> None:
    """The network may double an ACK; a restart for each copy doubles every window behind it.

    Three copies go out, sooner than a timer can be the cause of anything. Then the next
    window shows whether the restarts go on by themselves.
    """
    read = _begun(t)
    for copy in range(3):
        if copy:
            t.pause(min(0.02, read.moment / 4))
        read.client.send(ack(2))
    found = read.caused()
    restarts = found.count(3)
    right = restarts <= 3 and _runs(found, 3, 6)
    t.check(right, f"three copies of ACK 2 of a window 1 to 4 brought the blocks {found}")
    read.client.send(ack(6))
    after = read.caused()
    right = after.count(7) <= max(1, restarts) and _runs(after, 7, 10)
    t.check(right and 7 in after, f"behind {restarts} restarts ACK 6 brought the blocks {after}")
    if restarts > 1:
        t.lenient(f"three copies of one ACK caused {restarts} restarts")


def _runs(blocks: list[int], first: int, last: int) -> bool:
    """Tells whether these are windows from `first` on, whole or broken off by the next one."""
    return all(
        block in (first, before + 1) and block <= last
        for before, block in pairwise([first - 1, *blocks])
    )


@server_case("RFC7440-4-07")
def a_repeated_ack_before_the_window_gets_one_resend_at_most(t: ServerTrial) -> None:
    """The ACK that opened the window comes again: a copy, or the first block was lost."""
    read = _begun(t, 2)
    read.client.send(ack(4))
    found = read.caused()
    right = found in ([], [5, 6, 7, 8])
    t.check(right, f"a second ACK 4 brought the blocks {found}")
    read.client.send(ack(8))
    read.take(9, 12)


@server_case("RFC7440-4-08")
def an_ack_below_the_window_is_ignored(t: ServerTrial) -> None:
    """An ACK that was late in the network names a block of two windows before."""
    read = _begun(t, 3)
    read.client.send(ack(3))
    found = read.answers()
    if found:
        t.fail(f"ACK 3 in a window of 9 to 12 was answered by {found[0]}")
    read.client.send(ack(12))
    read.take(13, 16)


@server_case("RFC7440-4-09")
def an_ack_of_unsent_blocks_is_no_progress(t: ServerTrial) -> None:
    """ACKs of a block far ahead and of the next one; taking them would skip octets."""
    read = _begun(t)
    for number in (100, 5):
        read.client.send(ack(number))
        for answer in read.answers():
            if answer.kind == ERROR:
                t.lenient(f"the ACK of a block that was not sent is answered by {answer}")
                return
            t.check(answer.kind == DATA and answer.block <= 4, f"ACK {number} brought {answer}")
            t.lenient(f"the ACK of a block that was not sent brings {answer} again")
    read.client.quiet(1.0)
    read.client.send(ack(4))
    read.take(5, 8)


@server_case("RFC7440-4-25")
def a_restart_brings_netasciis_state_back(t: ServerTrial) -> None:
    """Blocks of 9 octets split two line ends of the fixture, each between two blocks.

    ACKs inside the window make the server go back to just behind either split. Where such
    small blocks are not granted, another fixture has a split in blocks of 512.
    """
    t.needs_option("windowsize")
    small = {"windowsize": WINDOW, "blksize": 9}
    (first,) = answers(t, [rrq("text", "netascii", small)])
    if first is not None and set(small) <= set(first.options):
        read = window_of_reads(t, "text", WINDOW, {"blksize": 9}, "netascii")
    else:
        read = window_of_reads(t, "textb", WINDOW, mode="netascii")
    read.content = read.content.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
    read.client.send(ack(0))
    read.take(1, read.last)
    for number in range(1, read.last):
        read.client.send(ack(number))
        missing = set(range(number + 1, read.last + 1))
        while missing:
            packet = read.client.hear(max(t.resend, t.patience))
            if packet is None:
                t.skip(f"the target does not go back behind ACK {number}")
            right = packet.kind == DATA and packet.payload == read.block(packet.block)
            t.check(right, f"behind ACK {number}, {packet} is {packet.payload[:20]!r}")
            missing.discard(packet.block)
    read.client.send(ack(read.last))


LIMIT = 45.0  # seconds to watch a server that repeats itself


@server_case("RFC7440-4-11")
def a_window_is_not_repeated_for_ever(t: ServerTrial) -> None:
    """A read and an upload fall silent side by side, with the shortest timer there is.

    Repeats are counted until they have stopped for longer than they ever did, and then an
    ACK shows whether the transfer is closed. Whoever goes on for 45 seconds is not watched
    to the end.
    """
    wish = {"timeout": 1} if "timeout" in t.manners.options else {}
    read = window_of_reads(t, "b10k", WINDOW, wish)
    write = None
    if t.manners.creates:
        write = window_of_writes(t, bytes(WINDOW * 1024), WINDOW, wish)
        write.put(1, 2, 3, 4)
        write.until(4)
    read.begin()
    end = t.now() + LIMIT
    repeats = _watched(t, read.client, end, 1)
    if write is not None:
        _watched(t, write.client, end, 4)
    if repeats < 3:
        t.warn(f"the window is given up behind {repeats} repeats")
    if not read.client.ended:
        read.client.send(ack(4))
        more = read.client.anything(read.moment, repeats=True)
        if more is not None and more.kind != ERROR:
            t.warn(f"the repeats stopped, but the transfer is still open: {more}")


def _watched(t: ServerTrial, client: Client, end: float, block: int) -> int:
    """Counts repeats of that block; skips the case if there is no end of them."""
    last, longest, repeats = t.now(), 0.0, 0
    seen = [packet for packet in client.heard if packet.block == block]
    previous = seen[0].at
    while True:
        patience = 2.5 * longest + 1.0 if longest else max(t.resend, 8.0)
        if last + patience > end:
            t.skip(f"behind {repeats} repeats and {LIMIT:.0f} s there is no end of them yet")
        packet: Packet | None = client.hear(max(0.0, last + patience - t.now()))
        if packet is None or packet.kind == ERROR:
            return repeats
        last = packet.at
        if packet.block == block:
            repeats += 1
            longest, previous = max(longest, packet.at - previous), packet.at
