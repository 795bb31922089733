"""The client's loop: one channel, one socket, one deadline (RFC 1350, RFC 7440).

Waits for datagrams or for the deadline of the transfer, never longer; notes progress;
gives a download its name before its last ACK goes out. It returns as soon as there is an
outcome: to answer a repeated last block is the business of dally.py.
Must not know about names, options or what to do about a failure.
"""

import errno
import os
import select
from collections.abc import Callable, Sequence

from tftp.client import icmp
from tftp.client.intake import Intake
from tftp.client.watch import LOOK, Watch
from tftp.errors import LocalError, SizeMismatch, Unreachable
from tftp.net.channel import Channel, Inbound
from tftp.net.clock import now
from tftp.net.files import Sink, Source, Writable
from tftp.protocol.receiver import Receiver
from tftp.protocol.states import State
from tftp.protocol.transfer import Ending, Outcome

__all__ = ["Drive", "Metered", "Progress", "Report"]

Progress = Callable[[int, int | None], None]
"""Is told the octets that went across so far, and how many there will be, if that is known."""

TAKEN_AT_ONCE = 16  # datagrams or trains, before the clock and strangers have their turn
REPORT_INTERVAL = 0.05  # at most 20 reports a second
LONGEST_PAUSE = 0.25  # between looks at the clock, where somebody wants to see progress

_GONE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM}


class Metered:
    """A source that notes how far it was read, and can be made to read ahead.

    `size` overrides that of the source beneath, which it owns. `ahead` octets are read
    by `prepare`; the source beneath must keep twice as many.
    """

    __slots__ = ("_ahead", "_end", "_source", "offset", "size")

    def __init__(self, source: Source, size: int | None, ahead: int = 0) -> None:
        self._source = source
        self._ahead = bytearray(ahead)
        self._end = 0
        self.size = size
        self.offset = 0
        """Where the furthest read began: what stands before it has arrived, or nearly so."""

    def read_into(self, buffers: Sequence[Writable], offset: int) -> int:
        """Reads from the source beneath."""
        count = self._source.read_into(buffers, offset)
        if offset > self.offset:
            self.offset = offset
        self._end = max(self._end, offset + count)
        return count

    def prepare(self) -> None:
        """Waits for a producer that may be slow, so that no timer runs meanwhile."""
        if self._ahead:
            self._source.read_into([self._ahead], self._end)

    def close(self) -> None:
        """Closes the source beneath."""
        self._source.close()


class Report:
    """Tells progress, not too often."""

    __slots__ = ("_next", "_progress")

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._next = 0.0

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return self._progress is not None

    def tell(self, done: int, total: int | None, time: float) -> None:
        """Tells how far it has come, if the last time is long enough ago."""
        if self._progress is not None and time >= self._next:
            self._next = time + REPORT_INTERVAL
            self._progress(done, total)

    def finish(self, done: int) -> None:
        """Tells the end."""
        if self._progress is not None:
            self._progress(done, done)


class Drive:
    """Runs one channel to its outcome."""

    __slots__ = (
        "_blocked",
        "_channel",
        "_exact",
        "_may_connect",
        "_opened_at",
        "_refusals",
        "_report",
        "_source",
        "_target",
        "_wary",
        "_watch",
        "underway",
    )

    def __init__(
        self,
        channel: Channel,
        report: Report,
        work: Sink | Metered,
        *,
        exact: bool,
        wary: bool,
        refusals: int,
    ) -> None:
        """Runs `channel`, which reads or writes `work`.

        `exact`: a download must have as many octets as tsize says. `wary`: an answer is
        not enough, the file has to move. `refusals`: how often ICMP has to say that
        nobody is there before it is believed.
        """
        self._channel = channel
        self._report = report
        self._exact = exact
        self._source = work if isinstance(work, Metered) else None
        self._wary = wary
        self._refusals = refusals
        self._target = channel.transfer.peer
        self._opened_at: float | None = None
        self._blocked = False
        self._may_connect = True
        self._watch = Watch(channel.endpoint.fileno())
        self.underway = False
        """Whether the file itself has begun to move, or an answer came and that is enough."""

    @property
    def answered(self) -> bool:
        """Whether the server has answered the request, other than with an ERROR."""
        return self._opened_at is not None

    def run(self, until: float) -> Outcome:
        """Returns the outcome; a time-out if the file does not begin to move before `until`.

        Raises Unreachable when ICMP says that nobody is there.
        """
        channel = self._channel
        icmp.listen(channel.endpoint.socket)
        channel.flush(now())
        while (outcome := channel.transfer.outcome) is None:
            events = self._watch.wait(self._pause(until))
            if events:
                self._prepare()
                self._hear(events)
            time = now()
            if channel.transfer.outcome is None:
                if not self.underway and time >= until:
                    return Outcome(Ending.TIMEOUT)
                self._keep_time(time)
            if isinstance(channel, Inbound) and channel.finishing:
                self._finish(channel)
        return outcome

    def _hear(self, events: list[tuple[int, int]]) -> None:
        """Lets the channel take what has arrived, or send on where the socket was full."""
        channel = self._channel
        own = dict(events).get(channel.endpoint.fileno(), 0)
        if own & select.POLLERR:
            self._hear_icmp()
        if own and (channel.endpoint.fast is not None or not isinstance(channel, Intake)):
            channel.readable(now())
        if isinstance(channel, Intake) and channel.transfer.outcome is None:
            self._take_on(channel)
        self._look()
        if self._may_connect and channel.wants_connection and channel.transfer.outcome is None:
            self._connect()

    def _take_on(self, channel: Intake) -> None:
        """Takes what comes, for as long as it comes at once.

        To ask for the next packet itself is cheaper than to ask whether there is one.
        """
        transfer, watch = channel.transfer, self._watch
        taken = 0
        last = time = now()
        while taken < TAKEN_AT_ONCE:
            if channel.take(time):
                if time != last:
                    watch.note(found=True)
                if transfer.outcome is not None or not self.underway:
                    break
                taken += 1
                last = time = now()
            elif not watch.close:
                break
            elif time - last >= LOOK:
                watch.note(found=False)
                break
            else:
                time = now()
        channel.settle(time)

    def _connect(self) -> None:
        """Adds a connected socket, which is cheaper; the first one still hears strangers."""
        self._may_connect = False  # once: where it fails it would fail again
        endpoint = self._channel.endpoint
        if endpoint.connect(self._channel.transfer.peer):
            assert endpoint.fast is not None, "connect has made it"
            self._watch.add(endpoint.fast.fileno())

    def _keep_time(self, time: float) -> None:
        channel = self._channel
        deadline = channel.deadline
        if deadline is not None and time >= deadline:
            channel.expire(time)
            self._look()  # that may have taken what came in the last moment
        if channel.blocked is not self._blocked:
            self._blocked = channel.blocked
            self._watch.change(channel.endpoint.fileno(), room=channel.blocked)
        if channel.transfer.outcome is None:
            self._report.tell(self._done(), self._total(), time)

    def _pause(self, until: float) -> float:
        """Returns how many seconds to wait at most."""
        deadline = self._channel.deadline
        assert deadline is not None, "a transfer without an outcome has a deadline"
        if not self.underway:
            deadline = min(deadline, until)
        pause = max(0.0, deadline - now())
        if self._report.wanted:
            pause = min(pause, LONGEST_PAUSE)
        return pause

    def _prepare(self) -> None:
        if self._source is None:
            return
        try:
            self._source.prepare()
        except LocalError as error:
            self._channel.fail(error, now())

    def _look(self) -> None:
        """Notes whether the file moves, and ends a download that is larger than promised."""
        channel = self._channel
        if not self.underway:
            self._look_for_start()
        if self._exact and isinstance(channel, Inbound) and channel.transfer.outcome is None:
            done, size = channel.transfer.received_bytes, channel.transfer.terms.size
            if size is not None and done > size:
                channel.fail(_mismatch(done, size), now())

    def _done(self) -> int:
        if self._source is not None:
            return self._source.offset
        transfer = self._channel.transfer
        return transfer.received_bytes if isinstance(transfer, Receiver) else 0

    def _total(self) -> int | None:
        if self._source is not None:
            return self._source.size
        return self._channel.transfer.terms.size if self._exact else None

    def _look_for_start(self) -> None:
        transfer = self._channel.transfer
        if transfer.state is State.OPENING or transfer.state is State.FAILED:
            return
        if self._opened_at is None:
            self._opened_at = transfer.heard_at
            icmp.ignore(self._channel.endpoint.socket)
        if not self._wary:
            self.underway = True
        elif isinstance(self._channel, Inbound):
            self.underway = self._channel.transfer.received_bytes > 0
        else:
            self.underway = transfer.heard_at > self._opened_at

    def _finish(self, channel: Inbound) -> None:
        """Makes the download visible, unless it is not what was promised; then says so."""
        done, size = channel.transfer.received_bytes, channel.transfer.terms.size
        if self._exact and size is not None and done != size:
            channel.fail(_mismatch(done, size), now())
        else:
            channel.finished(channel.finish(), now())

    def _hear_icmp(self) -> None:
        for number, target in icmp.drain(self._channel.endpoint.socket):
            if number not in _GONE or target != self._target:
                continue
            self._refusals -= 1
            if self._refusals <= 0 and self._channel.transfer.state is State.OPENING:
                reason = "the port is closed" if number == errno.ECONNREFUSED else None
                raise Unreachable(reason or os.strerror(number))


def _mismatch(done: int, size: int) -> SizeMismatch:
    return SizeMismatch(f"Received {done} octets where tsize promised {size}")
