"""The commands as people type them: `tftp-serve` in its own process, and every client."""

from contextlib import ExitStack

import pytest

from tests.interop.clients import CLIENTS, OUR_CLIENT, ClientPeer, Errand
from tests.interop.peers import WAYS, Way, is_there
from tests.interop.running import Pool, Running
from tests.interop.servers import OUR_SERVER, SERVERS
from tests.interop.shelf import Exchange, Shelf, compare

CONTENT = 1_000_000
PATIENCE = 60.0

COMMAND = next(peer for peer in SERVERS if peer.name == OUR_SERVER)


@pytest.fixture
def server(servers: Pool) -> Running:
    return servers.take(COMMAND, "127.0.0.1")


def errand_for(way: Way, server: Running, files: Exchange) -> Errand:
    return Errand(way, server.address, server.port, files.remote, files.local)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("peer", CLIENTS, ids=[peer.name for peer in CLIENTS])
def test_client_and_command(peer: ClientPeer, way: Way, server: Running, shelf: Shelf) -> None:
    with (
        shelf.exchange(way, CONTENT) as files,
        peer.start(errand_for(way, server, files)) as process,
    ):
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output + server.log()
        assert compare(files.original, files.arrived) == "same bytes"


def test_all_clients_at_once(server: Running, shelf: Shelf) -> None:
    peers = [peer for peer in CLIENTS if peer.name == OUR_CLIENT or is_there(peer.name)]
    with ExitStack() as stack:
        started = [
            (peer, files, stack.enter_context(peer.start(errand_for(way, server, files))))
            for peer in peers
            for way in WAYS
            for files in [stack.enter_context(shelf.exchange(way, CONTENT))]
        ]
        for peer, files, process in started:
            output, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, f"{peer.name}: {output}{server.log()}"
            assert compare(files.original, files.arrived) == "same bytes", peer.name
