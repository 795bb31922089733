"""The packet format itself, tried against clients: requests in their strict form.

Whatever a client may take from others, what it sends has one form only.
"""

from ..catalogue import client_case
from ..client_trial import ClientTrial
from ..fixtures import content
from ..wire import Packet

MODES = ("octet", "netascii")
LONGEST = 512


@client_case("CODEC-06")
def requests_are_strict(t: ClientTrial) -> None:
    """One request with the options of the client's own choice, octet by octet."""
    octets = content(700)
    request = t.get("file")
    _is_strict(t, request, "file")
    t.serve(request, octets)
    t.succeeds(octets)


def _is_strict(t: ClientTrial, request: Packet, name: str) -> None:
    t.check(not request.odd, f"the request has {request.odd}")
    t.check(request.raw.endswith(b"\0"), "the request does not end with a zero octet")
    t.check(request.name == name.encode(), f"{name!r} was asked for as {request.name!r}")
    t.check(len(request.raw) <= LONGEST, f"a request of {len(request.raw)} octets")
    t.check(request.mode.lower() in MODES, f"the mode is {request.mode!r}")
    names = [option.lower() for option, _ in request.pairs]
    t.check(len(names) == len(set(names)), "an option stands twice in the request")
    if request.mode != request.mode.lower():
        t.lenient(f"the mode is spelled {request.mode!r}")
