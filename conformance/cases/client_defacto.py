"""Practice, tried against clients: files of more than 65,535 blocks.

If the client asks for any block size it gets eight octets, so that half a megabyte wraps.
"""

from collections.abc import Callable

from ..catalogue import client_case
from ..client_moves import go_on
from ..client_trial import ClientTrial, Server
from ..fixtures import content
from ..wire import ACK, DATA, ERROR, Packet, ack, oack

BLOCKS = 65_540
WRAP = 65_536
SMALL = 8
ASKED = 1024  # some commands refuse to ask for less than a sane size
FALLS_SILENT = 8.0


@client_case("DF-ROLL-06", alone=True)
def numbers_go_on_with_0(t: ClientTrial) -> None:
    """A read that wraps to 0, one of a server that goes on with 1 instead, and a write."""
    whole, octets = read(t, lambda block: block & 0xFFFF)
    if not whole:
        stopped(t, "a read")
    t.succeeds(octets)
    whole, _ = read(t, lambda block: block if block < WRAP else block - WRAP + 1)
    follows = "follows" if whole else "does not follow"
    t.policy(f"a read {follows} a server that goes on with block 1")
    if offers_put(t):
        written(t, acknowledge_plainly)


@client_case("DF-HPA-04", alone=True)
def an_odd_ack_at_the_wrap_is_borne(t: ClientTrial) -> None:
    """Block 0 gets ACK 65535, as from some old servers, and then the right one."""
    written(t, acknowledge_oddly)


AtWrap = Callable[[Server], Packet | None]
"""Answers the first copy of the block whose number is 0 again; returns what it has heard."""


def read(t: ClientTrial, number: Callable[[int], int]) -> tuple[bool, bytes]:
    """Serves a read with such numbers; returns whether all was taken, and the file."""
    request = t.get(firm=False, blksize=ASKED)
    line, size = t.server(request), 512
    if "blksize" in request.options:
        line.send(oack({"blksize": str(SMALL)}))
        packet = line.answer()
        if packet is not None and packet.kind == ACK:
            size = SMALL
        else:  # it may refuse so small a size, and must not if none is granted
            line = t.server(t.get())
    octets = content(BLOCKS * size - 3, 24)
    return go_on(line, octets, size=size, number=number, timer=2.0, tries=2), octets


def offers_put(t: ClientTrial) -> bool:
    """Tells whether the client can write at all."""
    return any(request.kind == "WRQ" for request in t.ways(b"?"))


def written(t: ClientTrial, at_wrap: AtWrap) -> None:
    """Takes a write that wraps; FAIL unless all of it comes."""
    request = t.put(content(BLOCKS * SMALL - 3, 25), firm=False, blksize=ASKED)
    line, size = t.server(request), 512
    first: Packet | None = None
    if "blksize" in request.options:
        line.send(oack({"blksize": str(SMALL)}))
        first = line.answer()
        if first is not None and first.kind == DATA and len(first.payload) == SMALL:
            size = SMALL
    octets = content(BLOCKS * size - 3, 25)
    if size == 512:
        line, first = t.server(t.put(octets)), None
        line.send(ack(0))
    if take_all(line, first, size, at_wrap) != octets:
        stopped(t, "a write")
    t.succeeds()


def take_all(line: Server, first: Packet | None, size: int, at_wrap: AtWrap) -> bytes:
    """Takes blocks in lock-step as long as they come, and returns their octets."""
    got: list[bytes] = []
    packet = first or line.hear()
    while packet is not None and packet.kind != ERROR:
        due = len(got) + 1
        if packet.kind == DATA and packet.block == due & 0xFFFF:
            got.append(packet.payload)
            if due == WRAP:
                packet = at_wrap(line) or line.hear(FALLS_SILENT)
                continue
            line.send(ack(due))
            if len(packet.payload) < size:
                break
        elif packet.kind == DATA and packet.block == (due - 1) & 0xFFFF:
            line.send(ack(due - 1))
        packet = line.hear(FALLS_SILENT)
    return b"".join(got)


def acknowledge_plainly(line: Server) -> Packet | None:
    """Says 0, as a server should."""
    line.send(ack(0))
    return None


def acknowledge_oddly(line: Server) -> Packet | None:
    """Says 65535 where 0 is due; says 0 a moment later, unless the client goes on by itself."""
    line.send(ack(65535))
    packet = line.anything(0.3)
    if packet is not None and packet.block != 0:
        return packet
    line.send(ack(0))
    return None


def stopped(t: ClientTrial, what: str) -> None:
    """Ends the case for a client that did not get over the wrap."""
    found = t.gone(3.0)
    if found is not None and found.status != 0:
        t.unsupported(f"{what} ends with a failure: {found.text[:100]}")
    t.fail(f"{what} does not get over the wrap of block numbers")
