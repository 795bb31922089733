"""The catalogue: every requirement in our words, and the cases that try it.

Requirements stand in `requirements/*.toml`, one file per document; cases in `cases/`, and
register themselves with `server_case` or `client_case`. Must not know how a case is run.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client_trial import ClientTrial
    from .server_trial import ServerTrial

__all__ = [
    "Case",
    "Requirement",
    "all_cases",
    "client_case",
    "requirements",
    "select",
    "server_case",
]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that an RFC, or practice, asks for."""

    id: str
    clause: str
    level: str
    roles: tuple[str, ...]
    title: str
    text: str
    accept: str
    reading: str = ""
    untestable: str = ""
    invariants: tuple[str, ...] = ()
    document: str = ""
    """The file it stands in, without its ending: rfc1350, faults, ..."""


@dataclass(frozen=True, slots=True)
class Case:
    """A script that tries one requirement against a server or against a client."""

    requirement: str
    side: str
    """`server` or `client`: what is judged."""
    play: Callable[..., None]
    alone: bool = False
    """Whether nothing else may run against the target at the same time."""
    exact: bool = False
    """Whether it needs fixtures of just their size, and another known file will not do."""

    @property
    def name(self) -> str:
        """Returns the ID under which it is reported and selected."""
        return self.requirement

    @property
    def rationale(self) -> str:
        """Returns why it is tried in this way: the text of its function."""
        return " ".join((self.play.__doc__ or "").split())


_CASES: dict[tuple[str, str], Case] = {}

ServerPlay = Callable[["ServerTrial"], None]
ClientPlay = Callable[["ClientTrial"], None]


def server_case(
    requirement: str, *, alone: bool = False, exact: bool = False
) -> Callable[[ServerPlay], ServerPlay]:
    """Registers a function as the case that tries a requirement against a server."""

    def register(play: ServerPlay) -> ServerPlay:
        _add(Case(requirement, "server", play, alone, exact))
        return play

    return register


def client_case(requirement: str, *, alone: bool = False) -> Callable[[ClientPlay], ClientPlay]:
    """Registers a function as the case that tries a requirement against a client."""

    def register(play: ClientPlay) -> ClientPlay:
        _add(Case(requirement, "client", play, alone))
        return play

    return register


@cache
def requirements() -> dict[str, Requirement]:
    """Returns the whole catalogue by ID, in the order of the files."""
    found: dict[str, Requirement] = {}
    for path in sorted((HERE / "requirements").glob("*.toml")):
        for row in tomllib.loads(path.read_text("utf-8"))["requirement"]:
            lists = [tuple(row.pop(name, ())) for name in ("roles", "invariants")]
            one = Requirement(**row, roles=lists[0], invariants=lists[1], document=path.stem)
            if one.id in found:
                raise ValueError(f"{one.id} stands twice in the catalogue")
            found[one.id] = one
    return found


def all_cases(side: str) -> list[Case]:
    """Returns all cases against a `server` or a `client`, in the order of the catalogue."""
    for path in sorted((HERE / "cases").glob("*.py")):
        import_module(f"{__package__}.cases.{path.stem}")
    order = {identity: number for number, identity in enumerate(requirements())}
    found = [case for case in _CASES.values() if case.side == side]
    return sorted(found, key=lambda case: order[case.requirement])


def select(side: str, prefixes: list[str]) -> list[Case]:
    """Returns the cases whose ID or document begins with one of the prefixes; none: all.

    Case of letters does not matter: `rfc7440`, `RFC2347-N`, `faults`, `F-DM`.
    """
    wanted = tuple(prefix.casefold() for prefix in prefixes) or ("",)
    return [
        case
        for case in all_cases(side)
        if case.requirement.casefold().startswith(wanted)
        or requirements()[case.requirement].document.casefold() in wanted
    ]


def _add(case: Case) -> None:
    if case.requirement not in requirements():
        raise ValueError(f"{case.requirement} is not in the catalogue")
    if _CASES.setdefault((case.side, case.requirement), case).play is not case.play:
        raise ValueError(f"{case.requirement} has two cases against a {case.side}")
