"""The sub-command `tftp-conformance relay`: a bad network between a client and a server.

Translates words of the command line into faults, and shows at the end what happened. Must
not hold any logic of its own.
"""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, NamedTuple

import typer

from .ports import Address
from .relay_faults import TO_CLIENT, TO_SERVER, WAYS, Counts, Cut, Faults
from .relay_loop import UdpRelay

__all__ = ["relay"]


class Place(NamedTuple):
    """A host by name or number, and a port."""

    host: str
    port: int


LISTEN = Place("127.0.0.1", 0)

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
CUT_WAYS = {"to-server": TO_SERVER, "to-client": TO_CLIENT}
SHOWN = (
    *("carried", "delivered", "lost", "duplicated", "reordered"),
    *("too big", "cut", "crowded", "refused"),
)
ALWAYS_SHOWN = SHOWN[:5]


def _chance(text: str) -> float:
    """Reads 5% or 0.05."""
    number, percent, rest = text.partition("%")
    with suppress(ValueError):
        chance = float(number) / 100 if percent else float(number)
        if not rest and 0 <= chance <= 1:
            return chance
    raise typer.BadParameter(f"{text} is no chance; write 5% or 0.05")


def _seconds(text: str) -> float:
    """Reads 2ms, 500us or 1.5s; a bare number is seconds."""
    unit = next((unit for unit in UNITS if text.endswith(unit)), "")
    with suppress(ValueError):
        seconds = float(text.removesuffix(unit)) * UNITS.get(unit, 1.0)
        if 0 <= seconds <= 60:
            return seconds
    raise typer.BadParameter(f"{text} is no time up to a minute; write 2ms or 0.002s")


def _cut(text: str) -> Cut:
    """Reads to-client:2-5, the way and the seconds."""
    way, _, times = text.partition(":")
    begin, _, end = times.partition("-")
    with suppress(ValueError, KeyError):
        return Cut(CUT_WAYS[way], float(begin), float(end))
    raise typer.BadParameter(f"{text} is no cut; write to-client:2-5 or to-server:0-1.5")


def _place(text: str) -> Place:
    """Reads HOST, HOST:PORT, [IPv6] or [IPv6]:PORT; no port is 69."""
    host, colon, port = text.rpartition(":")
    if not colon or ("]" not in text and text.count(":") > 1) or text.endswith("]"):
        host, port = text, "69"
    with suppress(ValueError):
        number = int(port)
        if 0 <= number <= 65535 and host:
            return Place(host.strip("[]"), number)
    raise typer.BadParameter(f"{text} is no place; write HOST:PORT or [IPv6]:PORT")


def relay(
    server: Annotated[
        Place,
        typer.Argument(parser=_place, metavar="SERVER[:PORT]", help="The server behind it."),
    ],
    listen: Annotated[
        Place | None,
        typer.Option(
            parser=_place,
            metavar="HOST:PORT",
            help="Where clients ask.  [a free port of 127.0.0.1]",
        ),
    ] = None,
    loss: Annotated[
        float | None,
        typer.Option(parser=_chance, metavar="CHANCE", help="How many get lost, such as 5%."),
    ] = None,
    duplicate: Annotated[
        float | None, typer.Option(parser=_chance, metavar="CHANCE", help="How many come twice.")
    ] = None,
    reorder: Annotated[
        float | None,
        typer.Option(parser=_chance, metavar="CHANCE", help="How many later ones overtake."),
    ] = None,
    delay: Annotated[
        float | None,
        typer.Option(parser=_seconds, metavar="TIME", help="How long each takes, one way: 2ms."),
    ] = None,
    jitter: Annotated[
        float | None,
        typer.Option(parser=_seconds, metavar="TIME", help="Up to how much more, by chance."),
    ] = None,
    mtu: Annotated[
        int | None, typer.Option(min=48, max=65535, help="Larger packets vanish.")
    ] = None,
    cut: Annotated[
        list[Cut] | None,
        typer.Option(parser=_cut, metavar="WAY:S-S", help="A dead time of one way: to-client:2-5."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, the same faults.")] = 1,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="How long to run; else until Ctrl-C.")
    ] = None,
) -> None:
    """Stands between any client and any server, and loses, doubles, delays and reorders."""
    faults = Faults(
        loss=loss or 0.0,
        duplication=duplicate or 0.0,
        reordering=reorder or 0.0,
        delay=delay or 0.0,
        jitter=jitter or 0.0,
        mtu=mtu,
        cuts=tuple(cut or ()),
    )
    target, place = _address(server), listen or LISTEN
    try:
        running = UdpRelay(target, _address(place), faults, seed=seed)
    except (OSError, ValueError) as error:
        trouble = (error.strerror if isinstance(error, OSError) else "") or str(error)
        typer.echo(f"Cannot listen on {_shown(place)}: {trouble}. Name another place.", err=True)
        raise typer.Exit(1) from None
    typer.echo(
        f"Ask {_shown(running.address)} instead of {_shown(target)}; seed {seed}. Ctrl-C ends it."
    )
    try:
        with _ended_by_signals(running):
            running.run(seconds)
    finally:
        running.close()
    for line in _table(running.counts):
        typer.echo(line)


@contextmanager
def _ended_by_signals(running: UdpRelay) -> Iterator[None]:
    """Has it stop between two datagrams, so that the counts are right to the last one."""
    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda *_: running.stop())
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _address(place: Place) -> Address:
    try:
        found = socket.getaddrinfo(*place, type=socket.SOCK_DGRAM)
    except OSError as error:
        typer.echo(f"{place[0]} is not known here: {error.strerror}", err=True)
        raise typer.Exit(3) from None
    address = found[0][4]
    return str(address[0]), int(address[1])


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _table(counts: Counts) -> list[str]:
    """Returns what happened, a line each, with both ways beside each other."""
    lines = [f"{'datagrams':12}" + "".join(f"{way:>12}" for way in WAYS)]
    for what in SHOWN:
        numbers = [counts[way, what] for way in WAYS]
        if any(numbers) or what in ALWAYS_SHOWN:
            lines.append(f"{what:12}" + "".join(f"{number:12,}" for number in numbers))
    return lines
