"""The sending machine under any sequence of datagrams, times, polls and aborts.

A model beside it knows what has been acknowledged: no block goes out beyond the window, or
beyond the file, and COMPLETE means that all of it was acknowledged (RFC 1350 section 2,
RFC 7440 section 4). Must not know what the machine keeps inside.
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
from tftp.protocol.blocks import to_wire
from tftp.protocol.pace import Timing
from tftp.protocol.packets import WRQ, Oack, encode, encode_ack
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import NOT_STEPPING, Address, Burst, Datagram, Ending

__all__ = ["target"]

MAX_STEPS = 200


class Sending(Watched):
    """A sender, the size of its file, and what the peer has acknowledged."""

    def __init__(self, sender: Sender, size: int) -> None:
        """Starts before the first word."""
        self.sender = sender
        self.size = size
        self.base = 0
        self.highest = 0
        super().__init__(sender)

    @property
    def last(self) -> int:
        """Returns the number of the last block."""
        return self.size // self.sender.terms.block_size + 1

    def jump(self) -> None:
        """Puts the transfer shortly before block 65,536, as if all up to there had arrived."""
        sender, far = self.sender, 65_533
        streaming = sender.state is State.STREAMING and self.highest == self.base == 1
        if streaming and self.size > (far + 9) * sender.terms.block_size:
            sender._awaited = NOT_STEPPING
            sender._base += far
            sender._next += far
            sender._highest += far
            self.base = self.highest = far + 1

    def hear(self, datagram: bytes, source: Address) -> None:
        """Gives one datagram."""
        sender, before = self.sender, self.state()
        peer, opening = sender.peer, sender.state is State.OPENING
        over = sender.deadline is None
        step = source == peer and len(datagram) >= 4 and sender.step(datagram, self.now)
        if step:
            self.acknowledge(datagram)
            assert step == self.base + 1 == self.highest + 1
            self.stepped(step)
            self.check()
            return
        sender.receive(datagram, source, self.now)
        if source != peer and not (opening and source[0] == peer[0]):
            self.check_stranger(before, datagram)
        else:
            if source == sender.peer and not over:
                self.acknowledge(datagram)
            self.check_after(datagram)
        self.drain()

    def stepped(self, block: int) -> None:
        """Commits the block that a step has named."""
        size = self.sender.terms.block_size
        left = max(0, min(size, self.size - (block - 1) * size))
        self.sender.stepped(block, left, self.now)
        self.highest = block
        self.drain()

    def acknowledge(self, datagram: bytes) -> None:
        """Notes in the model what an ACK of the peer's means."""
        terms = self.sender.terms
        if len(datagram) < 4 or datagram[:2] != b"\0\4":
            return
        number = int.from_bytes(datagram[2:4])
        blocks = range(self.base + 1, self.highest + 1)
        if not blocks or (terms.rollover and number == 0):
            return
        cycle = 65535 if terms.rollover else 65536
        ahead = (number - to_wire(self.base, terms.rollover)) % cycle
        if 0 < ahead <= len(blocks):
            self.base += ahead

    def speak(self, room: int, bites: int, *, deaf: bool) -> None:
        """Polls; sends what is named, all of it or the first of it, or nothing when deaf."""
        for _ in range(bites):
            word = self.sender.poll(room)
            if word is None:
                self.quiet = True
                return
            if isinstance(word, Datagram):
                self.check_word(word)
                continue
            self.check_burst(word, room)
            if deaf:
                return
            self.commit(word)

    def check_burst(self, burst: Burst, room: int) -> None:
        """Checks what is offered against the model."""
        terms, end = self.sender.terms, burst.first + burst.count - 1
        assert self.sender.state in (State.OPENING, State.STREAMING)
        assert 1 <= burst.count <= room
        assert self.base < burst.first <= self.highest + 1, "a block was passed over"
        assert end <= self.base + terms.window, "beyond the window"
        assert burst.offset == (burst.first - 1) * terms.block_size
        if self.highest == self.last:
            assert end <= self.last, "beyond the end"

    def commit(self, burst: Burst) -> None:
        """Says that a burst has left, cut at the end of the file."""
        left = max(0, self.size - burst.offset)
        octets = min(left, burst.count * self.sender.terms.block_size)
        self.sender.sent(burst, octets, self.now)
        self.highest = max(self.highest, min(burst.first + burst.count - 1, self.last))
        self.check()

    def check(self) -> None:
        """Checks also that success means that all was acknowledged."""
        super().check()
        outcome = self.transfer.outcome
        if outcome is not None and outcome.ending is Ending.COMPLETE:
            assert self.base == self.last, "complete without the last ACK"
            assert self.sender.sent_bytes == self.size
        if outcome is not None and outcome.ending is Ending.UNCONFIRMED:
            assert self.base == self.last - 1


def target(data: bytes) -> None:
    """Makes a sender from the input and plays the rest of it."""
    feed = Feed(data)
    requesting = feed.number(0, 1)
    timing = Timing(first=feed.pick((1.0, 0.05)), floor=0.05, retries=feed.number(0, 5))
    if requesting:
        sender = Sender.requesting(asked(feed, WRQ), PEER, timing, 0.0)
    else:
        sender = Sender.answering(PEER, agreed(feed), timing, 0.0)
    blocks = feed.pick((0, 1, 2, 3, 5, 40, 70_000, 140_000))
    size = blocks * sender.terms.block_size + feed.pick((0, 1, 7))
    sending = Sending(sender, size)
    sending.drain()
    for _ in range(MAX_STEPS):
        if not feed.left:
            break
        _step(sending, feed)
    end_of(sending)


def _step(sending: Sending, feed: Feed) -> None:
    sender = sending.sender
    source = feed.pick((sender.peer, sender.peer, sender.peer, NEW_PORT, STRANGER, PEER))
    rollover = sender.terms.rollover
    match feed.octet() % 12:
        case 0 | 1 | 2:  # an ACK of what is outstanding, mostly all of it
            ahead = feed.pick((sending.highest, sending.base, sending.base + feed.octet()))
            sending.hear(encode_ack(to_wire(ahead, rollover)), source)
        case 3:
            sending.hear(encode_ack(feed.number(0, 65535)), source)
        case 4:
            sending.hear(any_datagram(feed), source)
        case 5:
            sending.hear(encode(Oack(agreed(feed).options)), source)
        case 6 | 7:
            sending.speak(feed.pick((64, 1, 2, 40_000)), feed.pick((99, 1, 2)), deaf=False)
        case 8:
            sending.speak(feed.number(1, 255), 99, deaf=True)
        case 9:
            sending.now += pause(feed)
            sending.expire()
        case 10:
            sender.ask_again(sending.now)
            sending.check()
            sending.drain()
        case _:
            _seldom(sending, feed)


def _seldom(sending: Sending, feed: Feed) -> None:
    sender = sending.sender
    match feed.octet() % 6:
        case 0:
            sender.excuse(pause(feed), sending.now)
        case 1:
            sender.hush()
        case 2:
            sending.now += pause(feed)  # nobody looked at the clock
        case 3:
            sender.give_up()
        case 4:
            sending.jump()
        case _:
            sender.abort(feed.number(0, 65535), "ended here")
    sending.check()
    sending.drain()
