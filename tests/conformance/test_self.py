"""The suite judges our own server and client: every case there is, on virtual time.

A case that fails here is a fault of the product or of the suite, and one of them has to
change. What cannot be tried here stands in one table, with its reason; an entry that has
come to be tried has to go.
"""

import os
from pathlib import Path

import pytest

from conformance.catalogue import Case, all_cases
from conformance.fixtures import write_fixtures
from conformance.runner import Result
from conformance.verdict import Verdict
from tests.conformance.client_actor import ClientKind
from tests.conformance.selfrun import LONG, calibrated, judge_client, judge_server, short_cases
from tests.conformance.server_actor import ServerKind

FINE = (Verdict.PASS, Verdict.POLICY, Verdict.LENIENT)
UNTRIED = (Verdict.SKIP, Verdict.UNSUPPORTED)

SERVER_UNTRIED = {
    "DF-PORT-01": "ours gives each transfer a port of its own; test_kinds has another",
    "DF-PORT-04": "uploads are on here; test_kinds has a server for reading only",
    "RFC1350-A-05": "no file system of the tests is small enough to be filled",
    "RFC1785-02": "ours has options; test_kinds has a server without",
    "RFC2090-02": "ours does not do multicast",
    "RFC2090-03": "ours does not do multicast",
    "RFC2090-04": "ours does not do multicast",
    "ROB-LOAD-11": "a server in memory is no process whose descriptors can be counted",
}
if os.geteuid() == 0:
    SERVER_UNTRIED["RFC1350-A-04"] = "no file is closed to root"

CLIENT_UNTRIED = {
    "RFC2090-05": "ours does not do multicast",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("self") / "root"
    assert write_fixtures(folder, big=True) == []
    return folder


def named(case: Case) -> str:
    return case.name


def marked(side: str) -> list[object]:
    """Returns all cases against a side; those with more than 65,536 blocks are slow."""
    return [
        pytest.param(case, marks=[pytest.mark.slow] if case.name.startswith(LONG) else [])
        for case in all_cases(side)
    ]


@pytest.mark.parametrize("case", marked("server"), ids=named)
def test_our_server(case: Case, root: Path) -> None:
    assert_fine(judge_server(case, root, ServerKind()), SERVER_UNTRIED)


@pytest.mark.parametrize("case", marked("client"), ids=named)
def test_our_client(case: Case) -> None:
    """It asks for no option but those that the case wants."""
    assert_fine(judge_client(case, ClientKind()), CLIENT_UNTRIED)


@pytest.mark.parametrize("case", short_cases("client"), ids=named)
def test_our_client_with_options(case: Case) -> None:
    """It asks for all options by itself, as it does by default; long cases are played once."""
    assert_fine(judge_client(case, ClientKind(eager=True)), CLIENT_UNTRIED)


@pytest.mark.parametrize(
    ("side", "table"), [("server", SERVER_UNTRIED), ("client", CLIENT_UNTRIED)]
)
def test_what_is_not_tried_exists(side: str, table: dict[str, str]) -> None:
    assert set(table) <= {case.name for case in all_cases(side)}
    assert all(table.values()), "each has a reason"


def test_calibration_knows_our_server(root: Path) -> None:
    """Without this, cases would be skipped for a feature that ours has."""
    manners = calibrated(root, ServerKind())
    assert manners.missing == set()
    assert manners.options == {"blksize", "timeout", "tsize", "windowsize", "utimeout", "rollover"}
    assert manners.creates
    assert manners.overwrites
    assert not manners.single_port
    assert manners.first_interval is not None
    assert manners.flow_interval is not None


def assert_fine(result: Result, untried: dict[str, str]) -> None:
    """Fails with the ladder unless all is well, or it is known that this cannot be tried."""
    ladder = "\n".join(result.ladder.lines(80))
    said = f"{result.case.name}: {result.verdict} {result.text}\n{ladder}"
    if result.case.name in untried:
        assert result.verdict in UNTRIED, f"it is tried after all: strike it off. {said}"
    else:
        assert result.verdict in FINE, said
    once = [remark for remark in result.remarks if remark.text.startswith("failed in one of")]
    assert not once, f"what happens here always happens so. {said}"


def test_it_is_the_same_each_time(root: Path) -> None:
    """Virtual time and one speaker at a time: else a failure could not be looked into."""
    server, client = short_cases("server")[:20], short_cases("client")[:20]
    for case in server:
        first, second = (judge_server(case, root, ServerKind()) for _ in range(2))
        assert played(first) == played(second), case.name
    for case in client:
        first, second = (judge_client(case, ClientKind()) for _ in range(2))
        assert played(first) == played(second), case.name


def played(result: Result) -> list[str]:
    """Returns the ladder without the names of uploads, which are new each time."""
    return [line for line in result.ladder.lines() if "up-" not in line]
