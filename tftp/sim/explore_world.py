"""One sender, one receiver, and all that can happen next: the moves of an exploration.

A `Scene` is a moment of one transfer. Free moves deliver what is next on the way, or let
the earliest deadline pass when nothing is on the way. A fault buys one of: a datagram
lost; kept back, to come at any later moment, even after everything else; doubled, with
the copy kept back; overtaken by a later one, or by a copy of it; a deadline that passes
out of turn (all on the way is late, or a process is slow); all that strangers can send.
Each move checks what must hold at every moment. Must not know in which order moves are tried.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tftp.protocol.packets import ACK, DATA, HEADER, OACK, RRQ, WRQ, describe
from tftp.protocol.states import State
from tftp.sim.explore_party import ABSENT, Answer, Party
from tftp.sim.explore_state import OVER

__all__ = ["Move", "Scene", "Stage", "Step", "tell"]

TO_RECEIVER, TO_SENDER = 0, 1
NAMES = ("receiver", "sender")
SOON = 1e-7  # seconds: deadlines as close as that come at the same time

Flights = tuple[bytes, ...]
Ways = tuple[Flights, Flights]
Move = tuple[str, int, bytes]
"""What happened, on which way, and to which datagram."""


def tell(move: Move) -> str:
    """Returns a move as a line for people."""
    kind, way, data = move
    return f"{kind:9} {NAMES[way]:8} {describe(data) if data else ''}".rstrip()


class Scene(NamedTuple):
    """A moment of one transfer, with nothing in it that does not matter for what follows."""

    parties: tuple[int, int]
    """The states of receiver and sender. The two ways are those to each of them."""
    ways: Ways = ((), ())
    """What is on the way, in order."""
    late: Ways = ((), ())
    """What comes at any moment, or never."""
    faults: int = 0
    """How many more of them there may be."""
    delivered: int = 0
    """How many octets the receiver has handed out."""
    acknowledged: int = 0
    """The highest block whose ACK has reached the sender."""


class Step(NamedTuple):
    """What a move leads to, and how many packets it has caused."""

    scene: Scene
    data: int = 0
    acks: int = 0


class Stage:
    """The rules of one transfer: what can happen, and what must hold."""

    def __init__(
        self,
        parties: tuple[Party, Party],
        content: bytes,
        *,
        block_size: int,
        window: int,
        tick: float,
        stall: float,
        stepping: bool = False,
    ) -> None:
        """Sets the rules; `parties` are receiver and sender.

        A delivery takes `tick` seconds. A deadline that passes out of turn is at most
        `stall` seconds away: nobody can tell a longer silence from the end of the world.
        """
        self._parties = parties
        self._content = content
        self._block_size = block_size
        self._window = window
        self._tick = tick
        self._stall = stall
        self._stepping = stepping

    def begin(self, asking: int, faults: int) -> Scene:
        """Returns the scene after one of the parties has asked."""
        scene = Scene((ABSENT, ABSENT), faults=faults)
        return self._follow(scene, asking, self._parties[asking].begin()).scene

    def is_over(self, scene: Scene) -> bool:
        """Tells whether nothing can happen any more."""
        receiver, sender = self._states(scene)
        return receiver in OVER and sender in OVER

    def moves(self, scene: Scene) -> Iterator[tuple[Move, Step]]:
        """Yields all that can happen next."""
        met = self._meet_strangers(scene)
        for way in (TO_RECEIVER, TO_SENDER):
            if scene.ways[way] or scene.late[way]:
                yield from self._deliveries(scene, way)
                if scene.faults:
                    yield from self._mishaps(scene, way)
        yield from self._expiries(scene)
        if self._stepping and scene.faults:
            then = scene._replace(parties=met, faults=scene.faults - 1)
            yield ("strangers", TO_RECEIVER, b""), Step(then)

    def _states(self, scene: Scene) -> tuple[State | None, State | None]:
        receiver, sender = self._parties
        return receiver.states[scene.parties[0]], sender.states[scene.parties[1]]

    def _meet_strangers(self, scene: Scene) -> tuple[int, int]:
        receiver, sender = self._parties
        return (
            receiver.meet_strangers(scene.parties[0]),
            sender.meet_strangers(scene.parties[1]),
        )

    # Moves

    def _deliveries(self, scene: Scene, way: int) -> Iterator[tuple[Move, Step]]:
        flights, late = scene.ways[way], scene.late[way]
        if flights:
            ways = _put(scene.ways, way, flights[1:])
            yield ("arrives", way, flights[0]), self._deliver(scene, way, flights[0], ways)
        for data in dict.fromkeys(late):
            rest = _put(scene.late, way, _without(late, data))
            yield ("late", way, data), self._deliver(scene, way, data, scene.ways, rest)

    def _mishaps(self, scene: Scene, way: int) -> Iterator[tuple[Move, Step]]:
        """Yields what may become of datagrams by one fault.

        Only what is next is lost, kept back or doubled; what is behind it may overtake it.
        More would say the same twice: a datagram that is not next can wait for its fault.
        """
        flights = scene.ways[way]
        left = scene.faults - 1
        for index, data in enumerate(flights):
            rest = _put(scene.ways, way, flights[:index] + flights[index + 1 :])
            if index == 0:
                kept = _put(scene.late, way, tuple(sorted((*scene.late[way], data))))
                yield ("lost", way, data), Step(scene._replace(ways=rest, faults=left))
                then = scene._replace(ways=rest, late=kept, faults=left)
                yield ("kept", way, data), Step(then)
                yield ("doubled", way, data), self._deliver(then, way, data, rest)
            else:
                then = scene._replace(faults=left)
                yield ("overtakes", way, data), self._deliver(then, way, data, rest)
                yield ("copied", way, data), self._deliver(then, way, data, scene.ways)

    def _expiries(self, scene: Scene) -> Iterator[tuple[Move, Step]]:
        waits = [
            party.waits[state] for party, state in zip(self._parties, scene.parties, strict=True)
        ]
        first = min(wait for wait in waits if wait is not None)
        quiet = scene.ways == ((), ())
        for way, wait in enumerate(waits):
            if wait is None:
                continue
            in_turn = wait <= SOON or (quiet and wait <= first + SOON)
            if not in_turn and (not scene.faults or not self._can_stall(scene, way, wait)):
                continue
            states = self._wait(scene, max(wait, 0.0))
            answer = self._parties[way].expire(states[way])
            left = scene.faults if in_turn else scene.faults - 1
            then = scene._replace(parties=states, faults=left)
            yield ("expires", way, b""), self._follow(then, way, answer)

    def _can_stall(self, scene: Scene, way: int, wait: float) -> bool:
        """Tells whether a deadline may pass out of turn. Who dallies is not in a hurry."""
        return wait <= self._stall and self._states(scene)[way] is not State.DALLYING

    def _wait(self, scene: Scene, seconds: float) -> tuple[int, int]:
        if not seconds:
            return scene.parties
        receiver, sender = self._parties
        return (
            receiver.wait(scene.parties[0], seconds),
            sender.wait(scene.parties[1], seconds),
        )

    # What a move is made of

    def _deliver(
        self, scene: Scene, way: int, data: bytes, ways: Ways, late: Ways | None = None
    ) -> Step:
        states = self._wait(scene, self._tick)
        answer = self._parties[way].receive(states[way], data)
        acknowledged = scene.acknowledged
        if way == TO_SENDER:
            opcode, number = HEADER.unpack_from(data)
            if opcode == ACK and number > acknowledged:
                acknowledged = number
        then = Scene(
            states,
            ways,
            scene.late if late is None else late,
            scene.faults,
            scene.delivered,
            acknowledged,
        )
        return self._follow(then, way, answer)

    def _follow(self, scene: Scene, way: int, answer: Answer) -> Step:
        """Puts on its way what one party has said, and looks whether it may say so."""
        delivered = scene.delivered
        if answer.payload is not None:
            wanted = self._content[delivered : delivered + len(answer.payload)]
            assert answer.payload == wanted, f"wrong bytes at {delivered}"
            delivered += len(wanted)
        parties = (scene.parties[0], answer.state) if way else (answer.state, scene.parties[1])
        state = self._parties[way].states[answer.state]
        # A sender that was hushed may end without knowing, but nothing may be missing.
        if state is State.DALLYING or state in OVER:
            assert delivered == len(self._content), f"the {NAMES[way]} ends, and not all is there"
        ways, late = scene.ways, scene.late
        data = acks = 0
        for word in answer.sent:
            opcode, number = HEADER.unpack_from(word)
            if opcode == DATA:
                data += 1
                assert number <= scene.acknowledged + self._window, f"DATA {number} is too far"
            elif opcode == ACK:
                acks += 1
                all_of_it = min(number * self._block_size, len(self._content))
                assert all_of_it <= delivered, f"ACK {number} is false"
            else:
                assert opcode in (RRQ, WRQ, OACK), f"the {NAMES[way]} sends {describe(word)}"
        other = 1 - way
        if answer.sent and self._parties[other].states[parties[other]] not in OVER:
            ways = _put(ways, other, ways[other] + answer.sent)
        if state in OVER:  # what comes to it now is nobody's
            ways, late = _put(ways, way, ()), _put(late, way, ())
        then = Scene(parties, ways, late, scene.faults, delivered, scene.acknowledged)
        return Step(then, data, acks)


def _put(pair: Ways, way: int, flights: Flights) -> Ways:
    return (pair[0], flights) if way else (flights, pair[1])


def _without(flights: Flights, data: bytes) -> Flights:
    index = flights.index(data)
    return flights[:index] + flights[index + 1 :]
