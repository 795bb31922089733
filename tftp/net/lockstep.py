"""The shortest way from an ACK to the next block (RFC 1350 section 2).

In lock-step a client waits for each block, and a server for many of them spends its time
on small packets. Once such a transfer has got going it gets a connected socket, takes ACKs
with one call into the core, and sends packets that the transfers of one file share. Whatever
is out of the ordinary goes the way of `Outbound`. Must not know who waits for the sockets.
"""

from tftp.errors import LocalError
from tftp.net.channel import CONNECT_AFTER, Outbound, Scratch
from tftp.net.cold import Cold
from tftp.net.files import FileSource, Source
from tftp.net.sealed import Shared
from tftp.net.udp import Endpoint
from tftp.protocol.sender import Sender

__all__ = ["LockStep"]


class LockStep(Outbound):
    """Sends a source with a window of one."""

    __slots__ = ("_shared",)

    def __init__(
        self, sender: Sender, endpoint: Endpoint, source: Source, scratch: Scratch
    ) -> None:
        """Takes ownership of endpoint and source. `flush` starts it."""
        super().__init__(sender, endpoint, source, scratch)
        self._shared: Shared | None = None
        if isinstance(source, FileSource) and source.identity and not sender.terms.rollover:
            self._shared = scratch.cache.join(source.identity, sender.terms.block_size)

    @property
    def wants_connection(self) -> bool:
        """Whether it has run for long enough that `connect` pays."""
        return self.endpoint.fast is None and self.transfer.sent_blocks == CONNECT_AFTER

    def step(self, now: float) -> bool:
        """Takes what the connected socket has; True when that was an ACK and is answered.

        False: look at the transfer as after any other input.
        """
        transfer, fast, arena = self.transfer, self.endpoint.fast, self._scratch.arena
        assert fast is not None, "step comes after connect"
        block = 0
        try:
            size = fast.recv_into(arena)
            block = transfer.step(arena, now) if size >= 4 else 0
            if not block:
                transfer.receive(arena[:size], transfer.peer, now)
                self.flush(now)
                return False
            shared = self._shared
            packet: bytes | memoryview | None = None
            if shared is not None:
                packet = shared.packets.get(block)
            if packet is None:
                packet = self._seal(block)
            fast.send(packet)
        except BlockingIOError:
            self.blocked = block > 0  # it is named, and goes out once the socket takes it
            return not self.blocked
        except Cold as cold:
            self._wait_for(cold.source, now)  # it is named, and `flush` will send it
            return False
        except LocalError as error:
            self.fail(error, now)
            return False
        except OSError:
            return True  # an ICMP error of an earlier block, or a block lost; the timer decides
        transfer.stepped(block, len(packet) - 4, now)
        return True

    def _seal(self, block: int) -> bytes | memoryview:
        """Reads and stamps a block. Raises LocalError or Cold.

        The last one is not shared: its reading tells whether the file is still the same,
        which each transfer has to ask for itself.
        """
        block_size = self.transfer.terms.block_size
        train = self._scratch.train(block_size, 1)
        size = self.source.read_into(train.slots[:1], (block - 1) * block_size)
        train.stamp(block, 1)
        view = train.view[: 4 + size]
        shared = self._shared
        if shared is None or shared.users < 2 or size < block_size:
            return view
        kept = bytes(view)
        self._scratch.cache.keep(shared, block, kept)
        return kept

    def close(self) -> None:
        """Gives back socket, file and share."""
        super().close()
        if self._shared is not None:
            self._scratch.cache.leave(self._shared)
            self._shared = None
