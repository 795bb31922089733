"""Judges one server or one client: calibrates, chooses cases, runs them.

What the command line and the matrix have in common. Must not know about terminals.
"""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from .calibrate import calibrate
from .catalogue import Case, select
from .client_trial import ClientTrial, Launcher
from .line import Trial
from .ports import Net, UdpNet
from .runner import ATTEMPTS, Result, run_cases
from .server_trial import ServerTarget, ServerTrial
from .watch import Operator, run_watched

__all__ = ["JOBS", "Unjudged", "judge_client", "judge_server", "own_host"]

JOBS = 24
"""Cases at a time: they wait most of their time, and so do servers."""


class Unjudged(Exception):
    """Nothing could be judged; the text says what to do."""


@dataclass(slots=True)
class _Maker:
    """Makes a trial for each case; names of uploads get a number of their own."""

    make: Callable[[str], Trial]
    numbers: "count[int]"

    def __call__(self, case: Case) -> Trial:
        return self.make(str(next(self.numbers)))


def judge_server(
    target: ServerTarget,
    prefixes: list[str],
    jobs: int = JOBS,
    net: Net | None = None,
    operator: Operator | None = None,
) -> Iterator[Result]:
    """Judges a server; yields results as they come. Raises Unjudged, at once.

    An `operator` starts the server anew when a case has ended it. Where one known file stands
    in for the fixtures, cases that need just those are left out.
    """
    wire = net or UdpNet()
    host = own_host(target.address[0])
    cases = _chosen("server", prefixes)
    if target.known is not None:
        cases = [case for case in cases if not case.exact]
    trouble = calibrate(wire, host, target)
    if trouble:
        raise Unjudged(trouble)
    maker = _Maker(lambda tag: ServerTrial(wire, host, target, tag), count(1))
    if operator is not None:
        return run_watched(cases, maker, jobs, operator)
    return run_cases(cases, maker, jobs)


def judge_client(
    launcher: Launcher,
    prefixes: list[str],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    jobs: int = JOBS,
    patience: float = 40.0,
    net: Net | None = None,
) -> Iterator[Result]:
    """Judges a client; yields results as they come. Raises Unjudged, at once.

    With a port of the operator's choice it is one case at a time; and where somebody has to
    start the client each time, a case is tried once only.
    """
    wire = net or UdpNet()
    try:
        wire.open(host, port).close()
    except OSError as error:
        raise Unjudged(f"Cannot serve on {host} port {port}: {error.strerror}") from error
    attempts = ATTEMPTS if launcher.sees_exit else 1
    maker = _Maker(lambda _: ClientTrial(wire, host, launcher, patience, port), count(1))
    return run_cases(_chosen("client", prefixes), maker, 1 if port else jobs, attempts)


def own_host(host: str) -> str:
    """Returns the address of this machine that a target at `host` sees."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))  # sends nothing
        except OSError as error:
            raise Unjudged(f"There is no way to {host}: {error.strerror}") from error
        return str(probe.getsockname()[0])


def _chosen(side: str, prefixes: list[str]) -> list[Case]:
    cases = select(side, prefixes)
    if not cases:
        raise Unjudged(
            f"No case against a {side} begins with {' or '.join(prefixes)}; `list` shows them all"
        )
    return cases
