"""The shortest way from DATA to its ACK (RFC 1350 section 2, RFC 7440 section 4).

An upload whose blocks come one by one spends its time on small packets. Once it has got
going it gets a connected socket. In lock-step one call into the core tells whether the
block awaited has come; with a window the datagrams are laid end to end, so that they are
taken as the train that they are. A peer whose trains arrive whole needs none of this.
Whatever is out of the ordinary goes the way of `Inbound`. Must not know who waits.
"""

from tftp.errors import LocalError
from tftp.net.channel import CONNECT_AFTER, MAX_BLOCKS, Inbound
from tftp.protocol.states import State

__all__ = ["QuickInbound"]


class QuickInbound(Inbound):
    """Receives into a sink, over a connected socket once that pays."""

    __slots__ = ()

    @property
    def wants_connection(self) -> bool:
        """Whether it has run for long enough, with blocks that come singly."""
        transfer = self.transfer
        return (
            self.endpoint.fast is None
            and not self.trains
            and transfer.state is State.STREAMING
            and transfer.received_bytes >= CONNECT_AFTER * transfer.terms.block_size
        )

    def step(self, now: float) -> bool:
        """Takes what the connected socket has; True when that is written and answered.

        False: look at the transfer as after any other input.
        """
        if self.transfer.terms.window > 1:
            self._take_window(now)
            return False
        transfer, fast, arena = self.transfer, self.endpoint.fast, self._scratch.arena
        assert fast is not None, "step comes after connect"
        try:
            size = fast.recv_into(arena)
            if not transfer.awaits(arena, size):
                self._take_any(arena[:size], 0, now)
                return False
            self.sink.write([arena[4:size]])
            fast.send(transfer.take(now))
        except LocalError as error:
            self.fail(error, now)
            return False
        except OSError:
            return True  # nothing there, or an ACK that is lost; the peer asks again
        return True

    def _take_window(self, now: float) -> bool:
        """Lays what is there end to end, up to the end of the window; False if nothing is."""
        transfer, fast, arena = self.transfer, self.endpoint.fast, self._scratch.arena
        assert fast is not None, "step comes after connect"
        stride = transfer.terms.block_size + 4
        end = size = 0
        for _ in range(min(transfer.missing, MAX_BLOCKS, (len(arena) - 1) // stride)):
            try:
                size = fast.recv_into(arena[end : end + stride + 1])
            except OSError:
                break
            if size > stride:  # too large a block, of which one octet too many is seen
                break
            end += size
            if size < stride:
                break
        if end:
            self._take_any(arena[:end], stride, now)
        if size > stride:
            self._take_any(arena[end : end + size], 0, now)
        return end > 0 or size > stride

    def _take_any(self, arrival: memoryview, stride: int, now: float) -> None:
        if not self.finishing:  # the last ACK, when it may go, answers that too
            transfer = self.transfer
            self._store(transfer.receive_train(arrival, stride, transfer.peer, now), now)
