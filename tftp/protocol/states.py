"""The state machine of a transfer, as one literal table.

Both roles, both sides and every option run through these five states (RFC 1350
sections 2, 4, 6 and 7; RFC 2347; RFC 7440 section 4). A pair that is not in the table
cannot happen: `Transfer` looks every move up here and fails loudly on a missing one.
`python -m tftp.protocol` draws it. Must not know about packets or time.
"""

from enum import Enum

__all__ = ["MACHINE", "State", "Stimulus"]


class State(Enum):
    """Where a transfer stands."""

    OPENING = "the first flight is out: a request, an OACK, an ACK 0 or DATA 1"
    STREAMING = "the peer has answered; blocks flow"
    DALLYING = "the receiver has everything and stays to repeat its last ACK"
    DONE = "over; the file is whole"
    FAILED = "over; the file is not to be had"


class Stimulus(Enum):
    """What happened, in the terms of the machine."""

    ANSWER = "the awaited answer to the first flight"
    PROGRESS = "an ACK of something new, or DATA in order"
    STALE = "an ACK or DATA that is old, repeated, or beyond a gap"
    LAST_ACK = "the ACK of the last block"
    LAST_DATA = "the short block, in order"
    REFUSED = "an OACK that we cannot accept"
    ILLEGAL = "DATA larger than the block size"
    EXPIRED = "the deadline passed, and patience is left"
    GIVEN_UP = "the deadline passed, and patience is at its end"
    UNCONFIRMED = "patience is at its end, and only the ACK of the last block is missing"
    PEER_ERROR = "an ERROR from the peer"
    STRANGER = "a datagram from another address or port"
    ABORTED = "the application ends the transfer"


MACHINE: dict[State, dict[Stimulus, State]] = {
    State.OPENING: {
        Stimulus.ANSWER: State.STREAMING,
        Stimulus.STALE: State.OPENING,
        Stimulus.LAST_ACK: State.DONE,
        Stimulus.LAST_DATA: State.DALLYING,
        Stimulus.REFUSED: State.FAILED,
        Stimulus.ILLEGAL: State.FAILED,
        Stimulus.EXPIRED: State.OPENING,
        Stimulus.GIVEN_UP: State.FAILED,
        Stimulus.PEER_ERROR: State.FAILED,
        Stimulus.STRANGER: State.OPENING,
        Stimulus.ABORTED: State.FAILED,
    },
    State.STREAMING: {
        Stimulus.PROGRESS: State.STREAMING,
        Stimulus.STALE: State.STREAMING,
        Stimulus.LAST_ACK: State.DONE,
        Stimulus.LAST_DATA: State.DALLYING,
        Stimulus.ILLEGAL: State.FAILED,
        Stimulus.EXPIRED: State.STREAMING,
        Stimulus.GIVEN_UP: State.FAILED,
        Stimulus.UNCONFIRMED: State.DONE,
        Stimulus.PEER_ERROR: State.FAILED,
        Stimulus.STRANGER: State.STREAMING,
        Stimulus.ABORTED: State.FAILED,
    },
    State.DALLYING: {
        Stimulus.STALE: State.DALLYING,
        Stimulus.EXPIRED: State.DONE,
        Stimulus.PEER_ERROR: State.DONE,
        Stimulus.STRANGER: State.DALLYING,
        Stimulus.ABORTED: State.FAILED,
    },
    State.DONE: {},
    State.FAILED: {},
}
