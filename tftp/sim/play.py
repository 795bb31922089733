"""Plays a scenario to its end, and sees that nothing is left over.

Builds the world, lets it run until nothing is to happen any more, and counts. What is judged
at the end: every errand and every transfer is over, and files, ports and counts are back where
they were; in a world without faults all went well at the first try, and no block went out
twice. Raises `Broken` with a sentence; the same seed breaks again at the same place.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tftp.protocol.netascii import encode
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Ending
from tftp.server.service import Service
from tftp.sim.client import Client
from tftp.sim.clock import START, Clock
from tftp.sim.disk import Disk
from tftp.sim.invariants import Broken
from tftp.sim.network import Hazards, Network
from tftp.sim.scenario import Mishap, Scenario, choose
from tftp.sim.server import Server
from tftp.sim.strangers import Strangers
from tftp.sim.trace import Trace

__all__ = ["Cast", "Play", "Report", "play"]

SERVER = "10.0.0.1"
STEPS = 500_000
HOURS = 6
STRANGERS_STAY = 8.0


@dataclass(frozen=True, slots=True)
class Cast:
    """The classes that play; a test puts in one that is wrong."""

    service: type[Service] = Service
    sender: type[Sender] = Sender
    receiver: type[Receiver] = Receiver


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to say of a world that has come to its end."""

    seed: int
    digest: str
    seconds: float
    """How long it took, in virtual time."""
    events: int
    clients: int
    endings: Counter[Ending] = field(default_factory=Counter)
    """How the clients' attempts ended."""
    served: Counter[Ending] = field(default_factory=Counter)
    """How the server's transfers ended, those that a kill cut off left out."""
    octets: int = 0
    """The octets of all files that came across."""
    strangers: int = 0
    """How many packets were forged."""

    @property
    def transfers(self) -> int:
        """Returns how many transfers ended, as the clients see it."""
        return self.endings.total()


class Play:
    """One world."""

    def __init__(self, scenario: Scenario, cast: Cast | None = None) -> None:
        """Sets the scene."""
        cast = cast or Cast()
        seed = scenario.seed
        self.scenario = scenario
        self.clock = Clock()
        self.trace = Trace()
        self.network = Network(self.clock, self.trace, seed, Hazards())
        self.disk = Disk(self.clock, seed, scenario.temper)
        for name, content in scenario.files.items():
            self.disk.put(name, content)
        self.server = Server(self.network, SERVER, self.disk, scenario.conduct, cast.service)
        self.server.start()
        self._random = random.Random(f"{seed} mishaps")
        self.clients = [self._client(number, cast) for number in range(len(scenario.errands))]
        for mishap in scenario.mishaps:
            self.clock.after(mishap.when, partial(self._happen, mishap))
        self.strangers = Strangers(
            self.network,
            seed,
            self.server,
            self.clients,
            list(scenario.files),
            count=scenario.strangers,
            seconds=STRANGERS_STAY,
        )

    def run(self) -> Report:
        """Plays it. Raises Broken, or whatever the product should not have raised.

        The exception says in a note how to see it again, and shows the end of the ladder.
        """
        try:
            return self._run()
        except Exception as error:
            error.add_note(self.account())
            raise

    def account(self, lines: int = 60) -> str:
        """Returns which seed this is, how to play it again, and the end of its ladder."""
        seed = self.scenario.seed
        replay = f"python -m tftp.sim --seed {seed} --ladder --pcap seed-{seed}.pcap"
        return "\n".join([f"seed {seed}; replay: {replay}", *self.trace.ladder(lines)])

    def _run(self) -> Report:
        if self.clock.run(STEPS):
            raise Broken(f"the world has not come to rest after {STEPS} events")
        self._judge()
        served = Counter(self.server.endings)
        self.server.stop(killed=False)
        if self.network.open_ports:
            raise Broken("a port is left open by a server that has stopped")
        endings: Counter[Ending] = Counter()
        for client in self.clients:
            endings.update(client.endings)
        return Report(
            self.scenario.seed,
            self.trace.digest,
            self.clock.now - START,
            len(self.trace),
            len(self.clients),
            endings,
            served,
            sum(client.octets for client in self.clients),
            self.strangers.sent,
        )

    def _client(self, number: int, cast: Cast) -> Client:
        errand = self.scenario.errands[number]
        host = f"10.1.{number >> 8}.{number & 0xFF}"
        if number < len(self.scenario.hazards):
            there, back = self.scenario.hazards[number]
            self.network.connect(host, SERVER, there)
            self.network.connect(SERVER, host, back)
        if errand.upload is not None:
            self.disk.expected[errand.name] = errand.upload
        kinds = cast.sender, cast.receiver
        return Client(self.network, host, (SERVER, 69), self.disk, errand, kinds)

    def _happen(self, mishap: Mishap) -> None:
        self.trace.note(self.clock.now, f"{mishap.what} {mishap.name or 'the server'}")
        disk, server, name = self.disk, self.server, mishap.name
        content = disk.texts(name, self.clock.now)[-1] if name else b""
        place = self._random.randrange(len(content) + 1)
        happenings: dict[str, Callable[[], None]] = {
            "kill": partial(self._restart, mishap.seconds, killed=True),
            "stop": partial(self._restart, mishap.seconds, killed=False),
            "pause": partial(server.pause, mishap.seconds),
            "replace": partial(disk.put, name, self._random.randbytes(len(content))),
            "shorten": partial(disk.change, name, content[:place]),
            "grow": partial(disk.change, name, content + self._random.randbytes(place + 1)),
            "remove": partial(disk.remove, name),
            "spoil": partial(disk.spoil, name, place),
        }
        happenings[mishap.what]()

    def _restart(self, seconds: float, *, killed: bool) -> None:
        self.server.stop(killed=killed)
        self.clock.after(seconds, self.server.start)

    def _judge(self) -> None:
        """Sees that all is over and that nothing is left."""
        server, disk = self.server, self.disk
        if self.clock.now - START > HOURS * 3600:
            raise Broken(f"a transfer has not ended after {HOURS} hours")
        for client in self.clients:
            if not client.over:
                raise Broken(f"{client.address[0]} has not ended, and nothing more happens")
        if server.running or server.count:
            raise Broken(f"the service still counts {server.count} transfers at the end")
        if disk.sources or disk.sinks:
            raise Broken(f"{disk.sources} files and {disk.sinks} uploads are still open at the end")
        if disk.used != sum(map(len, disk.stored.values())):
            raise Broken("an upload that failed has left octets on the disk")
        if self.network.open_ports != [server.address]:
            raise Broken(f"ports are still open at the end: {self.network.open_ports}")
        if self.scenario.clean:
            self._judge_clean()

    def _judge_clean(self) -> None:
        needed = 0
        for client in self.clients:
            errand = client.errand
            if client.endings != {Ending.COMPLETE: 1}:
                raise Broken(f"{client.address[0]} needed more than one try on a clean network")
            if errand.upload is None:
                content = self.scenario.files[errand.name]
                needed += len(encode(content) if errand.mode == "netascii" else content)
        if self.server.octets != needed:
            raise Broken(f"{self.server.octets} octets were sent where {needed} are enough")


def play(seed: int, cast: Cast | None = None) -> Report:
    """Plays the world of a seed. Raises Broken, or whatever the product should not have raised."""
    return Play(choose(seed), cast).run()
