"""The second, connected sockets of transfers that have got going.

They make a block a third cheaper, and cost a descriptor each; so there are as many as may
be while descriptors are plenty, and they are given up first when those run out. Must not
know what is sent.
"""

import errno
import os
import resource
import select
import sys
from collections.abc import Callable
from itertools import islice

from tftp.net.channel import Channel
from tftp.net.clock import now as clock
from tftp.net.udp import Endpoint
from tftp.server.running import Running

__all__ = ["Connections", "most_descriptors"]

RESERVE = 16  # descriptors that no transfer gets: to make an upload durable takes one
SPARED = 64  # connected sockets given up when descriptors run out: others may come yet


class Connections:
    """The connected sockets that an epoll waits for."""

    def __init__(self, epoll: select.epoll) -> None:
        """Begins with none."""
        self._epoll = epoll
        self.pairs: dict[int, tuple[Channel, Running]] = {}
        """The transfers that have one, by its descriptor."""
        self.last = 0
        """The descriptor that was had last. As it is the lowest free one, it tells how many."""

    def claim(self, endpoint: Endpoint) -> None:
        """Takes note of a new endpoint; closes it and raises OSError if it is one of the last."""
        self.last = endpoint.fileno()
        if self.last + RESERVE >= most_descriptors():
            endpoint.close()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def connect(self, running: Running, limit: int) -> bool:
        """Gives a transfer one, while there are fewer than `limit` and that is cheap."""
        channel = running.channel
        endpoint = channel.endpoint
        if len(self.pairs) >= limit or 4 * self.last > 3 * most_descriptors():
            return False
        if not endpoint.connect(channel.transfer.peer):
            return False
        assert endpoint.fast is not None, "connect has made it"
        self.last = endpoint.fast.fileno()
        self.pairs[self.last] = channel, running
        self._epoll.register(self.last, select.EPOLLIN)
        return True

    def disconnect(self, endpoint: Endpoint) -> None:
        """Closes the one of a transfer, if it has one; its first one hears the peer again."""
        if endpoint.fast is not None:
            self._epoll.unregister(endpoint.fast.fileno())
            del self.pairs[endpoint.fast.fileno()]
            endpoint.disconnect()

    def spare(self, after: Callable[[Running], None]) -> bool:
        """Gives up the oldest ones, for a new transfer lacks descriptors.

        Returns whether there were any. What they had is taken first.
        """
        pairs = list(islice(self.pairs.values(), SPARED))
        for channel, running in pairs:
            if not channel.step(clock()):
                after(running)
            self.disconnect(channel.endpoint)
        return bool(pairs)


def most_descriptors() -> int:
    """Returns how many this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
