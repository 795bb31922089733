"""The relay: who stands for whom, each fault, and its bounds, on virtual time.

The ports are those of a world in memory; real sockets are in test_relay_sockets.
"""

import itertools
from collections.abc import Callable

import pytest

from conformance.ports import Arrival
from conformance.relay import Bounds, Relay
from conformance.relay_faults import TO_CLIENT, TO_SERVER, Cut, Faults
from tests.conformance.world import Address, World, WorldPort

HOST = "127.0.0.1"
CLEAN = Faults()


class WorldDoor:
    """A port of the relay in the world."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.open = True
        self.address = scene.world.bind(HOST, 0, self.take)

    def take(self, arrival: Arrival) -> None:
        if not arrival.unreachable:
            now = self.scene.world.now()
            self.scene.relay.arrive(self, arrival.datagram, arrival.source, now)
            self.scene.wake()

    def send(self, datagram: bytes, to: Address) -> bool:
        self.scene.world.send(datagram, self.address, to)
        return to != self.scene.refused

    def close(self) -> None:
        assert self.open
        self.open = False
        self.scene.world.release(self.address)


class Scene:
    """A relay between a server's first port and clients that come to it."""

    def __init__(
        self, faults: Faults = CLEAN, *, seed: int = 1, bounds: Bounds | None = None
    ) -> None:
        self.world = World()
        self.refused: Address | None = None
        self.doors: list[WorldDoor] = []
        self.watched: list[tuple[str, bytes, int]] = []
        self.server = self.port()
        self.listen = WorldDoor(self)
        self.relay = Relay(
            self.server.address,
            self.listen,
            self.open_door,
            faults,
            seed=seed,
            now=self.world.now(),
            bounds=bounds,
            watch=lambda *seen: self.watched.append(seen[1:]),
        )

    def port(self) -> WorldPort:
        return self.world.open(HOST)

    def open_door(self, way: str) -> WorldDoor:
        self.doors.append(WorldDoor(self))
        return self.doors[-1]

    def wake(self) -> None:
        """Has the relay work when it is due."""
        self.relay.work(self.world.now())
        due = self.relay.due()
        if due is not None:
            self.world.at(max(due, self.world.now()), self.rest)

    def rest(self) -> None:
        due = self.relay.due()
        if due is not None and due <= self.world.now():
            self.wake()

    def hear(self, port: WorldPort, within: float = 1.0) -> Arrival:
        arrival = port.receive(self.world.now() + within)
        assert arrival is not None, "nothing came"
        return arrival

    def all(self, port: WorldPort, within: float = 1.0) -> list[bytes]:
        """Returns all that comes to a port."""
        until, found = self.world.now() + within, []
        while (arrival := port.receive(until)) is not None:
            found.append(arrival.datagram)
        return found

    def count(self, what: str, way: str = TO_SERVER) -> int:
        return self.relay.counts[way, what]


def numbered(count: int) -> list[bytes]:
    return [b"%05d" % number for number in range(count)]


def fates(faults: Faults, seed: int = 1, count: int = 2000) -> list[bytes]:
    """Returns what comes through of so many datagrams, a millisecond apart."""
    scene = Scene(faults, seed=seed)
    client = scene.port()
    for number, datagram in enumerate(numbered(count)):
        when = scene.world.now() + number * 0.001
        scene.world.at(when, _sending(client, datagram, scene.listen.address))
    return scene.all(scene.server, count * 0.001 + 10)


def _sending(port: WorldPort, datagram: bytes, to: Address) -> Callable[[], None]:
    return lambda: port.send(datagram, to)


# Who stands for whom


def test_a_request_reaches_the_server_from_a_port_that_stands_for_the_client() -> None:
    scene = Scene()
    one, two = scene.port(), scene.port()
    for client in (one, two, one):
        client.send(b"request", scene.listen.address)
    sources = [scene.hear(scene.server).source for _ in range(3)]
    assert sources[0] == sources[2] != sources[1]
    assert not set(sources) & {one.address, two.address, scene.listen.address}


def test_the_port_that_answers_gets_a_transfer_id_of_its_own() -> None:
    scene = Scene()
    client, transfer = scene.port(), scene.port()
    client.send(b"request", scene.listen.address)
    request = scene.hear(scene.server)
    transfer.send(b"data", request.source)
    answer = scene.hear(client)
    assert answer.datagram == b"data"
    assert answer.source not in (scene.listen.address, transfer.address)
    client.send(b"ack", answer.source)
    ack = scene.hear(transfer)
    assert (ack.datagram, ack.source) == (b"ack", request.source)


def test_an_answer_of_the_first_port_comes_from_where_the_relay_listens() -> None:
    scene = Scene()
    client = scene.port()
    client.send(b"request", scene.listen.address)
    scene.server.send(b"error", scene.hear(scene.server).source)
    assert scene.hear(client).source == scene.listen.address


def test_a_stranger_to_the_client_is_seen_as_one() -> None:
    scene = Scene()
    client, transfer, stranger = scene.port(), scene.port(), scene.port()
    client.send(b"request", scene.listen.address)
    request = scene.hear(scene.server)
    transfer.send(b"data", request.source)
    stranger.send(b"forged", request.source)
    first, second = scene.hear(client), scene.hear(client)
    assert (first.datagram, second.datagram) == (b"data", b"forged")
    assert first.source != second.source
    client.send(b"error 5", second.source)
    assert scene.hear(stranger).source == request.source


def test_a_stranger_to_the_server_is_seen_as_one_and_can_be_answered() -> None:
    scene = Scene()
    client, transfer, stranger = scene.port(), scene.port(), scene.port()
    client.send(b"request", scene.listen.address)
    request = scene.hear(scene.server)
    transfer.send(b"data", request.source)
    front = scene.hear(client).source
    stranger.send(b"forged", front)
    forged = scene.hear(transfer)
    assert (forged.datagram, forged.source != request.source) == (b"forged", True)
    transfer.send(b"error 5", forged.source)
    answer = scene.hear(stranger)
    assert (answer.datagram, answer.source) == (b"error 5", front)


# Faults


def test_without_faults_all_comes_through_in_order() -> None:
    assert fates(CLEAN) == numbered(2000)


def test_loss() -> None:
    found = fates(Faults(loss=0.05))
    assert found == sorted(set(found))
    assert 1860 <= len(found) <= 1940
    assert fates(Faults(loss=1.0)) == []


def test_duplication() -> None:
    found = fates(Faults(duplication=0.02, delay=0.0001))
    assert sorted(set(found)) == numbered(2000)
    assert 2020 <= len(found) <= 2065
    assert len(fates(Faults(duplication=1.0))) == 4000


def test_reordering() -> None:
    found = fates(Faults(reordering=0.05, delay=0.002))
    assert sorted(found) == numbered(2000)
    overtaken = sum(later < earlier for earlier, later in itertools.pairwise(found))
    assert 60 <= overtaken <= 140


def test_jitter_alone_keeps_the_order() -> None:
    assert fates(Faults(delay=0.002, jitter=0.05)) == numbered(2000)


def test_delay_and_jitter_are_kept() -> None:
    scene = Scene(Faults(delay=0.2, jitter=0.1))
    client = scene.port()
    began = scene.world.now()
    client.send(b"request", scene.listen.address)
    took = scene.hear(scene.server).at - began
    assert 0.2 <= took <= 0.301
    scene.server.send(b"answer", scene.doors[0].address)
    assert 0.2 <= scene.hear(client).at - began - took <= 0.301


def test_what_is_larger_than_the_mtu_vanishes() -> None:
    scene = Scene(Faults(mtu=1500))
    client = scene.port()
    client.send(b"x" * 1472, scene.listen.address)
    client.send(b"x" * 1473, scene.listen.address)
    assert [len(datagram) for datagram in scene.all(scene.server)] == [1472]
    assert scene.count("too big") == 1


def test_a_cut_is_for_one_way_and_for_a_while() -> None:
    scene = Scene(Faults(cuts=(Cut(TO_CLIENT, 0.0, 2.0),)))
    client = scene.port()
    client.send(b"request", scene.listen.address)
    source = scene.hear(scene.server).source
    scene.server.send(b"early", source)
    assert scene.all(client, 2.5) == []
    scene.server.send(b"late", source)
    assert scene.all(client) == [b"late"]
    assert (scene.count("cut", TO_CLIENT), scene.count("cut", TO_SERVER)) == (1, 0)


ALL_FAULTS = Faults(loss=0.1, duplication=0.1, reordering=0.1, delay=0.002, jitter=0.001)


def test_the_same_seed_has_the_same_fate_in_store() -> None:
    assert fates(ALL_FAULTS, seed=7) == fates(ALL_FAULTS, seed=7)
    assert fates(ALL_FAULTS, seed=7) != fates(ALL_FAULTS, seed=8)


def test_one_fault_more_does_not_move_the_others() -> None:
    more = fates(Faults(loss=0.1, duplication=0.3))
    assert list(dict.fromkeys(fates(Faults(loss=0.1)))) == sorted(set(more))


def test_a_client_has_its_fate_whatever_others_do() -> None:
    def alone_or_not(crowd: int) -> list[bytes]:
        scene = Scene(Faults(loss=0.3))
        client, others = scene.port(), [scene.port() for _ in range(crowd)]
        for datagram in numbered(50):
            for port in (client, *others):
                port.send(datagram + bytes([port is client]), scene.listen.address)
        return [found[:-1] for found in scene.all(scene.server) if found[-1]]

    assert alone_or_not(0) == alone_or_not(3)


def test_counts_add_up() -> None:
    scene = Scene(ALL_FAULTS)
    client = scene.port()
    for datagram in numbered(500):
        client.send(datagram, scene.listen.address)
    arrived = len(scene.all(scene.server))
    assert scene.count("carried") == 500
    assert scene.count("delivered") == arrived
    assert arrived == 500 - scene.count("lost") + scene.count("duplicated")
    assert min(scene.count(what) for what in ("lost", "duplicated", "reordered")) > 20


def test_whoever_watches_sees_all_that_came_and_its_fate() -> None:
    scene = Scene(Faults(loss=0.3, duplication=0.3))
    client = scene.port()
    for datagram in numbered(50):
        client.send(datagram, scene.listen.address)
    found = scene.all(scene.server)
    assert scene.watched == [(TO_SERVER, each, found.count(each)) for each in numbered(50)]


def test_what_the_system_refuses_is_counted() -> None:
    scene = Scene()
    scene.refused = scene.server.address
    scene.port().send(b"request", scene.listen.address)
    scene.all(scene.server)
    assert (scene.count("refused"), scene.count("delivered")) == (1, 0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Faults(loss=1.1),
        lambda: Faults(duplication=-0.1),
        lambda: Faults(delay=-1.0),
        lambda: Faults(jitter=61.0),
        lambda: Faults(mtu=47),
        lambda: Cut("sideways", 0, 1),
        lambda: Cut(TO_CLIENT, 2, 2),
    ],
)
def test_faults_that_could_never_be_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"is|no cut"):
        make()


# Bounds


def test_idle_ports_are_given_back_and_used_ones_kept() -> None:
    scene = Scene(bounds=Bounds(idle=10.0))
    busy, idle = scene.port(), scene.port()
    for port in (busy, idle):
        port.send(b"request", scene.listen.address)
    source = scene.hear(scene.server).source
    for _ in range(3):
        scene.world.pause(6)
        busy.send(b"again", scene.listen.address)
    assert scene.relay.doors == 1
    assert scene.all(scene.server, 0.1)[-1] == b"again"
    assert [door.address for door in scene.doors if door.open] == [source]
    scene.world.pause(11)
    assert scene.relay.doors == 0
    busy.send(b"back", scene.listen.address)
    assert scene.hear(scene.server).datagram == b"back"


def test_a_flood_of_clients_meets_a_bound_and_known_ones_go_on() -> None:
    scene = Scene(bounds=Bounds(doors=3))
    ports = [scene.port() for _ in range(10)]
    for port in ports:
        port.send(b"request", scene.listen.address)
    assert len(scene.all(scene.server)) == 3
    assert (scene.relay.doors, scene.count("crowded")) == (3, 7)
    ports[0].send(b"still here", scene.listen.address)
    assert scene.all(scene.server) == [b"still here"]
    scene.port().send(b"data", scene.doors[0].address)  # a port of the server, one too many
    assert scene.all(ports[0]) == []
    assert scene.count("crowded", TO_CLIENT) == 1


def test_no_port_to_be_had_is_crowded_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()

    def refuse(_: World, __: str, ___: int, ____: object) -> Address:
        raise OSError(24, "Too many open files")

    port = scene.port()
    monkeypatch.setattr(World, "bind", refuse)
    port.send(b"request", scene.listen.address)
    assert scene.all(scene.server) == []
    assert scene.count("crowded") == 1


@pytest.mark.parametrize("bounds", [Bounds(datagrams=5), Bounds(octets=50)])
def test_what_is_on_its_way_has_a_bound(bounds: Bounds) -> None:
    scene = Scene(Faults(delay=1.0), bounds=bounds)
    client = scene.port()
    for _ in range(20):
        client.send(b"x" * 10, scene.listen.address)
    scene.world.pause(0.5)
    assert (scene.relay.queued, scene.count("crowded")) == (5, 15)
    assert len(scene.all(scene.server)) == 5
    client.send(b"y", scene.listen.address)
    assert scene.all(scene.server, 2.0) == [b"y"]


def test_what_is_on_its_way_to_a_port_that_was_given_back_is_lost() -> None:
    scene = Scene(Faults(delay=20.0), bounds=Bounds(idle=10.0))
    scene.port().send(b"request", scene.listen.address)
    assert scene.all(scene.server, 60.0) == []
    assert (scene.relay.doors, scene.relay.queued, scene.count("delivered")) == (0, 0, 0)


def test_close_gives_all_ports_back() -> None:
    scene = Scene(Faults(delay=1.0))
    scene.port().send(b"request", scene.listen.address)
    scene.world.pause(0.5)
    scene.relay.close()
    assert (scene.relay.doors, scene.relay.queued) == (0, 0)
    assert not scene.doors[0].open
    assert scene.relay.due() is None
