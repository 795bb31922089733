"""RFC 2348, tried against clients: the block size that they are granted.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from ..catalogue import client_case
from ..client_moves import offered, refuses
from ..client_trial import ClientTrial
from ..fixtures import content
from ..wire import ACK, RRQ, oack

FILE = content(1350, 17)


@client_case("RFC2348-12")
def a_smaller_size_is_used(t: ClientTrial) -> None:
    """Blocks of 100 octets: a client that still waits for 512 takes the first for the last."""
    for request in t.ways(FILE, blksize=1024):
        size = min(100, offered(t, request, "blksize"))
        line = t.server(request)
        line.send(oack({"blksize": str(size)}))
        if request.kind == RRQ:
            line.expect(ACK, 0)
            line.give(FILE, size=size)
            t.succeeds(FILE)
        else:
            t.check(line.take(size=size) == FILE, "the file arrived with other octets")
            t.succeeds()


@client_case("RFC2348-13")
def a_size_above_the_offer_is_refused(t: ClientTrial) -> None:
    """One octet more than was offered."""
    for request in t.ways(FILE, blksize=1024):
        refuses(t, request, "blksize", offered(t, request, "blksize") + 1)


@client_case("RFC2348-14")
def a_size_below_8_is_refused(t: ClientTrial) -> None:
    """Four octets, and none, with which a careless client would never come to an end."""
    for size in (4, 0):
        for request in t.ways(FILE, blksize=1024):
            refuses(t, request, "blksize", size)


@client_case("RFC2348-15")
def without_a_granted_size_it_is_512(t: ClientTrial) -> None:
    """The OACK grants other options only; the blocks that follow have the default size."""
    tried = 0
    for request in t.ways(FILE, some=True, blksize=1024, tsize=0):
        others = {
            name: {"tsize": str(len(FILE)), "windowsize": "1"}.get(name, value)
            for name, value in request.options.items()
            if name in ("tsize", "timeout", "windowsize")
        }
        if "blksize" not in request.options or not others:
            continue
        tried += 1
        line = t.server(request)
        line.send(oack(others))
        if request.kind == RRQ:
            line.expect(ACK, 0)
            line.give(FILE)
            t.succeeds(FILE)
        else:
            t.check(line.take() == FILE, "the file arrived with other octets")
            t.succeeds()
    if not tried:
        t.unsupported("the client does not ask for a block size together with another option")
