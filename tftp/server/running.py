"""A transfer under way in the loop: what was admitted, and the channel that drives it.

Which kind of channel that is depends on the window (RFC 7440) and on the direction. Must
not know what the loop waits for.
"""

from dataclasses import dataclass

from tftp.net.arrivals import QuickInbound
from tftp.net.channel import Channel, Inbound, Outbound, Scratch
from tftp.net.clock import NEVER
from tftp.net.lockstep import LockStep
from tftp.net.udp import UPLOAD_BUFFER, Endpoint, buffer_for, grow_buffer
from tftp.protocol.receiver import Receiver
from tftp.server.service import Admitted, Reading

__all__ = ["Running", "drive"]


@dataclass(slots=True, eq=False)
class Running:
    """A transfer under way: what was admitted, the channel that drives it, and its alarm."""

    admitted: Admitted
    channel: Channel
    alarm: float = NEVER
    reported: bool = False
    waits_to_write: bool = False
    unproven: bool = True
    """Whether the peer has not answered yet, as far as anybody has looked."""

    @property
    def unfinished(self) -> bool:
        """Whether it is still to be waited for. One that only dallies has its file."""
        channel = self.channel
        committing = isinstance(channel, Inbound) and channel.finishing
        return committing or self.admitted.transfer.outcome is None

    @property
    def octets(self) -> int:
        """Returns how much of the file has gone across."""
        transfer = self.admitted.transfer
        return transfer.received_bytes if isinstance(transfer, Receiver) else transfer.sent_bytes

    @property
    def deadline(self) -> float | None:
        """Returns when the channel should be told the time."""
        return self.channel.deadline


def drive(admitted: Admitted, endpoint: Endpoint, scratch: Scratch) -> Channel:
    """Joins what was admitted and its endpoint, and takes ownership of both."""
    terms = admitted.transfer.terms
    if isinstance(admitted, Reading):
        kind = LockStep if terms.window == 1 else Outbound
        return kind(admitted.transfer, endpoint, admitted.file, scratch)
    if terms.window > 1:
        endpoint.group_arrivals()
        wanted = 2 * buffer_for(terms.window, terms.block_size)
        grow_buffer(endpoint.socket, min(wanted, UPLOAD_BUFFER))
    return QuickInbound(admitted.transfer, endpoint, admitted.file, scratch)
