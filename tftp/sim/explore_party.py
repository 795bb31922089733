"""One end of a transfer as an automaton: its states are numbers, its answers are remembered.

The same few thousand states of a `Sender` or a `Receiver` come back in millions of
orders of events. So each state is kept once, as a transfer with a clock of its own, and
each answer is worked out once, on a copy, by the real code. What must hold of one end
alone is looked at here: it has a deadline as long as it lives, it does not fail, and
strangers change nothing. Must not know what the other end does.
"""

from collections.abc import Callable
from typing import NamedTuple

from tftp.protocol.packets import DATA, HEADER, RRQ, WRQ, encode_ack, encode_error, peek
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address, Burst, Ending
from tftp.sim.explore_state import OVER, clone, key_of

__all__ = ["ABSENT", "Answer", "Party", "Setup"]

ABSENT = 0
"""The state of one who has not been asked yet."""

ELSEWHERE: Address = ("203.0.113.9", 4000)
STALE_REQUEST = 1.0  # seconds without progress after which a server takes a request for new
ROOM = 64
# What strangers try: all that a transfer lives on, noise, and what is no packet at all.
ANSWERED = (
    HEADER.pack(DATA, 1) + b"strange!",
    HEADER.pack(DATA, 2),
    encode_ack(0),
    encode_ack(1),
    encode_ack(2),
    b"\0\6windowsize\0009\0",
    b"\0\1f\0octet\0",
    b"\xff\xff\xff\xff\xff",
)
UNANSWERED = (encode_error(0, "go away"), b"\0\3\0", b"\0", b"")


class Answer(NamedTuple):
    """What came of an input."""

    state: int
    sent: tuple[bytes, ...] = ()
    payload: bytes | None = None
    """The octets that a receiver has handed out."""


class Setup(NamedTuple):
    """How one end begins, and whom it talks to."""

    name: str
    make: Callable[[float], Receiver | Sender]
    """Returns the transfer as it is at that time."""
    asks: bool
    """Whether it begins; the other kind is made when the first request comes."""
    peer: Address
    listener: Address
    content: bytes
    stepping: bool
    """Whether lock-step is driven by `step` and `take`, as the driver does it in full flow."""


class _Known(NamedTuple):
    """A state: a transfer that is never touched, and what its clock shows."""

    transfer: Receiver | Sender
    now: float


class Party:
    """One end. A state is a number from `begin` or from an `Answer`."""

    def __init__(self, setup: Setup) -> None:
        """Knows no state but `ABSENT`."""
        self._setup = setup
        self._known: list[_Known | None] = [None]
        self._numbers: dict[object, int] = {}
        self._answers: dict[tuple[int, bytes], Answer] = {}
        self._expired: dict[int, Answer] = {}
        self._older: dict[tuple[int, float], int] = {}
        self._steady: dict[int, int] = {}
        self.waits: list[float | None] = [None]
        """For each state: the seconds until its deadline; None: it waits for nothing."""
        self.states: list[State | None] = [None]
        """For each state: where the transfer stands; None: it is not there."""

    def begin(self) -> Answer:
        """Returns the first words of the end that asks, at time 0."""
        return self._answer(self._setup.make(0.0), 0.0)

    def receive(self, state: int, data: bytes) -> Answer:
        """Takes a datagram from the other end."""
        answer = self._answers.get((state, data))
        if answer is None:
            answer = self._answers[state, data] = self._receive(state, data)
        return answer

    def expire(self, state: int) -> Answer:
        """Lets the deadline pass, which must have come."""
        answer = self._expired.get(state)
        if answer is None:
            transfer, now = self._copy(state)
            assert transfer.deadline is not None, "nothing can expire"
            now = max(now, transfer.deadline)
            transfer.expire(now)
            answer = self._expired[state] = self._answer(transfer, now)
        return answer

    def wait(self, state: int, seconds: float) -> int:
        """Returns the state after some time without an input."""
        if self.waits[state] is None:
            return state
        older = self._older.get((state, seconds))
        if older is None:
            known = self._get(state)
            older = self._number(known.transfer, known.now + seconds)
            self._older[state, seconds] = older
        return older

    def meet_strangers(self, state: int) -> int:
        """Lets strangers try everything. Returns the state after it, which must be the same.

        (In full flow an end forgets which datagram it awaited, and takes the long way once.)
        """
        after = self._steady.get(state)
        if after is None:
            after = self._steady[state] = self._meet(state)
        return after

    def _receive(self, state: int, data: bytes) -> Answer:
        if peek(data) in (RRQ, WRQ):
            return self._ask(state)
        transfer, now = self._copy(state)
        if isinstance(transfer, Receiver):
            if self._setup.stepping and transfer.awaits(data, len(data)):
                ack = transfer.take(now)
                return self._answer(transfer, now, ack, data[HEADER.size :])
            view = transfer.receive(data, self._setup.peer, now)
            payload = None if view is None else bytes(view)
            return self._answer(transfer, now, payload=payload)
        block = transfer.step(data, now) if self._setup.stepping else 0
        if not block:
            transfer.receive(data, self._setup.peer, now)
            return self._answer(transfer, now)
        size = transfer.terms.block_size
        part = self._setup.content[(block - 1) * size : block * size]
        transfer.stepped(block, len(part), now)
        return self._answer(transfer, now, HEADER.pack(DATA, block) + part)

    def _ask(self, state: int) -> Answer:
        """Takes a request: the first one makes a transfer, a copy asks it again.

        One that comes long after is a new request to a server: it hushes the transfer, and
        what the second transfer says comes from another port, so it is a stranger's.
        """
        if state == ABSENT:
            return self._answer(self._setup.make(0.0), 0.0)
        transfer, now = self._copy(state)
        if transfer.opening:
            transfer.ask_again(now)
        elif now - transfer.heard_at >= STALE_REQUEST:
            transfer.hush()
        return self._answer(transfer, now)

    def _meet(self, state: int) -> int:
        if self.waits[state] is None:
            return state
        transfer, now = self._copy(state)
        # Until a server has answered, any port of its host may be the one.
        host, port = self._setup.peer[:2]
        any_port = self._setup.asks and transfer.state is State.OPENING
        source = ELSEWHERE if any_port else (host, port + 1)
        before = key_of(transfer, now)
        for data in ANSWERED + UNANSWERED:
            transfer.receive(data, source, now)
            while (word := transfer.poll()) is not None:
                fair = not isinstance(word, Burst) and word.to == source and data in ANSWERED
                assert fair, f"a stranger makes the {self} speak"
        assert key_of(transfer, now) == before, f"a stranger has changed the {self}"
        return self._number(transfer, now)

    def __str__(self) -> str:
        """Returns the name of the role."""
        return self._setup.name

    def _get(self, state: int) -> _Known:
        known = self._known[state]
        assert known is not None, f"the {self} is not there"
        return known

    def _copy(self, state: int) -> tuple[Receiver | Sender, float]:
        known = self._get(state)
        return clone(known.transfer), known.now

    def _answer(
        self,
        transfer: Receiver | Sender,
        now: float,
        first: bytes | None = None,
        payload: bytes | None = None,
    ) -> Answer:
        """Polls until there is nothing more to say, and looks whether all is well."""
        sent = [] if first is None else [first]
        while (word := transfer.poll(ROOM)) is not None:
            if isinstance(word, Burst):
                assert isinstance(transfer, Sender), "only senders offer blocks"
                sent += self._send(transfer, word, now)
            else:
                asking = peek(word.data) in (RRQ, WRQ)
                expected = self._setup.listener if asking else self._setup.peer
                assert word.to == expected, f"the {self} speaks to {word.to}"
                sent.append(word.data)
        alive = transfer.state not in OVER
        assert (transfer.deadline is not None) == alive, f"the {self} waits for ever"
        outcome = transfer.outcome
        # A server's sender that was told of a new request keeps silent, and may never hear
        # of its last ACK; the stage looks whether it was lacking that and nothing else.
        hushed = outcome is not None and outcome.ending is Ending.SUPERSEDED
        assert outcome is None or outcome.ok or hushed, f"the {self} has failed: {outcome}"
        return Answer(self._number(transfer, now), tuple(sent), payload)

    def _send(self, sender: Sender, burst: Burst, now: float) -> list[bytes]:
        size = sender.terms.block_size
        payload = self._setup.content[burst.offset : burst.offset + burst.count * size]
        count = min(burst.count, len(payload) // size + 1)
        sender.sent(burst, len(payload), now)
        return [
            HEADER.pack(DATA, burst.first + index) + payload[index * size : (index + 1) * size]
            for index in range(count)
        ]

    def _number(self, transfer: Receiver | Sender, now: float) -> int:
        """Returns the number of a state, a new one where it was never met."""
        awaited = transfer._awaited if self._setup.stepping else None
        key = (awaited, key_of(transfer, now))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._known)
            self._known.append(_Known(transfer, now))
            deadline = transfer.deadline
            self.waits.append(None if deadline is None else deadline - now)
            self.states.append(transfer.state)
        return number
