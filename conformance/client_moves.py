"""What several cases against clients do: measure, provoke, refuse, go on from the middle.

A case says what is judged; these say how it comes about. Must not know any requirement.
"""

from collections.abc import Callable
from contextlib import suppress

from .client_trial import ClientTrial, Server
from .fixtures import content
from .line import Line
from .wire import ACK, DATA, ERROR, OACK, Packet, ack, data, oack

__all__ = [
    "AT_ONCE",
    "LATE",
    "arrivals",
    "asking",
    "brisk_put",
    "gave_up",
    "go_on",
    "grant",
    "offered",
    "provokes",
    "refuses",
]

AT_ONCE = 0.15
"""Seconds within which something comes that no timer of a receiver has to bring about."""

LATE = 12.0
"""Seconds after which we wait no longer for a repeat; common timers take five at most."""

SLOWEST = 6.5  # seconds: a timer that takes longer is no danger to a short look
BRISK = 12  # blocks after which a timer that follows the round trip has settled


def brisk_put(t: ClientTrial, blocks: int = 40) -> tuple[Server, float]:
    """Takes a put up to block 12, whose ACK stays out; measures when it comes again.

    Returns the line, and the seconds within which no timer of this client can have caused
    anything: half of what was measured.
    """
    line = t.server(t.put(content(blocks * 512 - 100, 5)))
    line.send(ack(0))
    line.take(1, BRISK - 1)
    first = line.expect(DATA, BRISK)
    again = line.hear(SLOWEST)
    if again is not None and again.raw != first.raw:
        t.fail(f"without an ACK of DATA {BRISK} there came {again}")
    interval = SLOWEST if again is None else again.at - first.at
    t.note(f"a block is repeated after {interval:.3f} s")
    return line, min(interval / 2, 1.5)


def provokes(line: Server, datagram: bytes, moment: float) -> Packet | None:
    """Sends a datagram; returns what it brings within that time, be it new or a copy."""
    line.send(datagram)
    sent = line.sent_at
    while (packet := line.anything(moment)) is not None:
        if packet.at > sent:
            return packet
    return None


def arrivals(line: Line, seconds: float) -> list[Packet]:
    """Returns all that comes within that time after what was sent last."""
    found = []
    while (packet := line.anything(seconds)) is not None:
        found.append(packet)
    return found


def gave_up(t: ClientTrial, line: Server) -> bool:
    """Tells whether the client has ended the transfer: by an ERROR, or visibly without one."""
    if any(packet.kind == ERROR for packet in line.heard):
        return True
    found = t.gone(1.0)
    return found is not None and found.status != 0


def offered(t: ClientTrial, request: Packet, option: str) -> int:
    """Returns the number that a request offers for an option; FAIL if it is no number."""
    value = request.options[option]
    t.check(value.isdigit(), f"the request has {option}={value}, which is no number")
    return int(value)


def asking(t: ClientTrial, request: Packet) -> Packet:
    """Returns a request that asks for options; UNSUPPORTED if it does not."""
    if not request.options:
        t.unsupported("the client requests no option")
    return request


def grant(t: ClientTrial, request: Packet, size: int = 512) -> tuple[dict[str, str], int]:
    """Returns an OACK's options that any client may accept, and the block size with them.

    That is `size`, or less where less was asked for; of other options the first that needs
    no more of us than to name it.
    """
    if "blksize" in request.options:
        size = min(size, offered(t, request, "blksize"))
        return {"blksize": str(size)}, size
    for name in ("tsize", "timeout"):
        if name in request.options:
            return {name: request.options[name] if name == "timeout" else "1300"}, 512
    return ({"windowsize": "1"} if "windowsize" in request.options else {}), 512


def refuses(t: ClientTrial, request: Packet, name: str, value: object) -> None:
    """Answers a request with an OACK that no client may accept; FAIL unless it says ERROR 8."""
    line = t.server(request)
    line.send(oack({name: str(value)}))
    said = f"in answer to {request.kind}, {OACK} {name}={value}"
    packet = line.answer(3.0)
    if packet is None:
        t.fail(f"{said} met silence, where ERROR 8 was due")
    t.check(packet.kind == ERROR, f"{said} was answered by {packet}, where ERROR 8 was due")
    t.check(packet.code == 8, f"{said} was refused by {packet}, where code 8 was due")
    t.fails()


def go_on(
    line: Server,
    content: bytes,
    base: int = 0,
    *,
    size: int = 512,
    window: int = 1,
    timer: float = 1.0,
    tries: int = 6,
    number: Callable[[int], int] = lambda block: block & 0xFFFF,
) -> bool:
    """Sends what comes behind block `base`, window by window, as a plain sender does.

    Returns whether all of it was acknowledged; False after an ERROR or a long silence.
    `number` tells which number a block has on the wire.
    """
    last = len(content) // size + 1
    silent, due = 0, True
    while base < last:
        top = min(base + window, last)
        if due:
            for block in range(base + 1, top + 1):
                line.send(data(number(block), content[(block - 1) * size : block * size]))
        due = False
        packet = line.hear(timer)
        if packet is None:
            silent, due = silent + 1, True
            if silent > tries:
                return False
        elif packet.kind == ERROR:
            return False
        elif packet.kind == ACK:
            numbers = [number(block) for block in range(base + 1, top + 1)]
            with suppress(ValueError):
                base += 1 + numbers.index(packet.block)
                silent, due = 0, True
    return True
