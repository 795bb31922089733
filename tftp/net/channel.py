"""The driver: a transfer, its endpoint and its file, joined (RFC 1350, RFC 7440).

The same driver runs in the server's loop and in the client. It keeps the core's contract
(after any input, poll until None) and adds what the core must not know: octets. Write
first, then speak: an ACK never goes ahead of its write. An upload is made durable in
`finish`, which a server does beside its loop; the last ACK waits for it.
Must not know who waits for the socket, or why the transfer was allowed.
"""

from abc import ABC, abstractmethod

from tftp.errors import LocalError
from tftp.net.cold import Cold, Fetching
from tftp.net.files import Sink, Source
from tftp.net.sealed import Cache
from tftp.net.udp import MAX_DATAGRAM, Endpoint
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.train import Train
from tftp.protocol.transfer import Burst, Ending

__all__ = ["CONNECT_AFTER", "MAX_BLOCKS", "Channel", "Inbound", "Outbound", "Scratch"]

MAX_TRAINS = 16  # of different block sizes kept by one loop; each is at most 64 KiB
ARENA = 4 * 65536  # what is received before it is written in one go
CONNECT_AFTER = 16  # small blocks: a shorter transfer is over before a second socket pays
MAX_ARRIVALS = 64  # datagrams taken from one socket before the others have their turn
# What one transfer sends before the others have their turn: enough for a default window of
# blocks that fit a frame, so that it goes out at once; a few trains, when others wait.
MAX_BLOCKS = 128
MAX_OCTETS = 256 << 10
LOOK_AGAIN = 1.0  # seconds: a file that is waited for may have come without a word
DISK_PATIENCE = 60.0  # seconds for a file to come from its disk; by then its peer has left


class Scratch:
    """Buffers that all channels of one thread share; each use ends before the next begins."""

    def __init__(self, cache: int = 0) -> None:
        """Makes the arena; trains come when they are needed. `cache` is in octets."""
        self.cache = Cache(cache)
        self.arena = memoryview(bytearray(ARENA))
        self._trains: dict[int, Train] = {}

    def train(self, block_size: int, room: int) -> Train:
        """Returns a train of that block size with room for at least `room` blocks."""
        train = self._trains.pop(block_size, None)
        if train is None or train.room < room:
            train = Train(block_size, room)
            if len(self._trains) == MAX_TRAINS:
                del self._trains[next(iter(self._trains))]
        self._trains[block_size] = train
        return train


class Channel(ABC):
    """A transfer that runs over an endpoint. Call `readable` and `expire`, then look at it."""

    __slots__ = ("_scratch", "blocked", "endpoint", "failure", "transfer", "waiting")

    transfer: Sender | Receiver

    def __init__(self, endpoint: Endpoint, scratch: Scratch) -> None:
        """Takes ownership of the endpoint."""
        self.endpoint = endpoint
        self._scratch = scratch
        self.blocked = False
        """Whether there is more to send: call `flush` once the socket is writable.

        It was full, or the others have their turn first.
        """
        self.waiting: Fetching | None = None
        """What it waits for instead: call `flush` once that has been fetched."""
        self.failure: LocalError | None = None
        """What went wrong on this side, if that ended the transfer."""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do but `close`."""
        return self.transfer.deadline is None

    @property
    def deadline(self) -> float | None:
        """When `expire` should be called."""
        return self.transfer.deadline

    @property
    def wants_connection(self) -> bool:
        """Whether a connected socket would pay: then `step` takes what that one has."""
        return False

    def step(self, now: float) -> bool:
        """Takes what the connected socket has; True when nothing but the deadline has changed."""
        raise AssertionError("a kind that wants a connection says what to do with it")

    @abstractmethod
    def readable(self, now: float) -> None:
        """Takes what has arrived, a bounded amount of it, and answers."""

    @abstractmethod
    def flush(self, now: float) -> None:
        """Sends what the transfer has to say, a bounded amount of it; see `blocked`."""

    def expire(self, now: float) -> None:
        """Takes the time. What has come by now counts before it: we may be the ones who slept."""
        if self.endpoint.fast is not None:
            self.step(now)
        self.readable(now)
        self._expire(now)

    def _expire(self, now: float) -> None:
        self.transfer.expire(now)
        self.flush(now)

    def fail(self, error: LocalError, now: float) -> None:
        """Ends the transfer for a reason on this side; the peer gets the ERROR of it."""
        self.failure = error
        self.transfer.abort(error.code, str(error))
        self.flush(now)

    def close(self) -> None:
        """Gives back socket and file; an upload that is not complete vanishes."""
        self.endpoint.close()


class Outbound(Channel):
    """Sends a source."""

    __slots__ = ("_look_at", "_room", "_share", "_waits_since", "source")

    transfer: Sender

    def __init__(
        self, sender: Sender, endpoint: Endpoint, source: Source, scratch: Scratch
    ) -> None:
        """Takes ownership of endpoint and source. `flush` starts it."""
        super().__init__(endpoint, scratch)
        self.transfer = sender
        self.source = source
        self._room = 0
        self._share = 0
        self._waits_since = self._look_at = 0.0

    @property
    def deadline(self) -> float | None:
        """When `expire` should be called; while the disk is slow, the peer is not late."""
        return self.transfer.deadline if self.waiting is None else self._look_at

    def readable(self, now: float) -> None:
        """Takes ACKs. One a turn is all that lock-step can bring."""
        transfer, arena = self.transfer, self._scratch.arena
        for _ in range(1 if transfer.terms.window == 1 else MAX_ARRIVALS):
            arrival = self.endpoint.receive_into(arena)
            if arrival is None:
                break
            transfer.receive(arena[: arrival[0]], arrival[2], now)
        self.flush(now)

    def flush(self, now: float) -> None:
        """Sends what the core names, until that is nothing, a share, or all the socket takes."""
        transfer = self.transfer
        self.blocked = False
        left = self._share
        try:
            while (word := transfer.poll(self._room or 1)) is not None:
                if not isinstance(word, Burst):
                    self.endpoint.send(word.data, word.to)
                elif not self._room:
                    self._plan()
                    left = self._share  # and ask again, now that the room is known
                elif left <= 0 or not self._send_burst(word, now):
                    self.blocked = True
                    break
                else:
                    left -= word.count
        except Cold as cold:
            self._wait_for(cold.source, now)
        else:
            if self.waiting is not None:
                self.transfer.excuse(now - self._waits_since, now)
            self.waiting = None

    def _expire(self, now: float) -> None:
        # None of the time is the transfer's while the disk has not answered.
        if self.waiting is None:
            self.transfer.expire(now)
        self.flush(now)

    def _wait_for(self, source: Fetching, now: float) -> None:
        """Leaves what the core has named unsent; it will name it again."""
        if self.waiting is None:
            self._waits_since = now
        elif now - self._waits_since >= DISK_PATIENCE:
            self.fail(LocalError("Local error (the disk does not answer)"), now)
            return
        self.waiting = source
        self._look_at = now + LOOK_AGAIN

    def _plan(self) -> None:
        """Says how many blocks go into one train, and how many out in one turn."""
        terms = self.transfer.terms
        stride = terms.block_size + 4
        room = 1 if terms.window == 1 else min(terms.window, self.endpoint.plan_trains(stride))
        self._room = max(1, min(room, MAX_DATAGRAM // stride))
        self._share = max(1, min(MAX_BLOCKS, MAX_OCTETS // terms.block_size))

    def _send_burst(self, burst: Burst, now: float) -> bool:
        terms = self.transfer.terms
        train = self._scratch.train(terms.block_size, self._room)
        try:
            size = self.source.read_into(train.slots[: burst.count], burst.offset)
        except LocalError as error:
            self.failure = error
            self.transfer.abort(error.code, str(error))
            return True
        full, rest = divmod(size, terms.block_size)
        count, end = full, full * train.stride
        if full < burst.count:  # the last block, short or empty, ends the file
            count, end = full + 1, end + 4 + rest
        train.stamp(burst.first, count, terms.rollover)
        left = self.endpoint.send_train(train.view[:end], train.stride, self.transfer.peer)
        if left == count:
            self.transfer.sent(burst, size, now)
            return True
        if left:
            part = Burst(burst.first, left, burst.offset)
            self.transfer.sent(part, left * terms.block_size, now)
        return False

    def close(self) -> None:
        """Gives back socket and file."""
        super().close()
        self.waiting = None
        self.source.close()


class Inbound(Channel):
    """Receives into a sink."""

    __slots__ = ("_committed", "begun", "sink", "trains")

    transfer: Receiver

    def __init__(
        self, receiver: Receiver, endpoint: Endpoint, sink: Sink, scratch: Scratch
    ) -> None:
        """Takes ownership of endpoint and sink. `flush` starts it."""
        super().__init__(endpoint, scratch)
        self.transfer = receiver
        self.sink = sink
        self._committed = False
        self.trains = False
        """Whether the kernel has handed over a train."""
        self.begun = False
        """Whether somebody has taken it on to call `finish`."""

    @property
    def finishing(self) -> bool:
        """Whether all octets are here and `finish` has not run yet; till then it is silent."""
        outcome = self.transfer.outcome
        return outcome is not None and outcome.ending is Ending.COMPLETE and not self._committed

    @property
    def deadline(self) -> float | None:
        """When `expire` should be called; never while the file is being made durable."""
        return None if self.finishing else self.transfer.deadline

    @property
    def over(self) -> bool:
        """Whether nothing is left to do but `close`."""
        return self.transfer.deadline is None and not self.finishing

    def readable(self, now: float) -> None:
        """Takes DATA, writes it, then answers; leaves the answer to `finished` at the end."""
        transfer, arena = self.transfer, self._scratch.arena
        if self.finishing:
            self.endpoint.receive_into(arena)  # the last ACK, when it may go, answers that too
            return
        if transfer.terms.window > 1 and transfer.state is State.STREAMING:
            views = self._gather(arena, now)
        else:
            arrival = self.endpoint.receive_into(arena)
            if arrival is None:
                return
            size, stride, source = arrival
            self.trains = self.trains or stride > 0
            views = transfer.receive_train(arena[:size], stride, source, now)
        self._store(views, now)

    def _store(self, views: list[memoryview], now: float) -> None:
        """Writes what came in order, then answers."""
        if views:
            try:
                self.sink.write(views)
            except LocalError as error:
                self.fail(error, now)
                return
        self.flush(now)

    def _gather(self, arena: memoryview, now: float) -> list[memoryview]:
        """Takes arrivals side by side, so that a window is one write."""
        views: list[memoryview] = []
        start = 0
        for _ in range(MAX_ARRIVALS):
            arrival = self.endpoint.receive_into(arena[start : start + 65536])
            if arrival is None:
                break
            size, stride, source = arrival
            self.trains = self.trains or stride > 0
            end = start + size
            views += self.transfer.receive_train(arena[start:end], stride, source, now)
            start = end
            if start + 65536 > len(arena) or self.transfer.state is not State.STREAMING:
                break
        return views

    def finish(self) -> LocalError | None:
        """Makes the file durable and visible. It may take its time, in any thread."""
        try:
            self.sink.commit()
        except LocalError as error:
            return error
        return None

    def finished(self, error: LocalError | None, now: float) -> None:
        """Takes what `finish` returned, and sends the last ACK or an ERROR."""
        self._committed = True
        if error is not None:
            self.fail(error, now)
        else:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Sends ACKs; the same one only once, however many copies of a block came at a time.

        Not the last one before `finished`: it says that the file is there.
        """
        if self.finishing:
            return
        last: bytes | None = None
        while (word := self.transfer.poll()) is not None:
            assert not isinstance(word, Burst), "a receiver has no blocks to send"
            if word.data != last:
                self.endpoint.send(word.data, word.to)
            last = word.data

    def close(self) -> None:
        """Gives back socket and file; what is not complete vanishes."""
        super().close()
        self.sink.discard()
