"""Option negotiation in three turns: propose, grant, confirm (RFC 2347).

Knows blksize (RFC 2348), timeout and tsize (RFC 2349), windowsize (RFC 7440), and the
de-facto `utimeout` and `rollover` of tftp-hpa. A server leaves out what it does not know
and every value that it cannot use; a client refuses an answer that it did not ask for.
Must not know about packets, files or clocks: sizes and limits come as arguments.
"""

from collections.abc import Callable
from typing import NamedTuple

from tftp.errors import OptionRefused
from tftp.protocol.packets import MAX_BLOCK_SIZE, Options

__all__ = ["Ceiling", "Terms", "Wish", "confirm", "grant", "number", "propose"]

DEFAULT_BLOCK_SIZE = 512
MIN_BLOCK_SIZE = 8
MAX_WINDOW = 65535
# Half of all block numbers: with a larger window an old ACK could not be told from a new one.
SAFE_WINDOW = 32767
MIN_UTIMEOUT, MAX_UTIMEOUT = 10_000, 255_000_000
MAX_DIGITS = 20  # enough for 2**64; a longer number is nobody's file size


class Terms(NamedTuple):
    """What a negotiation agreed. The defaults are those of RFC 1350."""

    block_size: int = DEFAULT_BLOCK_SIZE
    """Octets in every block but the last."""
    window: int = 1
    """Blocks in flight before an ACK."""
    timeout: float | None = None
    """The interval of retransmissions in seconds; None leaves it to each side."""
    size: int | None = None
    """tsize as the peer gave it, in octets; None where it gave none."""
    rollover: int = 0
    """The block number behind 65,535: 0 or 1."""
    options: Options = ()
    """The options of the OACK, name and value; empty where there was no OACK."""


class Ceiling(NamedTuple):
    """What a server grants at most."""

    block_size: int = MAX_BLOCK_SIZE
    window: int = 64
    size: int | None = None
    """What to answer for tsize in an RRQ; None leaves the option out."""
    block_size_least: int = MIN_BLOCK_SIZE
    """A blksize below it is passed over."""


class Wish(NamedTuple):
    """What a client would like. None leaves an option out of the request."""

    block_size: int | None = None
    window: int | None = None
    timeout: int | None = None
    size: int | None = None
    """0 in an RRQ (tell me), the size in octets in a WRQ (RFC 2349)."""
    rollover: int | None = None


def number(value: str, low: int, high: int) -> int | None:
    """Reads ASCII decimal digits between two bounds; None for anything else."""
    if not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
        return None
    parsed = int(value)
    return parsed if low <= parsed <= high else None


def propose(wish: Wish) -> Options:
    """Returns the options of a request (turn 1, the client's)."""
    values = {
        "tsize": wish.size,
        "blksize": wish.block_size,
        "windowsize": wish.window,
        "timeout": wish.timeout,
        "rollover": wish.rollover,
    }
    return tuple((name, str(value)) for name, value in values.items() if value is not None)


def grant(asked: Options, ceiling: Ceiling, *, reading: bool) -> Terms:
    """Returns the terms that a server takes on (turn 2); `options` go into the OACK.

    Only options that were asked for are in it, in the client's order and spelling, and
    none with a larger value. An option named twice counts where it first can be granted.
    """
    taken: dict[str, int] = {}
    answer: list[tuple[str, str]] = []
    for name, value in asked:
        key = name.lower()
        if key in taken or key not in _GRANTS or (key in _TIMERS and taken.keys() & _TIMERS):
            continue
        granted = _GRANTS[key](value, ceiling, reading)
        if granted is not None:
            taken[key] = granted
            answer.append((name, str(granted)))
    return _terms(taken, tuple(answer))


def confirm(asked: Options, answered: Options) -> Terms:
    """Returns the terms that a client has after an OACK (turn 3).

    Raises OptionRefused, whose code is that of ERROR 8, for an option that was not asked
    for, that comes twice, or whose value may not follow from the one asked for.
    """
    wishes = {name.lower(): value for name, value in asked}
    taken: dict[str, int] = {}
    for name, value in answered:
        key = name.lower()
        if key not in wishes:
            raise OptionRefused(f"Option {name} was not requested")
        if key in taken:
            raise OptionRefused(f"Option {name} was answered twice")
        accepted = _accept(key, int(wishes[key]), value)
        if accepted is None:
            raise OptionRefused(f"Value of option {name} is not acceptable")
        taken[key] = accepted
    return _terms(taken, answered)


def _accept(key: str, wish: int, value: str) -> int | None:
    match key:
        case "blksize":
            return number(value, MIN_BLOCK_SIZE, wish)
        case "windowsize":
            return number(value, 1, wish)
        case "tsize":
            return number(value, 0, 10**MAX_DIGITS)
        case _:  # timeout, utimeout, rollover: the same number or none (RFC 2349)
            return number(value, wish, wish)


def _terms(taken: dict[str, int], options: Options) -> Terms:
    timeout: float | None = taken.get("timeout")
    if "utimeout" in taken:
        timeout = taken["utimeout"] / 1e6
    return Terms(
        block_size=taken.get("blksize", DEFAULT_BLOCK_SIZE),
        window=taken.get("windowsize", 1),
        timeout=timeout,
        size=taken.get("tsize"),
        rollover=taken.get("rollover", 0),
        options=options,
    )


def _grant_block_size(value: str, ceiling: Ceiling, reading: bool) -> int | None:
    asked = number(value, MIN_BLOCK_SIZE, MAX_BLOCK_SIZE)
    if asked is None or asked < ceiling.block_size_least:
        return None  # 512 holds, which is less packets
    return min(asked, ceiling.block_size)


def _grant_window(value: str, ceiling: Ceiling, reading: bool) -> int | None:
    asked = number(value, 1, MAX_WINDOW)
    return None if asked is None else min(asked, ceiling.window, SAFE_WINDOW)


def _grant_size(value: str, ceiling: Ceiling, reading: bool) -> int | None:
    # A reader asks with 0 and is told the size; whatever else it sent, echoing it would
    # have it show a false size. A writer's number is echoed.
    asked = number(value, 0, 10**MAX_DIGITS)
    return ceiling.size if reading and asked is not None else asked


def _grant_timeout(value: str, ceiling: Ceiling, reading: bool) -> int | None:
    return number(value, 1, 255)


def _grant_utimeout(value: str, ceiling: Ceiling, reading: bool) -> int | None:
    return number(value, MIN_UTIMEOUT, MAX_UTIMEOUT)


def _grant_rollover(value: str, ceiling: Ceiling, reading: bool) -> int | None:
    return number(value, 0, 1)


# timeout and utimeout set the same clock: the one that stands first is taken.
_TIMERS = {"timeout", "utimeout"}

_GRANTS: dict[str, Callable[[str, Ceiling, bool], int | None]] = {
    "blksize": _grant_block_size,
    "windowsize": _grant_window,
    "tsize": _grant_size,
    "timeout": _grant_timeout,
    "utimeout": _grant_utimeout,
    "rollover": _grant_rollover,
}
