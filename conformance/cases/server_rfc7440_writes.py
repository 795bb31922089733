"""RFC 7440, section 4, windowed uploads, tried against servers: the receiver's side.

Each function is one case: its docstring says why it is tried in this way. Each ends with a
look at the file: what counts is that nothing was lost or stored twice.
"""

from ..catalogue import server_case
from ..fixtures import content
from ..server_trial import ServerTrial
from .terms import Windowed, window_of_writes

WINDOW = 4


def _opened(t: ServerTrial, full: int, window: int = WINDOW) -> Windowed:
    """Opens an upload of so many full blocks and a short one."""
    return window_of_writes(t, content(full * 512 + 100, full), window)


def _each_block(t: ServerTrial, numbers: list[int]) -> None:
    """Notes that ACKs came inside a window as well."""
    if len(numbers) > 1:
        t.lenient(f"ACKs inside the window: {numbers}")


@server_case("RFC7440-4-12")
def a_receiver_acknowledges_windows_not_blocks(t: ServerTrial) -> None:
    """Two whole windows: a moment behind each, only the ACK of its last block may be there."""
    write = _opened(t, 9)
    for first in (1, 5):
        write.put(*range(first, first + 4))
        found = write.said()
        t.check(first + 3 in found, f"a window {first} to {first + 3} gets the ACKs {found}")
        steps = found == sorted(found) and set(found) <= set(range(first, first + 4))
        t.check(steps, f"a window {first} to {first + 3} gets the ACKs {found}")
        _each_block(t, found)
    write.finish(8)


@server_case("RFC7440-4-13")
def a_gap_is_reported_at_once_and_once(t: ServerTrial) -> None:
    """Block 3 is missing, and block 4 shows it.

    Blocks 1 and 2 go out a little earlier, so that ACKs for each block are told from the
    report.
    """
    write = _opened(t, 6)
    write.put(1, 2)
    early = [packet.block for packet in write.client.everything(write.moment / 3)]
    write.put(4)
    found = write.said()
    t.check(max(found, default=0) <= 2, f"blocks 1, 2 and 4 get the ACKs {early + found}")
    reports = found.count(2)
    if not reports:
        t.check(2 in early or write.until(2)[-1] == 2, "the gap is not reported")
        t.warn("a missing block is reported only by a timer")
    elif reports > 1:
        t.warn(f"a missing block is reported {reports} times")
    write.finish(2)


@server_case("RFC7440-4-14")
def after_a_gap_the_window_counts_from_the_block_asked_for(t: ServerTrial) -> None:
    """Behind the gap a whole window follows from the missing block on: 3 to 6.

    A server that still counts in the old windows answers block 4, and leaves the client
    waiting behind block 6.
    """
    write = _opened(t, 9)
    write.put(1, 2, 4)
    write.until(2)
    write.put(3, 4, 5, 6)
    found = write.said()
    t.check(6 in found, f"behind the gap the window 3 to 6 gets the ACKs {found}")
    _each_block(t, [number for number in found if number > 2])
    write.finish(6)


@server_case("RFC7440-4-15")
def more_blocks_behind_one_gap_cause_no_more_acks(t: ServerTrial) -> None:
    """One block of sixteen is missing and fourteen follow it back to back.

    An ACK for each of them would make the client start its window fourteen times.
    """
    write = _opened(t, 20, 16)
    write.put(1, *range(3, 17))
    found = write.said()
    t.check(max(found, default=0) <= 1, f"without block 2 there are the ACKs {found}")
    if len(found) > 2:
        t.warn(f"one gap gets {len(found)} ACKs")
    write.finish(1)


@server_case("RFC7440-4-16")
def a_lost_first_block_is_reported_by_the_ack_before_it(t: ServerTrial) -> None:
    """Both the first and the second window begin with their second block.

    For the first window the answer before it is the OACK; that or ACK 0 says the same.
    """
    write = _opened(t, 9)
    for base in (0, 4):
        write.put(base + 2, base + 3, base + 4)
        answers = write.answers()
        found = [packet.block for packet in answers if packet.kind == "ACK"]
        t.check(
            max(found, default=0) <= base, f"without block {base + 1} there are the ACKs {found}"
        )
        if not answers:
            t.lenient(f"that block {base + 1} is lost is not reported at once")
        write.put(*range(base + 1, base + 5))
        write.until(base + 4)
    write.finish(8)


@server_case("RFC7440-4-17")
def a_lost_last_block_is_repaired_by_a_timer(t: ServerTrial) -> None:
    """Three of four blocks come and then nothing, for somewhat longer than a timer takes.

    If the server asks for the rest, a window from there on follows, else the fourth block.
    """
    write = _opened(t, 9)
    write.put(1, 2, 3)
    packets = write.client.everything(3.5 * write.moment)
    for packet in packets:
        right = packet.kind == "OACK" or (packet.kind == "ACK" and packet.block <= 3)
        t.check(right, f"three blocks of a window of four get {packet}")
    told = any(packet.kind == "ACK" and packet.block == 3 for packet in packets)
    last = 7 if told else 4
    write.put(*range(4, last + 1))
    write.until(last)
    write.finish(last)


@server_case("RFC7440-4-18")
def a_short_block_inside_a_window_ends_the_transfer_at_once(t: ServerTrial) -> None:
    """The third of eight blocks is short.

    Whoever waits for the rest of the window keeps the client waiting for its timer.
    """
    write = _opened(t, 2, 8)
    write.put(1, 2, 3)
    found = write.said()
    t.check(3 in found, f"the end of the file within a window gets the ACKs {found}")
    t.holds(write.name, write.content)


@server_case("RFC7440-4-19")
def blocks_repeated_after_a_restart_are_stored_once(t: ServerTrial) -> None:
    """The client missed ACK 4 and starts again at block 3, into what is already stored."""
    write = _opened(t, 7)
    write.put(1, 2, 3, 4)
    write.until(4)
    write.put(3, 4, 5, 6)
    found = write.said()
    steps = set(found) <= {2, 3, 4, 5, 6}
    t.check(steps, f"blocks 3 and 4 again, 5 and 6 get the ACKs {found}")
    write.finish(max(found, default=4))


@server_case("RFC7440-4-20")
def two_swapped_neighbours_cost_one_restart_at_most(t: ServerTrial) -> None:
    """Blocks 2 and 3 change places, as they may on two paths. The file decides."""
    write = _opened(t, 7)
    write.put(1, 3, 2, 4)
    found = write.said()
    if len(found) > 2:
        t.warn(f"two swapped blocks get the ACKs {found}")
    write.finish(max(found, default=0))


@server_case("RFC7440-4-21")
def the_oack_of_a_write_opens_the_first_window(t: ServerTrial) -> None:
    """The whole first window goes out back to back.

    A server that is still opening the file must not lose a block of it.
    """
    write = _opened(t, 3)
    write.put(1, 2, 3, 4)
    _each_block(t, write.until(4))
    t.holds(write.name, write.content)
