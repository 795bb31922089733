"""Our client and every server: each file arrives as it was, whatever the server grants."""

from typing import Literal

import pytest

import tftp
from tests.interop.cases import SLOW, Case, server_cases
from tests.interop.known import Record, judge
from tests.interop.peers import has_ipv6
from tests.interop.running import Pool, Running, eventually
from tests.interop.servers import SERVERS, Launch, ServerPeer
from tests.interop.shelf import Exchange, Shelf, compare

PEERS = {peer.name: peer for peer in SERVERS}
CASES = [case for peer in SERVERS for case in server_cases(peer)]

SETTLED = 5.0  # seconds in which a server has to write the last block that it has acknowledged


def marks_of(case: Case) -> list[pytest.MarkDecorator]:
    peer = PEERS[case.peer]
    marks = [pytest.mark.slow] if case.column in SLOW else []
    marks += [pytest.mark.root] if peer.needs_root else []
    return marks + ([pytest.mark.netns] if peer.launch is Launch.NETWORK else [])


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.id, marks=marks_of(case)) for case in CASES]
)
def test_server(case: Case, servers: Pool, shelf: Shelf, record_property: Record) -> None:
    if ":" in case.address and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    peer = PEERS[case.peer]
    server = servers.take(peer, case.address)
    with shelf.exchange(case.way, case.content) as files:
        client = client_for(case, server)
        result: tftp.Result | None = None
        try:
            result = server.call(lambda: transfer(client, case, files))
            symptom, details = arrived(files), server.log()
        except tftp.TftpError as error:
            symptom, details = type(error).__name__, f"{error}\n{server.log()}"
        well = judge(case, symptom, "same bytes", details, record_property)
        if well and result is not None and case.options is not None:
            check_terms(peer, case, dict(result.terms.options), files.original.stat().st_size)


def client_for(case: Case, server: Running) -> tftp.Client:
    """Makes a client that asks for what the case says, and for nothing else."""
    if case.options is None:
        return tftp.Client(server.address, server.port)
    return tftp.Client(
        server.address,
        server.port,
        options=case.options.keys(),
        block_size=case.options.get("blksize"),
        window=case.options.get("windowsize"),
        server_timeout=case.options.get("timeout"),
        rollover=case.options.get("rollover"),
    )


def transfer(client: tftp.Client, case: Case, files: Exchange) -> tftp.Result:
    mode: Literal["octet", "netascii"] = "netascii" if case.mode == "netascii" else "octet"
    if case.way == "get":
        return client.download(files.remote, files.local, mode=mode)
    return client.upload(files.remote, files.local, mode=mode)


def arrived(files: Exchange) -> str:
    """Says what arrived; foreign servers may write the last block after its ACK."""
    eventually(lambda: compare(files.original, files.arrived) == "same bytes", SETTLED)
    return compare(files.original, files.arrived)


def check_terms(peer: ServerPeer, case: Case, agreed: dict[str, str], size: int) -> None:
    """Fails where something else was agreed than what was asked and the server knows."""
    asked = {name: str(value) for name, value in (case.options or {}).items()}
    assert peer.grants[case.way] & asked.keys() <= agreed.keys() <= asked.keys()
    exact = asked if case.way == "put" else asked | {"tsize": str(size)}
    for name in agreed.keys() - ({"tsize"} if case.way == "put" else set()):
        assert agreed[name] == exact[name], name
