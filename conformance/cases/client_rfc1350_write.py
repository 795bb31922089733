"""RFC 1350, tried against clients that write: lock-step, repeats, the last block.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from ..catalogue import client_case
from ..client_moves import LATE, arrivals, brisk_put, provokes
from ..client_trial import ClientTrial
from ..fixtures import content
from ..wire import DATA, ERROR, ack

FILE = content(1300, 6)  # two full blocks and a short one


@client_case("RFC1350-2-01")
def one_block_is_in_flight(t: ClientTrial) -> None:
    """The ACK of block 1 stays out for a second; copies may come, block 2 may not."""
    line = t.server(t.put(FILE))
    line.send(ack(0))
    line.expect(DATA, 1)
    line.quiet(1.0)
    line.send(ack(1))
    t.check(FILE[512:] == line.take(2), "the file arrived with other octets")
    t.succeeds()


@client_case("RFC1350-2-10")
def stray_acks_move_nothing(t: ClientTrial) -> None:
    """Numbers behind and ahead, at several blocks, sooner than the client's timer can expire.

    A copy counts only if most of them bring one: a single one may be the timer's after all.
    """
    line, moment = brisk_put(t)
    provoked = []
    for block in range(13, 19):
        line.send(ack(block - 1))
        line.expect(DATA, block)
        for stray in (block - 2, block + 6, 0):
            packet = provokes(line, ack(stray), moment)
            if packet is not None:
                t.check(packet.block == block, f"ACK {stray} at DATA {block} brought {packet}")
                provoked.append(stray)
    t.check(
        len(provoked) <= 6, f"stray ACKs made the client repeat its block {len(provoked)} times"
    )
    line.send(ack(18))
    line.expect(DATA, 19)


@client_case("RFC1350-2-11")
def an_unacknowledged_block_is_not_left(t: ClientTrial) -> None:
    """Twelve seconds of silence after block 1: two intervals of a slow client."""
    line = t.server(t.put(FILE))
    line.send(ack(0))
    line.expect(DATA, 1)
    packet = line.answer(LATE)
    t.check(
        packet is None or packet.kind == ERROR, f"without an ACK of block 1 there came {packet}"
    )


@client_case("RFC1350-2-12")
def a_lost_block_comes_again_unchanged(t: ClientTrial) -> None:
    """The ACKs of the first, of a middle and of the last block stay out until a copy comes."""
    line = t.server(t.put(FILE))
    line.send(ack(0))
    for block in (1, 2, 3):
        first = line.expect(DATA, block)
        copy = line.anything(10.0)
        t.check(copy is not None, f"DATA {block} was not repeated within 10 s")
        t.check(copy is None or copy.raw == first.raw, f"after DATA {block} there came {copy}")
        line.send(ack(block))
    t.succeeds()


@client_case("RFC1350-2-16")
def a_late_ack_is_still_welcome(t: ClientTrial) -> None:
    """Block 1 has to come again; its ACK then has to release block 2."""
    line = t.server(t.put(FILE))
    line.send(ack(0))
    first = line.expect(DATA, 1)
    copy = line.anything(15.0)
    t.check(copy is not None and copy.raw == first.raw, f"within 15 s came {copy or 'no copy'}")
    line.send(ack(1))
    line.take(2)
    t.succeeds()


@client_case("RFC1350-5-19")
def blocks_count_from_one_and_are_full(t: ClientTrial) -> None:
    """Ten blocks; numbers and lengths of all of them are looked at."""
    octets = content(4700, 7)
    line = t.server(t.put(octets))
    line.send(ack(0))
    t.check(line.take() == octets, "the file arrived with other octets")
    sizes = {packet.block: len(packet.payload) for packet in line.heard}
    t.check(sizes == {**dict.fromkeys(range(1, 10), 512), 10: 92}, f"block sizes were {sizes}")
    t.succeeds()


@client_case("RFC1350-6-06")
def a_full_last_block_is_followed_by_an_empty_one(t: ClientTrial) -> None:
    """The sizes at which it is easily forgotten: nothing, one block, two blocks."""
    for size in (0, 512, 1024):
        octets = content(size, 8)
        line = t.server(t.put(octets))
        line.send(ack(0))
        t.check(line.take() == octets, f"a file of {size} octets arrived with others")
        t.succeeds()


@client_case("RFC1350-6-09")
def the_last_block_is_repeated_until_its_ack(t: ClientTrial) -> None:
    """Its ACK stays out until a copy comes; then the timer must be off for good."""
    line = t.server(t.put(FILE))
    line.send(ack(0))
    line.take(1, 2)
    last = line.expect(DATA, 3)
    copy = line.anything(10.0)
    t.check(copy is not None and copy.raw == last.raw, f"within 10 s came {copy or 'no copy'}")
    line.send(ack(3))
    arrivals(line, 0.1)  # copies that were on their way
    interval = 0.0 if copy is None else copy.at - last.at
    line.quiet(min(2.2 * interval + 0.3, 6.0), repeats=False)
    t.succeeds()


@client_case("RFC1350-6-10")
def a_missing_last_ack_is_reported(t: ClientTrial) -> None:
    """The last ACK never comes; how the client ends says what it makes of that."""
    t.needs_exit()
    line = t.server(t.put(FILE))
    line.send(ack(0))
    line.take(1, 2)
    line.expect(DATA, 3)
    found = t.exit()
    if found.status == 0:
        said = f", saying: {found.text[:100]}" if found.text else " without a word"
        t.policy(f"success although the last block was never acknowledged{said}")
    copies = sum(packet.block == 3 for packet in line.heard)
    t.note(f"it had sent the last block {copies} times")
