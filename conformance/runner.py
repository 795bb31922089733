"""Runs cases and collects what came of them; knows neither kind of target.

Cases run in threads, since they mostly wait; those that need the target for themselves run
one by one at the end. A case that raises is an ERROR of the suite, not of the target.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace

from .catalogue import Case, Requirement, requirements
from .ladder import Ladder
from .line import Trial
from .verdict import Remark, Stop, Verdict

__all__ = ["ATTEMPTS", "Result", "run_case", "run_cases"]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case."""

    case: Case
    verdict: Verdict
    remarks: tuple[Remark, ...]
    seconds: float
    ladder: Ladder = field(repr=False)

    @property
    def requirement(self) -> Requirement:
        """Returns what was tried."""
        return requirements()[self.case.requirement]

    @property
    def text(self) -> str:
        """Returns the remarks in one line, the gravest first."""
        ordered = sorted(self.remarks, key=lambda remark: -remark.verdict.gravity)
        return "; ".join(remark.text for remark in ordered)


ATTEMPTS = 3


def run_case(case: Case, make: Callable[[Case], Trial], attempts: int = ATTEMPTS) -> Result:
    """Runs one case; a FAIL counts if it comes twice, in three attempts at most.

    A packet may be lost on the way, and a busy machine may answer late: neither is the
    target's mistake. What is left of it is a remark.
    """
    first = _attempt(case, make)
    if first.verdict is not Verdict.FAIL or attempts < 2:
        return first
    results = [first]
    while len(results) < attempts:
        results.append(_attempt(case, make))
        if results[-1].verdict is Verdict.FAIL:
            return first
    better = max(results[1:], key=lambda result: result.verdict.gravity)
    once = Remark(Verdict.LENIENT, f"failed in one of {len(results)} attempts: {first.text}")
    gravest = max(better.verdict, once.verdict, key=lambda verdict: verdict.gravity)
    return replace(better, verdict=gravest, remarks=(*better.remarks, once))


def _attempt(case: Case, make: Callable[[Case], Trial]) -> Result:
    trial = make(case)
    began = trial.now()
    try:
        case.play(trial)
    except Stop:
        pass
    except Exception:  # whatever it is, the other cases go on
        where = traceback.format_exc(limit=-3)
        trial.remarks.append(Remark(Verdict.ERROR, f"the suite itself failed: {where}"))
    finally:
        seconds = trial.now() - began
        trial.close()
    return Result(case, trial.verdict, tuple(trial.remarks), seconds, trial.ladder)


def run_cases(
    cases: Sequence[Case],
    make: Callable[[Case], Trial],
    jobs: int = 1,
    attempts: int = ATTEMPTS,
) -> Iterator[Result]:
    """Runs cases, `jobs` at a time, and yields each result as it is there."""
    together = [case for case in cases if not case.alone]
    alone = [case for case in cases if case.alone]
    if jobs > 1 and together:
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(run_case, case, make, attempts) for case in together]
            for future in as_completed(futures):
                yield future.result()
    else:
        alone = [*together, *alone]
    for case in alone:
        yield run_case(case, make, attempts)
