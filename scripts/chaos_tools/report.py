"""What scripts/chaos tells: a line for each transfer, and a table of the pairs.

Must not judge: a verdict comes with its outcome.
"""

from collections import Counter
from collections.abc import Sequence

from tests.interop.chaos import EXACT, TOLD, Outcome, Trip

__all__ = ["line", "table", "worst"]

Found = Sequence[tuple[Trip, Outcome]]

HEAD = ("pair", "asked for", "octets", "s", "carried", *TOLD, "tries", "verdict")


def line(trip: Trip, outcome: Outcome, seed: int) -> str:
    """Returns one transfer in a line, and what was said where it did not go well."""
    faults = ", ".join(f"{outcome.happened(what)} {what}" for what in TOLD)
    again = f" after {outcome.tries} tries" if outcome.tries > 1 else ""
    text = (
        f"{trip.pair}, {trip.size:,} octets, {trip.terms}, seed {seed}: "
        f"{outcome.verdict}{again}, {outcome.seconds:.1f} s; {faults}"
    )
    if outcome.verdict == EXACT:
        return text
    reason = f"known: {trip.weakness.reason}\n" if trip.weakness is not None else ""
    return f"{text}\n{reason}{outcome.details}"


def table(found: Found) -> list[str]:
    """Returns a line for each trip, its rounds together."""
    rows: list[tuple[str, ...]] = [HEAD]
    for trip in sorted({trip.id: trip for trip, _ in found}.values(), key=_order):
        outcomes = [outcome for other, outcome in found if other.id == trip.id]
        faults = [sum(one.happened(what) for one in outcomes) for what in ("carried", *TOLD)]
        seconds = sum(one.seconds for one in outcomes)
        tries = sum(one.tries for one in outcomes)
        rows.append(
            (
                *(trip.pair, trip.terms, f"{trip.size:,}", f"{seconds:.1f}"),
                *(f"{number:,}" for number in faults),
                *(str(tries), _verdicts(outcomes)),
            )
        )
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    return ["  ".join(_cell(place, row, widths) for place in range(len(HEAD))) for row in rows]


def worst(found: Found) -> str:
    """Returns how many ended how."""
    counted = Counter(outcome.verdict for _, outcome in found)
    return ", ".join(f"{count} {verdict}" for verdict, count in counted.most_common()) or "none"


def _order(trip: Trip) -> tuple[str, str, int]:
    return trip.pair, trip.terms, trip.size


def _verdicts(outcomes: Sequence[Outcome]) -> str:
    counted = Counter(one.verdict for one in outcomes)
    if len(outcomes) == 1:
        return outcomes[0].verdict
    return ", ".join(f"{count} {verdict}" for verdict, count in counted.items())


def _cell(place: int, row: Sequence[str], widths: Sequence[int]) -> str:
    words = place < 2 or place == len(HEAD) - 1
    return row[place].ljust(widths[place]) if words else row[place].rjust(widths[place])
