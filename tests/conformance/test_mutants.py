"""Each planted mutant is found by the case that is meant to find it.

That the same case has nothing to say of our own server and client, `test_self` shows; here
it is run on both once more for those whose verdict is not PASS by nature.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.catalogue import Case, all_cases
from conformance.fixtures import write_fixtures
from conformance.runner import Result
from conformance.verdict import Verdict
from tests.conformance.client_actor import ClientKind
from tests.conformance.mutant import Mutant
from tests.conformance.mutants import CLIENT_MUTANTS, MUTANTS, SERVER_MUTANTS
from tests.conformance.selfrun import LONG, judge_client, judge_server
from tests.conformance.server_actor import ServerKind

ENOUGH = 30


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutants") / "root"
    write_fixtures(folder)
    return folder


def named(mutant: Mutant) -> str:
    return f"{mutant.side} {mutant.wrong}"


def case_for(mutant: Mutant) -> Case:
    found = [case for case in all_cases(mutant.side) if case.name == mutant.caught_by]
    assert found, f"no case against a {mutant.side} is called {mutant.caught_by}"
    return found[0]


def judge(mutant: Mutant, kind: ServerKind | ClientKind, root: Path) -> Result:
    if isinstance(kind, ServerKind):
        return judge_server(case_for(mutant), root, kind)
    return judge_client(case_for(mutant), kind)


def sound(mutant: Mutant) -> ServerKind | ClientKind:
    """Returns what the mutant was before something was made wrong."""
    if isinstance(mutant.kind, ServerKind):
        return ServerKind()
    return ClientKind(eager=mutant.kind.eager)


def marked() -> list[object]:
    """Returns all mutants; those whose case has more than 65,536 blocks are slow."""
    return [
        pytest.param(one, marks=[pytest.mark.slow] if one.caught_by.startswith(LONG) else [])
        for one in MUTANTS
    ]


@pytest.mark.parametrize("mutant", marked(), ids=named)
def test_a_mutant_is_caught(mutant: Mutant, root: Path) -> None:
    result = judge(mutant, mutant.kind, root)
    ladder = "\n".join(result.ladder.lines(60))
    assert result.verdict is mutant.verdict, f"{result.verdict} {result.text}\n{ladder}"
    healthy = judge(mutant, sound(mutant), root)
    assert healthy.verdict.gravity < mutant.verdict.gravity, healthy.text


def test_there_are_enough_of_them() -> None:
    """A run in which none is caught must fail, whatever becomes of the table."""
    grave = [mutant for mutant in MUTANTS if mutant.verdict in (Verdict.FAIL, Verdict.WARN)]
    assert len(grave) >= ENOUGH
    assert len(SERVER_MUTANTS) >= 25
    assert len(CLIENT_MUTANTS) >= 15
    assert len({named(mutant) for mutant in MUTANTS}) == len(MUTANTS)


def test_a_mutant_without_its_mistake_is_not_caught(root: Path) -> None:
    """The test above would see it: what it asserts does not hold of a healthy server."""
    mutant = SERVER_MUTANTS[0]
    healthy = replace(mutant, kind=ServerKind())
    assert judge(healthy, healthy.kind, root).verdict is not mutant.verdict
