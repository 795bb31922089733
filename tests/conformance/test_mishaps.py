"""What may befall a packet: damage, strangers, seeds, each as its words promise."""

from collections.abc import Callable

import pytest

from conformance.faults import ALL, MOMENT, Fault
from conformance.mishaps import (
    becomes,
    cut,
    damage,
    flip,
    foreign,
    forge,
    insert,
    lose,
    opcode,
    other_octets,
    renumber,
    seeded,
    stretch,
)
from conformance.wire import ACK, DATA, ack, data, error, parse
from tests.conformance.faulty_scene import HOST, FaultyScene, octets

# ---------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (cut(3), b"\0\3\0"),
        (cut(0), b""),
        (stretch(2), data(5, b"abc") + b"\xa5\xa5"),
        (opcode(4), b"\0\4\0\5abc"),
        (renumber(1), data(6, b"abc")),
        (renumber(-6), data(65535, b"abc")),
        (renumber(to=256), data(256, b"abc")),
        (flip(-1, 1), data(5, b"abb")),
        (becomes(ack(9)), ack(9)),
        (other_octets, data(5, b";89")),
    ],
)
def test_changes(change: Callable[[bytes], bytes], expected: bytes) -> None:
    assert change(data(5, b"abc")) == expected


def test_damage_may_be_mended_later() -> None:
    scene = FaultyScene(Fault(ACK, 3, damage(renumber(1), mended=MOMENT)))
    scene.wire.send(ack(3))
    assert scene.arrived(1.0) == [(0.0, ack(4)), (0.5, ack(3))]


def test_damage_on_the_way_in() -> None:
    scene = FaultyScene(Fault(DATA, 1, damage(cut(4))))
    scene.says(data(1, b"payload"), data(1, b"payload"))
    assert octets(scene.heard()) == [data(1), data(1, b"payload")]


# ---------------------------------------------------------------- others


def test_a_stranger_speaks_first() -> None:
    scene = FaultyScene(Fault(ACK, 1, forge(renumber(1), own=MOMENT)))
    scene.wire.send(ack(1))
    arrival = scene.other.receive(scene.world.now() + 0.1)
    assert arrival is not None
    assert arrival.datagram == ack(2)
    assert arrival.source == scene.wire.strangers[""].address != scene.line.address
    assert octets(scene.arrived(0.2)) == [], "ours waits for a moment"
    assert octets(scene.arrived(0.5)) == [ack(1)]


def test_a_stranger_at_another_address_speaks_alone() -> None:
    scene = FaultyScene(Fault(ACK, 1, forge(host="127.0.0.9", own=None)))
    scene.wire.send(ack(1))
    arrival = scene.other.receive(scene.world.now() + 0.1)
    assert arrival is not None
    assert arrival.source[0] == "127.0.0.9"
    assert scene.arrived(1.0) == []


def test_a_stranger_may_speak_behind_us_and_beside_what_comes() -> None:
    scene = FaultyScene(
        Fault(ACK, 1, forge(before=False)), Fault(DATA, 2, foreign(error(0, "From nobody")))
    )
    scene.wire.send(ack(1))
    scene.says(data(2, b"x"))
    assert octets(scene.heard()) == [data(2, b"x")], "what comes is left alone"
    found = [scene.other.receive(scene.world.now() + 1) for _ in range(3)]
    sources = [arrival.source for arrival in found if arrival is not None]
    stranger = scene.wire.strangers[""].address
    assert sources == [scene.line.address, stranger, stranger]


def test_something_is_inserted_as_ours() -> None:
    scene = FaultyScene(Fault(DATA, 6, insert(ack(4))))
    scene.says(data(6))
    assert octets(scene.heard(0.1)) == [data(6)]
    assert octets(scene.arrived()) == [ack(4)]


def test_others_are_told_error_5_once_and_kept_apart() -> None:
    scene = FaultyScene()
    second = scene.world.open(HOST)
    for _ in range(2):
        second.send(data(1, b"foreign"), scene.line.address)
    scene.says(data(1, b"own"))
    assert octets(scene.heard()) == [data(1, b"own")]
    assert [packet.payload for packet in scene.wire.others] == [b"foreign"] * 2
    told = second.receive(scene.world.now() + 1)
    assert told is not None
    assert parse(told.datagram).code == 5
    assert second.receive(scene.world.now() + 1) is None


def test_whose_answer_arrives_first_is_the_peer() -> None:
    """The first answer is lost: so the second one, from another port, is followed."""
    scene = FaultyScene(Fault(DATA, 1, lose()), known=False)
    second = scene.world.open(HOST)
    scene.says(data(1))
    second.send(data(1), scene.line.address)
    assert scene.wire.hear(1.0) is not None
    assert scene.line.peer == second.address
    scene.says(data(1))
    assert scene.wire.hear(1.0) is None
    assert len(scene.wire.others) == 1


# ---------------------------------------------------------------- seeds


def test_a_seed_repeats_itself_packet_by_packet() -> None:
    action = seeded("a seed", loss=0.3, double=0.2)
    plan = Fault("", None, action, ALL)

    def through(order: list[int]) -> dict[int, int]:
        scene = FaultyScene(plan)
        scene.says(*[data(block) for block in order])
        came = [parse(datagram).block for _, datagram in scene.heard()]
        return {block: came.count(block) for block in order}

    blocks = list(range(1, 200))
    counts = through(blocks)
    assert counts == through(blocks[::-1])
    assert {0, 1, 2} == set(counts.values())
    lost = sum(count == 0 for count in counts.values())
    assert 35 < lost < 85, "about three in ten"


def test_seeds_differ() -> None:
    plans = [Fault("", None, seeded(seed, loss=0.5), ALL) for seed in (1, 2)]
    found = []
    for plan in plans:
        scene = FaultyScene(plan)
        scene.says(*[data(block) for block in range(1, 50)])
        found.append(octets(scene.heard()))
    assert found[0] != found[1]


def test_a_seed_delays_and_swaps_as_well() -> None:
    scene = FaultyScene(Fault("", None, seeded(3, swap=0.3, late=0.3, seconds=0.05), ALL))
    scene.says(*[data(block) for block in range(1, 60)])
    came = scene.heard()
    assert len(came) == 59, "nothing is lost"
    assert octets(came) != [data(block) for block in range(1, 60)]
    assert max(time for time, _ in came) == pytest.approx(0.05, abs=0.01)
