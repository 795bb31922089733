"""Whoever has no business here: forged requests, noise, and packets for other people's ports.

A stranger can say that it is anybody, and knows or guesses ports: of a server's transfers, of
clients, and the one for requests. Each of its packets is valid or nearly so. What it must not
do, as nothing in TFTP could tell it from the peer, is to use the address and the port of the
true peer, or the host of the server towards a client that has had no answer yet.
"""

import random

from tftp.protocol.options import Wish, propose
from tftp.protocol.packets import Ack, Data, Error, Oack, Request, encode
from tftp.protocol.states import State
from tftp.protocol.transfer import Address
from tftp.sim.client import Client
from tftp.sim.network import Network
from tftp.sim.server import Server

__all__ = ["Strangers", "noise"]

RRQ, WRQ = 1, 2
LOOP_PARTNERS = (7, 19, 69)
GREEDY = Wish(block_size=65464, window=64, size=0)


class Strangers:
    """As many bad packets as wanted, spread over a time."""

    def __init__(
        self,
        network: Network,
        seed: int,
        server: Server,
        clients: list[Client],
        names: list[str],
        *,
        count: int,
        seconds: float,
    ) -> None:
        """Sends `count` of them within so many seconds from now; they know some file `names`."""
        self.sent = 0
        self._network = network
        self._random = random.Random(f"{seed} strangers")
        self._server = server
        self._clients = clients
        self._names = names
        self._heard: list[tuple[Address, bytes]] = []
        acts = (self._ask, self._ask, self._disturb_server, self._disturb_client, self._knock)
        for _ in range(count):
            network.clock.after(seconds * self._random.random(), self._random.choice(acts))

    def _ask(self) -> None:
        """Asks in the name of somebody who never answers, maybe more than once."""
        chance = self._random
        if self._heard and chance.random() < 0.4:
            victim, datagram = chance.choice(self._heard)
        else:
            victim = self._somebody()
            opcode = chance.choice((RRQ, RRQ, WRQ))
            name = chance.choice(self._names) if opcode == RRQ else f"forged-{self.sent}"
            wish = chance.choice((Wish(), GREEDY, Wish(timeout=1), Wish(block_size=8)))
            mode = chance.choice(("octet",) * 8 + ("netascii", "mail", "other"))
            datagram = encode(Request(opcode, name, mode, propose(wish)))
            datagram = _spoil(chance, datagram + bytes(chance.choice((0, 0, 0, 100, 3000))))
            self._heard.append((victim, datagram))
        self._inject(datagram, victim, self._server.address)

    def _knock(self) -> None:
        """Sends to the port for requests what is none."""
        chance = self._random
        partner = (self._somebody()[0], chance.choice(LOOP_PARTNERS))
        source = partner if chance.random() < 0.5 else self._somebody()
        self._inject(noise(chance, requests=False), source, self._server.address)

    def _disturb_server(self) -> None:
        """Sends to the port of somebody's transfer, maybe from the same host as its peer."""
        running = self._server.running
        if not running:
            self._knock()
            return
        served = self._random.choice(running)
        source = self._other_than(served.admitted.transfer.peer)
        self._inject(noise(self._random), source, served.endpoint.address)

    def _disturb_client(self) -> None:
        """Sends to the port of a client, maybe from the server's host."""
        clients = [client for client in self._clients if client.transfer is not None]
        if not clients:
            self._knock()
            return
        client = self._random.choice(clients)
        assert client.transfer is not None, "chosen so"
        source = self._somebody()
        if client.transfer.state is not State.OPENING:
            source = self._other_than(client.transfer.peer)
        self._inject(noise(self._random), source, client.address)

    def _inject(self, datagram: bytes, source: Address, to: Address) -> None:
        self.sent += 1
        self._network.inject(datagram, source, to)

    def _other_than(self, peer: Address) -> Address:
        """Returns another port of that host, or another host."""
        if self._random.random() < 0.5:
            return self._somebody()
        return peer[0], 1 + (peer[1] + self._random.randrange(60_000)) % 65_535

    def _somebody(self) -> Address:
        """Returns an address from which nothing else ever comes."""
        chance = self._random
        return f"203.0.113.{chance.randrange(1, 255)}", chance.randrange(1024, 65_536)


def noise(chance: random.Random, *, requests: bool = True) -> bytes:
    """Returns a packet: a good one, one cut short, one with octets changed, or no packet."""
    block = chance.randrange(12)
    kinds = [
        encode(Data(block, chance.randbytes(chance.choice((0, 8, 512))))),
        encode(Ack(block)),
        encode(Error(chance.randrange(9), "no")),
        encode(Oack((("blksize", "8"), ("windowsize", "4")))),
        chance.randbytes(chance.randrange(24)),
    ]
    if requests:
        kinds.append(encode(Request(chance.choice((RRQ, WRQ)), "noise")))
    datagram = _spoil(chance, chance.choice(kinds))
    if not requests and datagram[:2] in (b"\0\1", b"\0\2"):
        return b"\0" + datagram
    return datagram


def _spoil(chance: random.Random, datagram: bytes) -> bytes:
    """Returns it as it is, as a rule; else cut short, or with an octet changed."""
    how = chance.random()
    if how < 0.1:
        return datagram[: chance.randrange(len(datagram) + 1)]
    if how < 0.2 and datagram:
        place = chance.randrange(len(datagram))
        return datagram[:place] + chance.randbytes(1) + datagram[place + 1 :]
    return datagram
