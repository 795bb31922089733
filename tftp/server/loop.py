"""The server's loop: one thread, one epoll, any number of transfers.

Each transfer has a port of its own (RFC 1350 section 4), bound to the address that was
asked, so that the answer comes from there. What may take long (making an upload durable)
runs in a few threads beside the loop, and only that. Whatever a datagram brings, the
others are served on: nobody gets more than a share of a turn. Must not decide anything
about requests: that is the service's.
"""

import errno
import logging
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable

from tftp.errors import LocalError
from tftp.net.channel import Inbound, Scratch
from tftp.net.clock import NEVER, Timers
from tftp.net.clock import now as clock
from tftp.net.cold import Fetching
from tftp.net.udp import bind_transfer
from tftp.protocol.transfer import Address
from tftp.server.access import Access
from tftp.server.beside import Bell, Beside
from tftp.server.chores import Chore, Chores, Overdue
from tftp.server.config import Config, Limits
from tftp.server.connections import Connections
from tftp.server.guard import Verdict
from tftp.server.journal import Journal
from tftp.server.readers import Readers
from tftp.server.reception import TAKEN_AT_ONCE, Call, Reception
from tftp.server.running import Running, drive
from tftp.server.service import SHORTAGES, Admitted, Reading, Refused, Service, Writing

__all__ = ["Loop"]

EVENTS_A_TURN = 512
REQUESTS_A_TURN = 128  # they take no more than twice as long as so many events
REQUESTS_LEAST, TAKEN_LEAST = 2, 16  # while transfers have something to do
EXPIRIES_A_TURN = 512
SPIN = 0.0002  # seconds of looking before sleeping; a loopback answer takes a tenth of it
SPIN_WITHIN = 0.001  # seconds: packets closer than this make looking worth its while
LONGEST_WAIT = 3600.0  # seconds; epoll takes no number of them that is without end
COMMITTERS = 4  # threads that make uploads durable


class Loop:
    """Serves the listeners until `stop`. `run` is called once, in whatever thread."""

    def __init__(
        self,
        listeners: list[socket.socket],
        service: Service,
        config: Config,
        journal: Journal,
        chores: Iterable[Chore] = (),
        sole: bool = False,
    ) -> None:
        """Takes ownership of the listeners, `sole` or not; `chores` are done between turns."""
        self._limits = limits = config.limits
        self._reception = Reception(listeners, limits, service.guard, journal.turn_away, sole)
        self._service = service
        self._config = config
        self._journal = journal
        self._running: dict[int, Running] = {}
        self._of: dict[Admitted, Running] = {}
        self._timers: Timers[Running] = Timers()
        self._scratch = Scratch(config.limits.cache)
        self._epoll = select.epoll()
        self._connections = Connections(self._epoll)
        self._overdue = Overdue(self._running.values, config.limits, self._fail)
        self._chores = Chores([self._overdue, journal, *chores])
        self._asked: deque[Callable[[], None]] = deque()
        self._bell = Bell()
        self._commits = Beside(self._bell, COMMITTERS, "tftp-commit")
        self._reads = Readers(self._bell)
        self._spins = False
        self._stops = 0
        self._end: float | None = None
        self._epoll.register(self._bell.fileno(), select.EPOLLIN)
        for fd in self._reception.filenos():
            self._epoll.register(fd, select.EPOLLIN)

    def stop(self, *, at_once: bool = False) -> None:
        """Asks the loop to end, from any thread or signal handler.

        It takes no more requests, lets running transfers end for `drain` seconds, and
        returns from `run`. `at_once` lets none end.
        """
        self._stops += 2 if at_once else 1
        self._bell.ring()

    def set(self, limits: Limits, access: Access) -> None:
        """Has other limits hold from the next turn on; fit for any thread.

        Transfers that run keep what was agreed. The size of the cache stays as it was.
        """

        def change() -> None:
            self._limits = self._overdue.limits = limits
            self._service.set(limits, access)
            self._reception.set(limits)

        self._asked.append(change)
        self._bell.ring()

    def run(self) -> None:
        """Serves until stopped, then closes everything."""
        try:
            while not self._ended():
                self.turn()
            self._end = clock()
            self.turn()  # what has arrived by now still counts: many a last ACK
        finally:
            self._close()

    def _ended(self) -> bool:
        if not self._stops:
            return False
        if self._end is None:
            self._drain()
        assert self._end is not None
        alive = any(running.unfinished for running in self._running.values())
        return self._stops > 1 or not alive or clock() >= self._end

    def _drain(self) -> None:
        self._end = clock() + self._config.drain
        for call in self._reception.last_calls() if self._stops == 1 else ():
            self._answer(call)
        told = f"{len(self._running)} transfer(s) get up to {self._config.drain:g} s to end"
        self._journal.say(logging.INFO, "stopping", f"stopping: {told}")
        self._close_listeners()

    def turn(self) -> None:
        """Waits for something to happen, and does what follows from it: a bounded amount.

        `run` calls it again and again. Who has more to do or to say than a share of the turn
        stays ready, and epoll hands out the ready ones in turn.
        """
        connected = self._connections.pairs
        ready = self._events()
        calling: list[int] = []
        now = clock()
        for fd, events in ready:
            pair = connected.get(fd)
            if pair is not None:
                # Nearly always an ACK in, a block out, and no more to look at.
                channel, running = pair
                if not channel.step(now):
                    self._after(running)
                elif (due := channel.transfer.deadline) is not None and due < running.alarm:
                    self._timers.watch(running)
                continue
            other = self._running.get(fd)
            if other is not None:
                self._serve(other, events)
            elif fd in self._reception:
                calling.append(fd)
            elif fd == self._bell.fileno():
                self._hear_bell()
        if calling or self._reception:
            self._receive(calling, len(ready) - len(calling))
        self._expire(clock())

    def _hear_bell(self) -> None:
        """Does what other threads have asked for."""
        self._bell.hush()
        while self._asked:
            self._asked.popleft()()
        self._commits.settle()
        self._reads.settle()

    def _receive(self, calling: list[int], others: int) -> None:
        """Takes requests in, and answers some: few while there are `others` to be served.

        Whoever waits for the next block must not wait for a crowd at the door.
        """
        taken, room = TAKEN_AT_ONCE, REQUESTS_A_TURN
        if others > 1:
            taken, room = max(TAKEN_LEAST, 2 * others), max(REQUESTS_LEAST, others // 2)
        for fd in calling:
            self._reception.take(fd, clock(), taken)
        now = clock()
        while room and (call := self._reception.next(now)) is not None:
            self._answer(call)
            room -= 1

    def _expire(self, now: float) -> None:
        """Tells the time to whom it concerns."""
        if self._timers.first <= now:
            for running in self._timers.due(now, EXPIRIES_A_TURN):
                running.channel.expire(now)
                self._after(running)
        if self._chores.due <= now:
            self._chores.run(now)

    def _events(self) -> list[tuple[int, int]]:
        """Waits for what comes next; looks a few times before it sleeps while packets fly.

        To sleep and be woken costs more than a lock-step peer takes to answer. Looking on
        pays only while packets are that close: when none comes, it sleeps until they are.
        """
        events: list[tuple[int, int]] = []
        if self._spins and not self._reception.due(clock()):
            until = clock() + SPIN
            while not events and clock() < until:
                events = self._epoll.poll(0, EVENTS_A_TURN)
        if not events:
            began = clock()
            events = self._epoll.poll(self._wait(), EVENTS_A_TURN)
            self._spins = self._config.spin and clock() - began < SPIN_WITHIN
        return events

    def _wait(self) -> float | None:
        """Returns the seconds until something is due; epoll rounds them up to its grain."""
        due = min(self._timers.first, self._chores.due)
        if self._end is not None and self._end < due:
            due = self._end
        if self._reception:
            now = clock()
            wait = self._reception.wait(now)
            assert wait is not None, "somebody waits"
            due = min(due, now + wait)
        return None if due == NEVER else min(max(0.0, due - clock()), LONGEST_WAIT)

    def _serve(self, running: Running, events: int) -> None:
        now = clock()
        channel = running.channel
        if events & ~select.EPOLLOUT:
            channel.readable(now)  # and answers: that is its share of the turn
        else:
            channel.flush(now)
        if running.unproven:
            self._look_for_proof(running)
        self._after(running)
        wants = channel.wants_connection and not channel.over
        if wants and self._connections.connect(running, self._limits.connected):
            channel.readable(now)  # what came before goes before what comes from now on
            self._after(running)

    def _look_for_proof(self, running: Running) -> None:
        """Lets a host that has just answered for the first time go before the others."""
        admitted = running.admitted
        if not admitted.transfer.opening:
            running.unproven = False
            if self._service.prove(admitted):
                self._reception.promote(admitted.peer)

    def _after(self, running: Running) -> None:
        """Looks at a transfer after an input: whether it is over or blocked, and when it is due."""
        channel = running.channel
        if isinstance(channel, Inbound) and channel.finishing:
            self._commit(running, channel)
            return
        if running.admitted.transfer.outcome is not None:
            over = channel.over
            if over:
                self._end_transfer(running)  # first: what is reported has left no trace
            self._report(running)
            if over:
                return
        if channel.blocked is not running.waits_to_write:
            running.waits_to_write = channel.blocked
            events = select.EPOLLIN | (select.EPOLLOUT if channel.blocked else 0)
            self._epoll.modify(channel.endpoint.fileno(), events)
        if channel.waiting is not None:
            self._fetch(running, channel.waiting)
        self._timers.watch(running)

    def _fetch(self, running: Running, source: Fetching) -> None:
        """Has what is not in memory read beside the loop; then the transfer goes on."""

        def fetched() -> None:
            if running.channel.waiting is not None:
                running.channel.flush(clock())
                self._after(running)

        source.fetch(self._reads, fetched)

    def _commit(self, running: Running, channel: Inbound) -> None:
        """Has an upload made durable beside the loop; it waits there for the disk."""

        def finished(error: LocalError | None) -> None:
            channel.finished(error, clock())
            self._after(running)

        if not channel.begun:
            channel.begun = True
            self._commits.run(channel.finish, finished)

    def _answer(self, call: Call) -> None:
        now = clock()
        verdict = self._service.decide(call.datagram, call.source, now)
        match verdict:
            case Reading() | Writing():
                self._begin(call, verdict, now)
            case Refused():
                self._reception.answer(call, verdict.datagram)
                self._journal.refused(verdict, call.source)
            case Verdict.REPEATED:
                if self._repeat(call.source, now):
                    self._answer(call)
            case Verdict.SHORT:
                self._make_do(call, verdict.value)
            case Verdict.NO_REQUEST:
                pass
            case _:
                self._journal.turn_away(verdict, call.source, now)

    def _begin(self, call: Call, admitted: Admitted, now: float) -> None:
        try:
            endpoint = bind_transfer(call.family, call.local, call.scope, self._config.ports)
            self._connections.claim(endpoint)
        except OSError as error:
            admitted.drop()
            self._service.release(admitted)
            reason = os.strerror(error.errno or 0)
            if error.errno in SHORTAGES:
                self._make_do(call, reason)
                return
            if error.errno == errno.EADDRINUSE:
                reason = "all ports of the range are taken"
            self._journal.busy(call.source, reason, now)
            return
        channel = drive(admitted, endpoint, self._scratch)
        running = Running(admitted, channel)
        self._running[endpoint.fileno()] = self._of[admitted] = running
        self._epoll.register(endpoint.fileno(), select.EPOLLIN)
        self._journal.began(admitted)
        channel.flush(now)
        self._after(running)
        if (surplus := self._service.surplus()) is not None:
            surplus.transfer.give_up()  # its peer has not answered, and another one's may
            self._journal.count("gave_way")
            self._after(self._of[surplus])

    def _fail(self, running: Running, error: LocalError) -> None:
        """Ends a transfer for a reason of ours; its peer hears of it."""
        running.channel.fail(error, clock())
        self._journal.count("overdue")
        self._after(running)

    def _make_do(self, call: Call, shortage: str) -> None:
        """Takes descriptors back from those who have two; else silence: the client asks again."""
        if self._connections.spare(self._after):
            self._answer(call)
        else:
            self._journal.busy(call.source, shortage, clock())

    def _repeat(self, source: Address, now: float) -> bool:
        """Takes a request again whose transfer runs: its first flight may have been lost.

        What the peer said before it counts before it: returns whether that was the end of
        the transfer, which makes the request a new one.
        """
        admitted = self._service.newest(source)
        running = self._of.get(admitted) if admitted is not None else None
        if running is None:
            return False
        running.channel.readable(now)
        running.admitted.transfer.ask_again(now)
        running.channel.flush(now)
        self._after(running)
        return running.admitted not in self._of

    def _end_transfer(self, running: Running) -> None:
        fd = running.channel.endpoint.fileno()
        self._epoll.unregister(fd)
        del self._running[fd], self._of[running.admitted]
        self._connections.disconnect(running.channel.endpoint)
        running.channel.close()
        self._service.release(running.admitted)

    def _report(self, running: Running) -> None:
        """Writes the line of a transfer, once: an upload that is whole may dally on."""
        if not running.reported:
            running.reported = True
            self._journal.ended(running.admitted)

    def _close_listeners(self) -> None:
        for fd in self._reception.filenos():
            self._epoll.unregister(fd)
        self._reception.close()

    def _close(self) -> None:
        now = clock()
        self._commits.close()
        for running in list(self._running.values()):
            if running.admitted.transfer.opening:
                running.channel.transfer.give_up()  # whom it names may never have asked
            elif running.admitted.transfer.outcome is None:
                running.channel.fail(LocalError("The server is shutting down"), now)
            self._end_transfer(running)
            self._report(running)
        self._reads.close()  # after the transfers, for whom there is nothing left to read
        self._close_listeners()
        self._epoll.close()
        self._bell.close()
