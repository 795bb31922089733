"""What a server is told, and what it bounds.

Everything that a peer can make grow has its bound in `Limits`, with a default and the
reason for it. Must not know how a bound is kept.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from tftp.protocol.options import MIN_BLOCK_SIZE
from tftp.protocol.pace import Timing
from tftp.protocol.packets import MAX_BLOCK_SIZE
from tftp.server.access import LOOP_PORTS, Access

__all__ = ["Config", "Limits", "Upload"]


class Upload(StrEnum):
    """What becomes of a WRQ."""

    DENY = "deny"
    CREATE = "create"
    OVERWRITE = "overwrite"
    RENAME = "rename"


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one server."""

    transfers: int = 10_000
    """At once. A request beyond them gets no answer: its client asks again in a second or
    two, while an ERROR would end its boot."""
    request: int = 2048
    """Octets of a request. RFC 2347 binds clients to 512; some pad, none needs more."""
    waiting: int = 10_000
    """Requests taken in and not answered yet, each once however often it comes: room for all
    who may be served. More stay in the socket, and what it cannot hold is lost."""
    block_size: int = MAX_BLOCK_SIZE
    """Granted at most. Larger blocks than the path takes are fragmented, as asked for."""
    window: int = 64
    """Blocks granted at most. It bounds the burst that a peer can ask for with one ACK."""
    upload: int | None = None
    """Octets of one uploaded file; None leaves it to the disk."""
    text: int = 256 << 10
    """Octets of one netascii transfer that are kept to be sent again: it bounds the window."""
    cache: int = 16 << 20
    """Octets of packets that transfers of one file share."""
    connected: int = 10_000
    """Second, connected sockets, of which a transfer may get one: they save a third of the time
    that a block takes, and cost a descriptor and some kilobytes in the kernel."""
    acquaintances: int = 4096
    """Hosts whose round trips are remembered from one transfer to the next."""
    quiet_repeat: float = 1.0
    """For so long after its last progress a transfer is not replaced by the same request:
    a copy that was late in the network must not end what it began."""

    # Of those who never answer: their addresses may be forged, and the answers strike others.
    unproven: int = 2_048
    """Transfers at once whose peer has not answered yet. The oldest gives way to a new one:
    a real peer answers within a round trip."""
    host_unproven: int = 1_024
    """The same, of one host that has never answered: room for a rack behind one address."""
    unproven_repeats: int = 3
    """Repeats of a first flight. A real client asks again by itself."""
    unproven_requests: float = 250.0
    """A second, of all hosts that have never answered, after the first four thousand. The
    others wait, and those who ask again go first: a forged source does not."""
    hosts: int = 16_384
    """Hosts of whom is kept whether they have answered, and how much they ask for."""

    # Of each host, and of each transfer.
    host_requests: float = 2_000.0
    """A second, of one host that has answered, after the first sixteen thousand."""
    host_transfers: int = 2_500
    """At once: a quarter of all, so that no host takes the server from the others."""
    transfer_seconds: float = 86_400.0
    """From request to end. The slowest boot takes minutes; a day is no boot any more."""
    transfer_octets: int | None = None
    """Of one file, either way; None leaves it to the files there are."""
    block_size_least: int = MIN_BLOCK_SIZE
    """A smaller `blksize` is passed over, so that 512 holds: small blocks are many packets.
    With `window` it bounds the packets, and the headers, that one ACK brings forth."""
    muted_ports: frozenset[int] = LOOP_PORTS
    """Source ports that are never answered: other servers listen there, and would answer us."""

    # Of uploads.
    uploads: int = 1_000
    """At once: each has a temporary file."""
    host_uploads: int = 250
    """At once, of one host."""
    upload_requests: float = 100.0
    """A second, of all hosts, after the first thousand: each leaves a file."""
    free: int = 16 << 20
    """Octets of the disk that uploads leave free."""

    lines: float = 200.0
    """Log lines a second about what failed or was refused, after the first thousand. The
    others are counted, and the count is told."""

    def share(self, workers: int) -> Self:
        """Returns what each of so many workers gets: together not less than one server.

        What bounds all transfers together is shared out, rounded up; what bounds one of them
        stays, and so do `acquaintances`, since the ports of a host lead to all workers. A
        transfer stays with its worker: one that finds no room there is not moved to another.
        """
        return replace(
            self,
            transfers=-(-self.transfers // workers),
            waiting=-(-self.waiting // workers),
            cache=-(-self.cache // workers),
            connected=-(-self.connected // workers),
            unproven=-(-self.unproven // workers),
            unproven_requests=self.unproven_requests / workers,
            uploads=-(-self.uploads // workers),
            upload_requests=self.upload_requests / workers,
            lines=self.lines / workers,
        )


@dataclass(frozen=True, slots=True)
class Config:
    """How a server serves."""

    upload: Upload = Upload.DENY
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
    ports: range | None = None
    """The ports of transfers; None takes ephemeral ones."""
    drain: float = 10.0
    """Seconds that running transfers get when the server is asked to stop."""
    spin: bool = True
    """Whether to look for the next packet a moment before sleeping, while they come fast."""
    access: Access = field(default_factory=Access)
    """Which hosts may ask."""
