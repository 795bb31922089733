"""Faults of ERROR packets, and blocks cut to a false end, tried against servers.

What must end a transfer is sent in mid-transfer; then the server is watched for longer
than its timer takes, which is quick where it takes wishes.
"""

from ..catalogue import server_case
from ..fixtures import content
from ..server_middle import Middle, begin_read, begin_write, silent
from ..server_steps import chunk
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, ERROR, Packet, ack, data, error, rrq, wrq
from .terms import window_of_reads, window_of_writes

FILE = content(3000, 72)  # six blocks
LEAVES = error(0, "Going away")
UNKNOWN = error(5, "Unknown transfer ID")
SHORT = 100  # octets of a block that looks like the last one
PATIENT = 6.0  # seconds: the slowest common timer is five


def _middles(t: ServerTrial) -> list[Middle]:
    """Opens a read, and an upload if it is allowed, and stops behind block 2."""
    found = [begin_read(t, 2)]
    if t.manners.creates:
        found.append(begin_write(t, FILE, 2))
    return found


@server_case("F-ER-01")
def a_lost_error_is_not_repeated(t: ServerTrial) -> None:
    """Requests that are refused, and then silence: an ERROR has no timer.

    That a server ends when ours is lost shows in the cases of lasting silence.
    """
    requests = [rrq("there-is-no-such-file")]
    if t.manners.creates:
        requests.append(wrq(t.new_name(), "no-mode"))
    clients: list[Client] = []
    for request in requests:
        clients.append(t.client())
        clients[-1].ask(request)
    refused = []
    for client in clients:
        packet = client.hear()
        if packet is not None and packet.kind == ERROR:
            refused.append(client)
    if not refused:
        t.skip("the target refuses nothing by an ERROR")
    t.pause(min(PATIENT, max(2.0, 1.2 * (t.manners.first_interval or PATIENT))))
    for client in refused:
        packet = client.hear(0.0)
        t.check(packet is None, f"behind an ERROR there came {packet}")
    t.alive()


@server_case("F-ER-02")
def an_error_that_comes_twice_is_not_answered(t: ServerTrial) -> None:
    """Two copies back to back, in a read and in an upload."""
    found = _middles(t)
    for middle in found:
        middle.client.send(LEAVES)
        middle.client.send(LEAVES)
    silent(t, found, "an ERROR that came twice")
    _nothing_whole(t, found)
    t.alive()


@server_case("F-ER-03")
def an_error_behind_the_end_has_no_effect(t: ServerTrial) -> None:
    """A read and an upload are completed, and then an ERROR comes for each."""
    read = begin_read(t, 2)
    read.rest_of_read(2)
    found = [read]
    if t.manners.creates:
        write = begin_write(t, FILE, 2)
        write.rest_of_write(3)
        found.append(write)
    for middle in found:
        middle.client.send(LEAVES)
    silent(t, found, "an ERROR behind the end")
    for middle in found[1:]:
        t.holds(middle.name, FILE)
    t.alive()


@server_case("F-ER-04")
def a_damaged_error_ends_the_transfer(t: ServerTrial) -> None:
    """A code that no table knows, and a text without its NUL, each in a transfer of its own."""
    for what, damaged in (("code 99", error(99, "Unheard of")), ("no NUL", LEAVES[:-1])):
        found = _middles(t)
        for middle in found:
            middle.client.send(damaged)
        silent(t, found, f"an ERROR with {what}")
    t.alive()


@server_case("F-ER-05")
def a_shortened_error_does_no_harm(t: ServerTrial) -> None:
    """With its code whole it ends the transfer; without, it may as well be ignored."""
    ended = _middles(t)
    for middle in ended:
        middle.client.send(LEAVES[:4])
    silent(t, ended, "an ERROR of 4 octets")
    for size in (2, 3):
        for middle in _middles(t):
            middle.client.send(LEAVES[:size])
            t.pause(min(0.3, t.moment))
            if not middle.wakes(2):
                t.note(f"an ERROR of {size} octets ends the transfer")
            elif middle.name:
                middle.rest_of_write(4)
            else:
                middle.rest_of_read(3)
    t.alive()


@server_case("F-ER-07")
def crossing_errors_end_it_for_good(t: ServerTrial) -> None:
    """A packet that may well be refused by an ERROR, and right behind it an ERROR of ours."""
    found = _middles(t)
    for middle in found:
        middle.client.send(b"\0\x09odd")
        middle.client.send(LEAVES)
    t.pause(1.3 * max(middle.interval for middle in found))
    for middle in found:
        before = middle.client.sent_at
        later = []
        while (packet := middle.client.hear(0.0)) is not None:
            later.append(packet)
        errors = [packet for packet in later if packet.kind == ERROR]
        t.check(len(errors) < 2, f"two ERRORs came: {', '.join(map(str, errors))}")
        stray = [packet for packet in later if packet.at > before + 0.3]
        t.check(not stray, f"behind crossing ERRORs there came {', '.join(map(str, stray[:3]))}")
    t.alive()


@server_case("F-DM-10")
def a_block_cut_to_its_header_ends_it_short(t: ServerTrial) -> None:
    """Block 3 without its payload: as a receiver we are done and refuse what follows.

    As a sender we go on, and see that the server does not.
    """
    if t.manners.creates:
        write = begin_write(t, FILE, 2)
        write.client.send(data(3))
        write.client.expect(ACK, 3)
        write.client.send(data(4, chunk(FILE, 4)))
        _took_no_more(t, write.client, 4)
        t.holds(write.name, FILE[:1024])
    read = begin_read(t, 3)
    read.client.send(ack(3))
    packet = read.client.expect(DATA, 4)
    read.client.send(UNKNOWN, packet.source)
    silent(t, [read], "ERROR 5")
    t.alive()


@server_case("F-NM-08")
def a_short_block_inside_a_window_ends_it(t: ServerTrial) -> None:
    """Block 6 of the window 5 to 8 has 100 octets: it is acknowledged as the last one."""
    read = window_of_reads(t, "b10k", 4)
    read.begin()
    read.client.send(ack(4))
    read.take(5, 8)
    read.client.send(ack(6))
    packet = read.client.expect(DATA, 7, repeat=True)
    read.client.send(UNKNOWN, packet.source)
    t.pause(read.moment)
    while read.client.hear(0.0) is not None:
        pass
    t.pause(3.0 * read.moment + 0.3)
    packet_behind = read.client.hear(0.0)
    t.check(packet_behind is None, f"after ERROR 5 there came {packet_behind}")
    if t.manners.creates:
        octets = content(20 * 512, 73)
        write = window_of_writes(t, octets, 4)
        write.put(1, 2, 3, 4)
        write.until(4)
        write.put(5)
        write.client.send(data(6, chunk(octets, 6)[:SHORT]))
        write.put(7, 8)
        _acknowledged_end(t, write.client, 6)
        t.holds(write.name, octets[: 5 * 512 + SHORT])
    t.alive()


@server_case("F-DL-06")
def a_final_block_cut_short_is_not_seen(t: ServerTrial) -> None:
    """The size is announced, where the server takes it, and then fewer octets come."""
    name = t.new_name()
    announced = {"tsize": len(FILE)} if "tsize" in t.manners.options else {}
    client = t.client()
    client.ask(wrq(name, options=announced))
    first = client.hear()
    t.check(first is not None and first.kind != ERROR, f"an upload got {first}")
    for block in range(1, 6):
        client.send(data(block, chunk(FILE, block)))
        client.expect(ACK, block)
    client.send(data(6, chunk(FILE, 6)[:SHORT]))
    answer = client.anything(t.patience, repeats=True)
    t.check(answer is not None, "the final block met silence")
    if answer is not None and answer.kind == ERROR:
        t.policy(f"a file shorter than announced is refused: {answer}")
    else:
        t.check(answer is not None and answer.block == 6, f"ACK 6 was due, and {answer} came")
        t.holds(name, FILE[: 5 * 512 + SHORT])
        size = "than announced " if announced else ""
        t.policy(f"a file shorter {size}is stored without a word")
    t.alive()


def _nothing_whole(t: ServerTrial, middles: list[Middle]) -> None:
    for middle in middles:
        if middle.name:
            found = t.look(middle.name)
            t.check(found != middle.octets, "an upload that was broken off is there as a whole")


def _took_no_more(t: ServerTrial, client: Client, block: int) -> None:
    """Fails if a block behind the end is acknowledged."""
    while (packet := client.anything(1.0)) is not None:
        wrong = packet.kind == ACK and packet.block >= block
        t.check(not wrong, f"behind the end {packet} came")


def _acknowledged_end(t: ServerTrial, client: Client, block: int) -> None:
    """Waits for the ACK of the block that looked like the last; none behind it may come."""
    found: list[Packet] = []
    deadline = t.now() + t.patience
    while not any(packet.block == block for packet in found):
        packet = client.hear(max(0.0, deadline - t.now()))
        if packet is None:
            t.fail(f"ACK {block} was due, and nothing came")
        wrong = packet.kind == ERROR or packet.block > block
        t.check(not wrong, f"ACK {block} was due, and {packet} came")
        found.append(packet)
    _took_no_more(t, client, block + 1)
