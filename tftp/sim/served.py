"""A transfer of a simulated server, under way: what `tftp.server.running` and the loop are to it.

Drives the product's channel in virtual time, and judges each datagram that passes. What comes
from a stranger, or is an ERROR, is handed over by itself, so that what it does can be seen. It
stands above the server's floor, as all of the host does. Must not know how requests are decided.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tftp.net.channel import Channel, Inbound, Scratch
from tftp.protocol.packets import ERROR
from tftp.protocol.transfer import Address
from tftp.server.running import drive
from tftp.server.service import Admitted, Reading
from tftp.sim.clock import Alarm
from tftp.sim.endpoint import ALL, VirtualEndpoint, Watch
from tftp.sim.invariants import Broken, Flow, check_alive, unmoved

if TYPE_CHECKING:
    from tftp.sim.server import Server

__all__ = ["Served"]

REFUSED = bytes((0, ERROR))
SOON = 0.0005
"""Seconds until a full socket takes more."""

T = TypeVar("T")


class Here:
    """Has no other thread: what may take long has been waited for."""

    def run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Does it at once."""
        then(work())


class Served(Watch):
    """A transfer under way, as the loop holds it."""

    def __init__(self, server: "Server", admitted: Admitted, scratch: Scratch) -> None:
        """Opens its port."""
        self.admitted = admitted
        self.ended = False
        self.unproven = True
        self.endpoint = VirtualEndpoint(
            server.network, server.host, self, groups=server.conduct.groups
        )
        self.flow = Flow(asks=False) if isinstance(admitted, Reading) else None
        self._server = server
        self._clock = server.clock
        self._looks = self._flushes = False
        self._alarm = Alarm(server.clock, self._ring)
        self.channel: Channel = drive(admitted, self.endpoint, scratch)
        self.endpoint.arrived = self._arrived
        full = server.conduct.full
        if full:
            self.endpoint.is_full = lambda: server.chance() < full

    def says(self, datagram: bytes, to: Address) -> None:
        """Judges what goes out."""
        if self.ended:
            raise Broken("a transfer that is over says something")
        self._server.ledger.said(to, datagram)
        if self.flow is not None and to == self.admitted.transfer.peer:
            self.flow.said(datagram)

    def hears(self, datagram: bytes, source: Address) -> None:
        """Notes what has come."""
        if source == self.admitted.transfer.peer:
            self._server.ledger.answered(source)
            if self.flow is not None:
                self.flow.heard(datagram)
        else:
            self._server.ledger.heard(source, datagram)

    def ask_again(self) -> None:
        """Takes the peer's request a second time."""
        self.hear()
        if not self.ended:
            self.admitted.transfer.ask_again(self._clock.now)
            self.channel.flush(self._clock.now)
            self.after()

    def give_up(self) -> None:
        """Ends for the sake of somebody who may answer."""
        self.admitted.transfer.give_up()
        self.after()

    def hear(self) -> None:
        """Takes all that has come."""
        quick = self.endpoint.quick
        while quick is not None and quick.inbox and not self.ended:
            self._hear_quick(quick.inbox[0][:2] == REFUSED)
        while self.endpoint.inbox and not self.ended:
            self._hear()

    def after(self) -> None:
        """Looks at the transfer after an input, as the loop does."""
        channel, clock = self.channel, self._clock
        if isinstance(channel, Inbound) and channel.finishing:
            self._alarm.set(None)
            if not channel.begun:
                channel.begun = True
                clock.after(self._server.disk.temper.commit, self._commit)
            return
        if channel.over:
            check_alive(channel.transfer, None, waits=False)
            self.end()
            return
        check_alive(channel.transfer, channel.deadline, waits=False)
        if channel.blocked and not self._flushes:
            self._flushes = True
            clock.after(SOON, self._flush)
        if channel.waiting is not None:
            channel.waiting.fetch(Here(), self._fetched)
        self._alarm.set(channel.deadline)
        if self._server.conduct.connects and channel.wants_connection:
            self.endpoint.connect(channel.transfer.peer)
            self.hear()

    def end(self) -> None:
        """Closes the port and the file."""
        self._alarm.set(None)
        self.channel.close()
        self.ended = True
        if self.flow is not None:
            self._server.octets += self.flow.octets
        self._server.forget(self.admitted)

    def _arrived(self) -> None:
        if not self._looks:
            self._looks = True
            self._clock.at(
                max(self._clock.now + self._server.conduct.nap, self._server.awake_at), self._look
            )

    def _look(self) -> None:
        if self._is_awake(self._look):
            self._looks = False
            self.hear()

    def _ring(self) -> None:
        if self._is_awake(self._ring) and not self.ended:
            self.hear()
            if not self.ended:
                self.channel.expire(self._clock.now)
                self.after()

    def _flush(self) -> None:
        if self._is_awake(self._flush) and not self.ended:
            self._flushes = False
            self.channel.flush(self._clock.now)
            self.after()

    def _fetched(self) -> None:
        if self._is_awake(self._fetched) and not self.ended and self.channel.waiting is not None:
            self.channel.flush(self._clock.now)
            self.after()

    def _commit(self) -> None:
        if self._is_awake(self._commit) and not self.ended:
            channel = self.channel
            assert isinstance(channel, Inbound), "only an upload is made durable"
            channel.finished(channel.finish(), self._clock.now)
            self.after()

    def _is_awake(self, again: Callable[[], None]) -> bool:
        if self._clock.now >= self._server.awake_at:
            return True
        self._clock.at(self._server.awake_at, again)
        return False

    def _hear_quick(self, is_error: bool) -> None:
        sent = self.endpoint.sent
        self.channel.step(self._clock.now)
        self._no_answer(is_error, sent)
        self.after()

    def _hear(self) -> None:
        """Takes what comes next: an oddity by itself, so that what it does can be seen."""
        channel, endpoint, transfer = self.channel, self.endpoint, self.admitted.transfer
        datagram, source = endpoint.inbox[0]
        is_error, is_stranger = datagram[:2] == REFUSED, source != transfer.peer
        endpoint.open = 1 if is_error or is_stranger else self._ordinary()
        sent = endpoint.sent
        busy = channel.blocked or channel.waiting is not None
        if is_stranger and not busy:
            with unmoved(transfer):
                channel.readable(self._clock.now)
        else:
            channel.readable(self._clock.now)
        endpoint.open = ALL
        self._no_answer(is_error and not busy, sent)
        if self.unproven and not transfer.opening:
            self.unproven = False
            self._server.look_for_proof(self.admitted)
        self.after()

    def _ordinary(self) -> int:
        """Returns how many datagrams of the peer's wait that are no ERROR, up to the first else."""
        peer = self.admitted.transfer.peer
        for count, (datagram, source) in enumerate(self.endpoint.inbox):
            if source != peer or datagram[:2] == REFUSED:
                return count
        return ALL

    def _no_answer(self, is_error: bool, sent: int) -> None:
        if is_error and self.endpoint.sent != sent:
            raise Broken("an ERROR is answered")
