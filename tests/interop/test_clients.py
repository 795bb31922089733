"""Our server and every client: each file arrives as it was, and what was asked is granted."""

import subprocess
from collections.abc import Iterator
from threading import Condition

import pytest

from tests.interop.cases import SLOW, Case, client_cases
from tests.interop.clients import CLIENTS, ClientPeer, Errand
from tests.interop.known import Record, find_known, judge
from tests.interop.peers import has_ipv6
from tests.interop.shelf import Shelf, compare
from tftp.protocol.pace import Timing
from tftp.server.config import Config, Upload
from tftp.server.report import Report
from tftp.server.server import Server

PEERS = {peer.name: peer for peer in CLIENTS}
CASES = [case for peer in CLIENTS for case in client_cases(peer)]

PATIENCE = 100.0  # seconds for a client to finish
GRACE = 3.0  # seconds for a client to finish once the server has, where it is known not to
DALLY = 0.2  # seconds; a transfer is reported at the end of it, and loopback loses no ACK

ALL_WELL = "exit 0, same bytes"


class Reports:
    """What the server has told of its transfers: the last report of each file."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._reports: dict[str, Report] = {}

    def add(self, report: Report) -> None:
        """Takes a report, in the server's thread."""
        with self._changed:
            self._reports[report.file] = report
            self._changed.notify_all()

    def forget(self, file: str) -> None:
        """Drops what was told of a file."""
        with self._changed:
            self._reports.pop(file, None)

    def wait(self, file: str, seconds: float) -> Report:
        """Returns the report of a file, once there is one."""
        with self._changed:
            assert self._changed.wait_for(lambda: file in self._reports, seconds), file
            return self._reports[file]


@pytest.fixture(scope="session")
def reports() -> Reports:
    return Reports()


@pytest.fixture(scope="session")
def server(shelf: Shelf, reports: Reports) -> Iterator[Server]:
    hosts = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
    config = Config(upload=Upload.CREATE, timing=Timing(dally=DALLY))
    with Server(shelf.root, host=hosts, config=config, on_transfer=reports.add) as running:
        yield running


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.id, marks=[pytest.mark.slow] if case.column in SLOW else [])
        for case in CASES
    ],
)
def test_client(
    case: Case, server: Server, shelf: Shelf, reports: Reports, record_property: Record
) -> None:
    if ":" in case.address and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    peer, known = PEERS[case.peer], find_known(case)
    with shelf.exchange(case.way, case.content) as files:
        reports.forget(files.remote)
        errand = Errand(
            case.way,
            case.address,
            server.port,
            files.remote,
            files.local,
            case.mode,
            case.options,
        )
        end, output = follow(peer, errand, reports, hangs=known is not None and known.hangs)
        symptom = f"{end}, {compare(files.original, files.arrived)}"
        well = judge(case, symptom, ALL_WELL, output, record_property)
        if well and case.options is not None:
            report = reports.wait(files.remote, PATIENCE)
            check_grants(peer, case, dict(report.options), files.original.stat().st_size)


def follow(peer: ClientPeer, errand: Errand, reports: Reports, *, hangs: bool) -> tuple[str, str]:
    """Runs a client; returns how it ended, and what it said."""
    with peer.start(errand) as process:
        try:
            if hangs:
                reports.wait(errand.remote, PATIENCE)
            output, _ = process.communicate(timeout=GRACE if hangs else PATIENCE)
        except subprocess.TimeoutExpired:
            return "hangs", ""
        finally:
            process.kill()
    return f"exit {process.returncode}", output


def check_grants(peer: ClientPeer, case: Case, agreed: dict[str, str], size: int) -> None:
    """Fails unless the server agreed to all that it knows, as it was asked."""
    asked = dict(case.options or {})
    assert agreed.keys() == asked.keys() - set(peer.unknown)
    wanted = {name: str(value) for name, value in asked.items() if name not in peer.own_values}
    if "tsize" in asked and (case.way == "get" or "tsize" not in peer.own_values):
        wanted["tsize"] = str(size)
    assert {name: value for name, value in agreed.items() if name in wanted} == {
        name: value for name, value in wanted.items() if name not in peer.unknown
    }
