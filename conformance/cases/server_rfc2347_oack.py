"""RFC 2347, what follows an OACK, tried against servers: its repeats, its answers, its end.

Each function is one case: its docstring says why it is tried in this way.
"""

from ..catalogue import server_case
from ..fixtures import content
from ..server_trial import Client, ServerTrial, granted
from ..wire import DATA, ERROR, OACK, Packet, ack, data, error, rrq, wrq
from .terms import granted_to_writes, hang_up, known

LONGEST = 15.0  # seconds to wait for a repeat whose interval is not known
SHORTEST = 8.0  # and at least: before the first round trip a timer may be slower than later


def _open_read(t: ServerTrial) -> tuple[Client, Packet, bytes]:
    """Opens a read of b3000 with one option; returns the OACK and the first block as well."""
    name, value = next(iter(known(t).items()))
    octets = t.fixture("b3000")
    client = t.client()
    client.ask(rrq("b3000", options={name: value}))
    oack = client.expect(OACK)
    return client, oack, octets[: granted(oack)[0]]


def _open_write(t: ServerTrial) -> tuple[Client, Packet, str, list[bytes]]:
    """Opens a write with one option; returns the OACK, the name, and a full and a last block."""
    known(t)
    name = t.new_name()
    options = granted_to_writes(t)
    if not options:
        t.unsupported("the target grants no option to a write")
    option, value = next(iter(options.items()))
    client = t.client()
    client.ask(wrq(name, options={option: value}))
    oack = client.expect(OACK)
    size = granted(oack)[0]
    octets = content(size + 100, 7)
    return client, oack, name, [octets[:size], octets[size:]]


def _store(t: ServerTrial, client: Client, name: str, blocks: list[bytes]) -> None:
    client.send(data(1, blocks[0]))
    client.expect("ACK", 1)
    client.send(data(2, blocks[1]))
    client.expect("ACK", 2)
    t.holds(name, b"".join(blocks))


def _repeated(t: ServerTrial, client: Client, oack: Packet) -> None:
    again = client.hear(min(max(t.resend, SHORTEST), LONGEST))
    if again is None:
        t.fail("the OACK is not repeated")
    t.check(again.raw == oack.raw, f"{oack} was due again, and {again} came")


@server_case("RFC2347-N-01")
def an_unanswered_oack_of_a_read_is_sent_again(t: ServerTrial) -> None:
    """The OACK is left without an answer until it comes again, and only then acknowledged."""
    client, oack, first = _open_read(t)
    _repeated(t, client, oack)
    client.send(ack(0))
    client.expect_data(1, first)


@server_case("RFC2347-N-02")
def a_repeated_answer_to_a_write_is_the_oack(t: ServerTrial) -> None:
    """The first DATA is held back until the server repeats itself.

    Then a whole upload shows that the granted terms still hold.
    """
    client, oack, name, blocks = _open_write(t)
    _repeated(t, client, oack)
    _store(t, client, name, blocks)


@server_case("RFC2347-N-09")
def data_1_waits_for_the_ack_of_the_oack(t: ServerTrial) -> None:
    """After the OACK nothing is sent for a while: only the OACK itself may come again."""
    client, _, first = _open_read(t)
    client.quiet(1.5)
    client.send(ack(0))
    client.expect_data(1, first)


@server_case("RFC2347-N-10")
def the_oack_of_a_write_replaces_ack_0(t: ServerTrial) -> None:
    """After the OACK nothing is sent for a while: an ACK 0 beside it would show."""
    client, _, name, blocks = _open_write(t)
    client.quiet(1.5)
    _store(t, client, name, blocks)


@server_case("RFC2347-N-11")
def ack_0_for_a_repeated_oack_brings_one_data_1(t: ServerTrial) -> None:
    """Two OACKs are on their way and one ACK 0 answers both.

    A second DATA 1, sooner than a timer can send it, would start the Sorcerer's Apprentice.
    """
    client, oack, first = _open_read(t)
    _repeated(t, client, oack)
    client.send(ack(0))
    client.expect_data(1, first)
    again = client.anything(t.moment)
    t.check(again is None or again.kind == OACK, f"one ACK 0 brought DATA 1 and {again}")


@server_case("RFC2347-N-12")
def an_oack_answered_by_ack_1_does_not_advance(t: ServerTrial) -> None:
    """Block 1 was never sent, so its ACK is either ignored or a reason to give up."""
    client, _, first = _open_read(t)
    client.send(ack(1))
    answer = client.anything(1.0, repeats=True)
    if answer is not None:
        t.check(answer.kind == ERROR, f"ACK 1 for an OACK was answered by {answer}")
        return
    client.send(ack(0))
    client.expect_data(1, first)


TURNED_DOWN = 50


@server_case("RFC2347-N-14")
def error_8_in_answer_to_an_oack_ends_the_transfer(t: ServerTrial) -> None:
    """Boot ROMs ask for the size and hang up in this way, many at a time.

    Whoever answers the ERROR, or goes on with the transfer, shows within a repeat's time; and
    fifty of them must not stand in the way of an ordinary read.
    """
    known(t)
    clients = []
    for _ in range(TURNED_DOWN):
        clients.append(_open_read(t)[0])
        clients[-1].send(error(8, "User aborted the transfer"))
    if t.manners.creates and granted_to_writes(t):
        clients.append(_open_write(t)[0])
        clients[-1].send(error(8, "User aborted the transfer"))
    t.alive()
    wait = max(3.0, min(t.resend, 8.0))
    for client in clients:
        client.ended = True
        while (late := client.anything(wait)) is not None:
            # What was under way when the ERROR went out is nobody's fault.
            crossed = late.at < client.sent_at and late.kind == OACK
            t.check(crossed, f"{late} came behind ERROR 8")
    t.alive()


@server_case("RFC2347-N-26")
def a_second_request_does_not_change_a_running_transfer(t: ServerTrial) -> None:
    """The same port asks again, for other blocks, between the OACK and its ACK 0.

    What comes from the first transfer's port has to have the size that it granted. A
    transfer that the second request opens beside it is left alone.
    """
    t.needs_option("blksize")
    octets = t.fixture("b3000")
    client = t.client()
    client.ask(rrq("b3000", options={"blksize": 1024}))
    oack = client.expect(OACK)
    size, _ = granted(oack)
    client.ask(rrq("b3000", options={"blksize": size - 400}))
    client.anything(0.3, repeats=True)
    client.send(ack(0), oack.source)
    deadline = t.now() + t.patience
    while (packet := client.hear(max(0.0, deadline - t.now()))) is not None:
        if packet.source != oack.source or packet.raw == oack.raw:
            continue
        if packet.kind == OACK and t.manners.single_port:
            continue  # the second request's answer: it has only one port
        right = packet.kind == DATA and packet.block == 1 and packet.payload == octets[:size]
        t.check(right, f"after a second request the first transfer goes on with {packet}")
        break
    t.check(packet is not None, "after a second request the first transfer is dead")
    hang_up(client)
