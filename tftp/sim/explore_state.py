"""What a transfer knows, as a copy to go on from and as a key to recognize it by.

Exploring every order of events means to go back: each step works on a copy, and a state
that was met before is not walked again. Both read the slots of `Sender` and `Receiver`,
so a slot that is added takes part by itself. Times count from now, so that the same
situation a second later is the same state. Must not know about links and faults.
"""

from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import TypeVar

from tftp.protocol.pace import Pace
from tftp.protocol.states import State
from tftp.protocol.transfer import Transfer

__all__ = ["OVER", "clone", "key_of"]

T = TypeVar("T", bound=Transfer)
Getter = Callable[[object], tuple[object, ...]]

OVER = (State.DONE, State.FAILED)
TIMES = ("_flight_at", "_progress_at", "_rewound_at", "_timed_at", "deadline")
# What never changes in one exploration, what only counts for people, and what is read by
# itself. `_strangers` counts up to a limit far beyond the faults of an exploration, and
# `timeouts` matters only where `Timing.answers` is set, which is not explored.
# `_awaited` is for those who `step` and `take`; whoever does adds it to the key.
ASIDE = {"_asked", "_awaited", "_out", "_strangers", "_timing", "pace", "resent", "timeouts"}
# All that a receiver looks at while it stays to repeat its last ACK.
DALLYING: Getter = attrgetter("_expected", "_patience", "_timing", "terms", "peer")
RESOLUTION = 1e6  # microseconds: sums of floats that took different ways are the same time


def slots_of(kind: type) -> tuple[str, ...]:
    """Returns the names of all slots of a class, those of its bases too."""
    names: set[str] = set()
    for base in kind.__mro__:
        names.update(getattr(base, "__slots__", ()))
    return tuple(sorted(names))


class _Shape:
    """How to read the instances of one class."""

    def __init__(self, kind: type) -> None:
        names = slots_of(kind)
        self.names = names
        self.values: Getter = attrgetter(*names)
        self.times: Getter = attrgetter(*[name for name in TIMES if name in names])
        self.others: Getter = attrgetter(*[n for n in names if n not in ASIDE and n not in TIMES])


_shapes: dict[type, _Shape] = {}
_PACE_NAMES = slots_of(Pace)
_PACE_VALUES: Getter = attrgetter(*_PACE_NAMES)


def clone(transfer: T) -> T:
    """Returns a transfer that goes its own way from here on. It must have been polled empty."""
    kind = type(transfer)
    shape = _shape(kind)
    copy = kind.__new__(kind)
    for name, value in zip(shape.names, shape.values(transfer), strict=True):
        setattr(copy, name, value)
    pace = copy.pace
    copy.pace = Pace.__new__(Pace)
    for name, value in zip(_PACE_NAMES, _PACE_VALUES(pace), strict=True):
        setattr(copy.pace, name, value)
    copy._out = []
    return copy


def key_of(transfer: Transfer, now: float) -> Hashable:
    """Returns what is the same for two transfers exactly if the same will become of them."""
    state = transfer.state
    if state in OVER:  # whatever comes, nothing changes any more
        return state.name, transfer.outcome
    shape = _shape(type(transfer))
    if state is State.DALLYING:
        assert transfer.deadline is not None, "it stays for a time, not for ever"
        left, ago = transfer.deadline - now, now - transfer.heard_at
        return round(left * RESOLUTION), round(ago * RESOLUTION), DALLYING(transfer)
    times = [
        None if moment is None else round((moment - now) * RESOLUTION)  # type: ignore[operator]
        for moment in shape.times(transfer)
    ]
    return *times, shape.others(transfer), _PACE_VALUES(transfer.pace)


def _shape(kind: type) -> _Shape:
    shape = _shapes.get(kind)
    if shape is None:
        shape = _shapes[kind] = _Shape(kind)
    return shape
