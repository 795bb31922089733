"""RFC 783 and RFC 1785, tried against servers: a rule that is gone, options before RFC 2347.

What these documents still ask is that a server does not fall back to the old ways, and
that requests of old and new clients work with servers of either age.
"""

from ..catalogue import server_case
from ..server_steps import UPLOAD, chunk, finish_read, finish_write, reading
from ..server_trial import ServerTrial
from ..wire import ACK, ack, rrq, wrq

UNKNOWN = {"xyz": 1}


@server_case("RFC783-01")
def the_old_rule_of_an_answer_to_every_ack_is_gone(t: ServerTrial) -> None:
    """After each block come the ACK before it and then the right one: only that may be answered."""
    octets = t.fixture("b3000")
    client = reading(t, "b3000")
    for block in range(1, 6):
        if block > 1:
            client.send(ack(block - 1))
            if (packet := client.caused()) is not None:
                t.fail(f"ACK {block - 1}, sent again, was answered with {packet}")
        client.send(ack(block))
        client.expect_data(block + 1, chunk(octets, block + 1))
    client.send(ack(6))


@server_case("RFC1785-01")
def options_that_were_not_taken_do_not_matter(t: ServerTrial) -> None:
    """An option that nobody has: the answer must be that of a plain request, to the end."""
    octets = t.fixture("b3000")
    client = t.client()
    client.ask(rrq("b3000", options=UNKNOWN))
    client.expect_data(1, chunk(octets, 1))
    finish_read(client, octets)
    if t.manners.creates:
        name = t.new_name()
        client = t.client()
        client.ask(wrq(name, options=UNKNOWN))
        client.expect(ACK, 0)
        finish_write(client, UPLOAD, 1)
        t.holds(name, UPLOAD)


@server_case("RFC1785-02")
def a_server_without_options_skips_what_follows_the_mode(t: ServerTrial) -> None:
    """Only a server that grants none of the options can show it."""
    if t.manners.options:
        t.skip(f"the target has options: {', '.join(sorted(t.manners.options))}")
    octets = t.fixture("b511")
    client = t.client()
    client.ask(rrq("b511", options={"blksize": 1024}))
    client.expect_data(1, octets)
    client.send(ack(1))
