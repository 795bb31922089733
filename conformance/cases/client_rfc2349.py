"""RFC 2349, tried against clients: the timeout they agree to, and sizes they are told.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from ..catalogue import client_case
from ..client_moves import go_on, offered
from ..client_trial import ClientTrial, Server
from ..fixtures import content
from ..wire import ACK, DATA, ERROR, RRQ, Packet, ack, oack

FILE = content(1300, 18)
LONGEST = 12  # seconds: a longer interval is not waited for
ABSURD = 10**18


@client_case("RFC2349-T-02")
def the_granted_timeout_is_used(t: ClientTrial) -> None:
    """The interval is granted as asked for; then the suite says nothing, and takes the time."""
    for request in t.ways(FILE, timeout=2):
        seconds = offered(t, request, "timeout")
        if seconds > LONGEST:
            t.skip(f"the client asks for {seconds} s; more than {LONGEST} are not waited for")
        line = t.server(request)
        line.send(oack({"timeout": str(seconds)}))
        read = request.kind == RRQ
        first = line.expect(ACK if read else DATA, 0 if read else 1)
        copy = line.hear(1.6 * seconds + 1.5)
        if copy is None and read:
            t.policy("the client leaves repeating to the server that it reads from")
        elif copy is None:
            t.warn(f"{first} did not come again after {seconds} s")
        elif copy.raw != first.raw:
            t.warn(f"{first} was not repeated, but followed by {copy}")
        elif not 0.7 * seconds <= copy.at - first.at <= 1.5 * seconds + 0.3:
            t.warn(f"{first} came again after {copy.at - first.at:.1f} s, not {seconds}")


@client_case("RFC2349-T-05")
def another_timeout_than_offered_is_refused(t: ClientTrial) -> None:
    """One second more than was offered, and the transfer if the client wants it so."""
    for request in t.ways(FILE, timeout=2):
        seconds = offered(t, request, "timeout")
        line = t.server(request)
        line.send(oack({"timeout": str(seconds + 1 if seconds < 255 else 254)}))
        packet = line.answer(3.0)
        t.check(packet is not None, f"{request.kind}: another timeout met silence")
        if packet is not None and packet.kind == ERROR:
            t.check(packet.code == 8, f"another timeout was refused by {packet}")
            t.fails(FILE)
            continue
        finish(t, line, request, packet)
        t.lenient(f"{request.kind}: another timeout than offered is accepted")


@client_case("RFC2349-S-09")
def a_read_asks_with_0_and_a_write_tells_the_size(t: ClientTrial) -> None:
    """In octet mode, where the size is known; nothing but the request is looked at."""
    for request in t.ways(FILE, tsize=0):
        size = "0" if request.kind == RRQ else str(len(FILE))
        found = request.options["tsize"]
        t.check(found == size, f"{request.kind} of {len(FILE)} octets has tsize={found}")


@client_case("RFC2349-S-10")
def a_size_of_0_is_an_empty_file(t: ClientTrial) -> None:
    """The OACK repeats the 0 of the request, and means it."""
    line = told(t, 0)
    line.give(b"")
    t.succeeds(b"")


@client_case("RFC2349-S-11")
def a_size_that_does_not_match_is_reported(t: ClientTrial) -> None:
    """Of 3,000 announced octets 700 come, then 5,000; whatever came must be all there is."""
    t.needs_exit()
    for size in (700, 5000):
        octets = content(size, 19)
        line = told(t, 3000)
        go_on(line, octets)
        found = t.exit()
        if found.status == 0:
            held = len(found.content or b"")
            t.check(found.content == octets, f"of {size} octets {held} were kept, as a success")
            t.policy(f"{size} octets in place of 3000 are taken, and success is reported")
        crashed = found.status is not None and found.status < 0
        t.check(not crashed, f"a wrong size crashed the client: status {found.status}")


@client_case("RFC2349-S-12")
def an_absurd_size_is_not_reserved(t: ClientTrial) -> None:
    """An exabyte is announced, and a small file comes, if the client still wants it."""
    request = t.get(tsize=0)
    line = t.server(request)
    line.send(oack({"tsize": str(ABSURD)}))
    packet = line.answer()
    t.check(packet is not None, "an absurd size met silence")
    if packet is not None and packet.kind == ERROR:
        if packet.code != 3:
            t.lenient(f"an absurd size was refused by {packet}")
        return
    go_on(line, FILE)
    if not t.sees_exit:
        return
    found = t.exit()
    crashed = found.status is not None and found.status < 0
    t.check(not crashed, f"an absurd size crashed the client: status {found.status}")
    held = len(found.content or b"")
    t.check(held <= len(FILE), f"a file of {held} octets is there, where {len(FILE)} came")


def told(t: ClientTrial, size: int) -> Server:
    """Grants a read nothing but the size of its file; returns the line, at ACK 0."""
    line = t.server(t.get(tsize=0))
    line.send(oack({"tsize": str(size)}))
    line.expect(ACK, 0)
    return line


def finish(t: ClientTrial, line: Server, request: Packet, first: Packet | None) -> None:
    """Plays a transfer behind an OACK that the client went along with, to its right end."""
    if request.kind == RRQ:
        line.give(FILE)
        t.succeeds(FILE)
        return
    t.check(first is not None and first.kind == DATA and first.block == 1, f"there came {first}")
    line.send(ack(1))
    line.take(2)
    t.succeeds()
