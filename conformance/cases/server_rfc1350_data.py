"""RFC 1350 sections 2 and 5, tried against servers: what moves a transfer, and what does not.

An odd packet comes from the peer itself while the transfer waits for the right one. What a
server does of it at once, and whether the file is exact in the end, makes the verdict.
"""

from ..catalogue import server_case
from ..server_steps import (
    UPLOAD,
    ack_or_error,
    chunk,
    finish_read,
    finish_write,
    judge_refusal,
    reading,
    writing,
)
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, ERROR, ack, data, oack, rrq

LISTEN = 0.6
"""Seconds to listen for something new that an odd packet may bring."""


# ---------------------------------------------------------------- lock-step, in a read


@server_case("RFC1350-2-01")
def lock_step_keeps_one_block_in_flight(t: ServerTrial) -> None:
    """Each of three ACKs is held back for a while; the next block must be held back as well."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000")
    for block in (1, 2, 3):
        client.quiet(LISTEN)
        client.send(ack(block))
        client.expect_data(block + 1, chunk(octets, block + 1))
    client.quiet(LISTEN)


@server_case("RFC1350-2-02")
def an_ack_ahead_of_the_sender_is_no_progress(t: ServerTrial) -> None:
    """The next number, that of the last block, and one beyond the file, each in its own read."""
    octets = t.fixture("b3000")
    clients = {number: reading(t, "b3000") for number in (2, 6, 100)}
    for number, client in clients.items():
        client.send(ack(number))
    for number, client in clients.items():
        answer = client.anything(LISTEN, repeats=True)
        if answer is None:
            finish_read(client, octets)
        else:
            judge_refusal(t, answer, (4,), what=f"ACK {number} before its block")


@server_case("RFC1350-2-03")
def an_old_ack_is_ignored_by_the_server(t: ServerTrial) -> None:
    """ACKs of the first block and of none at all, each in a read where block 3 is out."""
    octets = t.fixture("b3000")
    for number in (1, 0):
        client = reading(t, "b3000", 3)
        client.send(ack(number))
        if (packet := client.caused()) is not None:
            t.fail(f"an old ACK {number} was answered with {packet}")
        finish_read(client, octets, 3)


@server_case("RFC1350-5-25")
def a_long_ack_is_read_or_ignored(t: ServerTrial) -> None:
    """Six octets too many; if nothing comes of it, the same ACK in good form has to work."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000")
    client.send(ack(1) + b"abcdef")
    packet = client.anything(LISTEN, repeats=True)
    if packet is not None and packet.kind == ERROR:
        t.lenient(f"an ACK of ten octets was answered with {packet}")
        return
    if packet is None:
        client.send(ack(1))
        client.expect_data(2, chunk(octets, 2))
    else:
        right = packet.kind == DATA and packet.block == 2 and packet.payload == chunk(octets, 2)
        t.check(right, f"an ACK of ten octets was answered with {packet}")
    finish_read(client, octets, 2)


# ---------------------------------------------------------------- lock-step, in a write


@server_case("RFC1350-2-04")
def a_server_acknowledges_a_repeated_block_again(t: ServerTrial) -> None:
    """Five copies: a busy machine may answer one of them late, a timer cannot be quick at all."""
    client, name = writing(t, 1)
    answered = prompt = False
    for _ in range(5):
        client.send(data(1, chunk(UPLOAD, 1)))
        packet = client.anything(max(t.moment, 0.3))
        if packet is None:
            continue
        t.check(packet.raw == ack(1), f"ACK 1 was due again, and {packet} came")
        answered = True
        prompt = prompt or packet.at - client.sent_at < t.moment
    if not answered:
        packet = client.anything(t.resend)
        t.check(packet is not None and packet.raw == ack(1), "a repeated block gets no ACK")
    if not prompt:
        t.lenient("a repeated block is acknowledged by the timer only")
    finish_write(client, UPLOAD, 2)
    t.holds(name, UPLOAD)


@server_case("RFC1350-2-05")
def the_first_copy_of_an_uploaded_block_counts(t: ServerTrial) -> None:
    """The second copy has other octets, as no honest writer would send it."""
    first, later = b"a" * 512, b"b" * 512
    client, name = writing(t, 1, first)
    client.send(data(1, later))
    client.quiet(LISTEN)
    client.send(data(2, b"c"))
    client.expect(ACK, 2)
    t.holds(name, first + b"c")


@server_case("RFC1350-2-06")
def a_server_takes_no_block_out_of_turn(t: ServerTrial) -> None:
    """Block 3 comes instead of block 2, and then block 2, which ends the file."""
    client, name = writing(t, 1)
    client.send(data(3, b"!" * 512))
    packet = client.anything(LISTEN, repeats=True)
    if packet is not None:
        judge_refusal(t, packet, (4,), what="DATA 3 instead of DATA 2")
        t.alive()
        return
    finish_write(client, UPLOAD, 2)
    t.holds(name, UPLOAD)


@server_case("RFC1350-2-07")
def block_0_is_not_stored_as_a_first_block(t: ServerTrial) -> None:
    """A full block of number 0 first, then a short one of number 1, which ends the file."""
    client, name = writing(t)
    client.send(data(0, b"!" * 512))
    packet = client.anything(LISTEN, repeats=True)
    if packet is not None:
        judge_refusal(t, packet, (4,), what="DATA 0")
        t.alive()
        return
    client.send(data(1, b"right one!"))
    client.expect(ACK, 1)
    t.holds(name, b"right one!")


@server_case("RFC1350-5-22")
def a_server_refuses_an_oversized_block(t: ServerTrial) -> None:
    """600 octets where 512 are agreed; if nothing comes of it, a block in good form follows."""
    client, name = writing(t)
    client.send(data(1, b"!" * 600))
    packet = client.anything(1.0, repeats=True)
    if packet is not None:
        judge_refusal(t, packet, (4, 0), what="a block of 600 octets")
        t.alive()
        return
    client.send(data(1, chunk(UPLOAD, 1)))
    packet = client.anything(t.patience, repeats=True)
    if packet is None:
        t.lenient("a block of 600 octets ends the transfer without a word")
        t.check(not t.look(name), "octets of a block of 600 were stored")
        return
    t.check(packet.raw == ack(1), f"ACK 1 was due, and {packet} came")
    finish_write(client, UPLOAD, 2)
    t.holds(name, UPLOAD)


# ---------------------------------------------------------------- odd packets of the peer


@server_case("RFC1350-5-24", alone=True)
def tiny_packets_inside_a_transfer_are_harmless(t: ServerTrial) -> None:
    """Each length into a transfer of its own: nothing, half an opcode, and parts of an ACK."""
    octets = t.fixture("b3000")
    reads = {form: reading(t, "b3000") for form in (b"", b"\4", b"\0\4", b"\0\4\0")}
    for form, client in reads.items():
        client.send(form)
    for form, client in reads.items():
        if _goes_on(t, client, _shown(form)):
            finish_read(client, octets)
    if t.manners.creates:
        writes = {form: writing(t, 1) for form in (b"", b"\0\3", b"\0\3\0")}
        for form, (client, _) in writes.items():
            client.send(form)
        for form, (client, name) in writes.items():
            if _goes_on(t, client, _shown(form)):
                finish_write(client, UPLOAD, 2)
                t.holds(name, UPLOAD)
    t.alive()


def _shown(form: bytes) -> str:
    return f"a packet of {form.hex(' ') or 'no octets'}"


def _goes_on(t: ServerTrial, client: Client, what: str) -> bool:
    """Looks at what an odd packet brings; returns whether the transfer can go on."""
    packet = client.anything(LISTEN, repeats=True)
    if packet is None:
        return True
    judge_refusal(t, packet, (4,), what=what)
    return False


@server_case("RFC1350-5-26", alone=True)
def packets_out_of_phase_are_handled_openly(t: ServerTrial) -> None:
    """Every type that has no place there, in a transfer of its own, and one that does not exist."""
    octets = t.fixture("b3000")
    odd = {
        "DATA in a read": data(1, b"zz"),
        "an OACK in a read": oack({"blksize": 1024}),
        "opcode 9 in a read": b"\0\x09\0\1",
    }
    if not t.manners.single_port:
        odd["a request in a read"] = rrq("b511")
    reads = {what: reading(t, "b3000") for what in odd}
    for what, client in reads.items():
        client.send(odd[what])
    for what, client in reads.items():
        if _goes_on(t, client, what):
            finish_read(client, octets)
    if t.manners.creates:
        odd = {"ACK 0 in a write": ack(0), "an OACK in a write": oack({"blksize": 1024})}
        if not t.manners.single_port:
            odd["a request in a write"] = rrq("b511")
        writes = {what: writing(t, 1) for what in odd}
        for what, (client, _) in writes.items():
            client.send(odd[what])
        for what, (client, name) in writes.items():
            if _goes_on(t, client, what) and _end_of_upload(client, what):
                t.holds(name, UPLOAD)
    t.alive()


def _end_of_upload(client: Client, what: str) -> bool:
    """Sends the last block; returns whether the upload has come to its end by it."""
    client.trial.note(f"the last block, after {what}")
    client.send(data(2, chunk(UPLOAD, 2)))
    return ack_or_error(client, 2)
