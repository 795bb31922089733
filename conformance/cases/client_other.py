"""RFC 2090 (multicast) and RFC 3617 (URLs), tried against clients that know them.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from ..catalogue import client_case
from ..client_trial import ClientTrial, Job, Server
from ..fixtures import content
from ..wire import ACK, ERROR, Packet, data, error, oack

FILE = content(1300, 15)
GROUP, PORT = "239.255.69.69", 1758  # the port that is registered for it
LOCAL_ERROR = 4.0  # seconds that a client may take to see that a URL makes no sense


@client_case("RFC2090-05")
def every_client_says_when_it_is_done(t: ClientTrial) -> None:
    """The client becomes master; blocks go to the group and, unheard there, to the client.

    On loopback a client seldom joins the group on the right interface, so both ways count.
    """
    request = t.get(multicast=0)
    line = t.server(request)
    line.send(oack({"multicast": f"{GROUP},{PORT},1"}))
    packet = line.answer()
    if packet is None or packet.kind == ERROR:
        t.check(packet is not None, "the OACK with a group was not answered")
        return
    for block in (1, 2, 3):
        packet = multicast(line, block)
        if packet is not None and packet.kind == ERROR:
            return
        t.check(packet is not None, f"DATA {block} was not answered, neither by the master")
    t.check(
        packet is not None and packet.kind == ACK and packet.block == 3,
        f"the last block was answered by {packet}",
    )


@client_case("RFC3617-01")
def the_path_of_a_url_is_the_name(t: ClientTrial) -> None:
    """Escapes are decoded once, and only the first slash is not a part of the name."""
    names = {
        "/b511": b"b511",
        "//b511": b"/b511",
        "/a%20b": b"a b",
        "/a%2520b": b"a%20b",
        "/sub/in": b"sub/in",
    }
    for path, name in names.items():
        packet = asked(t, path)
        t.check(packet.name == name, f"URL path {path} asked for {packet.name!r}")


@client_case("RFC3617-02")
def the_suffix_of_a_url_is_the_mode(t: ClientTrial) -> None:
    """With each mode and without; the name must not keep the suffix."""
    for suffix, mode in (("", "octet"), (";mode=netascii", "netascii"), (";mode=octet", "octet")):
        packet = asked(t, f"/file{suffix}")
        t.check(packet.mode.lower() == mode, f"/file{suffix} asked in mode {packet.mode}")
        t.check(packet.name == b"file", f"/file{suffix} asked for {packet.name!r}")


@client_case("RFC3617-03")
def a_url_that_makes_no_sense_sends_nothing(t: ClientTrial) -> None:
    """Modes that cannot be, no name at all, and octets that no request can carry."""
    t.needs_exit()
    asked(t, "/file")  # it takes URLs
    for path in ("/file;mode=mail", "/file;mode=what", "/", "/a%00b", "/a%0d%0ab"):
        packet = fetch(t, path)
        if packet is None:
            found = t.gone(LOCAL_ERROR)
            if found is None or found.status == 0:
                t.lenient(f"URL path {path}: no request, and no failure either")
            continue
        t.check(packet.name != b"", f"URL path {path} sent {packet}")
        t.check(packet.mode.lower() in ("octet", "netascii"), f"URL path {path} sent {packet}")
        t.lenient(f"URL path {path} sent {packet}")


@client_case("RFC3617-04")
def the_port_of_a_url_is_used(t: ClientTrial) -> None:
    """A port that is not 69; a client that does not know ports in URLs refuses it at best."""
    packet = fetch(t, "/file")
    if packet is not None:
        return
    found = t.gone(LOCAL_ERROR)
    if found is None or found.status == 0:
        t.fail("the request did not come to the port of the URL, and no failure is reported")
    t.warn(f"a URL with a port is refused: {found.text[:100]}")


def multicast(line: Server, block: int) -> Packet | None:
    """Sends a block to the group, then to the client itself; returns the answer."""
    datagram = data(block, FILE[(block - 1) * 512 : block * 512])
    line.send(datagram, (GROUP, PORT))
    answer = line.answer(0.7)
    if answer is None:
        line.send(datagram)
        answer = line.answer()
    return answer


def fetch(t: ClientTrial, path: str) -> Packet | None:
    """Has the client fetch a URL of ours; returns its request, if one comes."""
    host, port = t.listener.address
    shown = f"[{host}]" if ":" in host else host
    t.launch(Job(False, "file", (host, port), url=f"tftp://{shown}:{port}{path}"))
    packet = t.request(LOCAL_ERROR)
    if packet is not None:
        t.listener.send(error(1, "Only asking"), packet.source)
    return packet


def asked(t: ClientTrial, path: str) -> Packet:
    """The same, where a request has to come."""
    packet = fetch(t, path)
    if packet is None:
        found = t.gone()
        t.skip(f"URL path {path} led to no request{': ' + found.text[:100] if found else ''}")
    return packet
