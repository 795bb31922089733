"""The steps that cases against servers have in common: openings, endings, odd requests.

Each begins or ends a transfer of RFC 1350 as an ordinary client does, so that a case shows
only the moment it is about. Must not know requirements; a broken step fails the case.
"""

from collections.abc import Mapping, Sequence

from .fixtures import content
from .play import Wire
from .server_trial import Client, ServerTrial
from .wire import ACK, DATA, ERROR, Packet, Pairs, ack, data, error, rrq, wrq

__all__ = [
    "UPLOAD",
    "Followed",
    "ack_or_error",
    "answer_to",
    "answers_to",
    "chunk",
    "finish_read",
    "finish_write",
    "judge_refusal",
    "reading",
    "writing",
]

UPLOAD = content(522, 17)
"""What cases store: a full block and ten octets."""


def chunk(octets: bytes, block: int, size: int = 512) -> bytes:
    """Returns the octets of that block."""
    return octets[(block - 1) * size : block * size]


def reading(t: ServerTrial, name: str, block: int = 1, options: Pairs = ()) -> Client:
    """Opens a read; DATA `block` has just come, and its ACK is due."""
    octets = t.fixture(name)
    client = t.client()
    client.ask(rrq(name, options=options))
    for number in range(1, block + 1):
        client.expect_data(number, chunk(octets, number))
        if number < block:
            client.send(ack(number))
    return client


def finish_read(client: Client, octets: bytes, block: int = 1) -> None:
    """Acknowledges DATA `block` and all that has to follow, to the end of the file."""
    last = len(octets) // 512 + 1
    for number in range(block, last):
        client.send(ack(number))
        client.expect_data(number + 1, chunk(octets, number + 1))
    client.send(ack(last))


def writing(t: ServerTrial, block: int = 0, octets: bytes = UPLOAD) -> tuple[Client, str]:
    """Opens an upload of a new name; ACK `block` has just come. Returns the name too."""
    name = t.new_name()
    client = t.client()
    client.ask(wrq(name))
    client.expect(ACK, 0)
    finish_write(client, octets, 1, block)
    return client, name


def finish_write(client: Client, octets: bytes, block: int, last: int | None = None) -> None:
    """Sends DATA `block` and all that follow, to the end of the file or to `last`."""
    for number in range(block, (len(octets) // 512 + 1 if last is None else last) + 1):
        client.send(data(number, chunk(octets, number)))
        client.expect(ACK, number)


def ack_or_error(client: Client, block: int) -> bool:
    """Expects ACK `block`, or an ERROR with the code for an illegal operation.

    Returns whether the transfer goes on.
    """
    packet = client.anything(client.trial.patience, repeats=True)
    client.trial.check(packet is not None, f"ACK {block} was due, and nothing came")
    assert packet is not None
    if packet.kind == ERROR:
        judge_refusal(client.trial, packet, (4,))
        return False
    right = packet.kind == ACK and packet.block == block & 0xFFFF
    client.trial.check(right, f"ACK {block} was due, and {packet} came")
    return True


def answer_to(t: ServerTrial, datagram: bytes, within: float = 2.0) -> Packet | None:
    """Sends a request from a fresh port and returns what comes back, if anything does."""
    client = t.client()
    client.ask(datagram)
    return client.hear(within)


def answers_to(
    t: ServerTrial, requests: Mapping[str, bytes], within: float = 2.0
) -> list[tuple[str, Client, Packet | None]]:
    """Sends requests, each from a fresh port, all at once.

    Returns for each what it is called, its port, and what has come back.
    """
    clients = [(what, t.client()) for what in requests]
    for what, client in clients:
        client.ask(requests[what])
    return [(what, client, client.anything(within)) for what, client in clients]


def judge_refusal(
    t: ServerTrial,
    answer: Packet | None,
    codes: Sequence[int],
    *,
    what: str = "the request",
    silence: str = "",
) -> None:
    """Fails unless an answer is an ERROR; other codes than these are noted as unusual.

    Silence is right, or noted as unusual with the words of `silence`.
    """
    if answer is None:
        if silence:
            t.lenient(f"{what}: {silence}")
        return
    t.check(answer.kind == ERROR, f"{what} was answered with {answer}")
    if answer.code not in codes:
        usual = " or ".join(map(str, codes))
        t.lenient(f"{what}: {answer} where code {usual} is usual")


class Followed(Wire):
    """A wire to the peer alone: whoever else sends is told ERROR 5, or nothing."""

    def __init__(self, client: Client, *, polite: bool = True) -> None:
        """`polite`: others are told."""
        self._client = client
        self._polite = polite
        self.others: list[Packet] = []
        """What others have sent."""

    def send(self, datagram: bytes) -> None:
        """Sends to the peer."""
        self._client.send(datagram)

    def hear(self, within: float | None = None) -> Packet | None:
        """Returns the next datagram of the peer."""
        trial = self._client.trial
        deadline = trial.now() + (trial.patience if within is None else within)
        while True:
            packet = self._client.hear(max(0.0, deadline - trial.now()))
            if packet is None or packet.source == self._client.peer:
                return packet
            self.others.append(packet)
            if self._polite and packet.kind in (DATA, ACK):
                self._client.send(error(5, "Unknown transfer ID"), packet.source)
