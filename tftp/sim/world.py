"""Two ends of one transfer in virtual time, driven as the real driver does it.

`Conversation` runs any `Sender` against any `Receiver` over two links and keeps the whole
conversation as a ladder. Time jumps from event to event; nothing waits. What is checked
at every step: what was handed out is a prefix of the file, a living transfer has a
deadline, and nothing leaves the window (that one the core asserts by itself).
"""

import heapq
from collections.abc import Callable

from tftp.protocol.blocks import to_wire
from tftp.protocol.packets import DATA, HEADER, RRQ, WRQ, describe, peek
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address, Burst, Transfer
from tftp.sim.link import Faults, Link

__all__ = ["Conversation"]

Event = tuple[float, int, Callable[[], None]]


class Conversation:
    """One transfer from `sender` to `receiver`, each at its own address."""

    def __init__(
        self,
        sender: Sender,
        receiver: Receiver,
        addresses: tuple[Address, Address],
        content: bytes,
        *,
        faults: Faults | None = None,
        seed: int = 0,
        room: int = 64,
    ) -> None:
        """Sets the scene; `addresses` are the sender's and the receiver's own."""
        self.sender, self.receiver = sender, receiver
        self.content = content
        self.delivered = bytearray()
        self.now = 0.0
        self.ladder: list[str] = []
        self.data_sent: dict[int, int] = {}
        """How often each block (absolute number) was sent."""
        self.delivered_at = 0.0
        """When the last octets were handed out; what follows is dallying."""
        self._at = addresses
        self._room = room
        self._links = (
            Link(faults or Faults(), f"{seed} there"),
            Link(faults or Faults(), f"{seed} back"),
        )
        self._events: list[Event] = []
        self._count = 0
        self._met = False

    def run(self, limit: float = 3600.0, steps: int = 2_000_000) -> None:
        """Runs until both ends are over. Raises AssertionError when that takes too long."""
        self._speak(self.sender)
        self._speak(self.receiver)
        for _ in range(steps):
            if self._over():
                return
            self._step()
            assert self.now <= limit, f"still running after {self.now:.1f} s"
        raise AssertionError(f"still running after {steps} steps")

    @property
    def blocks_sent(self) -> int:
        """Counts the DATA packets, copies included."""
        return sum(self.data_sent.values())

    def _over(self) -> bool:
        return not self._events and all(
            transfer.deadline is None for transfer in (self.sender, self.receiver)
        )

    def _step(self) -> None:
        """Goes to whatever comes first: a datagram or a deadline."""
        due = min(
            (t.deadline for t in (self.sender, self.receiver) if t.deadline is not None),
            default=float("inf"),
        )
        if self._events and self._events[0][0] <= due:
            self.now, _, deliver = heapq.heappop(self._events)
            deliver()
            return
        self.now = due
        for transfer in (self.sender, self.receiver):
            transfer.expire(self.now)
            self._speak(transfer)

    def _speak(self, transfer: Transfer) -> None:
        """Polls one end until it has nothing more to say, as the contract wants."""
        while (word := transfer.poll(self._room)) is not None:
            if isinstance(word, Burst):
                self._send_burst(word)
            else:
                self._send(transfer, word.data, word.to)
        alive = transfer.state not in (State.DONE, State.FAILED)
        assert (transfer.deadline is not None) == alive, "a living transfer has a deadline"

    def _send_burst(self, burst: Burst) -> None:
        size = self.sender.terms.block_size
        payload = self.content[burst.offset : burst.offset + burst.count * size]
        count = min(burst.count, len(payload) // size + 1)
        for index in range(count):
            block = burst.first + index
            self.data_sent[block] = self.data_sent.get(block, 0) + 1
            number = to_wire(block, self.sender.terms.rollover)
            header = HEADER.pack(DATA, number)
            data = header + payload[index * size : (index + 1) * size]
            self._send(self.sender, data, self.sender.peer)
        self.sender.sent(burst, len(payload), self.now)

    def _send(self, origin: Transfer, data: bytes, to: Address) -> None:
        mine = 0 if origin is self.sender else 1
        self.ladder.append(f"{self.now:10.6f} {'>' if mine == 0 else '<'} {describe(data)}")
        target: Transfer = self.receiver if mine == 0 else self.sender
        for arrival in self._links[mine].carry(self.now):
            self._schedule(arrival, lambda: self._deliver(target, data, self._at[mine]))

    def _schedule(self, when: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, action))

    def _deliver(self, target: Transfer, data: bytes, source: Address) -> None:
        if peek(data) in (RRQ, WRQ):
            # The side that answers has stood there from the start: the first one made it.
            if self._met:
                target.ask_again(self.now)
            self._met = True
        elif target is self.receiver:
            payload = self.receiver.receive(data, source, self.now)
            if payload is not None:
                start = len(self.delivered)
                self.delivered += payload
                self.delivered_at = self.now
                wanted = self.content[start : start + len(payload)]
                assert payload == wanted, f"wrong bytes at {start}"
        else:
            self.sender.receive(data, source, self.now)
        self._speak(target)
