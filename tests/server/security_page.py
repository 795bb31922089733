"""Writes the table of limits in `docs/security.md`: `python -m tests.server.security_page`.

Defaults and reasons are those in the source of `Limits`; flag and counter of each stand
here. A test fails when the page is stale, and when a limit has no flag and no place in the
file of settings.
"""

import ast
import inspect
import re
import textwrap
from dataclasses import fields
from pathlib import Path

from tftp.server import Limits

__all__ = ["COUNTED", "FLAGS", "PAGE", "fresh", "reasons"]

PAGE = Path(__file__).parents[2] / "docs" / "security.md"

FLAGS = {
    "transfers": "--max-transfers",
    "block_size": "--block-size-max",
    "window": "--window-max",
    "upload": "--max-upload",
    "cache": "--cache",
    "unproven": "--max-unproven",
    "host_unproven": "--max-host-unproven",
    "unproven_repeats": "--unproven-repeats",
    "unproven_requests": "--unproven-rate",
    "host_requests": "--host-rate",
    "host_transfers": "--max-host-transfers",
    "transfer_seconds": "--max-seconds",
    "transfer_octets": "--max-octets",
    "block_size_least": "--block-size-min",
    "muted_ports": "--muted-ports",
    "uploads": "--max-uploads",
    "host_uploads": "--max-host-uploads",
    "upload_requests": "--upload-rate",
    "free": "--keep-free",
    "lines": "--log-rate",
}
"""Those that are not here are set in the file of settings only."""

COUNTED = {
    "transfers": "turned_away",
    "waiting": "overflown",
    "unproven": "gave_way",
    "host_unproven": "host_unproven",
    "host_requests": "host_requests",
    "host_transfers": "host_transfers",
    "transfer_seconds": "overdue",
    "transfer_octets": "overdue",
    "muted_ports": "muted",
    "uploads": "uploads",
    "host_uploads": "host_uploads",
    "upload_requests": "upload_requests",
    "lines": "unlogged",
}
"""The field of `Totals` that grows each time that the limit bites."""


def reasons() -> dict[str, str]:
    """Returns what the source says of each limit."""
    source = ast.parse(textwrap.dedent(inspect.getsource(Limits)))
    body = source.body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    name = ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            found[name] = " ".join(str(node.value.value).split())
            name = ""
    return found


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, frozenset):
        return ", ".join(map(str, sorted(value)))
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}"


def _limits_table() -> str:
    said, limits = reasons(), Limits()
    lines = ["| Limit | Default | Flag | Counted as | What and why |", "|---|---|---|---|---|"]
    for one in fields(Limits):
        flag = f"`{FLAGS[one.name]}`" if one.name in FLAGS else ""
        count = f"`{COUNTED[one.name]}`" if one.name in COUNTED else ""
        default = _default(getattr(limits, one.name))
        lines.append(f"| `{one.name}` | {default} | {flag} | {count} | {said[one.name]} |")
    return "\n".join(lines)


def fresh(page: str) -> str:
    """Returns the page with its table made anew."""
    begin, end = "<!-- begin: limits -->", "<!-- end: limits -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    part = f"{begin}\n\n{_limits_table()}\n\n{end}"
    page, count = pattern.subn(part.replace("\\", r"\\"), page)
    assert count == 1, "the page has one place for the table"
    return page


if __name__ == "__main__":
    PAGE.write_text(fresh(PAGE.read_text("utf-8")), "utf-8")
