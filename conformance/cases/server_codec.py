"""The packet format itself, tried against servers: numbers of 16 bits, high octet first.

Only a block number above 255 shows which octet stands first.
"""

from ..catalogue import server_case
from ..server_steps import chunk, reading
from ..server_trial import ServerTrial
from ..wire import ack, error


@server_case("RFC1350-5-27", exact=True)
def block_numbers_have_the_high_octet_first(t: ServerTrial) -> None:
    """Three hundred blocks, past the numbers whose octets differ if they are exchanged."""
    octets = t.fixture("roll")
    client = reading(t, "roll")
    for block in range(1, 300):
        client.send(ack(block))
        client.expect_data(block + 1, chunk(octets, block + 1))
        client.forget()
    client.send(error(0, "Seen enough"))
