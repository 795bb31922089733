"""The cases of the interop matrix, made from what each peer can do.

One row for each peer and direction, one column for each group of cases. What a peer is
known to do wrong stands in known.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tests.interop.clients import ClientPeer, subsets
from tests.interop.peers import WAYS, Way
from tests.interop.servers import ServerPeer
from tests.interop.shelf import Content

COLUMNS = ("sizes", "options", "wrap", "40 MB", "netascii", "IPv6")
SLOW = ("wrap", "40 MB")

IPV4, IPV6 = "127.0.0.1", "::1"

SIZES = (0, 1, 511, 512, 513, 1024)
MULTIPLE = 8 * 512
"""A multiple of the block size that is used where none is agreed on."""
SMALL = 3001
BULK = 40 << 20
TEXTS = ("mixed", "bordering", "no-line-end")

BLOCKS = (65_535, 65_536, 131_073)
"""Counts of blocks: the last number before the wrap, a last block of number 0 that is empty,
and a last block that is the first after a second wrap."""

WINDOW = 64  # where so many blocks go to a peer with windows: lock-step takes seconds

VALUES = {"blksize": 1000, "timeout": 2, "windowsize": 4, "rollover": 0, "tsize": 0, "multicast": 0}
"""What is asked for where the value does not matter; each is granted as it is."""


@dataclass(frozen=True, slots=True)
class Case:
    """One transfer of the matrix. `options` None leaves them to the client."""

    side: str
    peer: str
    way: Way
    column: str
    label: str
    content: Content
    options: Mapping[str, int] | None = None
    mode: str = "octet"
    address: str = IPV4

    @property
    def id(self) -> str:
        """Returns the name of the test."""
        return "-".join((self.peer, self.way, self.column, self.label)).replace(" ", "")

    @property
    def row(self) -> str:
        """Returns the row of the matrix."""
        return f"{self.peer} {self.way}"


def client_cases(peer: ClientPeer) -> Iterator[Case]:
    """Yields what a client is put through."""
    for way in WAYS:
        case = partial(Case, "client", peer.name, way)
        usual = {name: VALUES[name] for name in peer.usual}
        for size in (*SIZES, MULTIPLE):
            yield case("sizes", str(size), size)
            if peer.usual and () in peer.option_sets:
                yield case("sizes", f"{size}, no options", size, {})
        for block in (1428, peer.block_sizes[1]) if peer.block_sizes is not None else ():
            yield case("sizes", f"7 blocks of {block}", 7 * block, usual | {"blksize": block})
        for names in peer.option_sets if "options" not in peer.lacks else ():
            yield case("options", ", ".join(names) or "none", SMALL, _asking(names))
        block = peer.block_sizes[0] if peer.block_sizes is not None else 512
        for count in BLOCKS:
            label = f"{count} blocks of {block}"
            yield case("wrap", label, octets_in(count, block), _wrap(peer, usual))
        yield from _common(case, netascii=peer.netascii, ipv6=peer.ipv6)


def _wrap(peer: ClientPeer, usual: Mapping[str, int]) -> Mapping[str, int] | None:
    if peer.block_sizes is None:
        return None
    window = {"windowsize": WINDOW} if peer.windows else {}
    return {**usual, "blksize": peer.block_sizes[0], **window}


ASKED = ("blksize", "rollover", "timeout", "tsize", "windowsize")
"""All that our client can ask for."""


def server_cases(peer: ServerPeer) -> Iterator[Case]:
    """Yields what our client does with a server."""
    for way in peer.ways:
        case = partial(Case, "server", peer.name, way)
        for size in (*SIZES, MULTIPLE):
            yield case("sizes", str(size), size)
            yield case("sizes", f"{size}, no options", size, {})
        for block in (1428, peer.largest_block):
            yield case("sizes", f"7 blocks of {block}", 7 * block, {"blksize": block})
        for names in subsets(ASKED):
            yield case("options", ", ".join(names) or "none", SMALL, _asking(names))
        block = peer.smallest_block
        wrap = {"blksize": block} | ({"windowsize": WINDOW} if way in peer.windows else {})
        for count in BLOCKS:
            label = f"{count} blocks of {block}"
            yield case("wrap", label, octets_in(count, block), wrap)
        yield from _common(case, netascii=way in peer.netascii, ipv6=peer.ipv6)


def _common(case: Callable[..., Case], *, netascii: bool, ipv6: bool) -> Iterator[Case]:
    yield case("40 MB", "40 MB", BULK)
    for text in TEXTS if netascii else ():
        yield case("netascii", text, text, mode="netascii")
    for size in (SMALL, MULTIPLE) if ipv6 else ():
        yield case("IPv6", str(size), size, address=IPV6)


def _asking(names: Iterable[str]) -> Mapping[str, int]:
    return {name: VALUES[name] for name in names}


def octets_in(blocks: int, block_size: int) -> int:
    """Returns the size of a file of so many blocks; of 65,536 the last one is empty."""
    return (blocks - 1) * block_size + (0 if blocks == 65_536 else block_size // 2)
