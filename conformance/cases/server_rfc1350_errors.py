"""RFC 1350 sections 2, 5 and 7 and its appendix, tried against servers: ERROR packets.

Those that the server sends: their form, their codes, that they leave once. And those that
it is sent: each ends the transfer, and none is answered.
"""

import shutil
from contextlib import suppress

from ..catalogue import server_case
from ..fixtures import content
from ..server_steps import answers_to, chunk, reading, writing
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, ERROR, OACK, Packet, ack, data, error, rrq, wrq

SETTLED = 0.3  # seconds after which nothing can still be under way
LITTLE = 1 << 20
"""Octets: a disk with less room than that can be filled."""


# ---------------------------------------------------------------- what the server sends


@server_case("RFC1350-5-28", alone=True)
def an_error_packet_is_well_formed(t: ServerTrial) -> None:
    """Many kinds of mistakes, since each ERROR of a server may be built in a place of its own."""
    for what, packet in _errors(t):
        t.check(not packet.odd, f"{what}: {packet}")
        if not packet.text:
            t.lenient(f"{what}: the ERROR has no text")


@server_case("RFC1350-5-29", alone=True)
def error_texts_are_short_and_discreet(t: ServerTrial) -> None:
    """The names asked for are long or odd, since a text may quote them."""
    root = t.target.root
    for what, packet in _errors(t):
        t.check(len(packet.raw) <= 516, f"{what}: an ERROR of {len(packet.raw)} octets")
        if not packet.text.isprintable():
            t.lenient(f"{what}: the text is not plain: {packet.text!r}")
        if root is not None and str(root) in packet.text:
            t.policy(f"{what}: the text shows the target's folder: {packet.text!r}")


@server_case("RFC1350-A-02", alone=True)
def only_the_defined_error_codes_are_sent(t: ServerTrial) -> None:
    """One request has a bad option, and it alone may be told code 8; a code of ours is bait."""
    for what, packet in _errors(t):
        top = 8 if what == "a bad option" else 7
        t.check(packet.code <= top, f"{what}: {packet}")
    client = reading(t, "b3000")
    client.send(error(99, "A code that does not exist"))
    for packet in _of_peer(client, 1.0):
        t.check(packet.kind != ERROR or packet.code < 8, f"code 99 was answered with {packet}")


@server_case("RFC1350-A-07", alone=True)
def a_malformed_packet_is_error_4(t: ServerTrial) -> None:
    """Whatever is answered at all; what is served instead is for other cases to judge."""
    requests = {
        "a name without its end": b"\0\1b511",
        "a mode without its end": b"\0\1b511\0octet",
        "no mode": b"\0\1b511\0",
        "an empty mode": b"\0\1b511\0\0",
        "an unknown opcode": b"\0\7b511\0octet\0",
        "opcode 0": b"\0\0b511\0octet\0",
    }
    for what, packet in _heard_errors(t, requests):
        if packet.code != 4:
            t.warn(f"{what}: {packet}")
    t.alive()


def _errors(t: ServerTrial) -> list[tuple[str, Packet]]:
    """Provokes ERRORs in many ways; returns those that came, with what provoked them."""
    requests = {
        "a missing file": rrq("nope"),
        "a missing folder": rrq("nodir/nope"),
        "a folder": rrq("subdir"),
        "a file that may not be read": rrq("noperm"),
        "a path that leads out": rrq("../canary"),
        "an absolute path": rrq("/etc/no-such-file"),
        "no name": rrq(""),
        "a long name": rrq("n" * 450),
        "an odd name": rrq("x\r\n\x1b[2J%s%n"),
        "an unknown mode": rrq("b511", "foo"),
        "mail mode": wrq(f"{t.target.prefix}up-mail-{next(t.target.numbers)}", "mail"),
        "a write of no name": wrq(""),
        "a write that leads out": wrq("../no/such/folder"),
        "no mode": b"\0\1b511\0",
        "an unknown opcode": b"\0\x63b511\0octet\0",
        "an ACK of no transfer": ack(1),
        "a bad option": rrq("b511", options={"blksize": 0}),
    }
    found = _heard_errors(t, requests)
    if not found:
        t.skip("none of many mistakes was answered with an ERROR")
    return found


def _heard_errors(t: ServerTrial, requests: dict[str, bytes]) -> list[tuple[str, Packet]]:
    return [
        (what, packet)
        for what, _, packet in answers_to(t, requests, 1.0)
        if packet is not None and packet.kind == ERROR
    ]


@server_case("RFC1350-7-06")
def an_error_is_not_repeated_by_a_timer(t: ServerTrial) -> None:
    """Nothing answers it for so long that any timer would have fired."""
    client = t.client()
    client.ask(rrq("nope"))
    client.expect(ERROR)
    came = _of_peer(client, 15.0)
    t.check(not came, f"{len(came)} more packets came, the first of them {came[0] if came else ''}")


@server_case("RFC1350-A-03")
def a_missing_file_is_error_1(t: ServerTrial) -> None:
    """A missing file, and one in a folder that is missing."""
    for name in ("nope", "nodir/x"):
        client = t.client()
        client.ask(rrq(name))
        packet = client.expect(ERROR)
        t.check(packet.code in (0, 1, 2), f"{name} got {packet}")
        if packet.code != 1:
            t.lenient(f"{name} got {packet} where code 1 is meant for it")


@server_case("RFC1350-A-04", alone=True)
def a_forbidden_file_is_error_2(t: ServerTrial) -> None:
    """A folder asked for as a file, read and written, and a file without any permission."""
    tried = {"a read of a folder": rrq("subdir"), "a read of a forbidden file": rrq("noperm")}
    if t.manners.creates:
        tried["a write to a folder"] = wrq("subdir")
    served = False
    for what, _, packet in answers_to(t, tried):
        if packet is not None and packet.kind == DATA and "file" in what:
            served = True
        elif packet is None or packet.kind != ERROR or packet.code not in (0, 1, 2, 6):
            t.warn(f"{what} got {packet or 'no answer'}")
        elif packet.code != 2:
            t.policy(f"{what} got {packet}")
    if served:
        t.skip("the target may read everything")


@server_case("RFC1350-A-05", alone=True)
def a_full_disk_is_error_3(t: ServerTrial) -> None:
    """Blocks are stored until no more fit; only a folder with little room allows that."""
    root = t.needs_root()
    room = shutil.disk_usage(root).free
    if room > LITTLE:
        t.skip(f"it takes a folder with less room than {LITTLE} octets")
    t.note(f"the folder has room for {room} octets")
    octets = content(room + 65536)
    name = t.new_name()
    client = t.client()
    try:
        client.ask(wrq(name))
        packet = client.hear()
        block = 0
        while packet is not None and packet.kind == ACK and block * 512 < len(octets):
            if packet.block == block & 0xFFFF:
                block += 1
                client.send(data(block, chunk(octets, block)))
            packet = client.hear()
        if packet is None:
            t.fail(f"block {block} is not answered any more")
        t.check(packet.kind == ERROR, "blocks beyond the room of the disk were acknowledged")
        if packet.code != 3:
            t.warn(f"{packet} where code 3 is meant for it")
        t.alive()
    finally:
        client.send(error(0, "Enough"))
        with suppress(OSError):
            (root / name).unlink()


@server_case("RFC1350-A-06")
def a_refused_overwrite_is_error_6(t: ServerTrial) -> None:
    """The file is one that the case itself has stored, so that nothing else is at stake."""
    name = t.new_name()
    stored = t.write(name, b"old")
    t.check(stored.complete, f"the first upload: {stored.trouble}")
    client = t.client()
    client.ask(wrq(name))
    answer = client.hear()
    if answer is not None and answer.kind == ACK:
        return
    if answer is None:
        t.warn("the write of an existing name is not answered")
    elif answer.kind != ERROR or answer.code != 6:
        t.warn(f"the write of an existing name got {answer}")
    t.holds(name, b"old")


# ---------------------------------------------------------------- what the server is sent


@server_case("RFC1350-2-17")
def error_5_from_the_peer_itself_is_final(t: ServerTrial) -> None:
    """The code that spares a transfer elsewhere, from the only one who cannot mean that."""
    clients = [reading(t, "b3000", 2)]
    if t.manners.creates:
        clients.append(writing(t, 1)[0])
    for client in clients:
        client.send(error(5, "Unknown transfer ID"))
    for client in clients:
        for packet in _of_peer(client, min(t.resend, 6.0)):
            t.check(packet.kind != ERROR, f"an ERROR was answered with {packet}")
            if packet.at - client.sent_at > SETTLED:
                t.lenient(f"after error 5 the transfer goes on: {packet}")
                break


@server_case("RFC1350-7-02")
def a_server_does_not_answer_an_error(t: ServerTrial) -> None:
    """In the middle of a read, at both ends of a write, and instead of an ACK of an OACK."""
    clients = [reading(t, "b3000", 1), reading(t, "b3000", 3)]
    if t.manners.creates:
        clients += [writing(t, 0)[0], writing(t, 1)[0]]
    if "blksize" in t.manners.options:
        client = t.client()
        client.ask(rrq("b3000", options={"blksize": 1024}))
        client.expect(OACK)
        clients.append(client)
    for client in clients:
        code = 8 if client.heard[-1].kind == OACK else 0
        client.send(error(code, "stop"))
    for client in clients:
        for packet in _of_peer(client, 7.0):
            t.check(packet.kind != ERROR, f"an ERROR was answered with {packet}")


@server_case("RFC1350-7-04")
def an_error_ends_a_transfer_at_once(t: ServerTrial) -> None:
    """What still comes is looked for until three repeats would have been due."""
    window = min(max(3 * (t.manners.first_interval or 3.0), 2.0), 15.0)
    clients = [reading(t, "b3000", 1), reading(t, "b3000", 3)]
    if t.manners.creates:
        clients += [writing(t, 0)[0], writing(t, 1)[0]]
    for client in clients:
        client.send(error(0, "stop"))
    for client in clients:
        _over(t, client, window, "an ERROR")


@server_case("RFC1350-7-05")
def any_error_from_the_peer_is_final(t: ServerTrial) -> None:
    """Forms that a careful reader may stumble over, each sent into a read of its own."""
    t.fixture("b3000")
    window = min(max(2 * (t.manners.first_interval or 3.0), 2.0), 12.0)
    forms = {
        "an ERROR with an unknown code": error(99, "stop"),
        "an ERROR without text and zero": b"\0\5\0\0",
        "an ERROR with an empty text": error(0),
        "an ERROR without its zero octet": b"\0\5\0\0stop",
        "an ERROR with a huge text": error(0, "stop" * 15_000),
    }
    clients = [(what, reading(t, "b3000", 2)) for what in forms]
    for what, client in clients:
        client.send(forms[what])
    for what, client in clients:
        _over(t, client, window, what)
    t.alive()


def _over(t: ServerTrial, client: Client, window: float, what: str) -> None:
    for packet in _of_peer(client, window):
        t.check(packet.kind != ERROR, f"{what} was answered with {packet}")
        late = packet.at - client.sent_at > SETTLED
        t.check(not late, f"{what} did not end the transfer: {packet}")


def _of_peer(client: Client, seconds: float) -> list[Packet]:
    """What comes from elsewhere is meant for somebody who had that port before."""
    return [packet for packet in client.everything(seconds) if packet.source == client.peer]
