"""What is explored: one small file, one direction, one negotiation, one number of faults.

The transfers are made as server and client make them: what the client proposes, the
server grants. Plain transfers have the 512 octets and the lock-step of RFC 1350, and are
driven by `step` and `take`; the others have blocks of 8 octets. The classes of the two
roles are arguments, so that a broken one can be tried. Must not know how one explores.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tftp.protocol.options import DEFAULT_BLOCK_SIZE, MIN_BLOCK_SIZE, Ceiling, Wish, grant, propose
from tftp.protocol.pace import Timing
from tftp.protocol.packets import RRQ, WRQ, Request
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Address
from tftp.sim.explore_party import Party, Setup
from tftp.sim.explore_world import TO_RECEIVER, TO_SENDER, Scene, Stage

__all__ = [
    "OPTIONS",
    "PLAIN",
    "SHAPES",
    "TICK",
    "TIMEOUT",
    "Roles",
    "Setting",
    "everyday",
    "everything",
    "raise_curtain",
]

CLIENT: Address = ("192.0.2.2", 1000)
SERVER: Address = ("192.0.2.1", 2000)
LISTENER: Address = ("192.0.2.1", 69)

PLAIN, OPTIONS, TIMEOUT = "plain", "options", "timeout"
SHAPES = ((PLAIN, 1), *((terms, window) for terms in (OPTIONS, TIMEOUT) for window in (1, 2, 3)))
"""Without options; with blksize, windowsize and tsize; and with a timeout of 1 s, too."""
FILES = (*((blocks, rest) for blocks in range(4) for rest in (0, 5)), (4, 0))
"""Full blocks, and octets in the last one: 1 to 5 DATA packets."""
SPREAD = {(0, 5), (1, 0), (2, 5), (3, 0), (4, 0)}
"""One file for each number of packets. The other one makes for the very same orders."""
TICK = 1 / 1024
INTERVAL = 1
# Seconds that all is late by one fault: a sixth of the patience of the less patient end, so
# that three of them, and the interval that follows, cannot use it up.
STALLS = {PLAIN: 5.0, OPTIONS: 5.0, TIMEOUT: 1.0}


class Setting(NamedTuple):
    """One exploration."""

    reading: bool
    """Whether the client reads: then the server sends."""
    terms: str
    window: int
    blocks: int
    """Full blocks."""
    rest: int
    """The octets of the last block, fewer than a block has."""
    faults: int
    tick: float = 0.0
    """What a delivery takes, in seconds. With none, no answer ever comes too soon."""

    def __str__(self) -> str:
        """Returns a short name."""
        verb = "read" if self.reading else "write"
        tick = "-slow" if self.tick else ""
        file = f"{self.blocks}+{self.rest}"
        return f"{verb}-{self.terms}-window{self.window}-{file}-faults{self.faults}{tick}"

    @property
    def needed(self) -> int:
        """Returns how many DATA packets the file has."""
        return self.blocks + 1

    @property
    def most_data(self) -> int:
        """Returns how many DATA packets may be sent at most.

        A fault may cost a window that goes out again; its ACK, come late, another one; and
        the answer to those a third.
        """
        return self.needed + self.faults * 3 * self.window

    @property
    def most_acks(self) -> int:
        """Returns how many ACK packets may be sent at most: one for each block and ACK 0."""
        return self.needed + 1 + 3 * self.faults


class Roles(NamedTuple):
    """Who is put to the test."""

    sender: type[Sender] = Sender
    receiver: type[Receiver] = Receiver


def everything(faults: int) -> Iterator[Setting]:
    """Yields all settings with so many faults."""
    for reading in (True, False):
        for terms, window in SHAPES:
            for blocks, rest in FILES:
                yield Setting(reading, terms, window, blocks, rest, faults)


def everyday() -> Iterator[Setting]:
    """Yields all settings with as many faults as a minute or two allow for.

    With three: plain transfers of all lengths, others of up to three packets; longer ones
    with two; and all of them with one or two on a link that takes its time. Files that
    make for the same orders as another one get one fault.
    """
    deep = {PLAIN: 5, OPTIONS: 3, TIMEOUT: 3}
    for setting in everything(3):
        if (setting.blocks, setting.rest) in SPREAD:
            yield setting._replace(faults=3 if setting.needed <= deep[setting.terms] else 2)
            yield setting._replace(faults=2 if setting.needed <= 2 else 1, tick=TICK)
        else:
            yield setting._replace(faults=1)


def raise_curtain(setting: Setting, roles: Roles) -> tuple[Stage, Scene]:
    """Returns the rules of a transfer, and the scene after its request was sent."""
    block_size = DEFAULT_BLOCK_SIZE if setting.terms == PLAIN else MIN_BLOCK_SIZE
    content = _content(setting.blocks * block_size + setting.rest)
    makers = _makers(setting, len(content), roles)
    peers = (SERVER, CLIENT) if setting.reading else (CLIENT, SERVER)
    parties = tuple(
        Party(
            Setup(
                name=name,
                make=makers[way],
                asks=(way == TO_RECEIVER) == setting.reading,
                peer=peers[way],
                listener=LISTENER,
                content=content,
                stepping=setting.terms == PLAIN,
            )
        )
        for way, name in ((TO_RECEIVER, "receiver"), (TO_SENDER, "sender"))
    )
    stage = Stage(
        (parties[TO_RECEIVER], parties[TO_SENDER]),
        content,
        block_size=block_size,
        window=setting.window,
        tick=setting.tick,
        stall=STALLS[setting.terms],
        stepping=setting.terms == PLAIN,
    )
    return stage, stage.begin(TO_RECEIVER if setting.reading else TO_SENDER, setting.faults)


def _makers(
    setting: Setting, size: int, roles: Roles
) -> tuple[Callable[[float], Receiver], Callable[[float], Sender]]:
    """Returns what makes the receiver, and what makes the sender."""
    reading, timing = setting.reading, Timing()
    wish = Wish()
    if setting.terms != PLAIN:
        wish = Wish(MIN_BLOCK_SIZE, setting.window, size=0 if reading else size)
    if setting.terms == TIMEOUT:
        wish = wish._replace(timeout=INTERVAL)
    request = Request(RRQ if reading else WRQ, "f", "octet", propose(wish))
    terms = grant(request.options, Ceiling(size=size), reading=reading)
    if reading:
        return (
            lambda now: roles.receiver.requesting(request, LISTENER, timing, now),
            lambda now: roles.sender.answering(CLIENT, terms, timing, now),
        )
    return (
        lambda now: roles.receiver.answering(CLIENT, terms, timing, now),
        lambda now: roles.sender.requesting(request, LISTENER, timing, now),
    )


def _content(size: int) -> bytes:
    """Returns octets in which no two blocks are the same."""
    return bytes((n * 7 + n // 8) & 0xFF for n in range(size))
