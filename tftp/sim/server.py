"""A host that serves: the service of the product, unchanged, and its drivers, in virtual time.

Does what `tftp.server.loop` does, and so stands above the server's floor. The host may be slow
to wake, may be stopped for a while, may be killed, and comes back on the same port with nothing
but its disk. All that it says and hears is judged by `invariants`. Must not know its clients.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

from tftp.errors import LocalError
from tftp.net.channel import Scratch
from tftp.protocol.pace import Timing
from tftp.protocol.transfer import Address, Ending
from tftp.server.config import Limits
from tftp.server.guard import host_of
from tftp.server.queue import Queue
from tftp.server.service import Admitted, Reading, Refused, Service, Verdict, Writing
from tftp.sim.clock import Alarm
from tftp.sim.disk import Disk
from tftp.sim.invariants import Broken, Ledger
from tftp.sim.network import Network
from tftp.sim.served import Served

__all__ = ["PORT", "Conduct", "Server"]

PORT = 69
REQUESTS = (b"\0\1", b"\0\2")
GRAIN = 1e-6
"""Seconds: no clock is finer, so that what is due then has come."""

Call = tuple[bytes, Address]
"""A request and who asks."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a server behaves; times in seconds."""

    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
    nap: float = 0.0
    """How long it takes to look at what has come; what comes meanwhile is taken together."""
    full: float = 0.0
    """How often a socket takes nothing more for the moment."""
    connects: bool = True
    """Whether transfers that have got going have connected sockets."""
    groups: bool = True
    """Whether its kernel hands out datagrams that came together as one train."""


class Server:
    """A server at port 69 of one host."""

    def __init__(
        self, network: Network, host: str, disk: Disk, conduct: Conduct, kind: type[Service]
    ) -> None:
        """Does not serve before `start`."""
        self.network = network
        self.clock = network.clock
        self.host = host
        self.disk = disk
        self.conduct = conduct
        self.endings: Counter[Ending] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.octets = 0
        """The octets of all payloads that it has sent, copies included."""
        self.most = 0
        """The most transfers that it had at once."""
        self.ledger = Ledger(min(conduct.timing.retries, conduct.limits.unproven_repeats))
        self.awake_at = 0.0
        """When it does something again."""
        self.chance = random.Random(f"{network.seed} server {host}").random
        self._kind = kind
        self._service: Service | None = None
        self._scratch = Scratch()
        self._running: dict[Admitted, Served] = {}
        self._inbox: list[Call] = []
        self._queue: Queue[Call] | None = None
        self._turn = Alarm(self.clock, self._look)

    @property
    def address(self) -> Address:
        """Returns where it listens."""
        return self.host, PORT

    @property
    def running(self) -> list[Served]:
        """Returns the transfers under way, oldest first."""
        return list(self._running.values())

    @property
    def count(self) -> int:
        """Returns how many transfers the service believes to be running."""
        return self._service.count if self._service else 0

    def start(self) -> None:
        """Listens, with nothing of what an earlier run had in memory."""
        conduct = self.conduct
        self.awake_at = 0.0
        self._service = self._kind(content=self.disk, limits=conduct.limits, timing=conduct.timing)
        self._queue = Queue(self._service.guard, conduct.limits.waiting)
        self._scratch = Scratch(conduct.limits.cache)
        self.network.bind(self.host, PORT, self._take)

    def stop(self, *, killed: bool) -> None:
        """Ends at once. Who is not killed says goodbye to its peers first."""
        for served in self.running:
            if not killed and served.admitted.transfer.opening:
                served.admitted.transfer.give_up()  # as the loop does: it may never have asked
            elif not killed and served.admitted.transfer.outcome is None:
                served.channel.fail(LocalError("The server is shutting down"), self.clock.now)
            served.end()
        if not killed and self._service is not None:
            if self.count:
                raise Broken(f"the service still counts {self.count} transfers after the last")
            if not self._service.guard.empty:
                raise Broken("the guard still counts something after the last transfer")
        self.network.release(self.address)
        self._inbox.clear()
        self._turn.set(None)
        self._service = self._queue = None

    def pause(self, seconds: float) -> None:
        """Does nothing for a while, as under SIGSTOP; what comes waits in its sockets."""
        self.awake_at = self.clock.now + seconds

    def forget(self, admitted: Admitted) -> None:
        """Gives back what a transfer had."""
        assert self._service is not None, "a transfer has a service"
        del self._running[admitted]
        self._service.release(admitted)
        if admitted.transfer.outcome is not None:
            self.endings[admitted.transfer.outcome.ending] += 1

    def look_for_proof(self, admitted: Admitted) -> None:
        """Lets a host that has just answered for the first time go before the others."""
        assert self._service is not None, "a transfer has a service"
        assert self._queue is not None, "and the service a queue"
        if self._service.prove(admitted):
            self._queue.promote(host_of(admitted.peer))

    def _take(self, datagram: bytes, source: Address) -> None:
        self._inbox.append((datagram, source))
        if len(self._inbox) == 1:
            self.clock.at(max(self.clock.now + self.conduct.nap, self.awake_at), self._look)

    def _look(self) -> None:
        """Takes in what has come, and answers those whose turn it is."""
        now, service, queue = self.clock.now, self._service, self._queue
        if now < self.awake_at:
            self.clock.at(self.awake_at, self._look)
            return
        inbox, self._inbox = self._inbox, []
        if service is None or queue is None:
            return
        for datagram, source in inbox:
            self.ledger.heard(source, datagram)
            # The real one takes in no more than it needs to know that a request is too long.
            octets = datagram[: self.conduct.limits.request + 1]
            if octets[:2] not in REQUESTS:
                self._answer(service, octets, source)
            elif (verdict := service.guard.hear(octets, source, now)) is not None:
                self.verdicts[verdict.name] += 1
            else:
                queue.put((source, octets), (octets, source), now)
        while (call := queue.next(now)) is not None:
            self._answer(service, *call)
        wait = queue.wait(now)
        self._turn.set(None if wait is None else now + max(wait, GRAIN))

    def _answer(self, service: Service, datagram: bytes, source: Address) -> None:
        before = service.count
        decided = service.decide(datagram, source, self.clock.now)
        if isinstance(decided, Verdict):
            self.verdicts[decided.name] += 1
            if service.count != before:
                raise Broken("a request that is passed over is counted as a transfer")
            if decided is Verdict.REPEATED:
                self._repeat(service, datagram, source)
            return
        if datagram[:2] not in REQUESTS:
            raise Broken("what is no request is answered at the port for requests")
        if isinstance(decided, Refused):
            self.verdicts["REFUSED"] += 1
            self.ledger.said(source, decided.datagram)
            self.network.send(decided.datagram, self.address, source)
        else:
            self._begin(service, decided)

    def _begin(self, service: Service, admitted: Reading | Writing) -> None:
        served = Served(self, admitted, self._scratch)
        self._running[admitted] = served
        served.channel.flush(self.clock.now)
        served.after()
        if (surplus := service.surplus()) is not None:
            self._running[surplus].give_up()
        self.most = max(self.most, service.count)

    def _repeat(self, service: Service, datagram: bytes, source: Address) -> None:
        """Takes a request again whose transfer runs; what its peer said before goes before."""
        known = service.newest(source)
        served = self._running.get(known) if known is not None else None
        if served is None:
            raise Broken("a request is a copy, and its transfer does not run")
        served.ask_again()
        if served.ended:
            self._answer(service, datagram, source)
