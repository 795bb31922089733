"""Judges known targets, keeps what came of each, and draws the matrix of them all.

The results of each target are kept in a file of its own, so that one can be judged again and
the matrix be drawn anew from the rest. Must not know about terminals.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from .catalogue import all_cases, requirements
from .commands import Commands
from .judge import Unjudged, judge_client, judge_server
from .operate import Server
from .outputs import Column, Row, fields
from .page import write_page
from .runner import Result
from .server_trial import ServerTarget
from .table import markdown
from .targets import NotAvailable, Programs, Target
from .verdict import Verdict

__all__ = ["FOLDER", "MATRIX", "PEERS", "choose", "draw", "judge", "keep", "kept"]

_CHECKOUT = Path(__file__).parent.parent
_IS_CHECKOUT = (_CHECKOUT / "pyproject.toml").is_file()

FOLDER = _CHECKOUT / "conformance" / "report" if _IS_CHECKOUT else Path("conformance-report")
"""Where the matrix goes if nobody says."""

PEERS = (_CHECKOUT / ".cache" / "peers" / "bin") if _IS_CHECKOUT else None
"""Where scripts/peers puts the programs of a checkout."""

MATRIX = ("matrix.md", "matrix.html", "matrix.json")
KEPT = "targets"  # the folder with a file for each target
PATIENCE = 40.0  # seconds that a client may take to give up

Tell = Callable[[Result], None]


def choose(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    """Returns the targets of these names or IDs; without names all. Raises ValueError."""
    for name in names:
        if not any(_is_called(target, name) for target in targets):
            known = ", ".join(target.id for target in targets)
            raise ValueError(f"There is no target {name}; there are {known}")
    return [one for one in targets if not names or any(_is_called(one, name) for name in names)]


def judge(target: Target, programs: Programs, prefixes: list[str], tell: Tell) -> Column:
    """Judges a target with the cases of these prefixes; `tell` hears of each result at once.

    One that cannot be judged here comes back with the reason in `missing`.
    """
    rows: Sequence[Row] = ()
    ends: Sequence[str] = ()
    version = missing = ""
    try:
        version = programs.version(target)
        if target.side == "server":
            rows, ends = _judge_server(target, programs, prefixes, tell)
        else:
            launcher = Commands(programs.commands(target))
            found = judge_client(launcher, prefixes, jobs=target.jobs, patience=PATIENCE)
            rows = _collect(found, tell)
    except (NotAvailable, Unjudged) as trouble:
        missing = str(trouble)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    about = target.about
    return Column(target.name, target.side, rows, about, version, day, missing, tuple(ends))


def keep(folder: Path, target: Target, column: Column, *, partial: bool) -> None:
    """Writes the results of a target into the folder of the matrix. Raises OSError, ValueError.

    With `partial` the results of other cases are kept as they were.
    """
    path = _path(folder, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    older = _read(path) if partial else None
    if older is not None:
        fresh = {str(row["id"]) for row in column.rows}
        rows = [*column.rows, *(row for row in older.rows if str(row["id"]) not in fresh)]
        ends = (*older.ends, *column.ends)
        column = replace(column, rows=_ordered(rows), ends=ends)
    path.write_text(json.dumps(asdict(column), indent=1) + "\n", "utf-8")


def kept(folder: Path, targets: Sequence[Target]) -> list[Column]:
    """Returns what is kept of these targets, in their order. Raises OSError, ValueError.

    Results of cases that are no more are left out, and so are targets never judged.
    """
    columns = []
    for target in targets:
        if (column := _read(_path(folder, target))) is not None:
            cases = {case.requirement for case in all_cases(target.side)}
            rows = [row for row in column.rows if str(row["id"]) in cases]
            columns.append(replace(column, rows=rows))
    return columns


def draw(folder: Path, columns: Sequence[Column]) -> list[Path]:
    """Writes the matrix as Markdown, as a page and as JSON; returns their paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    text, page, data = paths = [folder / name for name in MATRIX]
    text.write_text(markdown(columns), "utf-8")
    write_page(page, columns)
    data.write_text(json.dumps({"targets": [asdict(one) for one in columns]}) + "\n", "utf-8")
    return paths


def _judge_server(
    target: Target, programs: Programs, prefixes: list[str], tell: Tell
) -> tuple[list[Row], list[str]]:
    server = Server(target, programs)
    try:
        subject = ServerTarget(
            server.address, root=server.root, prefix=target.write_prefix, writes=target.writes
        )
        rows = server.beside(
            lambda: _collect(judge_server(subject, prefixes, target.jobs, operator=server), tell)
        )
    finally:
        server.stop()
    return rows, server.ends


def _collect(results: Iterable[Result], tell: Tell) -> list[Row]:
    rows = []
    for result in results:
        rows.append(fields(result, ladder=result.verdict is not Verdict.PASS))
        tell(result)
    return _ordered(rows)


def _ordered(rows: Iterable[Row]) -> list[Row]:
    order = {identity: number for number, identity in enumerate(requirements())}
    return sorted(rows, key=lambda row: order.get(str(row["id"]), len(order)))


def _is_called(target: Target, name: str) -> bool:
    return name.casefold() in (target.id.casefold(), target.name.casefold())


def _path(folder: Path, target: Target) -> Path:
    return folder / KEPT / f"{target.id}.json"


def _read(path: Path) -> Column | None:
    try:
        return Column(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no results; remove it: {error}") from error
