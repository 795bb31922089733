"""RFC 1350, tried against clients that read: acknowledgements, order, sizes, the end.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from ..catalogue import client_case
from ..client_moves import arrivals, gave_up
from ..client_trial import ClientTrial
from ..fixtures import content
from ..wire import ACK, ERROR, ack, data

FILE = content(1300, 3)  # two full blocks and a short one


@client_case("RFC1350-2-08")
def a_repeated_block_is_acknowledged_again(t: ClientTrial) -> None:
    """The copy follows the ACK at once, before a timer of the client could repeat that ACK."""
    line = t.server(t.get())
    line.give(FILE, 1, 1)
    line.send(data(1, FILE[:512]))
    line.expect(ACK, 1, within=0.7, repeat=True)
    line.give(FILE, 2)
    t.succeeds(FILE)


@client_case("RFC1350-2-09")
def an_early_block_is_not_taken(t: ClientTrial) -> None:
    """Block 3 comes before block 2; its octets differ, so that it shows where it was put."""
    line = t.server(t.get())
    line.give(FILE, 1, 1)
    line.send(data(3, FILE[1024:]))
    packet = line.answer(0.7)
    if packet is None or packet.kind != ERROR:
        t.check(packet is None, f"DATA 3 in place of 2 was answered by {packet}")
        line.send(data(2, FILE[512:1024]))
        packet = line.answer()
    if packet is not None and packet.kind == ACK:
        t.check(packet.block == 2, f"DATA 2 behind DATA 3 was answered by {packet}")
        line.give(FILE, 3)
        t.succeeds(FILE)
        return
    t.check(gave_up(t, line), "after an early block the client is stuck")
    if packet is None:
        t.lenient("an early block made the client give up without a word")
    elif packet.code != 4:
        t.lenient(f"an early block was answered by {packet}")
    t.fails(FILE)


@client_case("RFC1350-2-15")
def a_pause_in_the_data_is_outlasted(t: ClientTrial) -> None:
    """Fifteen seconds without the next block: three times the interval of a slow server."""
    line = t.server(t.get())
    line.give(FILE[:700], 1, 1)
    line.quiet(15.0)
    line.send(data(2, FILE[512:700]))
    packet = line.answer()
    if packet is None:
        t.warn("the client did not wait 15 s for the next block")
        return
    t.check(packet.kind == ACK and packet.block == 2, f"the late block was answered by {packet}")
    t.succeeds(FILE[:700])


@client_case("RFC1350-5-20")
def an_ack_names_its_block_in_four_octets(t: ClientTrial) -> None:
    """Ten blocks of an ordinary transfer; every ACK that came is looked at."""
    octets = content(4700, 4)
    line = t.server(t.get())
    line.give(octets)
    for packet in line.heard:
        t.check(len(packet.raw) == 4, f"{packet} has {len(packet.raw)} octets")
    t.succeeds(octets)


@client_case("RFC1350-5-23")
def a_block_over_512_octets_is_refused(t: ClientTrial) -> None:
    """Block 1 of 600 octets where none but 512 was agreed, and the transfer goes on as if."""
    line = t.server(t.get())
    octets = content(700, 5)
    line.send(data(1, octets[:600]))
    packet = line.answer(1.5)
    if packet is None and gave_up(t, line):
        t.lenient("a block of 600 octets made the client give up without a word")
        t.fails(octets)
        return
    if packet is None:  # ignored: then the right block is still welcome
        line.give(FILE)
        t.succeeds(FILE)
        return
    if packet.kind == ERROR:
        if packet.code not in (0, 4):
            t.lenient(f"a block of 600 octets was refused by {packet}")
        t.fails(octets)
        return
    t.check(packet.kind == ACK, f"a block of 600 octets was answered by {packet}")
    line.send(data(2, octets[600:]))
    line.answer()
    if not t.sees_exit:
        t.fail("a block of 600 octets was acknowledged")
    found = t.exit()
    t.check(found.status != 0, "a block of 600 octets was taken, and success reported")
    t.lenient("a block of 600 octets was acknowledged, but the transfer then failed")


@client_case("RFC1350-6-01")
def a_short_block_is_the_end(t: ClientTrial) -> None:
    """The sizes around one block; after the last ACK nothing may follow."""
    for size in (511, 513):
        line = t.server(t.get())
        octets = content(size, size)
        line.give(octets)
        line.quiet(0.5)
        t.succeeds(octets)


@client_case("RFC1350-6-08")
def a_late_last_block_is_answered(t: ClientTrial) -> None:
    """The last block comes again a moment after its ACK, as if that had been lost."""
    line = t.server(t.get())
    line.give(FILE)
    arrivals(line, 0.3)
    line.send(data(3, FILE[1024:]))
    packet = line.anything(2.0)
    if packet is None or packet.raw != ack(3):
        said = "met silence" if packet is None else f"was answered by {packet}"
        t.warn(f"the last block, sent again after its ACK, {said}")
    t.succeeds(FILE)
