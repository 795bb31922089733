"""The matrix as Markdown: requirement by implementation, a word for each verdict.

Servers and clients apart, totals first, then a table for each document. Must not know how a
result came about.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from .catalogue import Requirement, requirements
from .outputs import DOCUMENTS, Column
from .verdict import Verdict

__all__ = ["WORDS", "markdown"]

WORDS = {
    Verdict.PASS: "pass",
    Verdict.LENIENT: "lenient",
    Verdict.POLICY: "policy",
    Verdict.WARN: "**warn**",
    Verdict.FAIL: "**FAIL**",
    Verdict.ERROR: "**error**",
    Verdict.UNSUPPORTED: "n/a",
    Verdict.SKIP: "skip",
}
MEANINGS = {
    Verdict.PASS: "as required",
    Verdict.LENIENT: "allowed, but unusual",
    Verdict.POLICY: "the RFC is silent: the JSON and the page tell what was observed",
    Verdict.WARN: "breaks a SHOULD",
    Verdict.FAIL: "breaks a MUST, or does harm",
    Verdict.ERROR: "of the suite itself",
    Verdict.UNSUPPORTED: "an optional feature that is not there",
    Verdict.SKIP: "could not be tried",
}
NONE = "-"
HEADINGS = {"server": "Servers", "client": "Clients"}


def markdown(columns: Sequence[Column]) -> str:
    """Returns the whole document."""
    lines = [
        "# Conformance of TFTP servers and clients",
        "",
        "Written by `tftp-conformance matrix`, which also writes a page for a browser",
        "with the packets that led to each verdict.",
        "",
        *(f"- {WORDS[verdict]}: {meaning}" for verdict, meaning in MEANINGS.items()),
        f"- {NONE}: no such case, or the target was not judged",
    ]
    for side, heading in HEADINGS.items():
        of_side = [column for column in columns if column.side == side]
        if of_side:
            lines += ["", f"## {heading}", "", *_about(of_side), "", *_totals(of_side)]
            lines += _documents(of_side)
    return "\n".join(lines) + "\n"


def _about(columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        parts = [f"- **{_plain(column.name)}** {column.version}".rstrip() + ":", column.about]
        if column.made:
            parts.append(f"Judged on {column.made}.")
        if column.missing:
            parts.append(f"**Not judged here**: {_plain(column.missing)}.")
        if count := len(column.ends):
            parts.append(f"It ended {'once' if count == 1 else f'{count} times'} under the cases.")
        yield " ".join(parts)


def _totals(columns: Sequence[Column]) -> list[str]:
    tallies = [Counter(str(row["verdict"]) for row in column.rows) for column in columns]
    rows = [
        [WORDS[verdict], *(str(tally[verdict]) if tally else NONE for tally in tallies)]
        for verdict in Verdict
        if any(tally[verdict] for tally in tallies)
    ]
    return _table(["Verdict", *(column.name for column in columns)], rows)


def _documents(columns: Sequence[Column]) -> Iterator[str]:
    found = [{str(row["id"]): Verdict(str(row["verdict"])) for row in c.rows} for c in columns]
    for document, title in DOCUMENTS.items():
        tried = [
            one
            for one in requirements().values()
            if one.document == document and any(one.id in verdicts for verdicts in found)
        ]
        rows = [
            [
                _title(one),
                one.level,
                *(WORDS[verdicts[one.id]] if one.id in verdicts else NONE for verdicts in found),
            ]
            for one in tried
        ]
        if rows:
            heading = ["Requirement", "Level", *(column.name for column in columns)]
            yield from ("", f"### {title}", "", *_table(heading, rows))


def _title(one: Requirement) -> str:
    return f"{_plain(one.title)} `{one.id}`"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---" if at == 0 else ":-:" for at in range(len(heading))]
    return [_row([_plain(name) for name in heading]), _row(rule), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Returns a text in one line, without what Markdown would take for its own."""
    escaped = "".join(f"\\{c}" if c in "\\`*_|<>[]" else c for c in text)
    return " ".join(escaped.split())
