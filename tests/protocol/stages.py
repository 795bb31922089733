"""The four parts of the play: a server that is read or written, a client that reads or writes.

Each helper sets one `Transfer` on a `Stage` at time 0, with the peer at `PEER`; a client
asks the listener at port 69 of the peer's host, as RFC 1350 section 4 has it.
"""

from tests.protocol.ladder import ADDRESSES, PEER, TIMING, Stage, terms
from tftp.protocol.options import Terms, Wish, propose
from tftp.protocol.pace import Timing
from tftp.protocol.packets import RRQ, WRQ, Request
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender

CONTENT = bytes((n * 7 + n // 251) & 0xFF for n in range(70_000))
LISTENER = ADDRESSES["listener"]


def server_read(
    size: int, agreed: Terms | None = None, timing: Timing = TIMING, room: int = 64
) -> Stage:
    """A server sends a file of `size` octets; without `agreed` the RRQ had no options."""
    sender = Sender.answering(PEER, agreed or terms(), timing, 0.0)
    return Stage(sender, CONTENT[:size], room)


def server_write(agreed: Terms | None = None, timing: Timing = TIMING) -> Stage:
    """A server receives a file; without `agreed` the WRQ had no options."""
    return Stage(Receiver.answering(PEER, agreed or terms(), timing, 0.0))


def client_read(wish: Wish | None = None, timing: Timing = TIMING) -> Stage:
    """A client asks for the file `f`."""
    request = Request(RRQ, "f", "octet", propose(wish or Wish()))
    return Stage(Receiver.requesting(request, LISTENER, timing, 0.0))


def client_write(
    size: int, wish: Wish | None = None, timing: Timing = TIMING, room: int = 64
) -> Stage:
    """A client offers the file `f` of `size` octets."""
    request = Request(WRQ, "f", "octet", propose(wish or Wish()))
    sender = Sender.requesting(request, LISTENER, timing, 0.0)
    return Stage(sender, CONTENT[:size], room)
