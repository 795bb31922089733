"""The server's loop: one thread, one epoll, any number of transfers.

Each transfer has a port of its own (RFC 1350 section 4), bound to the address that was
asked, so that the answer comes from there. What may take long (making an upload durable)
runs in a few threads beside the loop, and only that. Whatever a datagram brings, the
others are served on. Must not decide anything about requests: that is the service's.
"""

import errno
import logging
import os
import select
import socket
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tftp.errors import LocalError
from tftp.net.arrivals import QuickInbound
from tftp.net.channel import Channel, Inbound, Outbound, Scratch
from tftp.net.clock import NEVER, Timers
from tftp.net.clock import now as clock
from tftp.net.lockstep import LockStep
from tftp.net.udp import (
    UPLOAD_BUFFER,
    Endpoint,
    bind_transfer,
    buffer_for,
    grow_buffer,
    is_group,
    receive_request,
    send_from,
)
from tftp.protocol.transfer import Address
from tftp.server.config import Config
from tftp.server.journal import Journal
from tftp.server.service import Admitted, Reading, Refused, Service, Verdict, Writing

__all__ = ["Loop"]

REQUESTS_A_TURN = 256  # before the running transfers have their turn again
EVENTS_A_TURN = 512
SPIN = 0.0002  # seconds of looking before sleeping; a loopback answer takes a tenth of it
SPIN_WITHIN = 0.001  # seconds: packets closer than this make looking worth its while
LONGEST_WAIT = 3600.0  # seconds; epoll takes no number of them that is without end
COMMITTERS = 4  # threads that wait for the disk


@dataclass(slots=True, eq=False)
class _Running:
    """A transfer under way: what was admitted, the channel that drives it, and its alarm."""

    admitted: Admitted
    channel: Channel
    alarm: float = NEVER
    reported: bool = False
    waits_to_write: bool = False

    @property
    def deadline(self) -> float | None:
        return self.channel.deadline


class Loop:
    """Serves the listeners until `stop`. `run` is called once, in whatever thread."""

    def __init__(
        self, listeners: list[socket.socket], service: Service, config: Config, journal: Journal
    ) -> None:
        """Takes ownership of the listeners."""
        self._listeners = {sock.fileno(): sock for sock in listeners}
        self._service = service
        self._config = config
        self._journal = journal
        self._running: dict[int, _Running] = {}
        self._connected: dict[int, tuple[Channel, _Running]] = {}
        self._of: dict[Admitted, _Running] = {}
        self._timers: Timers[_Running] = Timers()
        self._scratch = Scratch(config.limits.cache)
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._waking = threading.RLock()  # a signal may come while this very thread has it
        self._spins = False
        self._stops = 0
        self._end: float | None = None
        self._committed: deque[tuple[_Running, LocalError | None]] = deque()
        self._committers: ThreadPoolExecutor | None = None
        self._has_committer = False
        self._epoll.register(self._wake, select.EPOLLIN)
        for fd in self._listeners:
            self._epoll.register(fd, select.EPOLLIN)

    def stop(self, *, at_once: bool = False) -> None:
        """Asks the loop to end, from any thread or signal handler.

        It takes no more requests, lets running transfers end for `drain` seconds, and
        returns from `run`. `at_once` lets none end.
        """
        self._stops += 2 if at_once else 1
        self._rouse()

    def run(self) -> None:
        """Serves until stopped, then closes everything."""
        try:
            while not self._ended():
                self._turn()
            self._end = clock()
            self._turn()  # what has arrived by now still counts: many a last ACK
        finally:
            self._close()

    def _rouse(self) -> None:
        """Has the loop look around; does nothing once it is closed and the number is another's."""
        with self._waking:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def _ended(self) -> bool:
        if not self._stops:
            return False
        if self._end is None:
            self._drain()
        assert self._end is not None
        # A transfer that only dallies has its file; its outcome stands.
        alive = any(r.admitted.transfer.outcome is None for r in self._running.values())
        return self._stops > 1 or not (alive or self._committing()) or clock() >= self._end

    def _committing(self) -> bool:
        channels = (running.channel for running in self._running.values())
        return any(isinstance(channel, Inbound) and channel.finishing for channel in channels)

    def _drain(self) -> None:
        self._end = clock() + self._config.drain
        self._journal.say(
            logging.INFO,
            "stopping",
            f"stopping: {len(self._running)} transfer(s) get up to {self._config.drain:g} s to end",
        )
        self._close_listeners()

    def _turn(self) -> None:
        """Waits for something to happen, and does what follows from it."""
        connected = self._connected
        ready = self._events()
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
            elif fd in self._listeners:
                self._answer_requests(self._listeners[fd])
            elif fd == self._wake:
                os.eventfd_read(self._wake)
        self._take_committed()
        now = clock()
        for running in self._timers.due(now):
            running.channel.expire(now)
            self._after(running)

    def _events(self) -> list[tuple[int, int]]:
        """Waits for what comes next; looks a few times before it sleeps while packets fly.

        To sleep and be woken costs more than a lock-step peer takes to answer. Looking on
        pays only while packets are that close: when none comes, it sleeps until they are.
        """
        events: list[tuple[int, int]] = []
        if self._spins:
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
        due = self._timers.next()
        if self._end is not None:
            due = self._end if due is None else min(due, self._end)
        return None if due is None else min(max(0.0, due - clock()), LONGEST_WAIT)

    def _serve(self, running: _Running, events: int) -> None:
        now = clock()
        channel = running.channel
        if events & ~select.EPOLLOUT:
            channel.readable(now)
        if events & select.EPOLLOUT:
            channel.flush(now)
        self._after(running)
        if channel.wants_connection and not channel.over:
            self._connect(running, now)

    def _connect(self, running: _Running, now: float) -> None:
        """Gives a transfer that has got going a connected socket, while they are few."""
        channel = running.channel
        endpoint = channel.endpoint
        if len(self._running) > self._config.limits.connected:
            return
        if endpoint.connect(channel.transfer.peer):
            assert endpoint.fast is not None, "connect has made it"
            self._connected[endpoint.fast.fileno()] = channel, running
            self._epoll.register(endpoint.fast.fileno(), select.EPOLLIN)
            channel.readable(now)  # what came before goes before what comes from now on
            self._after(running)

    def _disconnect(self, endpoint: Endpoint) -> None:
        """Closes a connected socket; the first one hears the peer again."""
        if endpoint.fast is not None:
            self._epoll.unregister(endpoint.fast.fileno())
            del self._connected[endpoint.fast.fileno()]
            endpoint.disconnect()

    def _spare(self) -> None:
        """Gives up all connected sockets: new transfers lack descriptors."""
        for channel, _ in list(self._connected.values()):
            self._disconnect(channel.endpoint)

    def _after(self, running: _Running) -> None:
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
        self._timers.watch(running)

    def _commit(self, running: _Running, channel: Inbound) -> None:
        """Has an upload made durable beside the loop; it waits there for the disk."""
        if channel.begun:
            return
        channel.begun = True
        if self._committers is None:
            self._committers = ThreadPoolExecutor(COMMITTERS, "tftp-commit")

        def commit() -> None:
            self._committed.append((running, channel.finish()))
            self._rouse()

        try:
            self._committers.submit(commit)
            self._has_committer = True
        except RuntimeError:  # no thread is to be had
            if not self._has_committer:
                self._committers = None  # with what it has queued
                commit()

    def _take_committed(self) -> None:
        while self._committed:
            running, error = self._committed.popleft()
            channel = running.channel
            assert isinstance(channel, Inbound)
            channel.finished(error, clock())
            self._after(running)

    def _answer_requests(self, listener: socket.socket) -> None:
        """Takes the requests that wait, as many as a turn allows."""
        limit = self._config.limits.request
        for _ in range(REQUESTS_A_TURN):
            arrival = receive_request(listener, limit)
            if arrival is None:
                return
            datagram, source, local = arrival
            # No answer to a broadcast (RFC 1123 4.2.3.5), and none to nobody.
            if local is not None and not is_group(source):
                self._answer(listener, datagram, source, local)

    def _answer(
        self, listener: socket.socket, datagram: bytes, source: Address, local: str
    ) -> None:
        now = clock()
        verdict = self._service.decide(datagram, source, now)
        match verdict:
            case Reading() | Writing():
                self._begin(listener, verdict, local, now)
            case Refused():
                send_from(listener, verdict.datagram, source, local)
                self._journal.refused(verdict, source)
            case Verdict.REPEATED:
                if self._repeat(source, now):
                    self._answer(listener, datagram, source, local)
            case Verdict.BUSY:
                self._journal.busy(source, "as many transfers as allowed are running", now)
            case Verdict.SHORT:
                self._spare()
                self._journal.busy(source, verdict.value, now)
            case Verdict.NO_REQUEST:
                pass

    def _begin(self, listener: socket.socket, admitted: Admitted, local: str, now: float) -> None:
        peer = admitted.peer
        scope = peer[3] if len(peer) == 4 else 0
        try:
            endpoint = bind_transfer(
                socket.AddressFamily(listener.family), local, scope, self._config.ports
            )
        except OSError as error:
            self._forget(admitted, error)
            return
        channel: Channel
        if isinstance(admitted, Reading):
            kind = LockStep if admitted.transfer.terms.window == 1 else Outbound
            channel = kind(admitted.transfer, endpoint, admitted.file, self._scratch)
        else:
            terms = admitted.transfer.terms
            if terms.window > 1:
                endpoint.group_arrivals()
                wanted = 2 * buffer_for(terms.window, terms.block_size)
                grow_buffer(endpoint.socket, min(wanted, UPLOAD_BUFFER))
            channel = QuickInbound(admitted.transfer, endpoint, admitted.file, self._scratch)
        running = _Running(admitted, channel)
        self._running[endpoint.fileno()] = self._of[admitted] = running
        self._epoll.register(endpoint.fileno(), select.EPOLLIN)
        self._journal.began(admitted)
        channel.flush(now)
        self._after(running)

    def _forget(self, admitted: Admitted, error: OSError) -> None:
        """Gives up a transfer that gets no socket: silence, so that the client asks again."""
        admitted.drop()
        self._service.release(admitted)
        self._spare()
        reason = "all ports of the range are taken"
        if error.errno != errno.EADDRINUSE:
            reason = os.strerror(error.errno or 0)
        self._journal.busy(admitted.peer, reason, clock())

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

    def _end_transfer(self, running: _Running) -> None:
        fd = running.channel.endpoint.fileno()
        self._epoll.unregister(fd)
        del self._running[fd], self._of[running.admitted]
        self._disconnect(running.channel.endpoint)
        running.channel.close()
        self._service.release(running.admitted)

    def _report(self, running: _Running) -> None:
        """Writes the line of a transfer, once: an upload that is whole may dally on."""
        if not running.reported:
            running.reported = True
            self._journal.ended(running.admitted)

    def _close_listeners(self) -> None:
        for fd, sock in self._listeners.items():
            self._epoll.unregister(fd)
            sock.close()
        self._listeners.clear()

    def _close(self) -> None:
        now = clock()
        if self._committers is not None:
            self._committers.shutdown(wait=True)
        self._take_committed()
        for running in list(self._running.values()):
            if running.admitted.transfer.outcome is None:
                running.channel.fail(LocalError("The server is shutting down"), now)
            self._end_transfer(running)
            self._report(running)
        self._close_listeners()
        self._epoll.close()
        with self._waking:
            os.close(self._wake)
            self._wake = -1
