"""The receiving role: writes of a server, gets of a client (RFC 1350 section 2, RFC 7440).

Hands out views of payloads in order, each once, and acknowledges the last block of each
window; the views die at the next input. Write first, then `poll`: so an ACK never goes
ahead of its write, and a full disk becomes `abort` instead of a false ACK.
Must not know where the octets go.
"""

from typing import Self

from tftp.errors import ErrorCode, OptionRefused
from tftp.protocol.blocks import distance, to_wire
from tftp.protocol.options import Terms, confirm
from tftp.protocol.pace import Pace, Timing
from tftp.protocol.packets import DATA, HEADER, Oack, Request, encode, encode_ack, encode_error
from tftp.protocol.states import State, Stimulus
from tftp.protocol.train import consecutive, payloads
from tftp.protocol.transfer import (
    NOT_STEPPING,
    SAMPLE_EVERY,
    WORD,
    Address,
    Ending,
    Outcome,
    Transfer,
)

__all__ = ["Receiver"]

DALLY_INTERVALS = 2  # of an agreed timeout: the peer asks again after one of them
MAX_DALLY = 60.0


class Receiver(Transfer):
    """Receives the blocks of one file. `expected` is the block that comes next."""

    __slots__ = (
        "_acked",
        "_asked",
        "_expected",
        "_gap",
        "_mark",
        "_timed_at",
        "received_bytes",
    )

    def __init__(
        self,
        peer: Address,
        terms: Terms,
        opening: bytes | None,
        timing: Timing,
        now: float,
        pace: Pace | None = None,
    ) -> None:
        """Use `answering` or `requesting`."""
        super().__init__(peer, terms, opening, timing, now, pace)
        self._asked: Request | None = None
        self._expected = 1
        self._acked = 0
        self._gap = 0
        self._mark = 0
        self._timed_at: float | None = now
        self.received_bytes = 0
        """The octets handed out so far, as they were on the wire."""

    @classmethod
    def answering(
        cls, peer: Address, terms: Terms, timing: Timing, now: float, pace: Pace | None = None
    ) -> Self:
        """Answers a WRQ: with an OACK where terms were agreed, else with ACK 0."""
        opening = encode(Oack(terms.options)) if terms.options else encode_ack(0)
        return cls(peer, terms, opening, timing, now, pace)

    @classmethod
    def requesting(cls, request: Request, server: Address, timing: Timing, now: float) -> Self:
        """Opens an RRQ. Raises ValueError for a request that has no strict form."""
        receiver = cls(server, Terms(), encode(request), timing, now)
        receiver._asked = request
        receiver._requested = True
        return receiver

    def receive(
        self, datagram: bytes | memoryview, source: Address, now: float
    ) -> memoryview | None:
        """Takes one datagram from anybody; returns the payload of a block that came in order."""
        self._awaited = NOT_STEPPING
        if source != self.peer and not self._expects(source):
            self._reject(datagram, source)
        elif self.state is State.DONE or self.state is State.FAILED:
            return None
        elif len(datagram) < HEADER.size:
            self._receive_other(datagram, source, now)  # an OACK may be its opcode alone
        else:
            opcode, number = HEADER.unpack_from(datagram)
            if opcode == DATA:
                return self._receive_data(number, memoryview(datagram)[4:], source, now)
            self._receive_other(datagram, source, now)
        return None

    def receive_train(
        self,
        arrival: memoryview,
        stride: int,
        source: Address,
        now: float,
        slots: list[memoryview] | None = None,
    ) -> list[memoryview]:
        """Takes datagrams of one source that lie end to end, each `stride` octets but the last.

        Returns the payloads that came in order. A train that holds the blocks awaited, all
        of them and nothing else, is taken in one step; any other, datagram by datagram.
        `slots` are the places of full blocks in the arrival, if the caller has cut its
        buffer up already: to do that anew is most of the work.
        """
        count = -(-len(arrival) // stride) if stride else 1
        if (
            source == self.peer
            and self.state is State.STREAMING
            and stride == self.terms.block_size + 4
            and self.terms.rollover == 0
            and self._expected + count - 1 <= self._acked + self.terms.window
            and len(arrival) - (count - 1) * stride >= 4
            and consecutive(arrival, stride, count, self._expected)
        ):
            self._take_train(len(arrival), stride, count, now)
            if slots and len(slots) * stride == len(arrival):
                return slots
            return payloads(arrival, stride, count)
        step = stride or len(arrival) or 1
        taken = []
        for start in range(0, len(arrival) or 1, step):
            payload = self.receive(arrival[start : start + step], source, now)
            if payload is not None:
                taken.append(payload)
        return taken

    @property
    def missing(self) -> int:
        """Returns how many blocks the window lacks, 1 or more."""
        return self._acked + self.terms.window + 1 - self._expected

    def awaits(self, datagram: bytes | memoryview, size: int) -> bool:
        """Tells whether a datagram of the peer's is the full block that lock-step awaits.

        Changes nothing: write its payload, then `take` it. Whatever this is false for goes
        to `receive`. `datagram` holds `size` octets or more.
        """
        return (
            size == self.terms.block_size + HEADER.size
            and WORD.unpack_from(datagram)[0] == self._awaited
            and not self._out
        )

    def take(self, now: float) -> bytes:
        """Takes the block that `awaits` has recognized; returns the ACK to send at once."""
        block = self._expected
        self._acked = block
        self._expected = block + 1
        self.received_bytes += self.terms.block_size
        if self._timed_at is not None:
            self._measure(now - self._timed_at)
        self._timed_at = now if not block % SAMPLE_EVERY else None
        self._progress_at = now
        self.deadline = now + self._interval
        self._awaited = DATA << 16 | self._expected & 0xFFFF
        return encode_ack(block & 0xFFFF)

    def _take_train(self, size: int, stride: int, count: int, now: float) -> None:
        self._awaited = NOT_STEPPING
        self._progress(now)
        self._expected += count
        self.received_bytes += size - 4 * count
        if size < count * stride:
            self._finish(now)
        else:
            self._complete_window()

    def _receive_data(
        self, number: int, payload: memoryview, source: Address, now: float
    ) -> memoryview | None:
        if self.state is State.OPENING and self._requested:
            # DATA 1 in place of an OACK: the server takes no options, or knows none.
            if number != 1:
                return None
            self.peer = source
        if self.state is State.DALLYING:
            self._move(Stimulus.STALE)
            self._stay(now)
            if distance(number, self._expected - 1, self.terms.rollover) == 0:
                self._acknowledge_again()  # the last block again: its ACK was lost
            return None
        ahead = distance(number, self._expected, self.terms.rollover)
        if ahead and self._rolls_to_one(number):
            self.terms = self.terms._replace(rollover=1)
            ahead = 0
        if len(payload) > self.terms.block_size:
            message = "DATA larger than the block size"
            self._tell(encode_error(ErrorCode.ILLEGAL_OPERATION, message))
            code = ErrorCode.ILLEGAL_OPERATION
            self._fail(Stimulus.ILLEGAL, Outcome(Ending.ILLEGAL, code, message))
            return None
        if ahead:
            self._receive_out_of_order(ahead)
            return None
        self._take(len(payload), now)
        return payload

    def _take(self, length: int, now: float) -> None:
        """Counts the block awaited, which is `length` octets long."""
        self._progress(now)
        self._expected += 1
        self.received_bytes += length
        if length < self.terms.block_size:
            self._finish(now)
            return
        if self.state is State.OPENING:
            self._move(Stimulus.ANSWER)
        self._complete_window()
        if self.terms.window == 1 and not self.terms.rollover:
            self._awaited = DATA << 16 | self._expected & 0xFFFF

    def _progress(self, now: float) -> None:
        """Notes that the peer lives, and measures the round trip of our last word."""
        if self._timed_at is not None:
            self._measure(now - self._timed_at)
            self._timed_at = None
        self._progress_at = now
        self._hushed = False
        self.deadline = now + self._interval

    def _complete_window(self) -> None:
        """Acknowledges the window when all its blocks are here (RFC 7440 section 4)."""
        if self._expected - self._acked > self.terms.window:
            self._acknowledge()

    def _acknowledge(self) -> None:
        """Says what has arrived in order; the window counts from there."""
        last = self._expected - 1
        self._mark = self._acked + 1
        self._acked = last
        self._timed_at = self._progress_at
        self._say(last)

    def _acknowledge_again(self) -> None:
        self.resent += 1
        self._acked = self._expected - 1
        self._timed_at = None
        self._say(self._acked)

    def _say(self, block: int) -> None:
        self._tell(encode_ack(to_wire(block, self.terms.rollover)))

    def _receive_out_of_order(self, ahead: int) -> None:
        """Takes a block that is not the one awaited; `ahead` counts from that one."""
        self._move(Stimulus.STALE)
        self._hushed = False  # the peer has not begun anew: it waits for an ACK of ours
        if self.state is State.OPENING:
            if ahead < self.terms.window and self._gap != self._expected:
                self._gap = self._expected  # the first block of the first window was lost
                self._tell(encode_ack(0))
            return
        if self.terms.window == 1:
            # A copy, as after a lost ACK: one ACK each (RFC 1350 section 2).
            self._acknowledge_again()
        elif ahead < self.terms.window:
            # A gap: say once where to go on, and wait for that (RFC 7440 section 4).
            if self._gap != self._expected:
                self._gap = self._expected
                self._acknowledge_again()
                self._mark = self._expected
        else:
            self._receive_copy(ahead)

    def _receive_copy(self, ahead: int) -> None:
        """Takes a block of a window that is complete, whose ACK may have been lost.

        A sender that lacks an ACK sends that window again from its first block. One ACK
        answers all of it, and a block that the network doubled gets none: an ACK too many
        sends the peer back for nothing.
        """
        cycle = 0xFFFF if self.terms.rollover else 0x10000
        block = self._expected + ahead - cycle
        if self._acked == self._expected - 1 and block <= self._mark:
            self._mark = block
            self._acknowledge_again()

    def _rolls_to_one(self, number: int) -> bool:
        """Tells whether this is block 65,536 under the number 1, as some servers call it.

        Only in lock-step, where nothing else can come: the block behind it cannot be on
        its way while this one lacks its ACK.
        """
        return (
            number == 1
            and self._expected == 0x10000
            and self.terms.window == 1
            and self.terms.rollover == 0
        )

    def _finish(self, now: float) -> None:
        """Sends the last ACK and stays to repeat it (RFC 1350 section 6)."""
        self._move(Stimulus.LAST_DATA)
        self.outcome = Outcome(Ending.COMPLETE)
        self._acknowledge()
        self._timed_at = None
        self.deadline = now + self._dally

    def _stay(self, now: float) -> None:
        """Dallies anew: a sender that lacks the last ACK may ask a third time.

        As a TCP does in TIME-WAIT (RFC 9293 section 3.10.7.4), but no longer than a sender
        has patience, which nobody can prolong by asking.
        """
        assert self.deadline is not None, "it dallies"
        longest = self._progress_at + self._patience
        self.deadline = max(self.deadline, min(now + self._dally, longest))

    @property
    def _dally(self) -> float:
        """Returns how long to stay after a last ACK."""
        dally = self._timing.dally
        if self.terms.timeout is not None:
            dally = max(dally, min(DALLY_INTERVALS * self.terms.timeout, MAX_DALLY))
        return dally

    def _repeat(self, now: float) -> None:
        self._flight_at = now
        self._timed_at = None
        if self.state is State.OPENING:
            assert self._opening is not None, "a receiver speaks first or answers"
            self._tell(self._opening)
        else:
            self._acknowledge_again()
            self._mark = self._expected

    def _floor(self) -> float:
        # The sender's timer is the one that repairs; ours is for windows whose last block
        # was lost, and for peers with none. In lock-step a needless ACK wakes the
        # Sorcerer's Apprentice in servers that still have it, so wait long there.
        return 3 * self._timing.floor if self.terms.window > 1 else self._timing.first

    def _hear_oack(self, oack: Oack, source: Address, now: float) -> None:
        if self.state is State.OPENING and self._asked is not None:
            try:
                self.terms = confirm(self._asked.options, oack.options)
            except OptionRefused as error:
                self._refuse(source, ErrorCode.OPTION_REFUSED, str(error))
                return
            self.peer = source
            self._set_clock()
            self._progress(now)
            self._move(Stimulus.ANSWER)
            self._acknowledge()
        elif self.state is State.STREAMING and self._expected == 1:
            self._acknowledge_again()  # our ACK 0 was lost
