"""Who may ask, by address (RFC 1123 section 4.2.3.4: servers should have access control).

Rules are networks, for reads and for writes apart. A host that may not ask hears nothing,
so that nobody learns from us that there is a server, and no forged source is struck. Must
not know about requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["LOOP_PORTS", "Access", "Network", "parse_network"]

Network = IPv4Network | IPv6Network

LOOP_PORTS = frozenset(
    {7, 9, 13, 17, 19, 37, 53, 69, 111, 123, 137, 138, 161, 389, 427, 520, 1900, 5353, 11211}
)
"""Source ports that no client has: what listens there answers anything, perhaps for ever
(CVE-2024-2169 is a loop of two TFTP servers; echo and chargen are older)."""

_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Access:
    """The networks of hosts that may ask. Of rules that fit, the longest prefix decides."""

    allow: tuple[Network, ...] = ()
    """Those who may read and write; when there are any, all others may not."""
    deny: tuple[Network, ...] = ()
    """Those who may neither read nor write."""
    allow_upload: tuple[Network, ...] = ()
    """Those who may write, of those who may ask; when there are any, all others may not."""
    deny_upload: tuple[Network, ...] = ()
    """Those who may not write."""

    def permits(self, host: str, *, writing: bool) -> bool:
        """Tells whether a host may ask for a read, or a write."""
        if not (self.allow or self.deny or self.allow_upload or self.deny_upload):
            return True  # at no cost: this is asked of every packet of a flood
        address = ip_address(host.partition("%")[0])
        if not _passes(self.allow, self.deny, address):
            return False
        return not writing or _passes(self.allow_upload, self.deny_upload, address)


def parse_network(text: str) -> Network:
    """Reads `192.0.2.0/24`, `192.0.2.1` or `2001:db8::/32`. Raises ValueError.

    Bits behind the prefix are refused: who wrote them meant something else.
    """
    return ip_network(text.strip())


def _passes(allow: Sequence[Network], deny: Sequence[Network], address: _Address) -> bool:
    allowed, denied = _longest(allow, address), _longest(deny, address)
    if allowed < 0 and denied < 0:
        return not allow
    return allowed > denied  # of equal ones, the one that keeps away


def _longest(networks: Sequence[Network], address: _Address) -> int:
    """Returns the prefix length of the smallest network that has it; -1: none has."""
    fitting = [n.prefixlen for n in networks if n.version == address.version and address in n]
    return max(fitting, default=-1)
