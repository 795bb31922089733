"""Timers under strain, tried against servers: slow peers, scattered losses, closed ports.

Each function is one case; its docstring says why it is tried in this way.
"""

from itertools import pairwise

from ..catalogue import server_case
from ..line import Line
from ..server_steps import UPLOAD, chunk
from ..server_trial import ServerTrial
from ..wire import ACK, DATA, Packet, ack, data, rrq, wrq

WATCH = 18.0  # seconds: three repeats of most servers; no case may take much longer
SANE = (0.3, 10.0)
LOSSES = 12


def _watch(t: ServerTrial, line: Line, seconds: float) -> list[Packet]:
    """Returns all that comes while nothing is sent."""
    found = []
    deadline = t.now() + seconds
    while (packet := line.hear(max(0.0, deadline - t.now()))) is not None:
        found.append(packet)
    return found


@server_case("ROB-TIMER-01")
def the_first_interval_is_sane(t: ServerTrial) -> None:
    """Too short, and slow boards are flooded with copies; too long, and a boot takes minutes."""
    interval = t.manners.first_interval
    if interval is None:
        t.policy("the first answer was not repeated within the time of calibration")
    elif not SANE[0] <= interval <= SANE[1]:
        t.policy(f"the first repeat comes after {interval:.2f} s")


@server_case("ROB-TIMER-02")
def an_unanswered_transfer_ends(t: ServerTrial) -> None:
    """Watched for as long as a case may take; what has not ended then is only reported."""
    client = t.client()
    client.ask(rrq("b3000"))
    copies = [packet for packet in _watch(t, client, WATCH) if packet.kind == DATA]
    t.check(bool(copies), "no answer came at all")
    t.check(len(copies) <= 21, f"{len(copies)} copies within {WATCH:.0f} s")
    gap = t.now() - copies[-1].at
    usual = max(2.0, 3 * max((b.at - a.at for a, b in pairwise(copies)), default=2.0))
    if gap > usual and len(copies) < 4:
        t.lenient(f"silent after {len(copies) - 1} repeats")
    elif gap <= usual:
        t.policy(f"still repeating after {WATCH:.0f} s, {len(copies)} copies so far")
    t.alive()


@server_case("ROB-TIMER-03")
def scattered_losses_do_not_add_up(t: ServerTrial) -> None:
    """A retry count that is not reset by progress ends a long transfer on a poor link."""
    octets = t.fixture("b10k")
    interval = t.manners.flow_interval or t.manners.first_interval
    if interval is None or interval * LOSSES > 30:
        t.skip("the target's timer is too slow to lose that many packets in the time of a case")
    slowest = 10.0  # seconds: the timer may back off as long as no packet gets through at once
    client = t.client()
    client.ask(rrq("b10k"))
    client.expect_data(1, chunk(octets, 1))
    for block in range(1, len(octets) // 512 + 2):
        if block <= LOSSES:  # as if DATA had been lost: the timer has to bring it again
            client.expect(DATA, block, within=slowest, repeat=True)
        client.send(ack(block))
        if block <= len(octets) // 512:
            client.expect_data(block + 1, chunk(octets, block + 1), within=slowest)


@server_case("ROB-TIMER-04")
def a_slow_peer_is_served_to_the_end(t: ServerTrial) -> None:
    """Each ACK comes late, but before the interval is over that held at the beginning."""
    octets = t.fixture("b3000")
    delay = min(0.8 * (t.manners.first_interval or 1.0), 2.0)
    client = t.client()
    client.ask(rrq("b3000"))
    for block in range(1, len(octets) // 512 + 2):
        client.expect(DATA, block, within=t.resend)
        t.pause(delay)
        client.send(ack(block))
    copies = sum(packet.kind == DATA for packet in client.heard)
    needed = len(octets) // 512 + 1
    if copies > 2 * needed:
        t.policy(f"{copies} blocks sent for {needed}, with ACKs {delay:.2f} s late")


@server_case("ROB-TIMER-06")
def a_closed_port_ends_a_transfer_quietly(t: ServerTrial) -> None:
    """The client is gone, and ICMP says so; the server must live on, for reads and writes."""
    client = t.client()
    client.ask(rrq("b3000"))
    client.expect(DATA, 1)
    client.drop()
    if t.manners.creates:
        writer = t.client()
        writer.ask(wrq(t.new_name()))
        writer.expect(ACK, 0)
        writer.send(data(1, chunk(UPLOAD, 1)))
        writer.drop()
    t.pause(min(t.resend, 4.0))
    t.alive()


@server_case("ROB-TIMER-07")
def a_timer_sends_one_window_at_most(t: ServerTrial) -> None:
    """All that comes while nothing is acknowledged: for each event no more than a window."""
    window = 4 if "windowsize" in t.manners.options else 1
    client = t.client()
    client.ask(rrq("b3000", options={"windowsize": window} if window > 1 else {}))
    if window > 1:
        client.hear()
        client.send(ack(0))
    packets = [packet for packet in _watch(t, client, 6.0) if packet.kind == DATA]
    t.check(bool(packets), "no DATA came")
    events = [packets[0].at]
    for packet in packets:
        if packet.at - events[-1] > 0.5 * t.moment:
            events.append(packet.at)
    t.check(
        len(packets) <= window * len(events),
        f"{len(packets)} blocks in {len(events)} bursts with a window of {window}",
    )
