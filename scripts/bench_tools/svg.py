"""Draws bars, ratios and lines as SVG, plain text without a library.

A picture carries its own background and follows the reader's light or dark scheme. Must not
know what the figures mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
.ground{fill:#fff}text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}
.head{font-size:15px;font-weight:600}.name{font-weight:600}.dim{fill:#656d76;font-size:11px}
.bar{fill:#b9c2cd}.ours{fill:#1f6feb}.behind{fill:#d1783c}.line{stroke:#1f6feb;fill:none;stroke-width:2}
.rule{stroke:#d0d7de}.spread{stroke:#57606a}.mark{stroke:#1f2328;stroke-width:1.5}
@media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.dim{fill:#9198a1}
.bar{fill:#4b545f}.ours{fill:#4c8dff}.behind{fill:#e0935c}.line{stroke:#4c8dff}
.rule{stroke:#30363d}.spread{stroke:#9198a1}.mark{stroke:#e6edf3}}
"""

CARD, GAP, ROW = 430, 24, 18
LETTER = 6.9  # width of a letter, roughly
TOP = 58


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, with the text at its end and the spread that is drawn over it."""

    label: str
    value: float
    text: str
    ours: bool = False
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """Bars on one scale."""

    title: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times; `marks` are drawn across."""

    label: str
    value: float
    marks: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Points over a logarithmic axis."""

    title: str
    points: Sequence[tuple[float, float]]


def bars(title: str, subtitle: str, groups: Sequence[Group], columns: int = 2) -> str:
    """Draws groups of bars, each on a scale of its own."""
    parts: list[str] = []
    heights = [TOP] * columns
    for group in groups:
        column = heights.index(min(heights))
        x, y = GAP + column * (CARD + GAP), heights[column]
        parts += _group(group, x, y)
        heights[column] += 30 + ROW * len(group.bars) + 12
    width = GAP + columns * (CARD + GAP)
    return _picture(title, subtitle, width, max(heights), parts)


def _group(group: Group, x: int, y: int) -> list[str]:
    parts = [_text(x, y + 14, group.title, "name")]
    longest = max((max(bar.value, bar.high) for bar in group.bars), default=0) or 1
    label = 16 + LETTER * max((len(bar.label) for bar in group.bars), default=0)
    room = CARD - label - 56
    for number, bar in enumerate(group.bars):
        top = y + 24 + number * ROW
        length = room * bar.value / longest
        left = x + label
        parts.append(_text(left - 8, top + 11, bar.label, "name" if bar.ours else "", "end"))
        kind = "ours" if bar.ours else "bar"
        parts.append(_box(left, top, max(length, 1), ROW - 5, kind))
        end = length
        if bar.high > bar.low:
            low, high = (left + room * value / longest for value in (bar.low, bar.high))
            parts.append(_rule(low, top + 6.5, high, top + 6.5, "spread"))
            end = max(end, high - left)
        parts.append(_text(left + end + 6, top + 11, bar.text, "dim"))
    return parts


def ratios(title: str, subtitle: str, rows: Sequence[Ratio]) -> str:
    """Draws ratios from a line at one, on a logarithmic scale."""
    width, left, right = 760, 270, 70
    low = min([0.8, *(row.value * 0.9 for row in rows if row.value > 0)])
    high = max([4.0, *(max(row.value, *row.marks, 1.0) * 1.1 for row in rows)])
    span = math.log(high / low)

    def place(value: float) -> float:
        return left + (width - left - right) * math.log(max(value, low) / low) / span

    bottom = TOP + len(rows) * 24
    parts = [_rule(place(1), TOP - 4, place(1), bottom, "mark")]
    for tick in (2, 5, 10, 20, 50, 100, 200, 500):
        if tick < high:
            parts.append(_rule(place(tick), TOP - 4, place(tick), bottom, "rule"))
            parts.append(_text(place(tick), bottom + 14, f"{tick} x", "dim", "middle"))
    parts.append(_text(place(1), bottom + 14, "1 x", "dim", "middle"))
    for number, row in enumerate(rows):
        top = TOP + number * 24
        start, end = sorted((place(1), place(row.value)))
        parts.append(_text(left - 10, top + 13, row.label, "", "end"))
        parts.append(
            _box(start, top + 2, max(end - start, 1), 15, "ours" if row.value >= 1 else "behind")
        )
        parts += [_rule(place(mark), top, place(mark), top + 19, "mark") for mark in row.marks]
        parts.append(_text(width - 16, top + 14, f"{row.value:.1f} x", "name", "end"))
    return _picture(title, subtitle, width, bottom + 30, parts)


def lines(title: str, subtitle: str, panels: Sequence[Line]) -> str:
    """Draws each line in a panel of its own, side by side; the values begin at zero."""
    height = 190
    parts: list[str] = []
    for number, panel in enumerate(panels):
        x = GAP + number * (CARD + GAP)
        parts.append(_text(x, TOP + 12, panel.title, "name"))
        parts += _panel(panel, x + 56, TOP + 26, CARD - 70, height)
    width = GAP + len(panels) * (CARD + GAP)
    return _picture(title, subtitle, width, TOP + height + 60, parts)


def _panel(panel: Line, x: int, y: int, width: int, height: int) -> list[str]:
    first, last = (math.log10(panel.points[i][0]) for i in (0, -1))
    top = _round_up(max(value for _, value in panel.points))
    parts = []
    for part in range(5):
        at = y + height - height * part / 4
        parts.append(_rule(x, at, x + width, at, "rule"))
        parts.append(_text(x - 8, at + 4, f"{top * part / 4:,.4g}", "dim", "end"))
    places = []
    for point, value in panel.points:
        across = x + width * (math.log10(point) - first) / ((last - first) or 1)
        places.append((across, y + height - height * value / top))
        parts.append(_text(across, y + height + 16, f"{point:,.0f}", "dim", "middle"))
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    parts.append(f'<polyline class="line" points="{path}"/>')
    parts += [f'<circle class="ours" cx="{a:.1f}" cy="{d:.1f}" r="3.5"/>' for a, d in places]
    return parts


def _round_up(value: float) -> float:
    step = 10.0 ** math.floor(math.log10(value or 1))
    return next(step * times for times in (1, 2, 4, 5, 8, 10) if step * times >= value)


def _picture(title: str, subtitle: str, width: int, height: float, parts: Sequence[str]) -> str:
    size = f'width="{width}" height="{height:.0f}" viewBox="0 0 {width} {height:.0f}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE.strip()}</style>",
        f'<rect class="ground" width="{width}" height="{height:.0f}" rx="8"/>',
        _text(GAP, 26, title, "head"),
        _text(GAP, 44, subtitle, "dim"),
    ]
    return "\n".join([*head, *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}{side}>{escape(text)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="2"/>'
    )


def _rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
