"""How a case comes to its verdict: remarks, gravity, attempts, jobs."""

import threading
from collections.abc import Callable, Iterator

import pytest

from conformance.catalogue import Case
from conformance.line import Trial
from conformance.runner import Result, run_case, run_cases
from conformance.verdict import Remarks, Stop, Verdict
from tests.conformance.world import World

HOST = "127.0.0.1"
IDENTITY = "RFC1350-5-01"


def make(_: Case) -> Trial:
    return Trial(World(), HOST)


def case(play: Callable[[Trial], None], *, alone: bool = False, name: str = IDENTITY) -> Case:
    return Case(name, "server", play, alone)


def outcomes(*verdicts: Verdict) -> Callable[[Trial], None]:
    """Returns a case that ends so at each of its attempts."""
    left: Iterator[Verdict] = iter(verdicts)

    def play(t: Trial) -> None:
        match next(left):
            case Verdict.FAIL:
                t.fail("it failed")
            case Verdict.SKIP:
                t.skip("not here")
            case Verdict.WARN:
                t.warn("it should not")
            case Verdict.ERROR:
                raise ZeroDivisionError
            case _:
                pass

    return play


# Verdicts


def test_the_order_of_gravity() -> None:
    ordered = sorted(Verdict, key=lambda verdict: verdict.gravity)
    assert ordered == [
        Verdict.PASS,
        Verdict.SKIP,
        Verdict.UNSUPPORTED,
        Verdict.POLICY,
        Verdict.LENIENT,
        Verdict.WARN,
        Verdict.FAIL,
        Verdict.ERROR,
    ]


def test_the_gravest_remark_counts() -> None:
    remarks = Remarks()
    verdicts = [remarks.verdict]
    for say in (remarks.policy, remarks.warn, remarks.lenient):
        say({remarks.policy: "a choice", remarks.warn: "a SHOULD"}.get(say, "unusual"))
        verdicts.append(remarks.verdict)
    with pytest.raises(Stop):
        remarks.fail("a MUST")
    verdicts.append(remarks.verdict)
    assert verdicts == [Verdict.PASS, Verdict.POLICY, Verdict.WARN, Verdict.WARN, Verdict.FAIL]
    assert [remark.text for remark in remarks.remarks] == [
        "a choice",
        "a SHOULD",
        "unusual",
        "a MUST",
    ]


@pytest.mark.parametrize(
    ("end", "verdict"),
    [
        (Remarks.fail, Verdict.FAIL),
        (Remarks.skip, Verdict.SKIP),
        (Remarks.unsupported, Verdict.UNSUPPORTED),
    ],
)
def test_some_remarks_end_a_case(end: Callable[[Remarks, str], None], verdict: Verdict) -> None:
    remarks = Remarks()
    with pytest.raises(Stop):
        end(remarks, "why")
    assert remarks.verdict is verdict


def test_a_check_that_holds_says_nothing() -> None:
    remarks = Remarks()
    remarks.check(True, "fine")
    assert remarks.remarks == []
    with pytest.raises(Stop):
        remarks.check(False, "not fine")


# Attempts


@pytest.mark.parametrize(
    ("attempts", "verdict"),
    [
        ([Verdict.PASS], Verdict.PASS),
        ([Verdict.WARN], Verdict.WARN),
        ([Verdict.SKIP], Verdict.SKIP),
        ([Verdict.ERROR], Verdict.ERROR),
        ([Verdict.FAIL, Verdict.FAIL, Verdict.FAIL], Verdict.FAIL),
        ([Verdict.FAIL, Verdict.PASS, Verdict.FAIL], Verdict.FAIL),
        ([Verdict.FAIL, Verdict.FAIL, Verdict.PASS], Verdict.FAIL),
        ([Verdict.FAIL, Verdict.PASS, Verdict.PASS], Verdict.LENIENT),
        ([Verdict.FAIL, Verdict.WARN, Verdict.PASS], Verdict.WARN),
    ],
)
def test_a_failure_has_to_come_again(attempts: list[Verdict], verdict: Verdict) -> None:
    """A packet may be lost on the way; only what fails in most attempts is the target's."""
    result = run_case(case(outcomes(*attempts)), make)
    assert result.verdict is verdict
    if attempts[0] is Verdict.FAIL and verdict is not Verdict.FAIL:
        assert "failed in one of 3 attempts: it failed" in result.text


def test_each_attempt_has_a_trial_of_its_own() -> None:
    trials: list[Trial] = []

    def keep(one: Case) -> Trial:
        trials.append(make(one))
        return trials[-1]

    run_case(case(outcomes(Verdict.FAIL, Verdict.PASS, Verdict.PASS)), keep)
    assert len(trials) == 3


def test_an_exception_is_the_suites_own() -> None:
    result = run_case(case(outcomes(Verdict.ERROR)), make)
    assert "ZeroDivisionError" in result.text
    assert "the suite itself failed" in result.text


def test_what_a_trial_opened_is_closed_whatever_happens() -> None:
    world = World()
    ports: list[int] = []

    def play(t: Trial) -> None:
        ports.append(t.line().address[1])
        raise ZeroDivisionError

    run_case(case(play), lambda _: Trial(world, HOST))
    world.open(HOST, ports[0]).close()


def test_a_result_tells_what_it_is_about() -> None:
    def play(t: Trial) -> None:
        t.policy("a choice")
        t.note("a note")
        t.pause(2.5)
        t.warn("a SHOULD")

    result = run_case(case(play), make)
    assert result.text == "a SHOULD; a choice"
    assert result.seconds == 2.5
    assert result.requirement.id == IDENTITY
    assert [step.words for step in result.ladder.steps] == ["a note"]


# Many cases


def named(result: Result) -> str:
    return result.case.name


@pytest.mark.parametrize("jobs", [1, 3])
def test_all_are_run_and_those_alone_come_last(jobs: int) -> None:
    cases = [
        case(outcomes(Verdict.PASS), name="RFC1350-6-01", alone=True),
        case(outcomes(Verdict.PASS), name="RFC1350-5-01"),
        case(outcomes(Verdict.PASS), name="RFC1350-4-01"),
    ]
    found = list(run_cases(cases, make, jobs))
    assert {named(result) for result in found[:2]} == {"RFC1350-5-01", "RFC1350-4-01"}
    assert named(found[2]) == "RFC1350-6-01"


def test_they_run_side_by_side() -> None:
    """Each waits for the other: one after the other, neither would end."""
    meeting = threading.Barrier(2, timeout=30)

    def play(t: Trial) -> None:
        meeting.wait()

    found = list(run_cases([case(play), case(play)], make, jobs=2))
    assert [result.verdict for result in found] == [Verdict.PASS, Verdict.PASS]


def test_those_alone_run_one_by_one() -> None:
    running = threading.Lock()

    def play(t: Trial) -> None:
        t.check(running.acquire(blocking=False), "another one runs")
        running.release()

    found = list(run_cases([case(play, alone=True) for _ in range(4)], make, jobs=4))
    assert [result.verdict for result in found] == [Verdict.PASS] * 4
