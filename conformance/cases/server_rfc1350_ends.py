"""RFC 1350 section 6, tried against servers: how transfers end.

The last block, the empty one behind a full one, and what either side may still say after
it; also what is left of an upload in the file system.
"""

from ..catalogue import server_case
from ..server_steps import UPLOAD, chunk, finish_read, finish_write, reading, writing
from ..server_trial import ServerTrial
from ..wire import ACK, DATA, ack, data, error, wrq

SETTLED = 0.3  # seconds after which nothing can still be under way


@server_case("RFC1350-6-01")
def a_short_block_is_the_last_one(t: ServerTrial) -> None:
    """One octet more than a block holds, and one less."""
    for name in ("b513", "b511"):
        octets = t.fixture(name)
        client = reading(t, name)
        finish_read(client, octets)
        client.quiet(1.0)


@server_case("RFC1350-6-02")
def a_server_ends_a_full_last_block_with_an_empty_one(t: ServerTrial) -> None:
    """One and two full blocks."""
    for name in ("b512", "b1024"):
        octets = t.fixture(name)
        client = reading(t, name)
        finish_read(client, octets)
        client.quiet(1.0)


@server_case("RFC1350-6-03")
def an_empty_file_is_one_empty_block(t: ServerTrial) -> None:
    """The first block is the last, and it is empty."""
    client = reading(t, "empty")
    client.send(ack(1))
    client.quiet(1.0)


@server_case("RFC1350-6-04")
def a_server_waits_for_the_empty_last_block(t: ServerTrial) -> None:
    """The empty block comes late: a server that thought the file complete is gone by then."""
    octets = UPLOAD[:512]
    client, name = writing(t, 1, octets)
    t.pause(0.5)
    finish_write(client, octets, 2)
    t.holds(name, octets)


@server_case("RFC1350-6-05")
def an_upload_may_be_empty(t: ServerTrial) -> None:
    """A single block without octets."""
    client, name = writing(t)
    client.send(data(1))
    client.expect(ACK, 1)
    t.holds(name, b"")


@server_case("RFC1350-6-07")
def a_receiving_server_answers_a_late_last_block(t: ServerTrial) -> None:
    """The last block once more after a moment, and after the second of a common timer."""
    client, name = writing(t)
    client.send(data(1, b"abc"))
    client.expect(ACK, 1)
    for wait, remark in ((0.3, t.warn), (1.0, t.lenient)):
        client.everything(wait)
        client.send(data(1, b"abc"))
        packet = client.anything(1.0)
        if packet is None or packet.raw != ack(1):
            told = "word that the port is closed (ICMP)" if client.closed else "no answer"
            remark(f"a copy of the last block, {wait} s after its ACK, got {packet or told}")
            break
    t.holds(name, b"abc")


@server_case("RFC1350-6-09")
def the_last_block_is_repeated_until_acknowledged(t: ServerTrial) -> None:
    """Its ACK is held back until a copy has come; after the ACK there must be no other."""
    client = reading(t, "b513", 2)
    client.expect(DATA, 2, within=10.0, repeat=True)
    client.send(ack(2))
    late = [
        packet
        for packet in client.everything(min(t.resend, 6.0))
        if packet.at - client.sent_at > SETTLED
    ]
    t.check(not late, f"after the last ACK came {late[0] if late else ''}")


@server_case("RFC1350-6-11")
def nothing_follows_the_last_ack(t: ServerTrial) -> None:
    """Three copies of the last ACK, sent when the server has long taken the first."""
    client = reading(t, "b513", 2)
    client.send(ack(2))
    client.everything(SETTLED)
    for _ in range(3):
        client.send(ack(2))
    for packet in client.everything(1.0):
        t.check(packet.kind != DATA, f"after the last ACK came {packet}")
        if packet.code != 5:
            t.lenient(f"a copy of the last ACK was answered with {packet}")


@server_case("RFC1350-6-12")
def a_finished_upload_can_be_read_at_once(t: ServerTrial) -> None:
    """The read is asked for in the instant in which the last ACK is here."""
    client, name = writing(t, 2)
    played = t.read(name)
    if played.error is not None:
        if played.error.code not in (1, 2):
            t.lenient(f"a read right after an upload got {played.error}")
    else:
        t.check(played.complete, f"a read right after an upload: {played.trouble}")
        size = len(played.content)
        t.check(played.content == UPLOAD, f"a read right after an upload gave {size} octets")
    client.everything(SETTLED)
    t.holds(name, UPLOAD)


@server_case("RFC1350-6-13")
def a_broken_upload_does_not_spoil_an_old_file(t: ServerTrial) -> None:
    """An upload over a file of the case's own is broken off with an ERROR after one block."""
    name = t.new_name()
    if not t.manners.overwrites:
        t.skip("the target does not overwrite")
    old = b"old" * 400
    stored = t.write(name, old)
    t.check(stored.complete, f"the first upload: {stored.trouble}")
    t.holds(name, old)
    client = t.client()
    client.ask(wrq(name))
    client.expect(ACK, 0)
    client.send(data(1, chunk(UPLOAD, 1)))
    client.expect(ACK, 1)
    client.send(error(0, "Broken off"))
    t.pause(1.0)
    found = t.look(name)
    if found is not None and found != old:
        t.policy(f"a broken upload leaves {len(found)} octets in place of the old file")
