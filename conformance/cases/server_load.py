"""Load and abuse, tried against servers: bounded, reversible, and never for long.

Each case takes the target for itself. What it asks for is ended by ERRORs as soon as the
answer is known, and what is only a number is reported.
"""

import random
from pathlib import Path

from ..catalogue import server_case
from ..line import Line
from ..server_steps import chunk
from ..server_trial import Client, ServerTrial
from ..wire import ACK, DATA, OACK, Packet, ack, error, rrq, wrq

SEED = 20250807


@server_case("ROB-LOAD-01")
def one_request_makes_few_octets(t: ServerTrial) -> None:
    """Whoever forges a source address gets so much sent to it: once plain, once with options."""
    plain, wide = t.client(), t.client()
    request = rrq("b100k", options={"blksize": 65464, "windowsize": 65535})
    plain.ask(rrq("b100k"))
    wide.ask(request)
    for line, size, what in ((plain, len(rrq("b100k")), "plain"), (wide, len(request), "options")):
        octets = sum(len(packet.raw) for packet in _drain(line, 12.0))
        t.policy(f"{what}: {octets / size:.0f} octets for each octet, in 12 s")
    early = [packet for packet in wide.heard if packet.kind == DATA]
    granted = any(packet.kind == OACK for packet in wide.heard)
    t.check(not (granted and early), "DATA went out before the OACK was acknowledged")


def _drain(line: Line, until: float) -> list[Packet]:
    deadline = line.sent_at + until
    while line.hear(max(0.0, deadline - line.trial.now())) is not None:
        pass
    return line.heard


@server_case("ROB-LOAD-02", alone=True)
def a_thousand_requests_do_not_stop_it(t: ServerTrial) -> None:
    """From a thousand ports, none of which answers; then a fresh client must be served."""
    clients = _crowd(t, 1000)
    for client in clients:
        client.ask(rrq("b511"))
    _recovers(t)
    _dismiss(clients)


def _dismiss(clients: list[Client]) -> None:
    """Ends what is left of these transfers: what comes late would meet the next case."""
    for client in clients:
        while client.hear(0.0) is not None:
            pass
        client.close()


def _crowd(t: ServerTrial, size: int) -> list[Client]:
    clients: list[Client] = []
    try:
        while len(clients) < size:
            clients.append(t.client())
    except OSError:
        t.note(f"this machine allows {len(clients)} ports only")
        for client in clients[-20:]:
            client.drop()
        del clients[-20:]
    return clients


def _recovers(t: ServerTrial, within: float = 40.0) -> None:
    """Fails unless a fresh client is served within that time."""
    began = t.now()
    while t.now() - began < within:
        client = t.client()
        client.ask(rrq("b511"))
        answer = client.hear(2.0)
        if answer is not None and answer.kind == DATA:
            client.send(ack(1))
            if (late := t.now() - began) > 5.0:
                t.lenient(f"served nobody for {late:.0f} s")
            return
        client.drop()
    t.fail(f"served nobody for {within:.0f} s after it")


@server_case("ROB-LOAD-03", alone=True)
def half_open_uploads_are_bounded(t: ServerTrial) -> None:
    """Two hundred uploads that nobody goes on with; reads and writes must still be served."""
    names = [t.new_name() for _ in range(200)]
    clients = _crowd(t, len(names))
    for client, name in zip(clients, names, strict=False):
        client.ask(wrq(name))
    _recovers(t)
    name = t.new_name()
    if not t.write(name, b"still here").complete:
        t.lenient("takes no upload while many are half open")
    _dismiss(clients)
    if t.target.root is not None and any((t.target.root / name).exists() for name in names):
        t.policy("leaves empty files of uploads that were broken off")


@server_case("ROB-LOAD-04")
def equal_requests_do_not_multiply(t: ServerTrial) -> None:
    """Two hundred copies of one request from one port; how many transfers come of it is told."""
    client = t.client()
    for _ in range(200):
        client.ask(rrq("b3000"))
    ports = {packet.source for packet in _drain(client, 2.0) if packet.kind == DATA}
    t.check(bool(ports), "none of 200 requests was answered")
    if len(ports) > 1:
        t.policy(f"200 copies of a request began {len(ports)} transfers")
    t.alive()


@server_case("ROB-LOAD-05", alone=True)
def fifty_at_once_with_losses(t: ServerTrial) -> None:
    """Each ACK is lost with three per cent; the target's timer and the client's mend it."""
    octets = t.fixture("b10k")
    dice = random.Random(SEED)
    readers = [_Reader(client, octets, dice) for client in _crowd(t, 50)]
    deadline = t.now() + 40.0
    while (left := [reader for reader in readers if not reader.done]) and t.now() < deadline:
        for reader in left:
            reader.step()
        t.pause(0.0005)
    t.check(not left, f"{len(left)} of 50 transfers were not done after 40 s")


class _Reader:
    """One of many clients that fetch at a time; it loses some of its own ACKs."""

    def __init__(self, client: Client, octets: bytes, dice: random.Random) -> None:
        self._client, self._octets, self._dice = client, octets, dice
        self._block = 1
        self._last = len(octets) // 512 + 1
        self._since = client.trial.now()
        self._ask_again()

    @property
    def done(self) -> bool:
        return self._block > self._last

    def step(self) -> None:
        """Looks once at what has come, and answers; asks again where nothing comes for long."""
        client, packet = self._client, self._client.hear(0.0)
        client.forget()
        if packet is None:
            if client.trial.now() - self._since > 1.5:
                self._ask_again()
        elif packet.kind == DATA and packet.block == self._block:
            right = packet.payload == chunk(self._octets, self._block)
            client.trial.check(right, f"block {self._block} holds other octets")
            self._block += 1
            self._since = client.trial.now()
            if self._dice.random() >= 0.03 or self.done:
                client.send(ack(packet.block))
        elif packet.kind == DATA and packet.block == self._block - 1:
            client.send(ack(packet.block))

    def _ask_again(self) -> None:
        self._since = self._client.trial.now()
        if self._block > 1:
            self._client.send(ack(self._block - 1))
        else:
            self._client.ask(rrq("b10k"))


@server_case("ROB-LOAD-06", alone=True)
def tiny_blocks_harm_nobody(t: ServerTrial) -> None:
    """Twenty reads with blocks of eight octets, some hundred blocks of each; then a fresh one."""
    t.fixture("roll")
    clients = _crowd(t, 20)
    for client in clients:
        client.ask(rrq("roll", options={"blksize": 8}))
    for client in clients:
        answer = client.hear()
        if answer is None or answer.options.get("blksize") != "8":
            continue
        for block in range(200):
            client.send(ack(block))
            client.expect(DATA, block + 1)
    t.alive()


@server_case("ROB-LOAD-07", alone=True)
def huge_windows_harm_nobody(t: ServerTrial) -> None:
    """Windows of four gibibytes, twenty of them, all acknowledged once and then left alone."""
    clients = _crowd(t, 20)
    for client in clients:
        client.ask(rrq("roll", options={"windowsize": 65535, "blksize": 65464}))
    for client in clients:
        if client.hear(2.0) is not None:
            client.send(ack(0))
    t.alive()
    _dismiss(clients)


@server_case("ROB-LOAD-08", alone=True)
def slow_peers_harm_nobody(t: ServerTrial) -> None:
    """A hundred transfers that acknowledge as late as they can; then a fresh client."""
    clients = _crowd(t, 100)
    for client in clients:
        client.ask(rrq("b3000"))
    t.pause(min(0.8 * (t.manners.first_interval or 1.0), 2.0))
    for client in clients:
        if client.hear(0.5) is not None:
            client.send(ack(1))
    t.alive()


@server_case("ROB-LOAD-09", alone=True)
def random_datagrams_harm_nobody(t: ServerTrial) -> None:
    """Four thousand of them, a third with an opcode that exists; it is asked for life signs."""
    dice = random.Random(SEED)
    noisy = t.client()
    for number in range(4000):
        size = dice.randrange(600)
        octets = dice.randbytes(size)
        if number % 3 == 0:
            octets = b"\0" + bytes([dice.randrange(1, 7)]) + octets[2:]
        noisy.ask(octets)
        if number % 200 == 199:
            _recovers(t, 10.0)
    client = t.client()
    client.ask(rrq("b3000"))
    client.expect(DATA, 1)
    for _ in range(200):
        octets = dice.randbytes(dice.randrange(64))
        if octets[:2] not in (b"\0\4", b"\0\5"):  # an ACK or an ERROR would be taken at its word
            client.send(octets)
    t.alive()


@server_case("ROB-LOAD-10")
def the_disk_cannot_be_filled(t: ServerTrial) -> None:
    """The limit is the operator's: whether a size that no disk holds is refused is reported."""
    if "tsize" not in t.manners.options:
        t.skip("without tsize nothing is known before the octets come")
    client = t.client()
    client.ask(wrq(t.new_name(), options={"tsize": 2**62}))
    answer = client.hear(2.0)
    t.policy(f"an upload of 2^62 octets is answered with {answer or 'silence'}")
    if answer is not None and answer.kind in (ACK, OACK):
        client.send(error(3, "Not really"))


@server_case("ROB-LOAD-11", alone=True)
def nothing_is_left_of_broken_transfers(t: ServerTrial) -> None:
    """A hundred reads ended by ERRORs; descriptors are counted where the process is known."""
    process = t.target.process
    if process is None:
        t.skip("the target's process is not known")
    folder = Path(f"/proc/{process()}/fd")
    before = _descriptors(t, folder)
    clients = _crowd(t, 100)
    for client in clients:
        client.ask(rrq("b3000"))
        client.hear(2.0)
    _dismiss(clients)
    deadline = t.now() + 15.0
    while (after := _descriptors(t, folder)) > before + 5 and t.now() < deadline:
        t.pause(0.5)
    t.check(after <= before + 5, f"{before} descriptors before, {after} after")


def _descriptors(t: ServerTrial, folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        t.skip("the target's descriptors cannot be counted")
