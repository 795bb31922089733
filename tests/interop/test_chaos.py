"""Every pair through a bad network: 5 % loss, 2 % duplication, 5 % reordering, one seed.

`scripts/chaos` does the same at length. A peer that is not there skips its pairs by name.
"""

import sys

import pytest

from tests.interop import chaos
from tests.interop.chaos import (
    EXACT,
    GAVE_UP,
    LIED,
    OURS_GAVE_UP,
    TRIES,
    WRONG,
    Trip,
    Weakness,
    travel,
)
from tests.interop.clients import ClientPeer, Errand
from tests.interop.running import Pool
from tests.interop.servers import OUR_SERVER, SERVERS, Launch
from tests.interop.shelf import Shelf
from tests.interop.trips import PLANS, SLICE, trips

PEERS = {peer.name: peer for peer in SERVERS}
SEED = 1
LIE, QUIT = "open(sys.argv[1], 'wb').write(b'lies')", "sys.exit('I give up')"
ADDRESS = "127.0.0.1"


def marks_of(trip: Trip) -> list[pytest.MarkDecorator]:
    peer = PEERS[trip.server]
    marks = [pytest.mark.root] if peer.needs_root else []
    return marks + ([pytest.mark.netns] if peer.launch is Launch.NETWORK else [])


@pytest.mark.parametrize(
    "trip", [pytest.param(trip, id=trip.id, marks=marks_of(trip)) for trip in SLICE]
)
def test_what_is_told_to_have_arrived_is_what_was_sent(
    trip: Trip, servers: Pool, shelf: Shelf
) -> None:
    outcome = travel(trip, servers.take(PEERS[trip.server], ADDRESS), shelf, SEED)
    assert outcome.verdict == EXACT, f"{outcome.verdict}: {outcome.details}"
    assert outcome.happened("carried") > 0


def test_the_slice_has_every_pair() -> None:
    pairs = {(client, server, way) for client, server, ways, _, _ in PLANS for way in ways}
    pairs -= {pair for pair in pairs if "py3tftp" in pair}
    assert {(trip.client, trip.server, trip.way) for trip in SLICE} == pairs
    assert len({trip.id for trip in trips()}) == len(list(trips()))


@pytest.mark.parametrize(
    ("does", "known", "verdict", "tries"),
    [
        ("pass", None, WRONG, 1),
        (LIE, None, WRONG, 1),
        (LIE, Weakness("client", "mine", "get", "tired"), WRONG, 1),
        (LIE, Weakness("client", "mine", "get", "a liar", lies=True), LIED, TRIES),
        (QUIT, None, OURS_GAVE_UP, 1),
        (QUIT, Weakness("client", "mine", "put", "tired"), OURS_GAVE_UP, 1),
        (QUIT, Weakness("client", "mine", "get", "tired"), GAVE_UP, TRIES),
    ],
)
def test_a_client_that_gives_up_is_told_apart_from_one_that_lies(
    does: str,
    known: Weakness | None,
    verdict: str,
    tries: int,
    servers: Pool,
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def command(errand: Errand) -> list[str]:
        return [sys.executable, "-c", f"import sys; {does}", str(errand.local)]

    monkeypatch.setattr(chaos, "CLIENTS", (ClientPeer("mine", command, ()),))
    monkeypatch.setattr(chaos, "SETTLED", 0.0)
    monkeypatch.setattr(chaos, "WEAK", (known,) if known is not None else ())
    server = servers.take(PEERS[OUR_SERVER], ADDRESS)
    outcome = travel(Trip("mine", OUR_SERVER, "get", 100), server, shelf, SEED)
    assert (outcome.verdict, outcome.tries) == (verdict, tries)
    assert outcome.well == (verdict in (GAVE_UP, LIED))
