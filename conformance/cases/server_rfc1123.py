"""RFC 1123 section 4.2, tried against servers: doubled ACKs, timers, modes and broadcast.

That a doubled ACK doubles nothing can be seen only before the target's timer fires: every
such case listens for less than half of its shortest interval.
"""

from collections import Counter
from itertools import pairwise

from ..catalogue import server_case
from ..server_steps import UPLOAD, chunk, finish_read, finish_write, reading, writing
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, OACK, ack, data, rrq, wrq

LOOPBACK_BROADCAST = "127.255.255.255"
WATCH = 16.0
"""Seconds of silence in which a timer is watched."""
ENOUGH = 6
"""Intervals that show how a timer grows, even one that grows at every second step only."""
GROWN, EQUAL = 1.45, 1.15
"""An interval that is half as long again, less what clocks are off; and one that is the same."""
SLOW = 20.0
"""Seconds that a slow peer may take over all its ACKs."""


# ---------------------------------------------------------------- doubled ACKs


@server_case("RFC1123-4.2.3.1-01")
def a_doubled_ack_does_not_double_the_next_block(t: ServerTrial) -> None:
    """Both copies of the ACK go out back to back, for two blocks in turn."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000")
    for block in (1, 2):
        _twice(t, client, block, chunk(octets, block + 1))
    finish_read(client, octets, 3)


def _twice(t: ServerTrial, client: Client, block: int, payload: bytes) -> None:
    """Sends an ACK twice and fails if the next block comes twice."""
    client.send(ack(block))
    client.send(ack(block))
    client.expect_data(block + 1, payload)
    if (packet := client.caused()) is not None:
        t.fail(f"ACK {block}, sent twice, brought one packet more: {packet}")


@server_case("RFC1123-4.2.3.1-02")
def an_ack_repeated_after_the_next_block_is_ignored(t: ServerTrial) -> None:
    """A second copy of an ACK, sooner than the target's timer can be the cause of anything."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000", 2)
    client.send(ack(1))
    if (packet := client.caused()) is not None:
        t.fail(f"a repeated ACK 1 was answered with {packet}")
    finish_read(client, octets, 2)


@server_case("RFC1123-4.2.3.1-03")
def a_doubled_ack_0_sends_block_1_once(t: ServerTrial) -> None:
    """The ACK of an OACK is an ACK like any other."""
    t.needs_option("blksize")
    octets = t.fixture("b3000")
    client = t.client()
    client.ask(rrq("b3000", options={"blksize": 512}))
    client.expect(OACK)
    _twice(t, client, 0, chunk(octets, 1))
    finish_read(client, octets)


@server_case("RFC1123-4.2.3.1-04")
def many_copies_of_an_ack_cause_no_packet(t: ServerTrial) -> None:
    """Ten of them: what one copy may not cause, ten may not either."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000", 2)
    for _ in range(10):
        client.send(ack(1))
    if (packet := client.caused()) is not None:
        t.fail(f"ten copies of ACK 1 were answered with {packet}")
    finish_read(client, octets, 2)


@server_case("RFC1123-4.2.3.1-05")
def one_late_ack_does_not_double_the_transfer(t: ServerTrial) -> None:
    """One ACK is held back until a copy has come; from then on every copy is acknowledged.

    That is the receiver of RFC 783, with which a sender of RFC 783 doubles all that follows.
    """
    octets = t.fixture("b10k")
    last = len(octets) // 512 + 1
    client = reading(t, "b10k", 3)
    hold = min(1.5 * (t.manners.first_interval or 5.0), 8.0)
    waiting = [client.heard[-1], *client.everything(hold)]
    for packet in waiting:
        client.send(ack(packet.block))
    while (top := max(packet.block for packet in client.heard)) < last:
        came = client.hear()
        if came is None:
            t.fail(f"after DATA {top} nothing came")
        t.check(came.kind == DATA, f"DATA was due, and {came} came")
        client.send(ack(came.block))
    counts = Counter(packet.block for packet in client.heard)
    doubled = [block for block in range(6, last) if counts[block] > 1]
    t.note(f"{len(waiting)} copies of block 3; sent twice: {doubled or 'none'}")
    right = len(doubled) < (last - 6) * 3 / 4
    t.check(right, f"after one late ACK {len(doubled)} of {last - 6} blocks came twice")


@server_case("RFC1123-4.2.3.1-07")
def a_receiver_sends_at_most_one_ack_per_copy(t: ServerTrial) -> None:
    """Three copies of one block in a row; ACKs that come later may be its timer's."""
    client, name = writing(t)
    for _ in range(3):
        client.send(data(1, chunk(UPLOAD, 1)))
    acks = [packet for packet in client.everything(t.moment) if packet.kind == ACK]
    t.check(len(acks) <= 3, f"three copies of a block brought {len(acks)} ACKs")
    finish_write(client, UPLOAD, 2)
    t.holds(name, UPLOAD)


# ---------------------------------------------------------------- timers


@server_case("RFC1123-4.2.3.2-01")
def the_repeat_interval_grows_while_nothing_comes(t: ServerTrial) -> None:
    """A read and a write stand still together; a receiver need not repeat, but if it does ..."""
    clients = {"DATA 1": reading(t, "b3000")}
    if t.manners.creates:
        clients["ACK 0"] = writing(t)[0]
    for what, client in clients.items():
        intervals = _intervals(client)
        shown = ", ".join(f"{interval:.2f}" for interval in intervals)
        t.note(f"{what} was repeated after {shown or 'no interval'} s")
        steps = [later / sooner for sooner, later in pairwise(intervals)]
        if not steps:
            t.note(f"{what} was not repeated often enough to tell")
        elif sum(step > GROWN for step in steps) < min(2, len(steps)):
            grows = intervals[-1] > EQUAL * intervals[0]
            t.check(grows, f"{what} is repeated at a constant interval: {shown} s")
            t.lenient(f"the interval of {what} grows slowly: {shown} s")
    t.alive()


def _intervals(client: Client) -> list[float]:
    """Returns the seconds between the copies of the latest datagram, as many as tell enough."""
    first = client.heard[-1]
    times, found = [first.at], list[float]()
    while len(found) < ENOUGH and (packet := client.anything(WATCH)) is not None:
        if packet.raw == first.raw:
            times.append(packet.at)
            found = [later - sooner for sooner, later in pairwise(times)]
        if len(found) > 2 and max(found) < EQUAL * min(found):
            break
    return found


@server_case("RFC1123-4.2.3.2-02")
def the_interval_adapts_to_a_slow_peer(t: ServerTrial) -> None:
    """Every ACK comes half an interval too late; the copies of each block are counted."""
    delay = 1.5 * (t.manners.first_interval or SLOW)
    blocks = min(12, int(SLOW / delay))
    if blocks < 5:
        t.skip(f"with an interval of {delay / 1.5:.1f} s this takes too long")
    octets = t.fixture("b10k")
    client = reading(t, "b10k")
    for block in range(1, blocks + 1):
        arrived = client.heard[-1].at
        client.everything(max(0.0, arrived + delay - client.sent_at))
        client.send(ack(block))
        client.expect_data(block + 1, chunk(octets, block + 1))
    counts = Counter(packet.block for packet in client.heard if packet.kind == DATA)
    copies = [counts[block] for block in range(1, blocks + 1)]
    t.note(f"copies of each block: {copies}")
    third = blocks // 3
    tops = [max(copies[start : start + third]) for start in (0, third, blocks - third)]
    grows = tops[0] < tops[1] < tops[2]
    t.check(not grows, f"the number of copies of each block grows: {copies}")
    late = copies[4:]
    if sum(count > 1 for count in late) * 2 <= len(late):
        return
    if max(copies[-2:]) == 1:
        t.lenient(f"it takes many blocks until each is sent once to a slow peer: {copies}")
    else:
        t.policy(f"with a slow peer blocks keep coming more than once: {copies}")


# ---------------------------------------------------------------- plain requests, broadcast, modes


@server_case("RFC1123-4.2.3.3-01")
def extensions_are_negotiated_never_assumed(t: ServerTrial) -> None:
    """A whole read without options, each ACK a little late, so that an early block shows."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000")
    for block in range(1, 6):
        client.quiet(0.1)
        client.send(ack(block))
        client.expect_data(block + 1, chunk(octets, block + 1))
    client.send(ack(6))
    if t.manners.creates:
        client, name = writing(t)
        finish_write(client, UPLOAD, 1)
        t.holds(name, UPLOAD)


@server_case("RFC1123-4.2.3.5-01")
def a_broadcast_request_is_ignored(t: ServerTrial) -> None:
    """The loopback network has a broadcast address; only a server on all addresses hears it."""
    if not t.target.address[0].startswith("127."):
        t.skip("no broadcast address of the target's network is known")
    t.fixture("b511")
    other = t.client()
    other.ask(rrq("b511"), host="127.0.0.2")
    if other.hear(2.0) is None:
        t.skip("the target listens on a single address")
    for request in (rrq("b511"), wrq(f"{t.target.prefix}up-cast-{next(t.target.numbers)}")):
        client = t.client()
        client.ask(request, host=LOOPBACK_BROADCAST)
        packet = client.anything(2.0)
        t.check(packet is None, f"a broadcast request was answered with {packet}")
    t.alive()


@server_case("RFC1123-4.2.4-01")
def both_octet_and_netascii_work(t: ServerTrial) -> None:
    """The same text both ways in both modes; a line end shows whether netascii is translated."""
    octets = t.fixture("text")
    encoded = b"foo\r\nbar\r\0baz\r\n\r\0\r\nqux"
    for mode, wire in (("octet", octets), ("netascii", encoded)):
        played = t.read("text", mode)
        t.check(played.complete, f"a read in {mode}: {played.trouble}")
        right = played.content.startswith(wire[:8])
        t.check(right, f"a read in {mode} gave {played.content!r}")
        if t.manners.creates:
            name = t.new_name()
            stored = t.write(name, wire, mode)
            t.check(stored.complete, f"a write in {mode}: {stored.trouble}")
            t.holds(name, octets)
