"""What a server is told, and what it bounds.

Everything that a peer can make grow has its bound in `Limits`, with a default and the
reason for it. Must not know how a bound is kept.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from tftp.protocol.pace import Timing
from tftp.protocol.packets import MAX_BLOCK_SIZE

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
