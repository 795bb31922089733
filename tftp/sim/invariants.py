"""What must hold at every step of a simulated world, whatever the network does.

Each check is written from the RFCs and from what the project promises, not from the code that
it judges: it reads the datagrams that pass (RFC 1350 sections 2, 4 and 7; RFC 7440 section 4).
`Broken` carries one sentence. Octets from strangers never count as the peer's, and a forger who
knows both ports of a transfer is beyond what TFTP can withstand, so no world has one.
Must not know about hosts or links.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tftp.errors import MalformedPacket
from tftp.protocol.options import Ceiling, grant
from tftp.protocol.packets import ACK, DATA, HEADER, OACK, RRQ, Request, decode
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address

__all__ = ["Broken", "Delivery", "Flow", "Ledger", "check_alive", "unmoved"]

OVER = (State.DONE, State.FAILED)
BLOCK = 4 + 512
SMALL = 4
GAIN = 10
"""A request with options gets fewer octets back than so many times its own."""
LONGEST_ERROR = 4 + 200 + 1
# What a stranger may change: the word to it that waits to go out, and how many of those there
# were. That the quick way is not awaited any more only sends the next packet the slow way.
MAY_CHANGE = ("_out", "_strangers", "_awaited", "pace")
PACE = ("_forget", "_peak", "_variance", "quickest", "rtt")


class Broken(AssertionError):
    """An invariant does not hold; the text is one sentence."""


def check_alive(transfer: Sender | Receiver, deadline: float | None, waits: bool) -> None:
    """Sees that a living transfer has a deadline, and that one which is over has none.

    `waits`: it waits for the disk to keep what has come, and the disk has a clock of its own.
    """
    if transfer.state in OVER:
        if deadline is not None:
            raise Broken("a transfer that is over still has a deadline")
        if transfer.outcome is None:
            raise Broken("a transfer that is over has no outcome")
    elif deadline is None and not waits:
        raise Broken("a living transfer has no deadline")


@contextmanager
def unmoved(transfer: Sender | Receiver) -> Iterator[None]:
    """Sees that what is done inside, with a stranger's datagram, leaves the transfer as it was."""
    before = _look(transfer)
    yield
    for name, was, now in zip(_fields(transfer), before, _look(transfer), strict=True):
        if was != now:
            raise Broken(f"a stranger has changed {name} from {was!r} to {now!r}")


def _fields(transfer: Sender | Receiver) -> list[str]:
    kinds = reversed(type(transfer).__mro__)
    names = [name for kind in kinds for name in getattr(kind, "__slots__", ())]
    return [name for name in names if name not in MAY_CHANGE] + [f"pace.{name}" for name in PACE]


def _look(transfer: Sender | Receiver) -> list[object]:
    pace = transfer.pace
    return [
        getattr(pace, name[5:]) if name.startswith("pace.") else getattr(transfer, name, None)
        for name in _fields(transfer)
    ]


class Delivery:
    """What a receiver has been handed, against all that it may be."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self.size = 0
        self._out: list[bytes] = []

    def take(self, payload: bytes, texts: list[bytes]) -> None:
        """Takes the next octets; `texts` are the contents that they may belong to by now."""
        start = self.size
        self.size += len(payload)
        self._out += [
            text for text in texts if text not in self._out and not text.startswith(payload, start)
        ]
        if all(text in self._out for text in texts):
            raise Broken(f"wrong bytes are delivered at {start}")

    def complete(self, texts: list[bytes]) -> None:
        """Sees that all has come."""
        if not any(len(text) == self.size and text not in self._out for text in texts):
            raise Broken(f"a receiver is done after {self.size} octets, which is not all")


class Flow:
    """The blocks that one sender says, and the window that it may say them in."""

    __slots__ = ("_base", "_highest", "_window", "octets")

    def __init__(self, *, asks: bool) -> None:
        """Watches a sender that has asked to write, or one that answers an RRQ."""
        self._base: int | None = None if asks else 0
        self._highest = 0
        self._window = 1
        self.octets = 0
        """The octets of all payloads, copies included."""

    def heard(self, datagram: bytes) -> None:
        """Takes what has come from the peer."""
        opcode, number = HEADER.unpack_from(datagram) if len(datagram) >= SMALL else (0, 0)
        if opcode == OACK and self._base is None:
            self._agree(datagram)
            self._base = 0
        elif opcode == ACK and self._base is None:
            self._base = None if number else 0
        elif opcode == ACK and self._base is not None:
            ahead = (number - self._base) & 0xFFFF
            if ahead <= self._highest - self._base:
                self._base += ahead

    def said(self, datagram: bytes) -> None:
        """Takes what it says."""
        opcode, number = HEADER.unpack_from(datagram)
        if opcode == OACK:
            self._agree(datagram)
            self._base = self._base if self._highest else None
        elif opcode == DATA:
            if self._base is None:
                raise Broken(f"block {number} is sent before the peer has answered")
            ahead = (number - self._base) & 0xFFFF
            if not 1 <= ahead <= self._window:
                end = self._base + self._window
                raise Broken(f"block {number} is sent while the window ends at {end}")
            self._highest = max(self._highest, self._base + ahead)
            self.octets += len(datagram) - SMALL

    def _agree(self, datagram: bytes) -> None:
        for name, value in datagram_options(datagram):
            if name.lower() == "windowsize":
                self._window = int(value)


def datagram_options(datagram: bytes) -> tuple[tuple[str, str], ...]:
    """Returns the options of an OACK or a request; none of what is neither."""
    try:
        packet = decode(datagram)
    except MalformedPacket:
        return ()
    return getattr(packet, "options", ())


class Ledger:
    """What a server may send to addresses that have never answered it.

    A request earns a plain reader the first block and its repeats, and anybody with options
    less than ten times the octets it sent; and each datagram may earn one ERROR.
    """

    def __init__(self, repeats: int) -> None:
        """Counts for a server that says its first word once and `repeats` times again."""
        self._flights = 1 + repeats
        self._owed: dict[Address, int] = {}
        self._errors: dict[Address, int] = {}
        self._proven: dict[Address, bool] = {}

    def heard(self, source: Address, datagram: bytes) -> None:
        """Takes a datagram that has come, to whatever port."""
        if source in self._proven:
            return
        self._owed[source] = self._owed.get(source, 0) + self._worth(datagram)
        self._errors[source] = self._errors.get(source, 0) + 1

    def answered(self, source: Address) -> None:
        """Notes that an address has answered: it is there, and wants what it gets."""
        self._proven[source] = True

    def said(self, to: Address, datagram: bytes) -> None:
        """Takes what the server sends."""
        if to in self._proven:
            return
        if datagram[:2] == b"\0\5":
            left = self._errors[to] = self._errors.get(to, 0) - 1
            if left < 0 or len(datagram) > LONGEST_ERROR:
                raise Broken(f"{to[0]}:{to[1]} gets more errors than it has sent datagrams")
            return
        left = self._owed[to] = self._owed.get(to, 0) - len(datagram)
        if left < 0:
            raise Broken(f"{to[0]}:{to[1]} has never answered and gets more than its bound")

    def _worth(self, datagram: bytes) -> int:
        try:
            packet = decode(datagram)
        except MalformedPacket:
            return 0
        if not isinstance(packet, Request):
            return 0
        reading = packet.opcode == RRQ
        # How long a text is on the wire is not known before, so that tsize is left out.
        size = None if packet.mode == "netascii" else 0
        if grant(packet.options, Ceiling(size=size), reading=reading).options:
            return GAIN * len(datagram) - 1
        return self._flights * (BLOCK if reading else SMALL)
