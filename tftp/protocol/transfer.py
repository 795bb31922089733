"""What both roles of a transfer share: inputs, outputs, one deadline (RFC 1350, RFC 1123 4.2).

The contract, stated once: *after any input, `poll` until it returns None; then wait for
a datagram or for `deadline`.* Inputs are `receive`, `expire` and `abort`, and none of
them ever raises for what came from the network: that becomes `outcome`. A burst is an
offer until `sent` commits it. Time is an argument, in seconds of any monotonic clock.
Must not know about sockets, files, logging or threads.
"""

import struct
from enum import Enum
from typing import NamedTuple

from tftp.errors import ErrorCode, MalformedPacket
from tftp.protocol.options import Terms
from tftp.protocol.pace import Pace, Timing
from tftp.protocol.packets import ERROR, Error, Oack, decode, encode_error, peek
from tftp.protocol.states import MACHINE, State, Stimulus

__all__ = ["Address", "Burst", "Datagram", "Ending", "Outcome", "Transfer"]

Address = tuple[str, int] | tuple[str, int, int, int]
"""As the socket module has it; compared as a whole, and by host for a client's first answer."""

MAX_STRANGER_REPLIES = 32  # ERROR 5 for one transfer: nobody gets to use us as a reflector


class Burst(NamedTuple):
    """DATA by reference: blocks `first` .. `first + count - 1`, from byte `offset` on."""

    first: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody wants of a burst
    offset: int


class Datagram(NamedTuple):
    """Octets to send as they are."""

    data: bytes
    to: Address


class Ending(Enum):
    """How a transfer ended."""

    COMPLETE = "complete"
    UNCONFIRMED = "complete, last ACK missing"
    PEER_ERROR = "the peer sent an error"
    TIMEOUT = "the peer stopped answering"
    REFUSED = "the options of the answer were not acceptable"
    ILLEGAL = "the peer broke the protocol"
    ABORTED = "ended on this side"
    SUPERSEDED = "the peer began anew"


class Outcome(NamedTuple):
    """The end of a transfer; `code` and `message` are those of the ERROR, where there was one."""

    ending: Ending
    code: int = 0
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether every byte went across."""
        return self.ending is Ending.COMPLETE or self.ending is Ending.UNCONFIRMED


MAX_PATIENCE = 300.0  # with `timeout=255` the retries alone would hold a slot for half an hour
# Opcode and block as one number: what lock-step in full flow awaits, where it awaits one
# thing only. In lock-step every block could give a round trip; one in so many is enough.
WORD = struct.Struct("!I")
NOT_STEPPING = -1
SAMPLE_EVERY = 8

PATIENCE_SLACK = 1e-6  # sums of floats: the deadline meant to be the last must be the last


class Transfer:
    """One RRQ or WRQ from its first packet to its end; `Sender` and `Receiver` are its roles."""

    __slots__ = (
        "_awaited",
        "_flight_at",
        "_hushed",
        "_interval",
        "_opening",
        "_out",
        "_patience",
        "_progress_at",
        "_requested",
        "_strangers",
        "_timing",
        "_waited",
        "deadline",
        "outcome",
        "pace",
        "peer",
        "resent",
        "state",
        "terms",
        "timeouts",
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
        """Starts a transfer whose first flight is `opening`; None: the flight is DATA 1.

        `pace` is the heir of an earlier transfer's with the same host and terms.
        """
        self.state = State.OPENING
        self.peer = peer
        self.terms = terms
        self.outcome: Outcome | None = None
        self.timeouts = 0
        """How often the deadline passed without an answer."""
        self.resent = 0
        """How many blocks (of a sender) or ACKs (of a receiver) went out again."""
        self._awaited = NOT_STEPPING
        self._opening = opening
        self._requested = False
        self._out: list[Datagram] = [] if opening is None else [Datagram(opening, peer)]
        self._timing = timing
        self.pace = pace or Pace(timing)
        """How fast the peer answers, as far as it is known."""
        self._hushed = False
        self._strangers = 0
        self._flight_at = self._progress_at = now
        self._interval = self._waited = self._patience = 0.0
        self._set_clock()
        self.deadline: float | None = now + self._interval

    # Inputs

    def expire(self, now: float) -> None:
        """Takes the time; does nothing before `deadline`."""
        if self.deadline is None or now < self.deadline:
            return
        self._awaited = NOT_STEPPING
        if self.state is State.DALLYING:
            self._move(Stimulus.EXPIRED)
            self.deadline = None
            return
        if now - self._progress_at >= self._patience - PATIENCE_SLACK or self._is_unheard():
            self._give_up()
            return
        self._move(Stimulus.EXPIRED)
        self._waited = self._interval
        if self.terms.timeout is None:
            longer = self._interval * 2
            if self.state is State.OPENING and longer < self._timing.first:
                longer = self._timing.first  # whom a request names may never have sent it
            self._interval = min(longer, max(self._timing.ceiling, self._interval))
        self.deadline = now + self._interval
        if not self._hushed:
            self.timeouts += 1
            self._repeat(now)

    def abort(self, code: int, message: str) -> None:
        """Ends the transfer from this side; the peer gets an ERROR, once (RFC 1350 section 7)."""
        if self.state is State.DONE or self.state is State.FAILED:
            return
        self._awaited = NOT_STEPPING
        self._out.clear()  # above all an ACK of octets that could not be stored
        # Nobody has answered our request yet: there is no TID that an ERROR could go to.
        if not (self._requested and self.state is State.OPENING):
            self._tell(encode_error(code, message))
        self._fail(Stimulus.ABORTED, Outcome(Ending.ABORTED, code, message))

    def give_up(self) -> None:
        """Ends a transfer whose first flight nobody has answered, and says nothing more."""
        if self.state is State.OPENING:
            self._awaited = NOT_STEPPING
            self._out.clear()
            self._give_up()

    def ask_again(self, now: float) -> None:
        """Takes the peer's request a second time: the first flight goes out again.

        At most once per `floor` of time, so that a request which the network doubled is
        one cause, and our own timer starts anew, so that it is not a second one.
        """
        if self.state is State.OPENING and now - self._flight_at >= self._timing.floor:
            self._repeat(now)
            self.deadline = now + self._interval

    def hush(self) -> None:
        """Speaks from now on only when spoken to: the peer has begun another transfer.

        A board that was reset uses its old port again, and must not hear what it did not
        ask for; a request that was late in the network must not end a living transfer.
        """
        self._hushed = True
        self._awaited = NOT_STEPPING

    @property
    def opening(self) -> bool:
        """Whether the first flight still lacks its answer."""
        return self.state is State.OPENING

    @property
    def heard_at(self) -> float:
        """When the peer last made progress."""
        return self._progress_at

    # Output

    def poll(self, room: int = 1) -> Datagram | Burst | None:
        """Returns the next thing to send, or None; `room` is the blocks the driver can take."""
        return self._out.pop(0) if self._out else None

    # For the roles

    def _repeat(self, now: float) -> None:
        """Puts out the flight again."""
        raise AssertionError("each role has its own flight")  # pragma: no cover

    def _move(self, stimulus: Stimulus) -> None:
        self.state = MACHINE[self.state][stimulus]

    def _tell(self, data: bytes) -> None:
        self._out.append(Datagram(data, self.peer))

    def _fail(self, stimulus: Stimulus, outcome: Outcome) -> None:
        self._move(stimulus)
        self.outcome = outcome
        self.deadline = None

    def _give_up(self) -> None:
        ending = Ending.SUPERSEDED if self._hushed else Ending.TIMEOUT
        self._fail(Stimulus.GIVEN_UP, Outcome(ending))

    def _is_unheard(self) -> bool:
        """Tells whether we have answered a request as often as one does that nobody owns to."""
        most = self._timing.answers
        answers = self.state is State.OPENING and not self._requested
        return answers and most is not None and self.timeouts >= most

    def _set_clock(self) -> None:
        """Sets interval and patience from the terms, at the start and when they change."""
        if self.terms.timeout is None:
            self._interval = self.pace.opening
            self._patience = self._timing.patience
        else:  # RFC 2349: the number agreed is the interval used
            self._interval = self.terms.timeout
            self._patience = min(self._interval * (self._timing.retries + 1), MAX_PATIENCE)

    def _measure(self, rtt: float, *, again: bool = False) -> None:
        """Takes the round trip of a flight that no timer has repeated (RFC 6298, Karn's rule)."""
        self.pace.measure(rtt, again=again)
        if self.terms.timeout is None:
            self._interval = max(self.pace.interval, self._floor())

    def _floor(self) -> float:
        """Returns the shortest interval of this role, whatever the pace is."""
        return 0.0

    def _expects(self, source: Address) -> bool:
        """Tells whether `source` may become the peer: until an answer, any port of its host."""
        return self._requested and self.state is State.OPENING and source[0] == self.peer[0]

    def _reject(self, datagram: bytes | memoryview, source: Address) -> None:
        """Tells a stranger so, and changes nothing else (RFC 1350 section 4)."""
        if self.state is State.DONE or self.state is State.FAILED:
            return
        self._move(Stimulus.STRANGER)
        # An ERROR is never answered, and what is no packet at all is not worth an answer.
        if len(datagram) < 4 or peek(datagram) == ERROR or self._strangers == MAX_STRANGER_REPLIES:
            return
        self._strangers += 1
        error = encode_error(ErrorCode.UNKNOWN_TID, "Unknown transfer ID")
        self._out.append(Datagram(error, source))

    def _receive_other(self, datagram: bytes | memoryview, source: Address, now: float) -> None:
        """Takes what is neither the DATA nor the ACK that this role lives on.

        Only ERROR and OACK mean anything; all else has no place here and is passed over,
        which keeps a transfer alive through noise (RFC 1350 section 4 would allow an ERROR).
        """
        try:
            packet = decode(datagram)
        except MalformedPacket:
            return
        if isinstance(packet, Error):
            self._hear_error(packet, source)
        elif isinstance(packet, Oack) and self._requested:
            self._hear_oack(packet, source, now)

    def _hear_error(self, error: Error, source: Address) -> None:
        if self.state is State.DALLYING:  # some clients close with an ERROR; the file is whole
            self._move(Stimulus.PEER_ERROR)
            self.deadline = None
            return
        self.peer = source
        self._fail(Stimulus.PEER_ERROR, Outcome(Ending.PEER_ERROR, error.code, error.message))

    def _hear_oack(self, oack: Oack, source: Address, now: float) -> None:
        """Takes the OACK that answers our request; a receiver repeats ACK 0 for a repeated one."""
        raise AssertionError("each role opens in its own way")  # pragma: no cover

    def _refuse(self, source: Address, code: int, message: str) -> None:
        self.peer = source
        self._tell(encode_error(code, message))
        self._fail(Stimulus.REFUSED, Outcome(Ending.REFUSED, code, message))
