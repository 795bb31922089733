"""The sending role: reads of a server, puts of a client (RFC 1350 section 2, RFC 7440 section 4).

Names the blocks to send and never touches their octets. Lock-step is a window of one.
An ACK that is old, or repeated in lock-step, never causes DATA: only the timer does
(RFC 1123 4.2.3.1, the Sorcerer's Apprentice). With a window, an ACK inside it sends the
sender back to the block behind it, once. Must not know what a file is.
"""

from typing import Self

from tftp.errors import ErrorCode, OptionRefused
from tftp.protocol.blocks import distance
from tftp.protocol.options import Terms, confirm
from tftp.protocol.pace import Pace, Timing
from tftp.protocol.packets import ACK, HEADER, Oack, Request, encode
from tftp.protocol.states import State, Stimulus
from tftp.protocol.transfer import (
    NOT_STEPPING,
    SAMPLE_EVERY,
    WORD,
    Address,
    Burst,
    Datagram,
    Ending,
    Outcome,
    Transfer,
)

__all__ = ["Sender"]

# A rewind is needless when the next ACK comes sooner than any answer to it could. After
# so many of them the peer's repeated ACKs are no sign of loss, and only the timer is.
MAX_NEEDLESS_REWINDS = 2


class Sender(Transfer):
    """Sends the blocks of one file. `base` is the last block acknowledged, `next` goes out next."""

    __slots__ = (
        "_again",
        "_asked",
        "_base",
        "_highest",
        "_last",
        "_needless",
        "_next",
        "_rewound_at",
        "_rewound_base",
        "_size",
        "_timed_again",
        "_timed_at",
        "_timed_block",
        "_untimed",
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
        self._again = 0
        self._base = 0
        self._next = 1
        self._highest = 0
        self._last: int | None = None
        self._timed_block = 0
        self._timed_at: float | None = now
        self._timed_again = False
        self._untimed = False
        self._rewound_base = -1
        self._rewound_at: float | None = None
        self._needless = 0
        self._size = 0

    @classmethod
    def answering(
        cls, peer: Address, terms: Terms, timing: Timing, now: float, pace: Pace | None = None
    ) -> Self:
        """Answers an RRQ: with an OACK where terms were agreed, else with DATA 1 at once."""
        opening = encode(Oack(terms.options)) if terms.options else None
        return cls(peer, terms, opening, timing, now, pace)

    @classmethod
    def requesting(cls, request: Request, server: Address, timing: Timing, now: float) -> Self:
        """Opens a WRQ. Raises ValueError for a request that has no strict form."""
        sender = cls(server, Terms(), encode(request), timing, now)
        sender._asked = request
        sender._requested = True
        return sender

    @property
    def sent_blocks(self) -> int:
        """Returns how many blocks have gone out at least once."""
        return self._highest

    @property
    def sent_bytes(self) -> int:
        """Returns how many octets of the file have arrived, as far as the ACKs tell."""
        if self._base == self._last or self.state is State.DONE:
            return self._size
        return self._base * self.terms.block_size

    def receive(self, datagram: bytes | memoryview, source: Address, now: float) -> None:
        """Takes one datagram from anybody."""
        self._awaited = NOT_STEPPING
        if source != self.peer and not self._expects(source):
            self._reject(datagram, source)
        elif self.state is State.DONE or self.state is State.FAILED:
            return
        elif len(datagram) < HEADER.size:
            self._receive_other(datagram, source, now)  # an OACK may be its opcode alone
        else:
            opcode, number = HEADER.unpack_from(datagram)
            if opcode == ACK:
                self._acknowledge(number, source, now)
            else:
                self._receive_other(datagram, source, now)

    def poll(self, room: int = 1) -> Datagram | Burst | None:
        """Returns a datagram, or blocks of the window, at most `room` of them (1 or more)."""
        if self._out:
            return self._out.pop(0)
        if self.state is State.STREAMING:
            limit = self._base + self.terms.window
        elif self.state is State.OPENING and self._opening is None:
            limit = 1  # a plain RRQ is answered with DATA 1, whatever comes later
        else:
            return None
        if self._last is not None and limit > self._last:
            limit = self._last
        count = limit - self._next + 1
        if count <= 0:
            return None
        first = self._next
        return Burst(first, min(count, room), (first - 1) * self.terms.block_size)

    def sent(self, burst: Burst, payload_bytes: int, now: float) -> None:
        """Commits a burst. Fewer bytes than its blocks hold are the end of the file.

        The blocks that went out are then `payload_bytes // block_size + 1`: the last one
        is short, and may be empty (RFC 1350 section 6).
        """
        block_size = self.terms.block_size
        assert self._base < burst.first <= self._base + self.terms.window, "burst beyond window"
        count = burst.count
        if payload_bytes < count * block_size:
            count = payload_bytes // block_size + 1
            assert self._last in (None, burst.first + count - 1), "the file changed its length"
            self._last = burst.first + count - 1
        self._next = burst.first + count
        end = self._next - 1
        again = burst.first <= self._highest
        if end > self._highest:
            self.resent += max(0, self._highest - burst.first + 1)
            self._highest = end
        else:
            self.resent += count
        if self._timed_at is None and not self._untimed:
            self._timed_at, self._timed_block, self._timed_again = now, burst.first, again
        if self._last == end:
            self._size = burst.offset + payload_bytes
        self._flight_at = now
        self.deadline = now + self._interval
        # What was sent again takes the long way: its ACK may have to reset the interval.
        plain = self._steps and self.state is State.STREAMING and not self._untimed
        if plain and end == self._highest != self._last:
            self._awaited = ACK << 16 | end & 0xFFFF

    def excuse(self, seconds: float, now: float) -> None:
        """Takes out time that was ours: a slow disk says nothing about the peer."""
        self._progress_at = min(now, self._progress_at + seconds)
        self._flight_at = min(now, self._flight_at + seconds)
        self._timed_at = None
        self._untimed = True
        self._awaited = NOT_STEPPING
        if self.deadline is not None:
            self.deadline = now + self._interval

    @property
    def _steps(self) -> bool:
        """Whether this is lock-step whose block numbers are plain."""
        return self.terms.window == 1 and not self.terms.rollover

    def step(self, datagram: bytes | memoryview, now: float) -> int:
        """Takes an ACK of the peer's and names the block to send next, in one step.

        For lock-step in full flow, where `receive` and `poll` would say the same at three
        times the cost. Returns 0, and has done nothing, for whatever is not the ACK that
        is awaited there. The datagram has 4 octets or more and is from `peer`; a block
        named is committed by `stepped`.
        """
        if WORD.unpack_from(datagram)[0] != self._awaited or self._out:
            return 0
        self._awaited = NOT_STEPPING  # a copy of this ACK must not count for the next block
        self._base = base = self._highest
        self._progress_at = now
        if self._timed_at is not None and base >= self._timed_block:
            self._measure(now - self._timed_at)
            self._timed_at = None
        self.deadline = now + self._interval
        return base + 1

    def stepped(self, block: int, payload_bytes: int, now: float) -> None:
        """Commits the block that `step` named; a short one is the end, as in `sent`."""
        if payload_bytes < self.terms.block_size:
            self._awaited = NOT_STEPPING
            self.sent(Burst(block, 1, (block - 1) * self.terms.block_size), payload_bytes, now)
            return
        self._highest = block
        self._next = block + 1
        self._awaited = ACK << 16 | block & 0xFFFF
        if self._timed_at is None and not block % SAMPLE_EVERY:
            self._timed_at, self._timed_block = now, block

    def _acknowledge(self, number: int, source: Address, now: float) -> None:
        if self.state is State.OPENING and self._opening is not None:
            # ACK 0 answers our OACK or our WRQ. Nothing else is progress: the octets that
            # ACK 1 would acknowledge have not been sent.
            if number == 0:
                self._open(source, now)
            return
        ahead = distance(number, self._base, self.terms.rollover)
        if ahead == 0:
            self._hear_again(now)
        elif ahead <= self._highest - self._base:
            self._advance(self._base + ahead, now)
        # else: older than the window, or of a block that was never sent. Not progress.

    def _open(self, source: Address, now: float) -> None:
        """Begins to stream after the answer to the first flight."""
        self.peer = source
        self._opening = None
        if self._requested:
            self._set_clock()
        if self._timed_at is not None:
            self._measure(now - self._timed_at)
        elif self.terms.timeout is None:
            self._interval = self.pace.opening  # not what the lost first flight made of it
        self._timed_at = None
        self._untimed = False
        self._progress_at = now
        self._hushed = False
        self._move(Stimulus.ANSWER)
        self.deadline = now + self._interval

    def _advance(self, base: int, now: float) -> None:
        """Takes an ACK of something new: all of the window, or the part before a gap."""
        assert self._base < base <= self._highest, "acknowledged what was never sent"
        self._base = base
        self._progress_at = now
        self._hushed = False
        if self._timed_at is not None and base >= self._timed_block:
            self._measure(now - self._timed_at, again=self._timed_again)
        elif self._untimed:
            self._recover(now)
        self._timed_at = None
        self._untimed = False
        if base == self._last:
            self._finish(Stimulus.LAST_ACK, Ending.COMPLETE)
            return
        if self.state is State.OPENING:
            self._move(Stimulus.ANSWER)
        if self._rewound_at is not None:
            self._judge_rewind(now)
        if self._next <= base:
            self._next = base + 1
        if base < self._highest:
            self._rewind(now)
        self.deadline = now + self._interval

    def _recover(self, now: float) -> None:
        """Takes back the doubling of the interval, after an ACK that gives no round trip.

        RFC 6298 would keep it until one does, which under heavy loss is long. But a peer
        that has got slower than the interval never gives one. So only if the ACK came as
        soon after the last copy as this peer usually answers: then it answered that copy.
        """
        if self.terms.timeout is None and self.pace.is_usual(now - self._flight_at):
            self._interval = self.pace.interval

    def _hear_again(self, now: float) -> None:
        """Takes a repeated ACK of the block before the window.

        In lock-step it means nothing. With a window it may say that the window's first
        block was lost (RFC 7440 section 4): go back once, unless it came too soon to be
        an answer to what is outstanding. Two ACKs of a block that the timer has repeated
        say that the first copy had arrived: this peer is given more time from now on.
        """
        self._hushed = False  # it has not begun anew: it waits for this very block
        if self._again == self._base > 0:
            self._again = 0
            self.pace.startle(self._waited)
        if (
            self.terms.window > 1
            and self._highest > self._base
            and self._rewound_base != self._base
            and self._needless < MAX_NEEDLESS_REWINDS
            and now - self._flight_at >= self.pace.quickest / 2
        ):
            self._rewind(now)
            self._untimed = True  # needless or not: the next ACK may answer the first copies
            self.deadline = now + self._interval

    def _rewind(self, now: float) -> None:
        """Goes back to the block behind the last one acknowledged."""
        self._next = self._base + 1
        self._rewound_base = self._base
        self._rewound_at = now
        self._timed_at = None

    def _judge_rewind(self, now: float) -> None:
        assert self._rewound_at is not None
        if now - self._rewound_at < self.pace.quickest / 2:
            self._needless += 1
        self._rewound_at = None

    def _repeat(self, now: float) -> None:
        self._flight_at = now
        # Karn's rule: which copy the next ACK answers cannot be known.
        self._untimed = True
        self._timed_at = self._rewound_at = None
        if self._opening is not None:
            self._tell(self._opening)
            return
        self._next = self._again = self._base + 1
        self._rewound_base = self._base  # a repeated ACK now answers these very copies

    def _give_up(self) -> None:
        # All but the last ACK has come, and the receiver may leave once it has sent that
        # one (RFC 1350 section 6): most likely it has the file.
        streaming = self.state is State.STREAMING
        if streaming and self._last is not None and self._base == self._last - 1:
            self._finish(Stimulus.UNCONFIRMED, Ending.UNCONFIRMED)
        else:
            super()._give_up()

    def _finish(self, stimulus: Stimulus, ending: Ending) -> None:
        self._move(stimulus)
        self.outcome = Outcome(ending)
        self.deadline = None

    def _hear_oack(self, oack: Oack, source: Address, now: float) -> None:
        if self.state is not State.OPENING or self._asked is None:
            return  # repeated: our DATA 1 was lost, and its timer runs
        try:
            self.terms = confirm(self._asked.options, oack.options)
        except OptionRefused as error:
            self._refuse(source, ErrorCode.OPTION_REFUSED, str(error))
            return
        self._open(source, now)
