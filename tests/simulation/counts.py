"""Counts that tests hand over to be printed at the end of a run, summed over all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

__all__ = ["PROPERTY", "lines", "record"]

PROPERTY = "counts"


def record(request: pytest.FixtureRequest, group: str, counts: Mapping[str, int]) -> None:
    """Hands over the counts of one test; `group` names the line that they are summed in."""
    request.node.user_properties.append((PROPERTY, [group, dict(counts)]))


def lines(reports: Iterable[object]) -> list[str]:
    """Returns a line for each group of counts, in the order of their names."""
    groups: dict[str, Counter[str]] = {}
    for report in reports:
        if getattr(report, "when", None) != "call":
            continue
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                group, counts = value
                groups.setdefault(group, Counter()).update(counts)
    return [
        f"{group}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items())
        for group, counts in sorted(groups.items())
    ]
