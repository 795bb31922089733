"""RFC 1350 section 2, tried against servers: what is lost is sent again, and pauses are outlasted.

Only the sending timer is looked at here; how its interval grows is a matter of RFC 1123.
"""

from ..catalogue import server_case
from ..server_steps import UPLOAD, chunk, finish_read, reading, writing
from ..server_trial import Client, ServerTrial
from ..wire import DATA, ERROR, OACK, ack, data, rrq

LONGEST = 10.0
"""Seconds within which a lost block has to come again."""
PAUSE = 12.0
"""Seconds that a writer is silent."""


@server_case("RFC1350-2-12")
def lost_data_is_sent_again_unchanged(t: ServerTrial) -> None:
    """The first, a middle and the last block, and the first after an OACK, in reads of their own.

    All wait together; each goes on when one copy is here, before its server gives up.
    """
    octets, short = t.fixture("b3000"), t.fixture("b513")
    lost = [
        (reading(t, "b3000", 3), octets, 3),
        (reading(t, "b513", 2), short, 2),
        (reading(t, "b3000"), octets, 1),
    ]
    if "blksize" in t.manners.options:
        lost.append((_first_after_oack(t), octets, 1))
    for client, content, block in lost:
        first = client.heard[-1]
        left = LONGEST - (t.now() - first.at)
        client.expect(DATA, block, within=max(0.5, left), repeat=True)
        finish_read(client, content, block)
        for copy in client.heard:
            if copy.kind == DATA and copy.block == block and copy.source == first.source:
                t.check(copy.raw == first.raw, f"{first} was sent again as {copy}")


def _first_after_oack(t: ServerTrial) -> Client:
    client = t.client()
    client.ask(rrq("b3000", options={"blksize": 512}))
    client.expect(OACK)
    client.send(ack(0))
    client.expect_data(1)
    return client


@server_case("RFC1350-2-13")
def a_receiving_server_outlasts_a_pause_in_the_data(t: ServerTrial) -> None:
    """The writer is silent for twelve seconds after its first block, then goes on."""
    client, name = writing(t, 1)
    packet = client.anything(PAUSE, repeats=True)
    if packet is not None:
        t.check(packet.kind == ERROR, f"nothing new was due, and {packet} came")
        waited = packet.at - client.sent_at
        if waited < LONGEST:
            t.warn(f"the upload was given up after {waited:.1f} s of silence: {packet}")
        else:
            t.policy(f"the upload was given up after {waited:.1f} s of silence")
        return
    client.send(data(2, chunk(UPLOAD, 2)))
    packet = client.anything(3.0, repeats=True)
    if packet is None or packet.raw != ack(2):
        t.warn(f"after {PAUSE:.0f} s of silence the next block got {packet or 'no answer'}")
        return
    t.holds(name, UPLOAD)
