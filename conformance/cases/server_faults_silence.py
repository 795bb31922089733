"""Faults that last, tried against servers: a packet never arrives, a direction is dead.

Each is watched for a bounded time, with a quick timer where the target takes wishes. What
is still going on then is reported and not judged: an end may take up to 300 seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..catalogue import server_case
from ..fixtures import content
from ..server_middle import Middle, Silence, begin_read, begin_write, watch
from ..server_steps import chunk
from ..server_trial import ServerTrial
from ..wire import ack, data

FILE = content(3000, 71)  # six blocks
LAST = 6
COPIES = 3
PAUSES = (2.0, 4.0, 8.0)  # seconds


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a transfer falls silent for good."""

    id: str
    name: str
    why: str
    read: int | None = None
    """The block of a read that is never acknowledged; 0: its OACK."""
    write: int | None = None
    """The last block of an upload that is acknowledged."""
    copies: int = 0
    """How often the next block, or the last ACK, comes before the silence."""
    plain: bool = False
    oack: bool = False


ROWS = (
    Ends(
        "F-D1-02",
        "first_data_never_arrives",
        "A read without options whose first block is never acknowledged.",
        read=1,
        plain=True,
    ),
    Ends(
        "F-OA-03",
        "the_oack_never_arrives",
        "A read and an upload whose OACK is never answered.",
        read=0,
        write=0,
        oack=True,
    ),
    Ends(
        "F-A0-02",
        "ack_0_never_arrives",
        "A read whose OACK is never acknowledged, and an upload that does not begin.",
        read=0,
        write=0,
    ),
    Ends(
        "F-DM-03",
        "all_data_is_lost_from_one_block_on",
        "Block 3 of a read is never acknowledged; of an upload nothing comes behind block 2.",
        read=3,
        write=2,
    ),
    Ends(
        "F-AM-03",
        "all_acks_are_lost_from_one_block_on",
        "Block 3 of a read is never acknowledged; block 3 of an upload comes four times, as from"
        " a client that hears no ACK, and then nothing.",
        read=3,
        write=2,
        copies=COPIES + 1,
    ),
    Ends(
        "F-DL-02",
        "the_last_data_never_arrives",
        "The final block of a read is never acknowledged, that of an upload never comes.",
        read=LAST,
        write=LAST - 1,
    ),
    Ends(
        "F-AL-03",
        "the_last_ack_never_arrives",
        "The final block of a read is never acknowledged; what the server makes of it in its"
        " log is its own affair.",
        read=LAST,
    ),
    Ends(
        "F-SY-02",
        "one_direction_goes_dead",
        "As if nothing of the server's arrived any more: its last answered packet is answered"
        " three times more, and then not at all.",
        read=3,
        write=2,
        copies=COPIES,
    ),
)


def _case(row: Ends) -> Callable[[ServerTrial], None]:
    def case(t: ServerTrial) -> None:
        middles: list[Middle] = []
        if row.read is not None:
            middles += _read(t, row)
        if row.write is not None and (t.manners.creates or row.read is None):
            middles += _write(t, row)
        if not middles:
            t.unsupported("the target grants no option")
        for middle, silence in zip(middles, watch(t, middles), strict=True):
            _judge(t, middle, silence)
        t.alive()

    case.__name__ = row.name
    case.__doc__ = row.why
    return case


def _read(t: ServerTrial, row: Ends) -> list[Middle]:
    assert row.read is not None, "only rows with a read come here"
    if row.read == 0 and not t.manners.options:
        return []
    middle = begin_read(t, row.read, plain=row.plain)
    for _ in range(row.copies if row.read > 1 and row.id.startswith("F-SY") else 0):
        t.pause(middle.interval / 4)
        middle.client.send(ack(row.read - 1))
    return [middle]


def _write(t: ServerTrial, row: Ends) -> list[Middle]:
    assert row.write is not None, "only rows with a write come here"
    if row.oack and "timeout" not in t.manners.options:
        return []
    middle = begin_write(t, FILE, row.write, plain=row.id == "F-A0-02")
    block = row.write if row.id.startswith("F-SY") else row.write + 1
    for _ in range(row.copies):
        middle.client.send(data(block, chunk(FILE, block)))
        t.pause(middle.interval / 4)
    return [middle]


def _judge(t: ServerTrial, middle: Middle, silence: Silence) -> None:
    way = "the upload" if middle.name else "the read"
    if not silence.ended:
        t.policy(f"{way} was not given up within the time we watch; {silence.words}")
    if middle.name and silence.ended:
        found = t.look(middle.name)
        t.check(found != middle.octets, f"{way} is there as if it were whole")
        if found:
            t.lenient(f"{way} leaves a part of {len(found)} octets under its name")


for row in ROWS:
    server_case(row.id)(_case(row))


@server_case("F-AL-02")
def the_last_ack_is_lost_and_the_client_is_gone(t: ServerTrial) -> None:
    """The port is closed behind the final block, and opened again to hear who still speaks."""
    middle = begin_read(t, LAST)
    port = middle.client.address[1]
    middle.client.port.close()
    t.pause(1.5 * middle.interval)
    try:
        again = t.client(port=port)
    except OSError as trouble:
        t.skip(f"the port cannot be had again: {trouble.strerror}")
    packet = again.hear(1.5 * middle.interval)
    said = "goes on by its timer" if packet else "ends, or waits for longer"
    t.policy(f"with the client gone the server {said}")
    t.alive()


@server_case("F-SY-03")
def a_pause_short_of_giving_up_is_borne(t: ServerTrial) -> None:
    """Silence in mid-transfer for two, four and eight seconds, in transfers side by side.

    Two seconds are two intervals of the timer that is asked for: that much has to be borne.
    """
    makers: list[Callable[[], Middle]] = [lambda: begin_read(t, 3)]
    if t.manners.creates:
        makers.append(lambda: begin_write(t, FILE, 3))
    waiting = [(pause, make()) for pause in PAUSES for make in makers]
    began = t.now()
    for pause, middle in waiting:
        t.pause(max(0.0, began + pause - t.now()))
        way = "an upload" if middle.name else "a read"
        if not middle.wakes(3):
            t.check(pause > PAUSES[0], f"{way} does not bear a silence of {pause:.0f} s")
            t.note(f"{way} was given up within {pause:.0f} s")
        elif middle.name:
            middle.rest_of_write(5)
        else:
            middle.rest_of_read(4)
