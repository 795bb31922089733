"""Sets both ends of one transfer on the simulated link: a client that reads, or one that writes.

The terms come out of a real negotiation: what the client proposes, the server grants.
A server here stands there from time 0; a request that arrives is one that was repeated.
"""

from tftp.protocol.options import Ceiling, Wish, grant, propose
from tftp.protocol.pace import Timing
from tftp.protocol.packets import RRQ, WRQ, Request
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Address
from tftp.sim.link import Faults
from tftp.sim.world import Conversation

CLIENT: Address = ("192.0.2.2", 1000)
SERVER: Address = ("192.0.2.1", 2000)
LISTENER: Address = ("192.0.2.1", 69)

TIMING = Timing()
ROUGH = Faults(loss=0.05, duplication=0.03, reordering=0.03, jitter=0.001)


def content_of(size: int, seed: int = 0) -> bytes:
    """Returns octets in which no two neighbouring blocks are the same."""
    return bytes((n * 7 + n // 251 + seed) & 0xFF for n in range(size))


def _wish(window: int, block_size: int, size: int) -> Wish:
    if window == 1 and block_size == 512:
        return Wish()  # plain RFC 1350
    return Wish(block_size=block_size, window=window if window > 1 else None, size=size)


def _faults(faults: Faults | None, loss: float) -> Faults:
    return faults if faults is not None else Faults(loss=loss)


def read(
    content: bytes,
    window: int,
    block_size: int,
    *,
    faults: Faults | None = None,
    loss: float = 0.0,
    seed: int = 0,
    room: int = 64,
    timing: Timing = TIMING,
) -> Conversation:
    """A client reads: the server sends."""
    asked = propose(_wish(window, block_size, 0))
    request = Request(RRQ, "f", "octet", asked)
    granted = grant(asked, Ceiling(window=65535, size=len(content)), reading=True)
    return Conversation(
        Sender.answering(CLIENT, granted, timing, 0.0),
        Receiver.requesting(request, LISTENER, timing, 0.0),
        (SERVER, CLIENT),
        content,
        faults=_faults(faults, loss),
        seed=seed,
        room=room,
    )


def write(
    content: bytes,
    window: int,
    block_size: int,
    *,
    faults: Faults | None = None,
    loss: float = 0.0,
    seed: int = 0,
    room: int = 64,
    timing: Timing = TIMING,
) -> Conversation:
    """A client writes: the server receives."""
    asked = propose(_wish(window, block_size, len(content)))
    request = Request(WRQ, "f", "octet", asked)
    granted = grant(asked, Ceiling(window=65535), reading=False)
    return Conversation(
        Sender.requesting(request, LISTENER, timing, 0.0),
        Receiver.answering(CLIENT, granted, timing, 0.0),
        (CLIENT, SERVER),
        content,
        faults=_faults(faults, loss),
        seed=seed,
        room=room,
    )
