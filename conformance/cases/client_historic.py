"""RFC 906, the old boot protocol, tried against clients; RFC 783 stands with RFC 1123.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from ..catalogue import client_case
from ..client_moves import arrivals
from ..client_trial import ClientTrial
from ..fixtures import content
from ..wire import ERROR, rrq

FILE = content(3000, 14)


@client_case("RFC906-1-01")
def full_blocks_are_taken_and_requests_are_not(t: ClientTrial) -> None:
    """In the middle of a download somebody asks the client for a file, as if it were a server."""
    request = t.get()
    line, stray = t.server(request), t.server(request)
    line.give(FILE, 1, 2)
    stray.send(rrq("passwd"))
    for packet in arrivals(stray, 0.5):
        t.check(packet.kind == ERROR, f"a client that was asked for a file answered {packet}")
    line.give(FILE, 3)
    t.succeeds(FILE)
