"""RFC 1350 sections 5 and 7, tried against clients: ERROR packets, sent and received.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

import re
from typing import NamedTuple

from ..catalogue import client_case
from ..client_moves import arrivals
from ..client_trial import ClientTrial, Server
from ..fixtures import content
from ..wire import DATA, ERROR, RRQ, Packet, ack, data, error, oack

FILE = content(2300, 10)
SILENCE = 1.5  # seconds in which an answer to an ERROR would come
SOON = 5.0


class Said(NamedTuple):
    """An ERROR of the client's, and when it came."""

    packet: Packet
    negotiating: bool


@client_case("RFC1350-5-28")
def errors_are_well_formed(t: ClientTrial) -> None:
    """A stranger, a long block, an unknown opcode, an odd OACK: each may lead to an ERROR."""
    said = provoke(t)
    for packet, _ in said:
        t.check(not packet.odd, f"{packet}: {packet.raw[:40].hex(' ')}")
    if not said:
        t.skip("the client sent no ERROR")


@client_case("RFC1350-A-02")
def error_codes_are_defined_ones(t: ClientTrial) -> None:
    """The same provocations; code 8 belongs to the negotiation alone."""
    said = provoke(t)
    for packet, negotiating in said:
        t.check(packet.code <= 8, f"{packet}: there is no such code")
        t.check(packet.code != 8 or negotiating, f"{packet}: outside of any negotiation")
    if not said:
        t.skip("the client sent no ERROR")


@client_case("RFC1350-7-03")
def an_error_is_not_answered(t: ClientTrial) -> None:
    """As the first answer, and in mid-transfer; from then on nothing may come on any port."""
    for request in t.ways(FILE):
        line = t.server(request)
        line.send(error(1, "No such file"))
        silent(t, line, f"ERROR 1 in answer to {request.kind}")
    for request in t.ways(FILE):
        line = t.server(request)
        if request.kind == RRQ:
            line.give(FILE, 1, 2)
        else:
            line.send(ack(0))
            line.take(1, 1)
            line.expect(DATA, 2)
        line.send(error(0, "Enough"))
        silent(t, line, "ERROR 0 in mid-transfer")


@client_case("RFC1350-7-05")
def any_error_is_final(t: ClientTrial) -> None:
    """Odd forms in mid-transfer; then the block that was due, which nobody may want any more."""
    forms = {
        "an ERROR of code 99": error(99, "stop"),
        "an ERROR without a text": error(0),
        "an ERROR without its zero octet": error(0)[:-1],
        "an ERROR with a huge text": error(0, "stop " * 12000),
    }
    for name, form in forms.items():
        line = t.server(t.get())
        line.give(FILE, 1, 1)
        try:
            line.send(form)
        except OSError:
            t.note(f"{name} is too long for this path")
            continue
        for packet in arrivals(line, SILENCE):
            t.fail(f"{name} was followed by {packet}")
        line.send(data(2, FILE[512:1024]))
        for packet in arrivals(line, 0.5):
            t.check(packet.kind != "ACK", f"{name} did not end it: there came {packet}")
        if t.sees_exit:
            t.check(t.gone(SOON) is not None, f"after {name} the client is still at it")
            t.check((t.exit().status or 0) >= 0, f"{name} crashed the client")
            t.fails(FILE)


@client_case("RFC1350-7-07")
def an_error_is_seen(t: ClientTrial) -> None:
    """Early and late, with codes and a text of ours that its message can be searched for."""
    t.needs_exit()
    for code, blocks in ((2, 0), (3, 2)):
        for request in t.ways(FILE):
            line = t.server(request)
            if request.kind == RRQ:
                line.give(FILE, 1, blocks) if blocks else None
            elif blocks:
                line.send(ack(0))
                line.take(1, blocks)
                line.expect(DATA, blocks + 1)
            line.send(error(code, "Zebra crossing"))
            t.fails(FILE)
            found = t.exit()
            if "Zebra crossing" not in found.text:
                t.lenient(f"the text of ERROR {code} is not shown: {found.text[:80]!r}")
            elif not re.search(rf"(?<!\d){code}(?!\d)", found.text):
                t.lenient(f"the code of ERROR {code} is not shown: {found.text[:80]!r}")
            if found.content is not None:
                t.lenient(f"ERROR {code} left {len(found.content)} octets under the file's name")


def silent(t: ClientTrial, line: Server, what: str) -> None:
    """FAIL if a client sends anything after what it has heard, to this line or as a request."""
    for packet in [*arrivals(line, SILENCE), *arrivals(t.listener, 0.0)]:
        t.check(packet.source != line.peer, f"{what} was followed by {packet}")


def provoke(t: ClientTrial) -> list[Said]:
    """Makes the client send ERRORs, if it ever does; FAILs are the business of other cases."""
    said = []
    for request in t.ways(FILE):
        line, stranger = t.server(request), t.server(request)
        if request.kind == RRQ:
            line.give(FILE, 1, 1)
            foreign, odd = data(2, b"foreign"), data(2, content(600))
        else:
            line.send(ack(0))
            line.expect(DATA, 1)
            foreign, odd = ack(1), data(1, b"no ACK")
        stranger.send(foreign)
        said += [Said(packet, False) for packet in arrivals(stranger, 0.4)]
        line.send(odd)
        said += [Said(packet, False) for packet in arrivals(line, 0.4)]
        line.send(error(0, "Enough"))  # no answer is due, but if there is one, it counts
        said += [Said(packet, False) for packet in arrivals(line, 0.4)]
    for request in t.ways(FILE):
        line = t.server(request)
        line.send(b"\0\x09what is this?")
        said += [Said(packet, False) for packet in arrivals(line, 0.4)]
    for value in ("x", "70000"):
        for request in t.ways(FILE, firm=False, blksize=1024):
            line = t.server(request)
            line.send(oack({"blksize": value, "foo": "1"}))
            said += [Said(packet, True) for packet in arrivals(line, 0.4)]
    return [one for one in said if one.packet.kind == ERROR]
