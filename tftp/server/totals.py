"""What a server has done so far, and why it has left undone what it left: plain counts.

Each limit of `Limits` that can bite has its count here. Must not know who counts.
"""

from dataclasses import dataclass

__all__ = ["Totals"]


@dataclass(slots=True)
class Totals:
    """What a server has done so far."""

    completed: int = 0
    failed: int = 0
    refused: int = 0
    probes: int = 0
    turned_away: int = 0
    """Requests that got no answer for want of room: transfers, ports, descriptors, memory."""
    muted: int = 0
    """Of those below: requests that got no answer since a limit, or a rule, was against it."""
    denied: int = 0
    host_requests: int = 0
    host_transfers: int = 0
    host_unproven: int = 0
    uploads: int = 0
    host_uploads: int = 0
    upload_requests: int = 0
    overflown: int = 0
    """Requests that lost their place among those that wait."""
    gave_way: int = 0
    """Transfers without an answer that were ended for the sake of others."""
    overdue: int = 0
    """Transfers that took too long, or carried too much."""
    unlogged: int = 0
    """Lines that were not written, since there were too many."""
    octets: int = 0
    resent: int = 0
