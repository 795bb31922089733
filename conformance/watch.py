"""Runs cases against a server that may not survive them, and finds out which one ended it.

Cases run in parallel; those that ran while the server ended are suspects, and run again with
fewer beside them, in the end one at a time. What ends the server then has failed, whatever
else it says. Must not know how a server is started.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Protocol

from .catalogue import Case
from .line import Trial
from .runner import Result, run_case
from .verdict import Remark, Verdict

__all__ = ["Operator", "run_watched"]


FEWER = 4  # by so much, suspects have fewer beside them

Make = Callable[[Case], Trial]


class Operator(Protocol):
    """Who runs the server, and starts it anew."""

    def revive(self, *, ask: bool) -> str:
        """Sees to it that the server works; returns how it had ended, or nothing.

        With `ask` it also has to answer a read; else it only has to run.
        """


@dataclass(slots=True)
class _Watch:
    """Counts the lives of the server."""

    operator: Operator
    lives: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, *, ask: bool = False) -> str:
        """Sees to it that the server works; returns how it had ended, or nothing."""
        with self._lock:
            end = self.operator.revive(ask=ask)
            if end:
                self.lives += 1
            return end


def run_watched(
    cases: Sequence[Case], make: Make, jobs: int, operator: Operator
) -> Iterator[Result]:
    """Runs cases, `jobs` at a time, and yields each result as it is there.

    What the operator raises comes out here.
    """
    watch = _Watch(operator)
    suspects = [case for case in cases if not case.alone]
    for width in (jobs, max(1, jobs // FEWER)):
        suspects = yield from _side_by_side(suspects, make, width, watch)
    for case in [*suspects, *(case for case in cases if case.alone)]:
        yield _by_itself(case, make, watch)


class _Ended(Exception):
    """The server has ended under a case."""


def _side_by_side(
    cases: Sequence[Case], make: Make, jobs: int, watch: _Watch
) -> Generator[Result, None, list[Case]]:
    """Yields the results of all that ran while the server lived on; returns the others."""

    def play(case: Case) -> Result | None:
        watch.look()
        life = watch.lives

        def careful(case: Case) -> Trial:
            watch.look()
            if watch.lives != life:
                raise _Ended
            return make(case)

        try:
            result = run_case(case, careful)
        except _Ended:
            return None
        watch.look(ask=result.verdict is Verdict.FAIL)
        return result if watch.lives == life else None

    suspects: list[Case] = []
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = {pool.submit(play, case): case for case in cases}
        for future in as_completed(futures):
            if (result := future.result()) is not None:
                yield result
            else:
                suspects.append(futures[future])
    finally:
        pool.shutdown(cancel_futures=True)
    return suspects


def _by_itself(case: Case, make: Make, watch: _Watch) -> Result:
    """Runs a case with nothing beside it; FAIL if the server ends."""
    trials: list[Trial] = []

    def careful(case: Case) -> Trial:
        if (end := watch.look()) and trials:
            raise _Ended(end)
        trials.append(make(case))
        return trials[-1]

    try:
        result = run_case(case, careful)
        end = watch.look(ask=result.verdict is Verdict.FAIL)
    except _Ended as ended:
        end = str(ended)
    else:
        if not end:
            return result
    trial = trials[-1]
    remarks = (Remark(Verdict.FAIL, end), *trial.remarks)
    seconds = trial.now() - trial.ladder.began
    return Result(case, Verdict.FAIL, remarks, seconds, trial.ladder)
