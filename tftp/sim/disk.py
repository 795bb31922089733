"""A disk of the simulator: files that are slow, that change or break, and a disk that is full.

It is the content of a service as `tftp.server.content` asks for it, so it stands above the
server's floor. A file that is cut short or grown changes under those who read it, one that is
replaced or deleted does not; what a reader may get is any whole content that the name has had
since it asked (`texts`), never a mix. Must not know about packets.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tftp.errors import AccessDenied, DiskFull, FileChanged, LocalError, NoSuchFile
from tftp.net.cold import Cold, Helper
from tftp.net.files import FileSource, NetasciiSink, NetasciiSource, Readable, Sink, Source
from tftp.net.files import Writable as Buffer
from tftp.sim.clock import NEVER, Clock
from tftp.sim.invariants import Broken

__all__ = ["Disk", "Inode", "Temper"]


@dataclass(frozen=True, slots=True)
class Temper:
    """How a disk behaves; times in seconds."""

    slow: float = 0.0
    """How many reads have to wait for the disk."""
    wait: float = 0.0
    """How long they wait at most."""
    dead: float = NEVER
    """From when on a read that has to wait waits for ever."""
    room: int = 1 << 40
    """Octets that fit on the disk; what an upload takes away again is free again."""
    commit: float = 0.0
    """How long it takes to make an upload durable."""
    fails: float = 0.0
    """How many uploads cannot be made durable."""


class Inode:
    """A file by whatever name."""

    def __init__(self, serial: int, content: bytes) -> None:
        """Holds `content`, until somebody changes it."""
        self.serial = serial
        self.content = content
        self.changes = 0
        self.broken_at: int | None = None
        """From which octet on it cannot be read."""


@dataclass(slots=True)
class Text:
    """What a name has led to for a time."""

    content: bytes
    until: float = NEVER


class Disk:
    """All files of one server; they outlive it."""

    def __init__(self, clock: Clock, seed: int, temper: Temper) -> None:
        """Begins empty."""
        self.clock = clock
        self.temper = temper
        self.chance = random.Random(f"{seed} disk").random
        self.sources = self.sinks = 0
        """How many are open."""
        self.used = 0
        self.stored: dict[str, bytes] = {}
        """What has been uploaded and made durable."""
        self.expected: dict[str, bytes] = {}
        """What may be uploaded under a name, for those names where it is known."""
        self._files: dict[str, Inode] = {}
        self._texts: dict[str, list[Text]] = {}
        self._serial = 0

    def put(self, name: str, content: bytes) -> None:
        """Makes a file, or replaces it by another."""
        self._serial += 1
        self._files[name] = Inode(self._serial, content)
        self._now_reads(name, content)

    def remove(self, name: str) -> None:
        """Deletes a file; who has it open reads on."""
        if self._files.pop(name, None) is not None:
            self._texts[name][-1].until = self.clock.now

    def change(self, name: str, content: bytes) -> None:
        """Cuts a file short or lets it grow, in place."""
        inode = self._files.get(name)
        if inode is not None:
            inode.content = content
            inode.changes += 1
            self._now_reads(name, content)

    def spoil(self, name: str, place: int) -> None:
        """Makes a file unreadable from an octet on."""
        if name in self._files:
            self._files[name].broken_at = place

    def texts(self, name: str, since: float) -> list[bytes]:
        """Returns what a name has led to at any time since then, oldest first."""
        return [text.content for text in self._texts.get(name, []) if text.until >= since]

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        """Opens a file. Raises LocalError."""
        inode = self._files.get(name)
        if inode is None:
            raise NoSuchFile("File not found")
        self.sources += 1
        source = VirtualSource(self, inode)
        return NetasciiSource(source, keep) if netascii else source

    def write(self, name: str, *, netascii: bool, size: int | None) -> Sink:
        """Makes a place for an upload. Raises LocalError."""
        if name.startswith("denied"):
            raise AccessDenied("Access violation")
        if size is not None and self.used + size > self.temper.room:
            raise DiskFull("Disk full: no room for the size announced")
        self.sinks += 1
        sink = VirtualSink(self, name)
        return NetasciiSink(sink) if netascii else sink

    def _now_reads(self, name: str, content: bytes) -> None:
        texts = self._texts.setdefault(name, [])
        if texts and texts[-1].until == NEVER:
            texts[-1].until = self.clock.now
        texts.append(Text(content))


class VirtualSource(FileSource):
    """A file that is read; it shares packets with others as a real one does."""

    __slots__ = ("_changes", "_disk", "_end", "_inode", "_open", "_pending", "_warm")

    def __init__(self, disk: Disk, inode: Inode) -> None:
        """Opens it."""
        self._disk = disk
        self._inode = inode
        self._changes = inode.changes
        self._open = True
        self._warm = -1  # up to where it is in memory; below 0: nothing has been read yet
        self._end = 0
        self._pending = False
        self.size = len(inode.content)
        self.identity = (0, inode.serial, self.size, inode.changes, inode.changes)

    def read_into(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Reads what is in memory. Raises Cold, or LocalError."""
        if not self._open:
            raise Broken("a file is read after it was closed")
        room = sum(map(len, buffers))
        wanted = max(0, min(room, self.size - offset))
        self._wait_for(offset + wanted)
        inode = self._inode
        if inode.broken_at is not None and offset + wanted > inode.broken_at:
            raise LocalError("Local error (input/output error)")
        if offset + wanted > len(inode.content):
            raise FileChanged("The file has changed")
        place = offset
        for buffer in buffers:
            piece = inode.content[place : min(place + len(buffer), offset + wanted)]
            buffer[: len(piece)] = piece
            place += len(piece)
        if wanted < room and inode.changes != self._changes:
            raise FileChanged("The file has changed")
        return wanted

    def fetch(self, helper: Helper, tell: Callable[[], None]) -> None:
        """Has the disk bring what was missing; it needs no helper."""
        disk = self._disk
        if self._pending or disk.clock.now >= disk.temper.dead:
            return
        self._pending = True

        def brought() -> None:
            self._pending = False
            self._warm = self._end
            if self._open:
                tell()

        disk.clock.after(disk.temper.wait * disk.chance(), brought)

    def close(self) -> None:
        """Closes it. May be repeated."""
        if self._open:
            self._open = False
            self._disk.sources -= 1

    def _wait_for(self, end: int) -> None:
        """Raises Cold where the disk has to bring the octets up to `end` first."""
        if end <= self._warm:
            return
        if end > self._end and self._disk.temper.slow <= self._disk.chance():
            self._warm = self._end = end
            return
        self._end = max(end, self._end)
        raise Cold(self)


class VirtualSink:
    """An upload under way."""

    __slots__ = ("_data", "_disk", "_name", "_open")

    def __init__(self, disk: Disk, name: str) -> None:
        """Begins empty."""
        self._disk = disk
        self._name = name
        self._data = bytearray()
        self._open = True

    @property
    def written(self) -> int:
        """The number of octets stored so far."""
        return len(self._data)

    def write(self, views: Sequence[Readable]) -> None:
        """Appends. Raises DiskFull."""
        if not self._open:
            raise Broken("an upload is written to after it has ended")
        data, disk = b"".join(views), self._disk
        expected = disk.expected.get(self._name)
        if expected is not None and not expected.startswith(data, len(self._data)):
            raise Broken(f"wrong bytes are stored of {self._name!r}")
        if disk.used + len(data) > disk.temper.room:
            raise DiskFull("Disk full")
        disk.used += len(data)
        self._data += data

    def commit(self) -> None:
        """Makes the file durable. Raises LocalError."""
        disk, data = self._disk, bytes(self._data)
        if disk.chance() < disk.temper.fails:
            self.discard()
            raise LocalError("Local error (input/output error)")
        if disk.expected.get(self._name, data) != data:
            raise Broken(f"{self._name!r} is made visible before all of it has come")
        self.discard()
        disk.used += len(data) - len(disk.stored.get(self._name, b""))
        disk.stored[self._name] = data

    def discard(self) -> None:
        """Leaves nothing behind. May be repeated."""
        if self._open:
            self._open = False
            self._disk.sinks -= 1
            self._disk.used -= len(self._data)
