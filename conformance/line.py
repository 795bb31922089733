"""One port of the suite and whom it talks to: send, expect, silence.

The words in which cases are written, for both sides. What a timer may cause, the same
datagram again, is passed over where something new is expected. Must not know what is
judged; a broken expectation ends the case as a FAIL.
"""

from .ladder import Ladder
from .ports import Address, Arrival, Net, Port
from .verdict import Remarks
from .wire import ERROR, Packet, error, parse

__all__ = ["Line", "Trial"]

PATIENCE = 5.0  # seconds for a first answer: a server may have to be started for it


class Trial(Remarks):
    """One case at work: its remarks, its ladder, its ports."""

    def __init__(self, net: Net, host: str) -> None:
        """`host` is the address of this machine that its ports get."""
        super().__init__()
        self.net = net
        self.host = host
        self.ladder = Ladder(net.now())
        self.patience = PATIENCE
        """Seconds to wait for an answer that must come."""
        self.lines: list[Line] = []

    def line(
        self, peer: Address | None = None, *, host: str | None = None, port: int = 0
    ) -> "Line":
        """Opens a fresh port; `peer` None: whoever answers first becomes the peer."""
        line = Line(self, self.net.open(host or self.host, port), peer)
        self.lines.append(line)
        return line

    def now(self) -> float:
        """Returns the time, in seconds."""
        return self.net.now()

    def pause(self, seconds: float) -> None:
        """Lets time pass without looking at any port."""
        self.net.pause(seconds)

    def note(self, text: str) -> None:
        """Puts a remark on the ladder, for the reader."""
        self.ladder.note(self.net.now(), text)

    def close(self) -> None:
        """Ends what is still open, with an ERROR to each peer, and gives the ports back."""
        for line in self.lines:
            line.close()


class Line:
    """A port, and the address it sends to."""

    def __init__(self, trial: Trial, port: Port, peer: Address | None) -> None:
        """Use `Trial.line`."""
        self.trial = trial
        self.port = port
        self.peer = peer
        self.heard: list[Packet] = []
        """All that came, in order."""
        self.ended = False
        """Whether an ERROR has come, or went out: nothing more is due."""
        self.sent_at = 0.0
        """When it sent last."""
        self._early: Arrival | None = None

    @property
    def address(self) -> Address:
        """Returns where it is."""
        return self.port.address

    def send(self, datagram: bytes, to: Address | None = None) -> None:
        """Sends a datagram, to the peer where nobody else is named."""
        target = to or self.peer
        assert target is not None, "nobody is known yet to send to"
        self.sent_at = self.trial.now()
        self.trial.ladder.sent(self.sent_at, self.address, target, datagram)
        self.port.send(datagram, target)

    def hear(self, within: float | None = None) -> Packet | None:
        """Returns the next datagram, whatever it is; None: none came in that time.

        The first that comes makes its source the peer, if there is none yet.
        """
        wait = self.trial.patience if within is None else within
        return self._hear_until(self.trial.now() + wait)

    def expect(
        self,
        kind: str,
        block: int | None = None,
        *,
        within: float | None = None,
        repeat: bool = False,
    ) -> Packet:
        """Returns the packet that has to come next; anything else, or nothing, is a FAIL.

        A datagram that came before is passed over, except with `repeat`, where it may be
        the one expected. `block` is compared modulo 65,536.
        """
        what = kind if block is None else f"{kind} {block & 0xFFFF}"
        deadline = self.trial.now() + (self.trial.patience if within is None else within)
        while True:
            left = deadline - self.trial.now()
            known = {(packet.raw, packet.source) for packet in self.heard}
            packet = self.hear(max(0.0, left))
            if packet is None:
                self.trial.fail(f"{what} was due, and nothing came")
            right = packet.kind == kind and (block is None or packet.block == block & 0xFFFF)
            if right and (repeat or (packet.raw, packet.source) not in known):
                return packet
            if (packet.raw, packet.source) not in known:
                self.trial.fail(f"{what} was due, and {packet} came")

    def quiet(self, seconds: float, *, repeats: bool = True) -> None:
        """Listens for `seconds`; anything new is a FAIL, and with `repeats` False, any at all."""
        if (packet := self.anything(seconds, repeats=repeats)) is not None:
            self.trial.fail(f"nothing was due, and {packet} came")

    def anything(self, seconds: float, *, repeats: bool = False) -> Packet | None:
        """Returns the first datagram that comes within `seconds` of what was sent last, or of now.

        With `repeats` it passes over what came before. What counts is when a datagram came,
        not when it is looked at; one that came later is left for the next to ask.
        """
        deadline = (self.sent_at or self.trial.now()) + seconds
        while True:
            known = {(packet.raw, packet.source) for packet in self.heard}
            packet = self._hear_until(deadline)
            if packet is None or not repeats or (packet.raw, packet.source) not in known:
                return packet

    def everything(self, seconds: float) -> list[Packet]:
        """Returns all that comes within `seconds` of what was sent last, repeats too."""
        found = []
        while (packet := self.anything(seconds)) is not None:
            found.append(packet)
        return found

    def forget(self) -> None:
        """Keeps only the last few of what was heard: in a long transfer the rest is a burden."""
        del self.heard[:-4]

    def drop(self) -> None:
        """Closes the port without a word, as a client does that has crashed."""
        self.ended = True
        self.port.close()

    def close(self) -> None:
        """Ends the transfer of this line, if there is one, and closes the port."""
        tids = {packet.source for packet in self.heard if packet.kind != ERROR}
        for tid in tids if not self.ended else ():
            self.port.send(error(0, "End of this case"), tid)
        self.port.close()

    def _hear_until(self, deadline: float) -> Packet | None:
        while True:
            arrival, self._early = self._early or self.port.receive(deadline), None
            if arrival is None:
                return None
            if arrival.at > deadline:
                self._early = arrival
                return None
            if (packet := self._take(arrival)) is not None:
                return packet

    def _take(self, arrival: Arrival) -> Packet | None:
        now = arrival.at
        if arrival.unreachable:
            where = f"{arrival.source[0]} port {arrival.source[1]}"
            self.trial.note(f"ICMP: {where} is closed")
            self.unreachable(arrival.source)
            return None
        self.trial.ladder.heard(now, self.address, arrival.source, arrival.datagram)
        packet = parse(arrival.datagram, arrival.source, now)
        self.heard.append(packet)
        if self.peer is None:
            self.peer = arrival.source
        if packet.kind == ERROR and arrival.source == self.peer:
            self.ended = True
        return packet

    def unreachable(self, source: Address) -> None:
        """Takes word that the port there is closed; `closed` remembers it."""
        self.closed = (*self.closed, source)

    closed: tuple[Address, ...] = ()
    """Ports of which ICMP said that they are closed."""
