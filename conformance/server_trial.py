"""A case against a server: the suite plays clients.

What the target offers, and how long it takes over things, has been found out before
(`calibrate`); a case asks for what it needs and is skipped, or UNSUPPORTED, without it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from .fixtures import FIXTURES
from .line import Line, Trial
from .play import Played, receive_file, send_file
from .ports import Address, Net
from .wire import DATA, ERROR, OACK, Packet, Pairs, ack, rrq, wrq

__all__ = ["Manners", "ServerTarget", "ServerTrial"]

LONGEST_SILENCE = 3.0
STAND_INS = ("b511", "b3000", "b10k", "b100k")
"""Fixtures of which most cases only need some blocks: any file of known content will do."""


@dataclass(slots=True)
class Manners:
    """What calibration has found out about a server."""

    first_interval: float | None = None
    """Seconds until it repeats its first answer; None: it did not while we waited."""
    flow_interval: float | None = None
    """Seconds until it repeats a block in full flow; the shortest seen."""
    options: frozenset[str] = frozenset()
    """The options it grants, by their names in lower case."""
    missing: frozenset[str] = frozenset()
    """The fixtures it does not serve, or not right."""
    creates: bool = False
    """Whether it takes uploads to new names."""
    overwrites: bool = False
    """Whether it takes uploads to names that exist."""
    single_port: bool = False
    """Whether its answers come from the listening port."""


@dataclass(slots=True)
class ServerTarget:
    """The server to be judged, as its operator describes it."""

    address: Address
    root: Path | None = None
    """Its folder, where the suite may look at it."""
    prefix: str = ""
    """What the names of uploads begin with."""
    writes: bool = True
    """Whether uploads may be tried at all."""
    other_host: str | None = None
    """A second address of the same server."""
    known: tuple[str, str] | None = None
    """The name and the SHA-256 of a file it has, where it cannot hold the fixtures."""
    stand_in: bytes = b""
    """What that file holds; it stands in for the fixtures that are only read from."""
    process: Callable[[], int] | None = None
    """Tells the id of its process, where that runs on this machine."""
    manners: Manners = field(default_factory=Manners)
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    """Makes the names of uploads unique."""


class ServerTrial(Trial):
    """What a case against a server has at hand."""

    def __init__(self, net: Net, host: str, target: ServerTarget, tag: str = "") -> None:
        """`tag` goes into the names of uploads."""
        super().__init__(net, host)
        self.target = target
        self.manners = target.manners
        self._tag = tag

    # How long things take

    @property
    def moment(self) -> float:
        """Returns seconds within which an answer comes, and no timer's repeat does.

        For telling what an input has caused from what a timer does: less than half of the
        shortest interval of the target's timer.
        """
        shortest = min(
            self.manners.first_interval or LONGEST_SILENCE * 2,
            self.manners.flow_interval or LONGEST_SILENCE * 2,
        )
        return min(shortest / 2, LONGEST_SILENCE / 2)

    @property
    def resend(self) -> float:
        """Returns seconds after which a repeat by timer is overdue, in any phase."""
        return 2.5 * (self.manners.first_interval or 8.0) + 1.0

    # What the target offers

    def fixture(self, name: str) -> bytes:
        """Returns what that fixture holds; skips the case if the target does not have it."""
        if self.target.known is not None and name in STAND_INS:
            return self.target.stand_in
        if name in self.manners.missing:
            self.skip(f"the target does not serve the fixture {name}")
        return FIXTURES[name]

    def needs_option(self, name: str) -> None:
        """Ends the case as UNSUPPORTED if the target never grants that option."""
        if name not in self.manners.options:
            self.unsupported(f"the target never grants {name}")

    def needs_root(self) -> Path:
        """Returns the target's folder; skips the case if the suite cannot look at it."""
        if self.target.root is None:
            self.skip("the target's folder is not known; name it with --root")
        return self.target.root

    def new_name(self) -> str:
        """Returns a name to upload to that does not exist; skips if uploads are not taken."""
        if not self.manners.creates:
            self.skip("the target takes no uploads to new names")
        return f"{self.target.prefix}up-{self._tag}-{next(self.target.numbers)}"

    # Playing a client

    def client(self, *, host: str | None = None, port: int = 0) -> "Client":
        """Opens a fresh port, which is a client of its own to the target."""
        client = Client(self, self.net.open(host or self.host, port), None)
        self.lines.append(client)
        return client

    def read(self, name: str, mode: str = "octet", options: Pairs = ()) -> Played:
        """Fetches a file from a fresh port as an ordinary client does."""
        return self.client().read(name, mode, options)

    def write(self, name: str, content: bytes, mode: str = "octet", options: Pairs = ()) -> Played:
        """Stores a file from a fresh port as an ordinary client does."""
        return self.client().write(name, content, mode, options)

    def alive(self) -> None:
        """Fails unless the target answers a fresh client, with the right octets."""
        name = "b1" if "b511" in self.manners.missing and not self.target.known else "b511"
        octets = self.target.stand_in if self.target.known else FIXTURES[name]
        client = self.client()
        client.ask(rrq(name))
        got = client.hear()
        if got is None:
            self.fail("the target does not answer any more")
        right = got.kind == DATA and got.payload == octets[:512]
        self.check(right, f"a fresh read got {got}")
        client.send(ack(1))

    def holds(self, name: str, content: bytes) -> None:
        """Fails unless the target has that file now, with exactly these octets.

        Looks into its folder if that is known, else fetches it; waits for servers that
        write late.
        """
        deadline = self.now() + 3.0
        while True:
            found = self.look(name)
            if found == content or self.now() >= deadline:
                break
            self.pause(0.1)
        self.check(found is not None, f"{name} is not there after its upload")
        self.check(found == content, f"{name} holds other octets than were sent")

    def lacks(self, name: str) -> None:
        """Fails if the target has a file of that name, whole or in part."""
        found = self.look(name)
        self.check(found is None, f"{name} is there, {len(found or b'')} octets long")

    def look(self, name: str) -> bytes | None:
        """Returns what the target holds under that name; None: no such file, or no access."""
        if self.target.root is not None:
            path = self.target.root / name
            return path.read_bytes() if path.is_file() else None
        played = self.read(name)
        return played.content if played.complete else None


class Client(Line):
    """A line to a server: `ask` goes to its listening port, the rest to its transfer's."""

    trial: ServerTrial

    def ask(self, datagram: bytes, *, host: str | None = None) -> None:
        """Sends to the listening port; what answers first becomes the peer."""
        target = self.trial.target
        if target.known is not None:
            datagram = _renamed(datagram, target.known[0])
        self.send(datagram, (host or target.address[0], target.address[1]))

    def expect_data(self, block: int, payload: bytes | None = None, **how: float) -> Packet:
        """Expects DATA of that block, with that payload if one is given."""
        packet = self.expect(DATA, block, within=how.get("within"))
        if payload is not None:
            self.trial.check(packet.payload == payload, f"DATA {block} holds other octets")
        return packet

    def caused(self) -> Packet | None:
        """Returns what the datagram sent last has brought about; None: nothing that shows.

        A repeat of an earlier datagram counts only if it came sooner after that one than the
        target's timer could have sent it.
        """
        while True:
            latest = {packet.raw: packet.at for packet in self.heard}
            packet = self.anything(self.trial.moment)
            before = None if packet is None else latest.get(packet.raw)
            if packet is None or before is None:
                return packet
            if packet.at >= self.sent_at and packet.at - before < 1.5 * self.trial.moment:
                return packet

    def expect_error(self, *codes: int) -> Packet:
        """Expects an ERROR; another code than these is noted as unusual, or none: any will do."""
        packet = self.expect(ERROR)
        if codes and packet.code not in codes:
            self.trial.lenient(f"{packet} where code {' or '.join(map(str, codes))} is usual")
        return packet

    def read(self, name: str, mode: str = "octet", options: Pairs = ()) -> Played:
        """Fetches a file as an ordinary client does, with whatever options are granted."""
        self.ask(rrq(name, mode, options))
        first = self.hear()
        if first is None:
            return Played()
        if first.kind == ERROR:
            return Played(error=first, packets=[first])
        if first.kind == OACK:
            size, window = granted(first)
            return receive_file(self, block_size=size, window=window, opening=ack(0))
        return receive_file(self, first=first)

    def write(self, name: str, content: bytes, mode: str = "octet", options: Pairs = ()) -> Played:
        """Stores a file as an ordinary client does, with whatever options are granted."""
        self.ask(wrq(name, mode, options))
        first = self.hear()
        if first is None:
            return Played()
        if first.kind == ERROR:
            return Played(error=first, packets=[first])
        size, window = granted(first)
        return send_file(self, content, block_size=size, window=window)


def granted(oack: Packet) -> tuple[int, int]:
    """Returns block size and window that an OACK grants, or the values without one."""
    size, window = oack.options.get("blksize", "512"), oack.options.get("windowsize", "1")
    return (int(size) if size.isdigit() else 512), (int(window) if window.isdigit() else 1)


def _renamed(datagram: bytes, name: str) -> bytes:
    """Puts the name of the one known file in place of a fixture that it stands in for."""
    for fixture in STAND_INS:
        head = b"\0\1" + fixture.encode() + b"\0"
        if datagram.startswith(head):
            return b"\0\1" + name.encode() + b"\0" + datagram[len(head) :]
    return datagram
