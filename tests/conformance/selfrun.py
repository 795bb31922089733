"""Runs cases of the suite against our own server and client, in a world in memory.

Each case gets a world of its own, so that it does not see what another has left, and a
server that has just been calibrated, as in a real run. Must not know any case.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from conformance.calibrate import calibrate
from conformance.catalogue import Case, all_cases
from conformance.client_trial import ClientTrial
from conformance.line import Trial
from conformance.runner import Result, run_case, run_cases
from conformance.server_trial import Manners, ServerTarget, ServerTrial
from tests.conformance.client_actor import ClientKind, VirtualLauncher
from tests.conformance.server_actor import ServerActor, ServerKind
from tests.conformance.world import World

__all__ = [
    "HOST",
    "LONG",
    "calibrated",
    "judge_client",
    "judge_server",
    "judge_server_by",
    "short_cases",
]

HOST = "127.0.0.1"
OTHER_HOST = "127.0.0.2"
PATIENCE = 60.0
LONG = ("DF-ROLL-", "DF-HPA-04", "F-WR-", "RFC7440-4-22")  # more than 65,536 blocks each
_NUMBERS = count(1)  # of uploads: the folder is shared by many runs


def short_cases(side: str) -> list[Case]:
    """Returns the cases against a side that do not take seconds of real time."""
    cases = all_cases(side)
    return [case for case in cases if not case.alone and not case.name.startswith(LONG)]


def calibrated(root: Path, kind: ServerKind) -> Manners:
    """Returns what calibration finds out about a sort of server."""
    with _server(root, kind) as (_, target):
        return target.manners


def judge_server(case: Case, root: Path, kind: ServerKind) -> Result:
    """Runs a case against a sort of server that serves `root`, once that is calibrated."""
    with _server(root, kind) as (world, target):
        return run_case(case, lambda _: ServerTrial(world, HOST, target, case.name))


def judge_server_by(cases: Sequence[Case], root: Path, kind: ServerKind) -> list[Result]:
    """Runs cases one after the other against one server, as a real run does."""
    with _server(root, kind) as (world, target):
        return list(run_cases(cases, lambda case: ServerTrial(world, HOST, target, case.name)))


@contextmanager
def _server(root: Path, kind: ServerKind) -> Iterator[tuple[World, ServerTarget]]:
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        server = ServerActor(world, root, kind, patch)
        target = ServerTarget(server.address, root, other_host=OTHER_HOST, numbers=_NUMBERS)
        try:
            trouble = calibrate(world, HOST, target)
            assert not trouble, trouble
            yield world, target
        finally:
            server.close()


def judge_client(case: Case, kind: ClientKind) -> Result:
    """Runs a case against a sort of client."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:

        def make(_: Case) -> Trial:
            world = World()
            launcher = VirtualLauncher(world, kind, patch)
            stack.callback(launcher.close)
            return ClientTrial(world, HOST, launcher, PATIENCE)

        return run_case(case, make)
