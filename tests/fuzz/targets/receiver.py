"""The receiving machine under any sequence of datagrams, times, polls and aborts.

With a peer that sends true octets, whatever else it does, what is handed out is a prefix of
the file, and COMPLETE means all of it; no block is acknowledged that was not handed out
(RFC 1350 section 2, RFC 7440 section 4). A peer that lies can break nothing but its own
file. Must not know what the machine keeps inside.
"""

from tests.fuzz.feed import Feed
from tests.fuzz.machines import (
    NEW_PORT,
    PEER,
    STRANGER,
    Watched,
    agreed,
    any_datagram,
    asked,
    end_of,
    pause,
)
from tftp.protocol.blocks import distance, to_wire
from tftp.protocol.pace import Timing
from tftp.protocol.packets import DATA, HEADER, RRQ, Ack, Oack, decode, encode
from tftp.protocol.receiver import Receiver
from tftp.protocol.states import State
from tftp.protocol.transfer import NOT_STEPPING, Address, Datagram, Ending

__all__ = ["target"]

MAX_STEPS = 200
TRAIN = 70  # blocks in one arrival
CONTENT = bytes((n * 7 + n // 251) & 0xFF for n in range(5000))


class Receiving(Watched):
    """A receiver, the true file, and what has been handed out."""

    def __init__(self, receiver: Receiver, content: bytes, *, honest: bool) -> None:
        """Starts before the first word."""
        self.receiver = receiver
        self.content = content
        self.honest = honest
        self.delivered = bytearray()
        self.blocks = 0
        self.skipped = 0
        super().__init__(receiver)

    def block(self, number: int) -> bytes:
        """Returns the DATA of a true block; behind the end there is none."""
        size = self.receiver.terms.block_size
        place = number - self.skipped
        payload = self.content[(place - 1) * size : place * size] if place > 0 else bytes(size)
        return HEADER.pack(DATA, to_wire(number, self.receiver.terms.rollover)) + payload

    @property
    def last(self) -> int:
        """Returns the number of the last block."""
        return len(self.content) // self.receiver.terms.block_size + 1 + self.skipped

    def jump(self) -> None:
        """Puts the transfer shortly before block 65,536, as if all up to there had come."""
        receiver, far = self.receiver, 65_533
        if receiver.state is State.STREAMING and not self.skipped and self.blocks == 1:
            receiver._awaited = NOT_STEPPING
            receiver._expected += far
            receiver._acked += far
            receiver._mark += far
            self.skipped = far
            self.blocks += far

    def hear(self, datagram: bytes, source: Address) -> None:
        """Gives one datagram."""
        receiver, before = self.receiver, self.state()
        peer, opening = receiver.peer, receiver.state is State.OPENING
        if self._takes(datagram, source):
            return
        payload = receiver.receive(datagram, source, self.now)
        if source != peer and not (opening and source[0] == peer[0]):
            assert payload is None
            self.check_stranger(before, datagram)
        else:
            self.take([] if payload is None else [payload])
            self.check_after(datagram)
        self.drain()

    def _takes(self, datagram: bytes, source: Address) -> bool:
        """Gives a block by the short way of lock-step, if it is the one for that."""
        receiver = self.receiver
        if source != receiver.peer or len(datagram) < 4:
            return False
        if not receiver.awaits(datagram, len(datagram)):
            return False
        self.take([memoryview(datagram)[4:]])
        self.check_word(Datagram(receiver.take(self.now), receiver.peer))
        self.check()
        return True

    def hear_train(self, first: int, count: int, source: Address) -> None:
        """Gives true blocks as one arrival, as far as they exist."""
        last = min(self.last, first + count - 1)
        train = b"".join(self.block(number) for number in range(first, last + 1))
        if train:
            stride = self.receiver.terms.block_size + 4
            views = self.receiver.receive_train(memoryview(train), stride, source, self.now)
            assert not views or source == self.receiver.peer
            self.take(views)
            self.check()
            self.drain()

    def take(self, views: list[memoryview]) -> None:
        """Notes what was handed out."""
        for view in views:
            self.delivered += view
            self.blocks += 1
        if self.honest:
            assert self.content.startswith(self.delivered), "not a prefix"

    def check_word(self, word: Datagram) -> None:
        """Checks also that only what was handed out is acknowledged."""
        super().check_word(word)
        packet = decode(word.data)
        if isinstance(packet, Ack):
            assert word.to == self.receiver.peer
            terms = self.receiver.terms
            behind = distance(to_wire(self.blocks, terms.rollover), packet.block, terms.rollover)
            assert behind <= min(self.blocks, terms.window + TRAIN), "acknowledged what is not here"

    def check(self) -> None:
        """Checks also that success means that all is here."""
        super().check()
        outcome = self.transfer.outcome
        if self.honest and outcome is not None and outcome.ending is Ending.COMPLETE:
            assert self.delivered == self.content, "complete without all octets"
        assert self.transfer.state is State.OPENING or self.receiver.missing >= 1


def target(data: bytes) -> None:
    """Makes a receiver from the input and plays the rest of it."""
    feed = Feed(data)
    kind = feed.octet()
    timing = Timing(first=feed.pick((1.0, 0.05)), floor=0.05, retries=feed.number(0, 5))
    if kind & 1:
        receiver = Receiver.requesting(asked(feed, RRQ), PEER, timing, 0.0)
    else:
        receiver = Receiver.answering(PEER, agreed(feed), timing, 0.0)
    size = feed.pick((0, 1, 8, 40, 511, 512, 513, 1024, 5000))
    receiving = Receiving(receiver, CONTENT[:size], honest=bool(kind & 2))
    receiving.drain()
    for _ in range(MAX_STEPS):
        if not feed.left:
            break
        _step(receiving, feed)
    end_of(receiving)


def _step(receiving: Receiving, feed: Feed) -> None:
    receiver = receiving.receiver
    source = feed.pick((receiver.peer, receiver.peer, receiver.peer, NEW_PORT, STRANGER, PEER))
    match feed.octet() % 12:
        case 0 | 1 | 2:  # the block that is awaited, or one near to it
            number = receiving.blocks + feed.pick((1, 1, 1, 2, 0, 3, -1))
            if receiver.terms.window == 1:  # what lies ahead lacks the ACK before it
                number = min(number, receiving.blocks + 1)
            if 1 <= number <= receiving.last:
                receiving.hear(receiving.block(number), source)
        case 3:
            _hear_any(receiving, feed, source)
        case 4:
            receiving.hear(encode(Oack(agreed(feed).options)), source)
        case 5 | 6:
            ahead, count = feed.pick((1, 1, 0, 2)), feed.number(1, TRAIN)
            if receiver.terms.window == 1:
                ahead, count = min(ahead, 1), 1
            receiving.hear_train(max(1, receiving.blocks + ahead), count, source)
        case 7 | 8 | 9:
            receiving.now += pause(feed)
            receiving.expire()
        case 10:
            receiver.ask_again(receiving.now)
            receiving.check()
            receiving.drain()
        case _:
            _seldom(receiving, feed)


def _hear_any(receiving: Receiving, feed: Feed, source: Address) -> None:
    datagram = any_datagram(feed)
    if receiving.honest and datagram[:2] == b"\0\3" and source[0] == PEER[0]:
        return  # true octets only
    receiving.hear(datagram, source)


def _seldom(receiving: Receiving, feed: Feed) -> None:
    match feed.octet() % 6:
        case 0:
            receiving.receiver.hush()
        case 1:
            receiving.now += pause(feed)  # nobody looked at the clock
        case 2:
            receiving.receiver.give_up()
        case 3 | 4:
            receiving.jump()
        case _:
            receiving.receiver.abort(feed.number(0, 65535), "ended here")
    receiving.check()
    receiving.drain()
