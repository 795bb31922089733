"""Transfers over a network that loses, doubles and reorders: each client, each server.

Between the two stands the relay of `conformance`, with faults from a seed. What is told to
have arrived must be what was sent, whoever tells it. Our side must bring every transfer to
its end; a foreign one may give up where it is known to, and is tried again.
"""

import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from conformance.relay import Watch
from conformance.relay_faults import WAYS, Counts, Faults
from conformance.relay_loop import UdpRelay
from conformance.wire import words
from tests.interop.clients import CLIENTS, Errand
from tests.interop.peers import Way
from tests.interop.running import Running, eventually
from tests.interop.shelf import Exchange, Shelf, compare

FAULTS = Faults(loss=0.05, duplication=0.02, reordering=0.05, delay=0.001, jitter=0.001)

TRIES = 5
"""Whole transfers, where a foreign side is known to give up."""
PATIENCE = 100.0  # seconds for one transfer
LADDER = 60  # datagrams that are told of a transfer that failed
SETTLED = 5.0  # seconds in which a server has to write the last block that it has acknowledged
TOLD = ("lost", "duplicated", "reordered")

EXACT = "exact"
GAVE_UP = "gave up"
LIED = "the peer lied"
WRONG = "WRONG BYTES, TOLD AS GOOD"
OURS_GAVE_UP = "OURS GAVE UP"


@dataclass(frozen=True, slots=True)
class Weakness:
    """What a peer does wrong because of something that a network may do."""

    side: str
    peer: str
    way: Way
    reason: str
    lies: bool = False
    """Whether it then tells that all went well; else it gives up."""


WEAK = (
    Weakness("client", "atftp", "get", "aborts on a repeated OACK: tftp: unexpected OACK"),
    Weakness("client", "atftp", "put", "a late ACK makes it send an empty block behind the last"),
    Weakness(
        *("client", "curl", "put"),
        "sends the second block as the first one when an OACK is repeated; lib/tftp.c, tftp_tx",
        lies=True,
    ),
    *(
        Weakness("server", peer, "put", "does not stay to repeat its last ACK if that is lost")
        for peer in ("atftpd", "py3tftp", "tftpy")
    ),
    Weakness("server", "tftpy", "get", "drops a session at its third timeout, without a word"),
    Weakness("client", "tftpy", "get", "aborts on a block that comes out of order"),
)


@dataclass(frozen=True, slots=True)
class Trip:
    """A transfer to make. `options` None leaves them to the client."""

    client: str
    server: str
    way: Way
    size: int
    options: Mapping[str, int] | None = None
    faults: Faults = FAULTS

    @property
    def pair(self) -> str:
        """Returns who asks whom for what."""
        return f"{self.client} {self.way} {self.server}"

    @property
    def terms(self) -> str:
        """Returns what is asked for, in words."""
        if self.options is None:
            return "as usual"
        return ", ".join(f"{name} {value}" for name, value in self.options.items()) or "no options"

    @property
    def id(self) -> str:
        """Returns the name of the test."""
        return "-".join((self.client, self.way, self.server, str(self.size), self.terms)).replace(
            " ", ""
        )

    @property
    def weakness(self) -> Weakness | None:
        """Returns what one of the two is known for."""
        for known in WEAK:
            peer = self.client if known.side == "client" else self.server
            if (known.peer, known.way) == (peer, self.way):
                return known
        return None


@dataclass(slots=True)
class Outcome:
    """What became of a trip, all tries together."""

    verdict: str
    tries: int
    seconds: float
    counts: Counts
    details: str

    @property
    def well(self) -> bool:
        """Tells whether nobody did wrong but a peer that is known to."""
        return self.verdict in (EXACT, GAVE_UP, LIED)

    def happened(self, what: str) -> int:
        """Returns how often a fault struck, both ways together."""
        return sum(self.counts[way, what] for way in WAYS)


def travel(trip: Trip, server: Running, shelf: Shelf, seed: int) -> Outcome:
    """Makes a trip, up to TRIES times where a known weakness spoils it."""
    outcome = Outcome("", 0, 0.0, Counts(), "")
    began = time.monotonic()
    for _ in range(TRIES):
        outcome.tries += 1
        seen = LastSeen()
        with (
            shelf.exchange(trip.way, trip.size) as files,
            relayed(server, trip.faults, f"{trip.id} {seed} {outcome.tries}", seen.add) as relay,
        ):
            outcome.verdict, outcome.details = _try(trip, server, relay, files)
        outcome.counts.update(relay.counts)
        outcome.seconds = time.monotonic() - began
        outcome.details += f"\n{seen.lines()}"
        if not _is_known(trip, outcome):
            break
    return outcome


def _is_known(trip: Trip, outcome: Outcome) -> bool:
    """Tells whether a weakness explains what went wrong; names it as what it is."""
    known = trip.weakness
    if outcome.verdict == WRONG and known is not None and known.lies:
        outcome.verdict = LIED
    elif outcome.verdict == GAVE_UP and known is None:
        outcome.verdict = OURS_GAVE_UP
    return outcome.verdict in (GAVE_UP, LIED)


class LastSeen:
    """The last datagrams that came to a relay, for whoever has to find out what went wrong."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._seen: deque[tuple[float, str, bytes, int]] = deque(maxlen=LADDER)

    def add(self, now: float, way: str, datagram: bytes, copies: int) -> None:
        """Takes one, in the thread of the relay."""
        self._seen.append((now - self._began, way, datagram, copies))

    def lines(self) -> str:
        """Returns a line for each."""
        fates = ("lost", "passed on", "doubled")
        return "\n".join(
            f"{at:8.3f} s {way:9} {words(datagram)}: {fates[copies]}"
            for at, way, datagram, copies in self._seen
        )


@contextmanager
def relayed(server: Running, faults: Faults, seed: str, watch: Watch) -> Iterator[UdpRelay]:
    """Lends a relay before a server, in the network where that is."""
    place = (server.address, server.port)
    relay = server.call(
        lambda: UdpRelay(place, (server.address, 0), faults, seed=seed, watch=watch)
    )
    thread = threading.Thread(target=relay.run, name="relay", daemon=True)
    try:
        server.call(thread.start)  # a thread lives in the network of the one that starts it
        yield relay
    finally:
        relay.stop()
        thread.join()
        relay.close()


def _try(trip: Trip, server: Running, relay: UdpRelay, files: Exchange) -> tuple[str, str]:
    """Returns a verdict, and what was said on the way to it."""
    peer = next(peer for peer in CLIENTS if peer.name == trip.client)
    host, port = relay.address
    errand = Errand(trip.way, host, port, files.remote, files.local, options=trip.options)
    with server.call(lambda: peer.start(errand)) as process:
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            output = f"still at it after {PATIENCE} s"
        finally:
            process.kill()
    said = f"{trip.id}: exit {process.returncode}: {output}\n{server.log()}"
    if process.returncode != 0 or _complains(trip.client, output):
        return GAVE_UP, said
    if eventually(lambda: compare(files.original, files.arrived) == "same bytes", SETTLED):
        return EXACT, said
    return WRONG, f"{compare(files.original, files.arrived)}; {said}"


def _complains(client: str, output: str) -> bool:
    """Tells whether a client says that it failed; tftp-hpa says so with exit status 0."""
    return client == "tftp-hpa" and ("timed out" in output or "Error code" in output)
