"""What has happened in a world: a hash over all of it, a ladder to read, and a pcap file.

The hash (SHA-256) covers every datagram with its time, its addresses and its fate, so two
runs with the same hash were the same. The pcap file holds what each host has sent, when it
sent it, lost or not, as IPv4 and UDP (classic format, LINKTYPE_RAW); the ladder tells what
became of it. Must not know what a datagram means; the codec describes it.
"""

import hashlib
import struct
from collections.abc import Iterator

from tftp.protocol.packets import describe
from tftp.protocol.transfer import Address
from tftp.sim.clock import START

__all__ = ["Trace"]

SENT, CAME, NOTE = range(3)
NOWHERE: Address = ("", 0)

_MARK = struct.Struct("!dBH")
_PCAP = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
PCAP_MAGIC, LINKTYPE_RAW, SNAPLEN = 0xA1B2C3D4, 101, 65535
UDP_PROTOCOL, HOPS = 17, 64

Entry = tuple[float, int, Address, Address, bytes, str]


class Trace:
    """The record of one world."""

    __slots__ = ("_entries", "_hash", "_names")

    def __init__(self) -> None:
        """Begins empty."""
        self._entries: list[Entry] = []
        self._hash = hashlib.sha256()
        self._names: dict[Address, bytes] = {}

    def __len__(self) -> int:
        """Returns how many entries there are."""
        return len(self._entries)

    def sent(self, now: float, source: Address, to: Address, datagram: bytes, fate: str) -> None:
        """Notes a datagram that a host has sent; `fate` says what the link did to it, if anything.

        Times are in seconds of the clock.
        """
        self._add(now, SENT, source, to, datagram, fate)

    def came(self, now: float, source: Address, to: Address, datagram: bytes, fate: str) -> None:
        """Notes a datagram that has arrived; `fate` says so if nobody was there to take it."""
        self._add(now, CAME, source, to, datagram, fate)

    def note(self, now: float, text: str) -> None:
        """Notes something that is no datagram."""
        self._add(now, NOTE, NOWHERE, NOWHERE, b"", text)

    @property
    def digest(self) -> str:
        """Returns the hash over everything so far, in hexadecimal digits."""
        return self._hash.hexdigest()

    def ladder(self, last: int | None = None) -> list[str]:
        """Returns a line for each entry, or for the last ones only."""
        return [_line(entry) for entry in self._entries[-last if last else 0 :]]

    def pcap(self) -> Iterator[bytes]:
        """Yields the pieces of a pcap file."""
        yield _PCAP.pack(PCAP_MAGIC, 2, 4, 0, 0, SNAPLEN, LINKTYPE_RAW)
        for now, kind, source, to, datagram, _ in self._entries:
            if kind == SENT:
                packet = _packet(source, to, datagram)
                seconds, micros = divmod(round(now * 1e6), 1_000_000)
                yield _RECORD.pack(seconds, micros, len(packet), len(packet)) + packet

    def _add(
        self, now: float, kind: int, source: Address, to: Address, datagram: bytes, text: str
    ) -> None:
        self._entries.append((now, kind, source, to, datagram, text))
        ends = self._name(source) + self._name(to)
        mark = _MARK.pack(now, kind, len(datagram))
        self._hash.update(mark + ends + text.encode() + b"\0" + datagram)

    def _name(self, address: Address) -> bytes:
        name = self._names.get(address)
        if name is None:
            name = self._names[address] = f"{address[0]}:{address[1]}\0".encode()
        return name


def _line(entry: Entry) -> str:
    now, kind, source, to, datagram, text = entry
    when = f"{now - START:11.6f}"
    if kind == NOTE:
        return f"{when}  -- {text}"
    after = f"  [{text}]" if text else ""
    left, right = f"{source[0]}:{source[1]}", f"{to[0]}:{to[1]}"
    if kind == SENT:
        return f"{when}  {left} > {right}  {describe(datagram)}{after}"
    return f"{when}  {right} < {left}  {describe(datagram)}{after}"


def _packet(source: Address, to: Address, datagram: bytes) -> bytes:
    """Returns a datagram with the headers of UDP, without its optional checksum, and of IPv4."""
    size = _UDP.size + len(datagram)
    start = (0x45, 0, _IPV4.size + size, 0, 0x4000, HOPS, UDP_PROTOCOL)
    ends = _octets(source[0]), _octets(to[0])
    checksum = _checksum(_IPV4.pack(*start, 0, *ends))
    header = _IPV4.pack(*start, checksum, *ends)
    return header + _UDP.pack(source[1], to[1], size, 0) + datagram


def _octets(host: str) -> bytes:
    return bytes(int(part) for part in host.split("."))


def _checksum(header: bytes) -> int:
    """Returns the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
