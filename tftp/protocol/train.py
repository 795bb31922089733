"""A window as one buffer: header, payload, header, payload (RFC 1350 section 5, RFC 7440).

"Every block is full except the last" is TFTP's rule, and the kernel's for segmented
sends. So the headers of a window stand in place before the file's octets are dropped
between them, and block numbers are stamped with two strided stores from prepared tables.
Must not know about sockets and files; floor 1 fills and sends what is laid out here.
"""

from tftp.protocol.blocks import to_wire
from tftp.protocol.packets import DATA, HEADER

__all__ = ["MAX_TRAIN", "Train", "consecutive", "payloads"]

MAX_TRAIN = 1024
"""Blocks in one train at most; more than any kernel takes at once."""

# The high and the low octet of every wire number, long enough for a train past the wrap.
_HIGH = b"".join(bytes([n >> 8 & 0xFF]) * 0x100 for n in range(0, 0x10000 + MAX_TRAIN, 0x100))
_LOW = bytes(range(0x100)) * ((0x10000 + MAX_TRAIN) // 0x100)
_DATA_HIGH = bytes([DATA >> 8]) * MAX_TRAIN
_DATA_LOW = bytes([DATA & 0xFF]) * MAX_TRAIN


class Train:
    """A reusable buffer for up to `room` blocks of `block_size` octets.

    `slots` are the places of the payloads, in order, for a vectored read; `view` is the
    whole buffer. Both stay valid as long as the train and are overwritten by the next use.
    """

    __slots__ = ("_buffer", "room", "slots", "stride", "view")

    def __init__(self, block_size: int, room: int) -> None:
        """Lays out the headers. `room` is 1 to MAX_TRAIN."""
        self.stride = block_size + HEADER.size
        self.room = min(room, MAX_TRAIN)
        self._buffer = bytearray(HEADER.pack(DATA, 0).ljust(self.stride, b"\0") * self.room)
        self.view = memoryview(self._buffer)
        self.slots = [
            self.view[start + HEADER.size : start + self.stride]
            for start in range(0, len(self._buffer), self.stride)
        ]

    def stamp(self, first: int, count: int, rollover: int = 0) -> None:
        """Writes the wire numbers of `count` blocks from the absolute block `first` on."""
        if rollover and (first - 1) % 0xFFFF + count > 0xFFFF:
            for index in range(count):
                number = to_wire(first + index, rollover)
                HEADER.pack_into(self._buffer, index * self.stride, DATA, number)
            return
        start = to_wire(first, rollover)
        end = count * self.stride
        self._buffer[2 : end : self.stride] = _HIGH[start : start + count]
        self._buffer[3 : end : self.stride] = _LOW[start : start + count]


def consecutive(arrival: memoryview, stride: int, count: int, first: int) -> bool:
    """Tells whether a train is DATA `first`, `first + 1`, ... `first + count - 1`.

    The caller has made sure that `count` datagrams of `stride` octets (the last one maybe
    shorter, but no shorter than a header) fill the arrival.
    """
    if count > MAX_TRAIN:
        return False
    start = first & 0xFFFF
    return (
        bytes(arrival[3::stride]) == _LOW[start : start + count]
        and bytes(arrival[2::stride]) == _HIGH[start : start + count]
        and bytes(arrival[1::stride]) == _DATA_LOW[:count]
        and bytes(arrival[0::stride]) == _DATA_HIGH[:count]
    )


def payloads(arrival: memoryview, stride: int, count: int) -> list[memoryview]:
    """Cuts a train into its payloads; views that live as long as the arrival's buffer."""
    return [
        arrival[start + HEADER.size : start + stride] for start in range(0, count * stride, stride)
    ]
