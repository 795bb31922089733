"""What the targets of both machines share: terms, datagrams, and what always holds.

A transfer has a deadline exactly while it lives; a stranger changes nothing but gets at
most 32 times ERROR 5; an ERROR is never answered (RFC 1350 sections 4, 5 and 7). Must not
know which role it looks at.
"""

from tests.fuzz.feed import Feed
from tftp.errors import ErrorCode
from tftp.protocol.options import Ceiling, Terms, grant
from tftp.protocol.packets import ERROR, Error, Options, Request, decode, peek
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address, Datagram, Ending

__all__ = [
    "NEW_PORT",
    "PEER",
    "STRANGER",
    "Watched",
    "agreed",
    "any_datagram",
    "asked",
    "end_of",
    "pause",
]

PEER: Address = ("192.0.2.1", 2000)
NEW_PORT: Address = ("192.0.2.1", 2001)
STRANGER: Address = ("192.0.2.66", 6666)
OVER = (State.DONE, State.FAILED)
MAX_EXPIRIES = 600  # far more than any timing takes


class Watched:
    """A transfer whose every input is followed by the checks that hold for both roles."""

    def __init__(self, transfer: Sender | Receiver) -> None:
        """Looks at one transfer; its `now` is the time."""
        self.transfer = transfer
        self.now = 0.0
        self.quiet = False
        """Whether `poll` has said None since the last input."""
        self.replies = 0
        self.check()

    def check(self) -> None:
        """Checks what holds at any moment."""
        transfer = self.transfer
        over = transfer.state in OVER
        assert (transfer.deadline is None) is over, "a deadline exists while it lives"
        ended = over or transfer.state is State.DALLYING
        assert (transfer.outcome is not None) is ended
        if transfer.outcome is not None and transfer.state is not State.FAILED:
            assert transfer.outcome.ok

    def expire(self) -> None:
        """Tells the time."""
        before = self.transfer.deadline
        self.transfer.expire(self.now)
        deadline = self.transfer.deadline
        if before is not None and self.now < before:
            assert deadline == before
        assert deadline is None or deadline > self.now, "the time would stand still"
        self.check()
        self.drain()

    def drain(self) -> None:
        """Takes the words that follow an input at once, as the contract asks; blocks may wait."""
        while isinstance(word := self.transfer.poll(), Datagram):
            self.check_word(word)
        self.quiet = word is None

    def check_word(self, word: Datagram) -> None:
        """Checks a datagram that goes out."""
        packet = decode(word.data)
        if word.to != self.transfer.peer:
            assert packet == Error(ErrorCode.UNKNOWN_TID, "Unknown transfer ID")
            self.replies += 1
            assert self.replies <= 32, "nobody gets to use us as a reflector"

    def check_stranger(self, before: tuple[object, ...], datagram: bytes) -> None:
        """Checks that a stranger's datagram has changed nothing; answers come in `drain`."""
        assert self.state() == before, "a stranger changed something"
        self.check()
        if self.quiet and is_error(datagram):
            assert self.transfer.poll() is None, "an ERROR was answered"

    def check_after(self, datagram: bytes) -> None:
        """Checks what follows the peer's datagram; an ERROR gets no answer, whoever sent it."""
        self.check()
        if self.quiet and is_error(datagram):
            assert self.transfer.poll() is None, "an ERROR was answered"
        outcome = self.transfer.outcome
        if outcome is not None and outcome.ending is Ending.PEER_ERROR:
            assert self.transfer.poll() is None

    def state(self) -> tuple[object, ...]:
        """Returns all that a stranger must not change."""
        transfer = self.transfer
        return (
            *(transfer.state, transfer.deadline, transfer.outcome, transfer.peer, transfer.terms),
            *(transfer.timeouts, transfer.resent),
        )


def is_error(datagram: bytes) -> bool:
    """Tells whether these octets are an ERROR."""
    return len(datagram) >= 2 and peek(datagram) == ERROR


def agreed(feed: Feed) -> Terms:
    """Reads terms as a negotiation leaves them, with options where any were agreed."""
    sizes = (8, 8, 9, 16, 512, 1428, 65464)
    values = (
        ("blksize", str(feed.pick(sizes))),
        ("windowsize", str(feed.pick((1, 2, 3, 4, 16, 64, 32767)))),
        ("timeout", str(feed.number(1, 255))),
        ("rollover", str(feed.number(0, 1))),
    )
    mask = feed.octet()
    options = tuple(pair for bit, pair in enumerate(values) if mask >> bit & 1)
    return grant(options, Ceiling(window=65535), reading=False)


def asked(feed: Feed, opcode: int) -> Request:
    """Reads a client's request."""
    options: Options = agreed(feed).options
    return Request(opcode, "f", "octet", options)


def any_datagram(feed: Feed) -> bytes:
    """Reads a datagram of any kind: octets as they are, most of them with a sound opcode."""
    kind = feed.octet()
    if kind >= 0xE0:
        return feed.piece()
    return bytes([0, kind % 8]) + feed.piece()


def pause(feed: Feed) -> float:
    """Reads how much time passes: from nothing to beyond all patience."""
    return feed.pick((0.0, 0.0001, 0.01, 0.1, 0.5, 1.0, 3.0, 8.0, 60.0, 400.0))


def end_of(watched: Watched) -> None:
    """Lets the time pass until the transfer ends by itself, which it has to do."""
    for _ in range(MAX_EXPIRIES):
        deadline = watched.transfer.deadline
        if deadline is None:
            break
        watched.now = max(watched.now, deadline)
        watched.expire()
    assert watched.transfer.state in OVER, "it never ends"
    assert is_final(watched)


def is_final(watched: Watched) -> bool:
    """Tells whether a transfer that is over stays as it is, whatever comes."""
    transfer = watched.transfer
    while transfer.poll() is not None:
        pass
    before = watched.state()
    for datagram in (b"", b"\0\4\0\1", b"\0\3\0\1x", b"\0\5\0\0\0", b"\0\6", b"\0\1f\0octet\0"):
        for source in (transfer.peer, STRANGER):
            transfer.receive(datagram, source, watched.now)
    transfer.expire(watched.now + 1000)
    transfer.abort(0, "late")
    transfer.ask_again(watched.now)
    return watched.state() == before and transfer.poll() is None
