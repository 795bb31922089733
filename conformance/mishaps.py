"""What may befall a packet on a `FaultyLine`: the actions of a plan, and changes to octets.

`lose`, `double`, `later`, `hold`, `swap` leave the packet as it is; `damage` and `forge`
take a change: `cut`, `stretch`, `opcode`, `renumber`, `flip`, `becomes`. Must not know
what anybody makes of it.
"""

import random
from collections.abc import Callable

from .faults import OUT, Action, Delivery, Event, Seen
from .wire import ACK, DATA

__all__ = [
    "Change",
    "becomes",
    "cut",
    "damage",
    "double",
    "flip",
    "foreign",
    "forge",
    "hold",
    "insert",
    "later",
    "lose",
    "opcode",
    "other_octets",
    "overdue",
    "renumber",
    "seeded",
    "stretch",
    "swap",
]

Change = Callable[[bytes], bytes]


# ---------------------------------------------------------------- the packet as it is


def lose() -> Action:
    """Has it not arrive."""
    return Action("lost", lambda _: [])


def double(times: int = 2) -> Action:
    """Has it arrive more than once, back to back."""
    return Action(f"{times} copies", lambda event: [Delivery(event.datagram)] * times)


def later(*, delay: float = 0.0, behind: int = 0, until: Seen | None = None) -> Action:
    """Has it arrive, and once more after a while."""
    when = _when(delay, behind, until)

    def apply(event: Event) -> list[Delivery]:
        return [Delivery(event.datagram), Delivery(event.datagram, delay, behind, until)]

    return Action(f"comes again {when}", apply)


def hold(delay: float = 0.0, *, behind: int = 0, until: Seen | None = None) -> Action:
    """Has it arrive late: after so many seconds, behind so many others, or at a moment."""
    when = _when(delay, behind, until)
    return Action(
        f"held back {when}", lambda event: [Delivery(event.datagram, delay, behind, until)]
    )


def overdue() -> Action:
    """Has it arrive late: just behind its repeat, which a timer has brought about."""

    def apply(event: Event) -> list[Delivery]:
        return [Delivery(event.datagram, until=Seen(event.kind, event.block, event.copy + 1))]

    return Action("held back until it comes again", apply)


def swap() -> Action:
    """Has it change places with the next of its way, which is left alone then."""
    return Action(
        "changes places with the next", lambda event: [Delivery(event.datagram, behind=1)], True
    )


def seeded(
    seed: object,
    *,
    loss: float = 0.0,
    double: float = 0.0,
    swap: float = 0.0,
    late: float = 0.0,
    seconds: float = 0.02,
) -> Action:
    """Has a seed decide, for each packet on its own: shares of 1 that meet with each fault.

    The same packet meets with the same fault in every run, whatever came before it.
    """

    def apply(event: Event) -> list[Delivery] | None:
        name = f"{seed} {event.way} {event.kind} {event.block} {event.copy}"
        number = random.Random(name).random()
        whole = Delivery(event.datagram)
        fates: tuple[tuple[float, list[Delivery]], ...] = (
            (loss, []),
            (double, [whole, whole]),
            (swap, [whole._replace(behind=1)]),
            (late, [whole._replace(delay=seconds)]),
        )
        for share, fate in fates:
            number -= share
            if number < 0:
                return fate
        return None

    return Action("", apply)


# ---------------------------------------------------------------- changed, or not from the peer


def damage(change: Change, *, mended: float | None = None) -> Action:
    """Has something else arrive in its place, and the packet itself so many seconds later.

    Without `mended` it does not come at all.
    """

    def apply(event: Event) -> list[Delivery]:
        true = [] if mended is None else [Delivery(event.datagram, mended)]
        return [Delivery(change(event.datagram)), *true]

    return Action("damaged", apply)


def forge(
    change: Change = bytes, *, host: str = "", own: float | None = 0.0, before: bool = True
) -> Action:
    """Has a stranger send it as well, changed perhaps, before or after the peer's own.

    The own one follows after `own` seconds; None: it is lost.
    """

    def apply(event: Event) -> list[Delivery]:
        forged = Delivery(change(event.datagram), way=OUT, host=host)
        true = [] if own is None else [Delivery(event.datagram, own)]
        return [forged, *true] if before else [*true, forged]

    return Action("forged by a stranger", apply)


def foreign(datagram: bytes, *, host: str = "") -> Action:
    """Has a stranger send another datagram at that moment."""
    return Action(
        "a stranger speaks",
        lambda event: [Delivery(event.datagram), Delivery(datagram, way=OUT, host=host)],
    )


def insert(*datagrams: bytes) -> Action:
    """Has us send other datagrams at that moment, as ours."""
    return Action(
        "something else is sent",
        lambda event: [
            Delivery(event.datagram),
            *[Delivery(datagram, way=OUT) for datagram in datagrams],
        ],
    )


# ---------------------------------------------------------------- changes


def cut(length: int) -> Change:
    """Leaves so many octets."""
    return lambda datagram: datagram[:length]


def stretch(extra: int) -> Change:
    """Adds so many octets."""
    return lambda datagram: datagram + b"\xa5" * extra


def opcode(number: int) -> Change:
    """Makes it another kind of packet."""
    return lambda datagram: number.to_bytes(2, "big") + datagram[2:]


def renumber(by: int = 0, *, to: int | None = None) -> Change:
    """Gives it another block number: so much more, or just that."""

    def change(datagram: bytes) -> bytes:
        number = int.from_bytes(datagram[2:4], "big") + by if to is None else to
        return datagram[:2] + (number & 0xFFFF).to_bytes(2, "big") + datagram[4:]

    return change


def flip(place: int, mask: int = 0xFF) -> Change:
    """Changes the octet at a place, which may count from the end."""

    def change(datagram: bytes) -> bytes:
        octets = bytearray(datagram)
        octets[place] ^= mask
        return bytes(octets)

    return change


def becomes(datagram: bytes) -> Change:
    """Puts another datagram in its place."""
    return lambda _: datagram


def other_octets(datagram: bytes) -> bytes:
    """Keeps kind, number and length, and changes all the rest."""
    return datagram[:4] + bytes(octet ^ 0x5A for octet in datagram[4:])


def _when(delay: float, behind: int, until: Seen | None) -> str:
    if until is not None:
        again = " again" if until.copy > 1 else ""
        number = f" {until.block}" if until.kind in (DATA, ACK) else ""
        return f"until {until.kind}{number} comes{again}"
    if behind:
        return f"behind the next {behind}"
    return f"for {delay:.2f} s" if delay > 0 else "for a moment"
