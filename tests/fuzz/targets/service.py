"""The whole service under any sequence of operations: requests, packets, time, changes.

Several peers ask for files that exist and such that do not, in all modes and with all kinds
of options, answer rightly or wrongly or not at all, while files change and sockets fill up
(RFC 1350, RFC 2347, RFC 1123 4.2.3). Must not know what is checked on the way.
"""

from tests.fuzz.feed import Feed
from tests.fuzz.hall import FILES, LINKS, Hall, Party
from tests.fuzz.machines import any_datagram, pause
from tests.fuzz.targets.options import NAMES, VALUES
from tftp.protocol.blocks import to_wire
from tftp.protocol.packets import DATA, HEADER, encode_ack, encode_error
from tftp.protocol.receiver import Receiver
from tftp.protocol.transfer import Address
from tftp.server.config import Upload

__all__ = ["MODES", "PATHS", "SOURCES", "answer", "flow", "target"]

MAX_STEPS = 60
SOURCES: tuple[Address, ...] = (
    ("192.0.2.1", 2000),
    ("192.0.2.1", 2001),
    ("192.0.2.2", 2000),
    ("192.0.2.3", 69),
    ("2001:db8::1", 2000, 0, 0),
    ("fe80::1", 2000, 0, 2),
)
PATHS = (
    *(b"f", b"empty", b"exact", b"text", b"sub/in", b"link", b"out", b"up/secret", b"sub/out"),
    *(b"loop", b"new", b"sub/new", b"none/new", b"../secret", b"/f", b"sub", b"", b"n" * 300),
    *(b"./f", b"sub/../f", b"\xff", b"/etc/passwd"),
)
MODES = (b"octet", b"octet", b"octet", b"netascii", b"OCTET", b"mail", b"", b"\xff")


def target(data: bytes) -> None:
    """Opens a hall and plays the input in it."""
    feed = Feed(data)
    hall = Hall(feed.pick((*Upload,)), settled=bool(feed.number(0, 1)))
    try:
        for _ in range(MAX_STEPS):
            if not feed.left:
                break
            _step(hall, feed)
    finally:
        hall.close()


def _step(hall: Hall, feed: Feed) -> None:
    """Does one operation."""
    kind = feed.octet() % 12
    party = feed.pick(hall.parties) if hall.parties and kind >= 3 else None
    if party is None:
        hall.ask(_request(feed) if kind else any_datagram(feed), feed.pick(SOURCES))
    elif kind < 6:
        answer(hall, party, feed)
    elif kind == 6:
        flow(hall, party, feed.number(1, 60))
    elif kind == 7:
        hall.hear(party, any_datagram(feed), _source(party, feed))
    elif kind == 8:
        hall.wait(pause(feed))
    elif kind == 9:
        hall.stall(party, full=bool(feed.number(0, 1)))
    elif kind == 10:
        hall.ask(party.admitted.datagram, party.admitted.peer)
    else:
        _seldom(hall, party, feed)


def _seldom(hall: Hall, party: Party, feed: Feed) -> None:
    match feed.octet() % 4:
        case 0:
            hall.give_up(party)
        case 1:
            code = feed.number(0, 9)
            hall.hear(party, encode_error(code, "no more"), _source(party, feed))
        case 2:
            name = feed.pick((*FILES, "new"))
            hall.touch(name, feed.pick((None, b"", b"short", bytes(4000))))
        case _:
            again = feed.pick((*FILES, *LINKS)).encode()
            hall.ask(b"\0\1" + again + b"\0octet\0", party.admitted.peer)


def _source(party: Party, feed: Feed) -> Address:
    peer = party.admitted.peer
    return feed.pick((peer, peer, peer, *SOURCES))


def _request(feed: Feed) -> bytes:
    opcode = feed.pick((b"\0\1", b"\0\1", b"\0\2"))
    kind = feed.octet()
    name = PATHS[kind % len(PATHS)] if kind < 0xF0 else feed.piece()
    octets: bytes = opcode + name + b"\0" + feed.pick(MODES) + b"\0"
    for _ in range(feed.number(0, 5)):
        kind = feed.octet()
        option = NAMES[kind % len(NAMES)].encode() if kind < 0xF0 else feed.piece()
        kind = feed.octet()
        if kind < 0xA0:
            value = b"%d" % feed.number(0, 2000)
        else:
            value = feed.piece() if kind < 0xC0 else VALUES[kind % len(VALUES)].encode()
        octets += option + b"\0" + value + b"\0"
    return octets + feed.pick((b"", b"", b"", b"\0" * 8, b"x"))


def answer(hall: Hall, party: Party, feed: Feed) -> None:
    """Answers as a peer would, or nearly so."""
    transfer = party.admitted.transfer
    terms, source = transfer.terms, _source(party, feed)
    if isinstance(transfer, Receiver):
        done = transfer.received_bytes // terms.block_size
        first = max(0, done + feed.pick((1, 1, 1, 2, 0)))
        size = terms.block_size if feed.octet() < 0xC0 else feed.number(0, terms.block_size + 1)
        count = min(feed.pick((1, 1, 2, 4)), max(1, 60_000 // (terms.block_size + 4)))
        train = b"".join(
            HEADER.pack(DATA, to_wire(number, terms.rollover)) + bytes(terms.block_size)
            for number in range(first, first + count - 1)
        )
        train += HEADER.pack(DATA, to_wire(first + count - 1, terms.rollover)) + bytes(size)
        hall.hear(party, train, source, terms.block_size + 4 if count > 1 else 0)
    else:
        sent = transfer.sent_blocks
        block = max(0, feed.pick((sent, sent, sent, 0, sent - 1, sent + 1)))
        hall.hear(party, encode_ack(to_wire(block, terms.rollover)), source)


def flow(hall: Hall, party: Party, times: int) -> None:
    """Answers rightly so many times: far enough for a connected socket."""
    transfer = party.admitted.transfer
    for _ in range(times):
        if party not in hall.parties:
            break
        terms = transfer.terms
        if isinstance(transfer, Receiver):
            number = transfer.received_bytes // terms.block_size + 1
            header = HEADER.pack(DATA, to_wire(number, terms.rollover))
            hall.hear(party, header + bytes(terms.block_size), transfer.peer)
        else:
            block = to_wire(transfer.sent_blocks, terms.rollover)
            hall.hear(party, encode_ack(block), transfer.peer)
