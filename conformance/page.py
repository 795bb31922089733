"""Results as a page for a browser: requirement by implementation, with ladders.

One file that needs no network: the template `page.html` with the data inside. Used for one
target and for the matrix of many. Must not know how a result came about.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .catalogue import requirements
from .outputs import DOCUMENTS, Column, Row
from .verdict import Verdict

__all__ = ["page", "page_data", "write_page"]

TEMPLATE = Path(__file__).with_name("page.html")
LADDER_LINES = 60
MARK = '"the data goes here"'


def write_page(path: Path, columns: Sequence[Column]) -> None:
    """Writes the page of some targets, in that order. Raises OSError."""
    path.write_text(page(columns), "utf-8")


def page(columns: Sequence[Column]) -> str:
    """Returns the page of some targets."""
    # Neither "</script>" nor "<!--" may stand in a script, whatever a target has sent.
    data = json.dumps(page_data(columns), separators=(",", ":")).replace("<", "\\u003c")
    return TEMPLATE.read_text("utf-8").replace(MARK, data)


def page_data(columns: Sequence[Column]) -> dict[str, object]:
    """Returns what the page shows: the requirements that were tried, and each target's results."""
    tried = {str(row["id"]) for column in columns for row in column.rows}
    order = list(DOCUMENTS)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    shown = [one for one in requirements().values() if one.id in tried]
    return {
        "made": max((one.made for one in columns), default="") or today,
        "requirements": [
            {
                "id": one.id,
                "document": DOCUMENTS[one.document],
                "clause": one.clause,
                "level": one.level,
                "title": one.title,
                "text": one.text,
                "accept": one.accept,
                "reading": one.reading,
            }
            for one in sorted(shown, key=lambda one: order.index(one.document))
        ],
        "targets": [
            {
                "name": column.name,
                "side": column.side,
                "about": column.about,
                "version": column.version,
                "missing": column.missing,
                "ends": list(column.ends),
                "results": {str(row["id"]): _cell(row) for row in column.rows},
            }
            for column in columns
        ],
    }


def _cell(row: Row) -> dict[str, object]:
    cell: dict[str, object] = {"v": row["verdict"]}
    remarks = row["remarks"]
    assert isinstance(remarks, list), "as outputs.fields has it"
    if remarks:
        cell["r"] = [f"{remark['verdict']}: {remark['text']}" for remark in remarks]
    ladder = row.get("ladder")
    if isinstance(ladder, list) and ladder and row["verdict"] != Verdict.PASS:
        half = LADDER_LINES // 2
        long = len(ladder) > LADDER_LINES
        cell["l"] = [*ladder[:half], "  ...", *ladder[-half:]] if long else ladder
    return cell
