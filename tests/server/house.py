"""A server whose loop is turned by hand, in the thread of its clients.

Everything happens when the test says so: a turn finds what the clients said before it, and
what it answers is there when it is over. So nothing depends on how fast anything is.
"""

import os
import select
import socket
from collections import Counter
from collections.abc import Iterable
from time import monotonic

import pytest

from tests.server.lab import QUIET
from tests.server.wire import PATIENCE, Address, Peer, ack, data, oack, rrq
from tftp.errors import NoSuchFile
from tftp.net.files import BytesSource, Sink, Source
from tftp.net.udp import Endpoint, bind_listener, bind_transfer
from tftp.server import Config, Limits
from tftp.server.journal import Journal
from tftp.server.loop import Loop
from tftp.server.service import Service

__all__ = ["BLOCKS", "BLOCK_SIZE", "SMALL", "TRAIN", "WINDOW", "House", "block"]

# With so many ports somebody else's late words would reach one of them sooner or later.
ELSEWHERE = ("127.9.9.7", 0)
WINDOW = 2048
BLOCK_SIZE = 1428
TRAIN = 45  # blocks of that size, at the most
SMALL = bytes(range(256)) * 40
BLOCKS = len(SMALL) // 512 + 1  # so many that lock-step gets its connected socket on the way


def block(number: int) -> bytes:
    """A block of the small file."""
    return data(number, SMALL[512 * (number - 1) : 512 * number])


class Memory:
    """Two files, one of them large."""

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        return BytesSource(SMALL if name == "small" else bytes(4 * WINDOW * BLOCK_SIZE))

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        raise NoSuchFile("File not found")


class House:
    """A server that makes a turn when it is told to, and notes the blocks that it sends."""

    def __init__(self, patch: pytest.MonkeyPatch, limits: Limits) -> None:
        listener = bind_listener(socket.AF_INET, ELSEWHERE)
        self.address: Address = listener.getsockname()
        config = Config(limits=limits, timing=QUIET, spin=False)
        service = Service(Memory(), limits, QUIET)
        self.guard = service.guard
        self.loop = Loop([listener], service, config, Journal())
        self.endpoints: dict[Address, Endpoint] = {}
        self.blocks: Counter[Address] = Counter()
        """How many went to whom in this turn, through the unconnected sockets."""
        self.shortages: list[int] = []
        """What the next transfers hear when they ask for a socket: error numbers."""
        self._peers: list[Peer] = []
        patch.setattr("tftp.server.loop.LONGEST_WAIT", 1.0)  # to fail, not to hang
        self._note_endpoints(patch)
        self._note_trains(patch)

    def _note_endpoints(self, patch: pytest.MonkeyPatch) -> None:
        def noted(
            family: socket.AddressFamily, local: str, scope: int, ports: range | None
        ) -> Endpoint:
            if self.shortages:
                number = self.shortages.pop()
                raise OSError(number, os.strerror(number))
            endpoint = bind_transfer(family, local, scope, ports)
            self.endpoints[endpoint.socket.getsockname()] = endpoint
            return endpoint

        patch.setattr("tftp.server.loop.bind_transfer", noted)

    def _note_trains(self, patch: pytest.MonkeyPatch) -> None:
        send_train = Endpoint.send_train

        def noted(endpoint: Endpoint, view: memoryview, stride: int, to: Address) -> int:
            count = send_train(endpoint, view, stride, to)
            self.blocks[to] += count
            return count

        patch.setattr(Endpoint, "send_train", noted)

    def peer(self) -> Peer:
        peer = Peer(self.address, ELSEWHERE)
        self._peers.append(peer)
        return peer

    def turn(self) -> None:
        self.blocks.clear()
        self.loop.turn()

    def say(self, words: Iterable[tuple[Peer, bytes]]) -> None:
        """Has each client say something, and waits until it lies in the server's sockets."""
        waiting = select.poll()
        awaited = 0
        for peer, word in words:
            peer.say(word)
            assert peer.tid is not None
            endpoint = self.endpoints[peer.tid]
            sock = endpoint.fast or endpoint.socket
            waiting.register(sock, select.POLLIN)
            awaited += 1
        until = monotonic() + PATIENCE
        while len(waiting.poll(PATIENCE * 1000)) < awaited:
            assert monotonic() < until, "what was said does not arrive"

    def has_two_sockets(self, peer: Peer) -> bool:
        """Tells whether the transfer of a peer has its connected socket."""
        assert peer.tid is not None
        return self.endpoints[peer.tid].fast is not None

    def giant(self) -> Peer:
        """A client that has been granted a large window; its next turn begins it."""
        peer = self.peer()
        peer.ask(rrq("large", blksize=BLOCK_SIZE, windowsize=WINDOW))
        self.turn()
        peer.expect(oack(blksize=BLOCK_SIZE, windowsize=WINDOW))
        self.say([(peer, ack(0))])
        return peer

    def small(self, count: int) -> list[Peer]:
        """Clients in lock-step that have block 1, and have not said so yet."""
        peers = [self.peer() for _ in range(count)]
        for peer in peers:
            peer.ask(rrq("small"))
            self.turn()
            peer.expect(block(1))
        return peers

    def close(self) -> None:
        self.loop.stop(at_once=True)
        self.loop.run()
        for peer in self._peers:
            peer.close()
