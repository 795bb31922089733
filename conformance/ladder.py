"""What went over the wire in one case: a ladder for people, a pcap file for tools.

Must not know what any of it means, but for the words that `wire` has for a packet.
"""

import struct
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from .ports import Address
from .wire import words

__all__ = ["Ladder", "Step"]

_LINKTYPE_RAW = 101
_UDP = 17


@dataclass(frozen=True, slots=True)
class Step:
    """One event: a datagram of ours or of theirs, or a note."""

    time: float
    """Seconds since the case began."""
    ours: Address | None
    theirs: Address | None
    sent: bool
    datagram: bytes | None
    note: str = ""

    @property
    def words(self) -> str:
        """Returns the packet in words, or the note."""
        said = "" if self.datagram is None else words(self.datagram)
        return f"{said} ({self.note})" if said and self.note else said or self.note


@dataclass(slots=True)
class Ladder:
    """The steps of one case, in order of time."""

    began: float
    steps: list[Step] = field(default_factory=list)

    def sent(self, now: float, ours: Address, theirs: Address, datagram: bytes) -> None:
        """Notes a datagram of the suite's."""
        self.steps.append(Step(now - self.began, ours, theirs, True, datagram))

    def heard(self, now: float, ours: Address, theirs: Address, datagram: bytes) -> None:
        """Notes a datagram of the target's."""
        self.steps.append(Step(now - self.began, ours, theirs, False, datagram))

    def note(self, now: float, text: str) -> None:
        """Notes something that is no datagram."""
        self.steps.append(Step(now - self.began, None, None, False, None, text))

    def lines(self, limit: int = 200) -> list[str]:
        """Returns the ladder as text; of a long one its two ends.

        `>` is the suite's, `<` the target's; our port and theirs stand in front.
        """
        lines = [_line(step) for step in self.steps]
        if len(lines) > limit:
            cut = len(lines) - limit
            lines[limit // 2 : limit // 2 + cut] = [f"  ... {cut} more ..."]
        return lines

    def write_pcap(self, path: Path) -> None:
        """Writes all datagrams as a pcap file of raw IP. Raises OSError."""
        with path.open("wb") as file:
            file.write(struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, _LINKTYPE_RAW))
            for step in self.steps:
                if step.datagram is None or step.ours is None or step.theirs is None:
                    continue
                ends = (step.ours, step.theirs) if step.sent else (step.theirs, step.ours)
                frame = _frame(*ends, step.datagram)
                seconds, rest = divmod(step.time, 1)
                file.write(struct.pack("!IIII", int(seconds), int(rest * 1e6), *[len(frame)] * 2))
                file.write(frame)


def _line(step: Step) -> str:
    if step.ours is None or step.theirs is None:
        return f"{step.time:9.4f}  -- {step.note}"
    arrow = ">" if step.sent else "<"
    return f"{step.time:9.4f}  {step.ours[1]} {arrow} {step.theirs[1]}  {step.words}"


def _frame(source: Address, to: Address, payload: bytes) -> bytes:
    """Returns the IP packet that carried it; checksums are left out."""
    udp = struct.pack("!HHHH", source[1], to[1], (8 + len(payload)) & 0xFFFF, 0) + payload
    ends = ip_address(source[0]).packed + ip_address(to[0]).packed
    if len(ends) == 8:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, _UDP, 0) + ends + udp
    return struct.pack("!IHBB", 6 << 28, len(udp), _UDP, 64) + ends + udp
