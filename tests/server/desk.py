"""A service on its desk: files in memory, no sockets, no clock."""

from collections.abc import Sequence

from tests.server.wire import error
from tftp.errors import FileExists, LocalError, NoSuchFile
from tftp.net.files import BytesSource, NetasciiSource, Readable, Source
from tftp.protocol.pace import Timing
from tftp.protocol.transfer import Address, Burst, Datagram
from tftp.server.config import Limits
from tftp.server.service import Reading, Refused, Service, Writing

__all__ = ["OTHER", "PEER", "Desk", "opening", "spoken"]

TIMING = Timing(first=1.0, floor=0.1, ceiling=8.0, retries=5, dally=6.0)
PEER: Address = ("192.0.2.1", 2000)
OTHER: Address = ("192.0.2.1", 2001)


class Box:
    """A sink that remembers how it ended."""

    def __init__(self) -> None:
        self.content = b""
        self.ended = ""

    @property
    def written(self) -> int:
        return len(self.content)

    def write(self, views: Sequence[Readable]) -> None:
        self.content += b"".join(views)

    def commit(self) -> None:
        self.ended = "committed"

    def discard(self) -> None:
        self.ended = "discarded"


class Shelf:
    """A content of files in memory; it notes what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | LocalError] = {"f": bytes(3000), "empty": b""}
        self.asked: list[tuple[str, str, bool, int | None]] = []
        self.boxes: list[Box] = []

    def read(self, name: str, *, netascii: bool, keep: int) -> Source:
        self.asked.append(("read", name, netascii, keep))
        found = self.files.get(name, NoSuchFile("File not found"))
        if isinstance(found, LocalError):
            raise found
        source = BytesSource(found)
        return NetasciiSource(source, keep) if netascii else source

    def write(self, name: str, *, netascii: bool, size: int | None) -> Box:
        self.asked.append(("write", name, netascii, size))
        if name in self.files:
            raise FileExists("File already exists")
        self.boxes.append(Box())
        return self.boxes[-1]


class Desk:
    """A service and its shelf."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.shelf = Shelf()
        self.service = Service(self.shelf, limits or Limits(), TIMING)

    def read(self, datagram: bytes, source: Address = PEER, now: float = 0.0) -> Reading:
        decided = self.service.decide(datagram, source, now)
        assert isinstance(decided, Reading), decided
        return decided

    def write(self, datagram: bytes, source: Address = PEER, now: float = 0.0) -> Writing:
        decided = self.service.decide(datagram, source, now)
        assert isinstance(decided, Writing), decided
        return decided

    def refuse(self, datagram: bytes, source: Address = PEER, now: float = 0.0) -> tuple[int, str]:
        decided = self.service.decide(datagram, source, now)
        assert isinstance(decided, Refused), decided
        assert decided.datagram == error(decided.code, decided.message)
        return decided.code, decided.message


def opening(admitted: Reading | Writing) -> bytes | Burst:
    """The first thing that a transfer says; nothing follows it but blocks."""
    word = admitted.transfer.poll()
    assert word is not None
    if isinstance(word, Burst):
        return word
    assert word.to == admitted.peer
    assert admitted.transfer.poll() is None
    return word.data


def spoken(admitted: Reading | Writing) -> list[bytes]:
    """All datagrams that a transfer has to say."""
    said = []
    while isinstance(word := admitted.transfer.poll(), Datagram):
        said.append(word.data)
    return said
