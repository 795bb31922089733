"""Cases that end the server: who did it is found out, and nobody else is blamed."""

import threading
from collections.abc import Callable

import pytest

from conformance.catalogue import Case, requirements
from conformance.line import Trial
from conformance.runner import Result
from conformance.verdict import Verdict
from conformance.watch import run_watched
from tests.conformance.world import World

WITHIN = 20.0
NAMES = list(requirements())


class Fragile:
    """An operator whose server can be ended, or be made to hang."""

    def __init__(self) -> None:
        self.dead = threading.Event()
        self.hanging = False
        self.lives = 0

    def revive(self, *, ask: bool) -> str:
        if self.dead.is_set():
            end = "the server has ended"
        elif ask and self.hanging:
            end = "the server hangs"
        else:
            return ""
        self.lives += 1
        self.dead.clear()
        self.hanging = False
        return end


def make(_: Case) -> Trial:
    return Trial(World(), "127.0.0.1")


def run(
    plays: list[Callable[[Trial], None]], operator: Fragile, jobs: int = 8, alone: int = 0
) -> list[Result]:
    """Runs these, of which the last are to be alone; returns the results in their order."""
    cases = [
        Case(name, "server", play, at >= len(plays) - alone)
        for at, (name, play) in enumerate(zip(NAMES, plays, strict=False))
    ]
    results = list(run_watched(cases, make, jobs, operator))
    assert len(results) == len(cases)
    return sorted(results, key=lambda result: NAMES.index(result.case.name))


def harmless(_: Trial) -> None:
    pass


def test_a_server_that_lives_on_changes_nothing() -> None:
    results = run([harmless, lambda t: t.fail("wrong"), lambda t: t.warn("odd")], Fragile())
    assert [str(one.verdict) for one in results] == ["PASS", "FAIL", "WARN"]


def test_the_one_that_ends_the_server_fails_and_those_beside_it_are_judged_anew() -> None:
    operator = Fragile()
    started = threading.Barrier(3)
    first_time = threading.Semaphore(3)

    def together() -> None:
        if first_time.acquire(blocking=False):
            started.wait(WITHIN)

    def killer(t: Trial) -> None:
        together()
        operator.dead.set()
        t.warn("odd")

    def victim(t: Trial) -> None:
        together()
        if operator.lives == 0:
            assert operator.dead.wait(WITHIN)
            t.fail("no answer")

    results = run([victim, killer, victim], operator)
    assert [str(one.verdict) for one in results] == ["PASS", "FAIL", "PASS"]
    assert [remark.text for remark in results[1].remarks] == ["the server has ended", "odd"]


def test_a_server_that_dies_between_attempts_is_a_fail_with_the_ladder_of_the_first() -> None:
    operator = Fragile()

    def killer(t: Trial) -> None:
        operator.dead.set()
        t.note("this was it")
        t.fail("no answer")

    (only,) = run([killer], operator, jobs=1)
    assert only.verdict is Verdict.FAIL
    assert only.text == "the server has ended; no answer"
    assert [step.note for step in only.ladder.steps] == ["this was it"]


def test_a_hang_shows_only_after_a_fail() -> None:
    operator = Fragile()

    def hang(t: Trial) -> None:
        operator.hanging = True
        t.fail("no answer")

    results = run([hang, harmless], operator)
    assert [str(one.verdict) for one in results] == ["FAIL", "PASS"]
    assert "the server hangs" in results[0].text


def test_cases_that_are_alone_are_watched_too() -> None:
    operator = Fragile()
    results = run([harmless, lambda _: operator.dead.set(), harmless], operator, alone=2)
    assert [str(one.verdict) for one in results] == ["PASS", "FAIL", "PASS"]
    assert results[1].text == "the server has ended"


def test_an_operator_that_gives_up_ends_the_run() -> None:
    class Lost(Fragile):
        def revive(self, *, ask: bool) -> str:
            raise RuntimeError("it cannot be started any more")

    with pytest.raises(RuntimeError, match="any more"):
        run([harmless, harmless], Lost())
