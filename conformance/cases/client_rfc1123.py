"""RFC 1123 section 4.2 and RFC 783, tried against clients: repeats, timers, modes.

What a timer does is told from what a packet has caused by first measuring the timer.
"""

from collections import Counter
from itertools import pairwise

from ..catalogue import client_case
from ..client_moves import AT_ONCE, LATE, arrivals, brisk_put, provokes
from ..client_trial import ClientTrial, Job
from ..fixtures import FIXTURES, content
from ..line import Line
from ..wire import ACK, DATA, RRQ, Packet, ack, data

FILE = content(1300, 11)
TEXT = FIXTURES["text"]
NETASCII = b"foo\r\nbar\r\0baz\r\n\r\0\r\nqux"
GROWS = 1.45  # a step by half, less a little for a busy machine
SETTLED = range(6, 21)  # blocks well past the delay


@client_case("RFC1123-4.2.3.1-05")
def one_late_ack_does_not_double_the_rest(t: ClientTrial) -> None:
    """The ACK of block 3 comes after its copy; then each copy of any block gets its ACK.

    A sender with the Sorcerer's Apprentice in it sends every later block twice.
    """
    line = t.server(t.put(content(20 * 512 - 10, 12)))
    line.send(ack(0))
    line.take(1, 2)
    line.expect(DATA, 3)
    copy = line.anything(LATE)
    if copy is None:
        t.skip(f"the client repeats nothing within {LATE:.0f} s")
    line.send(ack(3))
    line.send(ack(3))
    while (packet := line.hear(1.0)) is not None:
        if packet.kind == DATA:
            line.send(ack(packet.block))
    copies = Counter(packet.block for packet in line.heard if packet.kind == DATA)
    t.check(20 in copies, f"the transfer got stuck; blocks came so often: {dict(copies)}")
    doubled = [block for block in SETTLED if copies[block] > 1]
    t.check(2 * len(doubled) < len(SETTLED), f"blocks {doubled} were sent more than once")


@client_case("RFC1123-4.2.3.1-06")
def a_doubled_ack_brings_no_copy(t: ClientTrial) -> None:
    """Each ACK twice, the second before any timer can expire; ACK 0 in a run of its own.

    Copies count if most ACKs cause one: a single one may be the timer's after all.
    """
    no_copy_for_a_doubled_ack(t)


@client_case("RFC783-01")
def the_rule_of_rfc_783_is_gone(t: ClientTrial) -> None:
    """The old rule and the Apprentice are the same thing, so this is the same script."""
    no_copy_for_a_doubled_ack(t)


@client_case("RFC1123-4.2.3.1-07")
def each_copy_gets_one_ack_at_most(t: ClientTrial) -> None:
    """Three copies of each of four blocks, and a short look at what they bring."""
    octets = content(5 * 512, 13)
    line = t.server(t.get())
    chatty = []
    for block in range(1, 5):
        before = len(line.heard)
        for _ in range(3):
            line.send(data(block, octets[(block - 1) * 512 : block * 512]))
        line.expect(ACK, block)
        arrivals(line, AT_ONCE)
        count = sum(packet.kind == ACK for packet in line.heard[before:])
        if count > 3:
            chatty.append(f"{count} ACKs for block {block}")
    t.check(len(chatty) < 3, f"three copies of a block brought {', '.join(chatty)}")


@client_case("RFC1123-4.2.3.2-01")
def repeats_become_rarer(t: ClientTrial) -> None:
    """A request without an answer, and block 1 of a put without its ACK; four copies of each."""
    request = t.get()
    intervals_grow(t, t.listener, request)
    try_put = Job(True, "file", t.listener.address, FILE)
    t.launch(try_put)
    second = t.request()
    if second is None:
        t.skip("the client sent no WRQ")
    line = t.server(second)
    line.send(ack(0))
    intervals_grow(t, line, line.expect(DATA, 1))


@client_case("RFC1123-4.2.4-01")
def both_modes_work(t: ClientTrial) -> None:
    """A text with each kind of line end, in both modes and both ways."""
    for mode, wire in (("octet", TEXT), ("netascii", NETASCII)):
        for request in t.ways(TEXT, mode=mode):
            line = t.server(request)
            if request.kind == RRQ:
                line.give(wire)
                t.succeeds(TEXT)
            else:
                line.send(ack(0))
                sent = line.take()
                t.check(sent == wire, f"in {mode} mode {TEXT!r} was sent as {sent!r}")
                t.succeeds()


@client_case("RFC1123-6.2.2-01")
def a_broadcast_address_is_not_asked(t: ClientTrial) -> None:
    """The loopback network's broadcast address: what is sent there stays on this machine."""
    if not t.host.startswith("127."):
        t.skip("only on loopback can a broadcast be tried without disturbing anybody")
    t.needs_exit()
    try:
        ear = t.line(host="127.255.255.255")
    except OSError as trouble:
        t.skip(f"no port can be opened there: {trouble.strerror}")
    t.launch(Job(False, "file", ear.address))
    for _ in range(20):
        if (packet := ear.hear(0.25)) is not None:
            t.policy(f"the client sends a broadcast: {packet}")
            return
        if t.gone() is not None:
            break
    found = t.gone()
    if found is not None and found.status == 0:
        t.lenient("the client sends nothing, and reports success")


def no_copy_for_a_doubled_ack(t: ClientTrial) -> None:
    """Doubles the ACKs of some blocks in full flow, then the ACK of a request."""
    line, moment = brisk_put(t)
    provoked, tries = [], range(13, 25)
    for block in tries:
        line.send(ack(block - 1))
        line.expect(DATA, block)
        if provokes(line, ack(block - 1), moment) is not None:
            provoked.append(block)
    t.check(2 * len(provoked) < len(tries), f"a second ACK brought copies of blocks {provoked}")
    line = t.server(t.put(FILE))
    line.send(ack(0))
    line.expect(DATA, 1)
    packet = provokes(line, ack(0), moment)
    t.check(packet is None, f"a second ACK 0 brought {packet}")


def intervals_grow(t: ClientTrial, line: Line, first: Packet) -> None:
    """FAIL if the copies of a packet come at even intervals; none, or one, says nothing."""
    times = [first.at]
    deadline = first.at + LATE
    while len(times) < 5 and (packet := line.hear(max(0.0, deadline - t.now()))) is not None:
        if packet.raw == first.raw:
            times.append(packet.at)
    steps = [later - time for time, later in pairwise(times)]
    said = ", ".join(f"{step:.2f}" for step in steps)
    t.note(f"{first.kind} was repeated after {said or 'nothing'} s")
    if len(steps) < 2:
        t.policy(f"{first.kind} was repeated {len(steps)} times in {LATE:.0f} s")
        return
    growth = [later / step for step, later in pairwise(steps)]
    t.check(max(growth) > 1.1, f"{first.kind} was repeated at even intervals: {said} s")
    if sum(one >= GROWS for one in growth) < min(2, len(growth)):
        t.lenient(f"intervals of {first.kind} grow little: {said} s")
