"""Block numbers: 16 bits on the wire, absolute integers 1, 2, 3... inside.

RFC 1350 says nothing of files beyond 65,535 blocks; practice lets the number roll over
to 0, some stacks to 1 (the `rollover` option of tftp-hpa names the number that follows
65,535). A transfer compares distances, never raw numbers, so any count of wraps works.
Must not know about windows, timers or packets.
"""

__all__ = ["distance", "to_wire"]


def to_wire(block: int, rollover: int = 0) -> int:
    """Returns the wire number of an absolute block; block 0 is what an ACK of an OACK names."""
    if rollover == 0 or block == 0:
        return block & 0xFFFF
    return (block - 1) % 0xFFFF + 1


def distance(wire: int, block: int, rollover: int = 0) -> int:
    """Returns how many blocks `wire` lies ahead of the absolute `block`, always 0 or more.

    A number that lies behind comes out close to the cycle's length (65,536, or 65,535
    where the number 0 is left out), which is far beyond any sensible window.
    """
    if rollover == 0:
        return (wire - block) & 0xFFFF
    if block == 0:
        return wire
    if wire == 0:
        return 0xFFFF  # a number that no block has: never ahead, never the one awaited
    return (wire - to_wire(block, rollover)) % 0xFFFF
