"""What happens in a world, chosen from one seed: who wants what, over which links, and what fails.

Most worlds are small, so that many can be run; now and then there are hundreds of clients. Sizes
lie at the edges that matter to TFTP: nothing, a block, an octet more or less (RFC 1350 section
6). About one world in eight is without any fault, and there all must go well at the first try.
Must not know how any of it is played.
"""

import random
from dataclasses import dataclass, field

from tftp.protocol.options import Wish
from tftp.protocol.pace import Timing
from tftp.server.config import Limits
from tftp.sim.client import Errand
from tftp.sim.disk import Temper
from tftp.sim.link import Faults
from tftp.sim.network import Hazards
from tftp.sim.server import Conduct

__all__ = ["Mishap", "Scenario", "choose"]

BLOCK_SIZES = (8, 64, 128, 512, 512, 1024, 1408, 1468, 4096)
WINDOWS = (1, 1, 1, 2, 3, 4, 8, 16, 64)
MOST_BLOCKS = 40


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that happens at a time, in seconds from the start."""

    when: float
    what: str
    """`kill`, `stop`, `pause` (the server), `replace`, `shorten`, `grow`, `remove`, `spoil`."""
    name: str = ""
    """The file that it happens to."""
    seconds: float = 0.0
    """How long the server is away."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A world before it begins."""

    seed: int
    files: dict[str, bytes]
    errands: list[Errand]
    conduct: Conduct = field(default_factory=Conduct)
    temper: Temper = field(default_factory=Temper)
    hazards: list[tuple[Hazards, Hazards]] = field(default_factory=list)
    """The way to the server and the way back, of each client in turn."""
    mishaps: list[Mishap] = field(default_factory=list)
    strangers: int = 0
    clean: bool = False
    """Whether nothing keeps any of the clients from having its file at the first try."""


def choose(seed: int) -> Scenario:
    """Returns the world of a seed."""
    chance = random.Random(f"scenario {seed}")
    clean = chance.random() < 0.12
    errands_wanted = _how_many(chance)
    crowd = errands_wanted > 20
    files = {f"file-{number}": _content(chance, crowd) for number in range(chance.randint(1, 4))}
    errands = [_errand(chance, files, number, clean, crowd) for number in range(errands_wanted)]
    mishaps = [] if clean or chance.random() < 0.5 else _mishaps(chance, files)
    usual = Hazards(_faults(chance))
    return Scenario(
        seed,
        files,
        errands,
        _conduct(chance, clean),
        Temper() if clean or chance.random() < 0.6 else _temper(chance),
        [_hazards(chance, usual, clean) for _ in errands],
        mishaps,
        0 if clean or chance.random() < 0.5 else chance.randint(1, 30),
        clean,
    )


def _how_many(chance: random.Random) -> int:
    kind = chance.random()
    if kind < 0.6:
        return chance.randint(1, 6)
    if kind < 0.98:
        return chance.randint(7, 30)
    return chance.randint(100, 300)


def _size(chance: random.Random, block_size: int, most: int) -> int:
    """Returns a size at or near an edge, or any."""
    blocks = chance.randrange(most)
    size = block_size * blocks + chance.choice((0, 0, 1, block_size - 1, chance.randrange(512)))
    return chance.choice((0, 1, 511, 512, 513, size, size, size, size, size))


def _content(chance: random.Random, crowd: bool) -> bytes:
    size = _size(chance, chance.choice((8, 512, 512, 1024)), 4 if crowd else MOST_BLOCKS)
    if chance.random() < 0.1:  # lines, for netascii
        return bytes(chance.choice(b"\r\n\0ab") for _ in range(min(size, 2048)))
    return chance.randbytes(size)


def _wish(chance: random.Random, size: int) -> Wish:
    """Returns the options of a client; a small block only for a small file."""
    if chance.random() < 0.3:
        return Wish()
    sizes = [b for b in BLOCK_SIZES if b * 4 * MOST_BLOCKS >= size]
    window = chance.choice(WINDOWS)
    return Wish(
        block_size=chance.choice(sizes) if chance.random() < 0.8 else None,
        window=window if window > 1 else None,
        timeout=chance.randint(1, 4) if chance.random() < 0.15 else None,
        size=size if chance.random() < 0.7 else None,
        rollover=chance.randint(0, 1) if chance.random() < 0.05 else None,
    )


def _errand(
    chance: random.Random, files: dict[str, bytes], number: int, clean: bool, crowd: bool
) -> Errand:
    names = list(files)
    name, upload = chance.choice(names), None
    if chance.random() < 0.25:
        name, upload = f"upload-{number}", _content(chance, crowd)
        if not clean and chance.random() < 0.1:
            name = f"denied-{number}"
    elif not clean and chance.random() < 0.05:
        name = "missing"
    mode = "netascii" if chance.random() < 0.1 else "octet"
    size = len(files.get(name, b"") if upload is None else upload)
    wish = _wish(chance, size if mode == "octet" else 2 * size)
    wish = wish._replace(size=None if wish.size is None else _announced(upload, mode, size))
    # A board that comes back to its port takes what was on its way to its earlier self for the
    # answer of a server without options: fatal, and past help, if a DATA 1 is a small one, or
    # if an ACK 0 makes it send blocks of 512 where larger ones were agreed on.
    block_size = wish.block_size or 512
    fits = block_size >= 512 if upload is None else block_size == 512
    same_port = chance.random() < 0.4 and fits
    resets = [] if clean or chance.random() < 0.75 else [6 * chance.random() ** 2]
    return Errand(
        name,
        upload,
        mode,
        (wish,) if same_port else (wish, wish._replace(block_size=None, window=None), Wish()),
        attempts=chance.randint(1, 3),
        begins=chance.random() * chance.choice((0.0, 0.001, 1.0, 5.0)),
        pause=chance.choice((0.01, 0.5, 3.0)),
        resets=tuple(resets),
        same_port=same_port,
        timing=Timing() if clean else chance.choice((Timing(), Timing(first=0.5, retries=3))),
    )


def _announced(upload: bytes | None, mode: str, size: int) -> int | None:
    """Returns what goes into tsize: who writes text does not know how long it is on the wire."""
    if upload is None:
        return 0
    return size if mode == "octet" else None


def _faults(chance: random.Random) -> Faults:
    return Faults(
        loss=chance.choice((0.0, 0.01, 0.05, 0.05, 0.2)),
        duplication=chance.choice((0.0, 0.01, 0.1)),
        reordering=chance.choice((0.0, 0.01, 0.1)),
        delay=chance.choice((0.0001, 0.001, 0.02, 0.2)),
        jitter=chance.choice((0.0, 0.001, 0.05)),
    )


def _hazards(chance: random.Random, usual: Hazards, clean: bool) -> tuple[Hazards, Hazards]:
    if clean:
        calm = Hazards(Faults(delay=usual.faults.delay))
        return calm, calm
    if chance.random() < 0.6:
        return usual, usual
    cuts: tuple[tuple[float, float], ...] = ()
    if chance.random() < 0.3:
        start = 1000.0 + 3 * chance.random()
        cuts = ((start, start + chance.choice((0.3, 2.0, 15.0))),)
    own = Hazards(
        _faults(chance),
        damage=chance.choice((0.0, 0.02)),
        late=chance.choice((0.0, 0.02)),
        mtu=chance.choice((65_535, 65_535, 1500, 1400, 576)),
        cuts=cuts,
    )
    return (own, usual) if chance.random() < 0.5 else (usual, own)


def _conduct(chance: random.Random, clean: bool) -> Conduct:
    limits = Limits()
    if not clean and chance.random() < 0.3:
        limits = Limits(
            transfers=chance.choice((1, 3, 10_000)),
            block_size=chance.choice((512, 1024, 65_464)),
            window=chance.choice((1, 4, 64)),
            text=chance.choice((1024, 256 << 10)),
            cache=chance.choice((0, 1500, 16 << 20)),
            unproven=chance.choice((2, 4096)),
            host_unproven=chance.choice((1, 1024)),
            unproven_repeats=chance.choice((0, 1, 3)),
            unproven_requests=chance.choice((2.0, 500.0)),
        )
    return Conduct(
        limits,
        nap=chance.choice((0.0, 0.0, 0.0001, 0.002)),
        full=0.0 if clean else chance.choice((0.0, 0.0, 0.1)),
        connects=chance.random() < 0.8,
        groups=chance.random() < 0.7,
    )


def _temper(chance: random.Random) -> Temper:
    return Temper(
        slow=chance.choice((0.0, 0.1, 1.0)),
        wait=chance.choice((0.001, 0.5, 3.0)),
        dead=1000.0 + chance.choice((1.0, 1e9, 1e9)),
        room=chance.choice((0, 3000, 1 << 40)),
        commit=chance.choice((0.0, 0.05, 1.5, 10.0)),
        fails=chance.choice((0.0, 0.3)),
    )


def _mishaps(chance: random.Random, files: dict[str, bytes]) -> list[Mishap]:
    found = []
    for name in files:
        if chance.random() < 0.3:
            what = chance.choice(("replace", "shorten", "grow", "remove", "spoil"))
            found.append(Mishap(3 * chance.random(), what, name))
    if chance.random() < 0.6:
        what = chance.choice(("kill", "kill", "stop", "pause", "pause"))
        seconds = chance.choice((0.01, 1.0, 5.0, 12.0))
        found.append(Mishap(4 * chance.random() ** 2, what, seconds=seconds))
    return found
