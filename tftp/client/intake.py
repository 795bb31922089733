"""What a download does with DATA: acknowledge, then write (RFC 1350 section 2, RFC 7440).

A server sends nothing between the last block of a window and its ACK. So with windows the
ACK goes out first, and while the server reads on, we write. Nobody is told that octets are
safe which are not: the last ACK waits until the file stands under its name, and a write
that fails ends the transfer with an ERROR, and the call with an exception.
Must not know who waits.
"""

from tftp.errors import LocalError
from tftp.net.arrivals import QuickInbound
from tftp.net.channel import Scratch
from tftp.net.files import Sink
from tftp.net.udp import Endpoint
from tftp.protocol.receiver import Receiver
from tftp.protocol.states import State

__all__ = ["Intake"]

SMALLEST_CUT = 512  # octets of a block; of smaller ones there would be too many places
ENOUGH = 65536  # octets to write while more of a window is to come; a train is not larger


class Intake(QuickInbound):
    """Receives a download into a sink. After any number of `take`, call `settle`."""

    __slots__ = ("_filled", "_slots", "_unwritten")

    def __init__(
        self, receiver: Receiver, endpoint: Endpoint, sink: Sink, scratch: Scratch
    ) -> None:
        """Takes ownership of endpoint and sink. The scratch serves no other channel."""
        super().__init__(receiver, endpoint, sink, scratch)
        self._unwritten: list[memoryview] = []
        self._filled = 0  # octets of the arena that hold them
        self._slots: list[memoryview] = []

    def take(self, now: float) -> bool:
        """Takes what has arrived, one datagram or train, or one window; False if nothing has.

        Of two sockets it looks at the connected one; strangers need `readable`. What it
        takes of a window is in memory only until that is complete.
        """
        if self.endpoint.fast is not None:
            return self._take_fast(now)
        transfer, start = self.transfer, self._filled
        space = self._scratch.arena[start:]
        arrival = self.endpoint.receive_into(space)
        if arrival is None:
            return False
        size, stride, source = arrival
        self.trains = self.trains or stride > 0
        streaming = transfer.state is State.STREAMING
        slots = self._cut(size) if stride and streaming else None
        views = transfer.receive_train(space[:size], stride, source, now, slots)
        if transfer.terms.window == 1 or transfer.state is not State.STREAMING:
            self._store(views, now)
            return True
        self.flush(now)
        if views:
            self._unwritten += views
            self._filled = start = start + self._round(size)
        complete = transfer.missing == transfer.terms.window
        if complete or start > ENOUGH:
            self.settle(now)
        return True

    def _cut(self, size: int) -> list[memoryview]:
        """Returns the places of full blocks in what has come; the arena is cut up only once."""
        block_size = self.transfer.terms.block_size
        stride = block_size + 4
        if not self._slots and block_size >= SMALLEST_CUT:
            arena = self._scratch.arena
            ends = range(stride, len(arena) + 1, stride)
            self._slots = [arena[end - block_size : end] for end in ends]
        first = self._filled // stride
        return self._slots[first : first + size // stride]

    def _round(self, size: int) -> int:
        """Returns that many octets or more, so that what comes next begins at a place for it."""
        stride = self.transfer.terms.block_size + 4
        return -(-size // stride) * stride

    def settle(self, now: float) -> None:
        """Writes what was taken, if that is not done."""
        views, self._unwritten, self._filled = self._unwritten, [], 0
        if views:
            try:
                self.sink.write(views)
            except LocalError as error:
                self.fail(error, now)

    def _store(self, views: list[memoryview], now: float) -> None:
        """Writes what came in order, then answers; with a window, the other way round."""
        if self._unwritten:
            views, self._unwritten = self._unwritten + views, []
        if self.transfer.terms.window == 1:
            super()._store(views, now)
            return
        self.flush(now)
        self._unwritten = views
        self.settle(now)

    def _take_fast(self, now: float) -> bool:
        transfer, fast, arena = self.transfer, self.endpoint.fast, self._scratch.arena
        if transfer.terms.window > 1:
            return self._take_window(now)
        assert fast is not None, "asked by take"
        try:
            size = fast.recv_into(arena)
        except OSError:
            return False  # nothing there; or an ICMP error of an ACK, and the timer decides
        if not transfer.awaits(arena, size):
            self._take_any(arena[:size], 0, now)
            return True
        try:
            self.sink.write([arena[4:size]])
            fast.send(transfer.take(now))
        except LocalError as error:
            self.fail(error, now)
        except OSError:
            return True  # an ACK that is lost; the server asks again
        return True
