"""A line with faults does to packets what its plan says, and nothing to any other.

The other end is a port in a world in memory, which is told when to say what.
"""

from conformance.faults import (
    ALL,
    AT_MOST,
    FOREVER,
    IN,
    LAST,
    MOMENT,
    OUT,
    Fault,
    FaultyLine,
    Numbers,
    Seen,
)
from conformance.line import Trial
from conformance.mishaps import (
    cut,
    damage,
    double,
    hold,
    later,
    lose,
    opcode,
    overdue,
    seeded,
    swap,
)
from conformance.play import receive_file, send_file
from conformance.wire import ACK, DATA, ERROR, OACK, RRQ, ack, data, error, oack, rrq
from tests.conformance.faulty_scene import HOST, FaultyScene, octets
from tests.conformance.world import World

# ---------------------------------------------------------------- which packets


def test_without_a_plan_all_goes_through() -> None:
    scene = FaultyScene()
    scene.wire.send(ack(1))
    scene.says(data(1, b"x"), error(1, "no"))
    assert octets(scene.heard()) == [data(1, b"x"), error(1, "no")]
    assert octets(scene.arrived()) == [ack(1)]


def test_a_fault_befalls_one_copy_of_one_block() -> None:
    scene = FaultyScene(Fault(DATA, 2, lose()))
    scene.says(data(1), data(2), data(3), data(2))
    assert octets(scene.heard()) == [data(1), data(3), data(2)]
    assert scene.wire.hits == {0: 1}


def test_copies_may_be_named() -> None:
    scene = FaultyScene(Fault(DATA, 1, lose(), (2, 3)))
    scene.says(*[data(1)] * 4)
    assert octets(scene.heard()) == [data(1)] * 2


def test_ranges_of_blocks_and_all_copies() -> None:
    scene = FaultyScene(Fault(DATA, range(3, FOREVER), lose(), ALL))
    scene.says(data(2), data(3), data(4), data(3))
    assert octets(scene.heard()) == [data(2)]


def test_blocks_are_counted_from_the_end() -> None:
    scene = FaultyScene(Fault(DATA, LAST, lose()), Fault(DATA, -2, double()), last=9)
    scene.says(data(7), data(8), data(9), data(9))
    assert octets(scene.heard()) == [data(7), data(8), data(8), data(9)]


def test_the_way_may_be_named() -> None:
    scene = FaultyScene(Fault(ACK, 1, lose(), way=OUT))
    scene.says(ack(1))
    scene.wire.send(ack(1))
    assert octets(scene.heard()) == [ack(1)]
    assert scene.arrived() == []


def test_packets_without_a_number_are_named_by_their_kind() -> None:
    scene = FaultyScene(
        Fault(OACK, None, lose()), Fault(ERROR, None, lose()), Fault(RRQ, None, lose())
    )
    scene.says(oack({"blksize": 8}), error(0), oack({"blksize": 8}))
    scene.wire.send(rrq("f"))
    assert octets(scene.heard()) == [oack({"blksize": 8})]
    assert scene.arrived() == []


def test_the_first_fault_that_fits_counts() -> None:
    scene = FaultyScene(Fault(DATA, 1, double()), Fault(DATA, None, lose()))
    scene.says(data(1), data(2))
    assert octets(scene.heard()) == [data(1)] * 2


def test_numbers_go_on_behind_a_wrap() -> None:
    numbers = Numbers()
    for block in range(1, 65536):
        numbers.absolute(block)
    assert [numbers.absolute(number) for number in (0, 1, 65535, 2)] == [65536, 65537, 65535, 65538]


def test_a_damaged_number_does_not_move_the_count() -> None:
    numbers = Numbers()
    assert [numbers.absolute(number) for number in (1, 2, 20_000, 3)] == [1, 2, 20_000, 3]
    assert Numbers().absolute(65535) == 65535, "before the first block nothing is"


def test_absolute_numbers_name_a_block_behind_the_wrap() -> None:
    scene = FaultyScene(Fault(DATA, 65537, lose()))
    for block in range(1, 65537):
        scene.says(data(block))
        assert scene.wire.hear(1.0) is not None
    scene.says(data(65537), data(65538))
    assert octets(scene.heard()) == [data(2)]
    assert scene.wire.count(DATA, 65537) == 1
    assert scene.wire.count(DATA, 1) == 1


# ---------------------------------------------------------------- when


def test_a_doubled_packet() -> None:
    scene = FaultyScene(Fault(ACK, 1, double(3)))
    scene.wire.send(ack(1))
    assert scene.arrived() == [(0.0, ack(1))] * 3


def test_a_packet_held_back_is_served_while_somebody_hears() -> None:
    scene = FaultyScene(Fault(ACK, 1, hold(0.3)), Fault(DATA, 1, hold(0.2)))
    scene.wire.send(ack(1))
    waits = [scene.wire.waiting]
    assert scene.arrived(1.0) == [(0.3, ack(1))]
    waits.append(scene.wire.waiting)
    assert waits == [True, False]
    scene.says(data(1))
    assert scene.heard() == [(0.2, data(1))]


def test_a_moment_is_as_long_as_the_line_says() -> None:
    scene = FaultyScene(Fault(ACK, 1, hold(MOMENT)))
    scene.wire.send(ack(1))
    assert scene.arrived(1.0) == [(0.5, ack(1))]


def test_a_packet_comes_again_at_a_moment() -> None:
    scene = FaultyScene(Fault(ACK, 1, later(until=Seen(DATA, 3))))
    scene.wire.send(ack(1))
    scene.says(data(2))
    assert octets(scene.arrived(0.3)) == [ack(1)]
    scene.says(data(3))
    assert octets(scene.arrived(0.3)) == [ack(1)]


def test_a_moment_may_be_a_later_copy() -> None:
    scene = FaultyScene(Fault(ACK, 1, hold(until=Seen(DATA, 1, 2))))
    scene.wire.send(ack(1))
    scene.says(data(1))
    assert scene.arrived(0.3) == []
    assert not scene.wire.waiting, "no time releases it"
    scene.says(data(1))
    assert octets(scene.arrived(0.3)) == [ack(1)]


def test_an_overdue_packet_comes_behind_its_repeat() -> None:
    scene = FaultyScene(Fault(DATA, 1, overdue()))
    scene.says(data(1, b"x"))
    assert scene.heard(0.1) == []
    scene.says(data(1, b"x"), data(2, b"y"))
    assert octets(scene.heard()) == [data(1, b"x")] * 2 + [data(2, b"y")]


def test_a_copy_comes_behind_the_next() -> None:
    scene = FaultyScene(Fault(DATA, 1, later(behind=1)))
    scene.says(data(1), data(2), data(3))
    assert octets(scene.heard()) == [data(1), data(2), data(1), data(3)]


def test_one_block_comes_behind_three() -> None:
    scene = FaultyScene(Fault(DATA, 5, hold(behind=3)))
    scene.says(*[data(block) for block in range(5, 10)])
    assert octets(scene.heard()) == [data(block) for block in (6, 7, 8, 5, 9)]


def test_pairs_change_places() -> None:
    scene = FaultyScene(Fault(DATA, None, swap()))
    scene.says(*[data(block) for block in range(1, 6)])
    assert octets(scene.heard()) == [data(block) for block in (2, 1, 4, 3, 5)]


def test_who_waits_for_others_in_vain_comes_all_the_same() -> None:
    scene = FaultyScene(Fault(DATA, None, swap()))
    scene.says(data(1))
    assert scene.heard() == [(0.2, data(1))]


# ---------------------------------------------------------------- ends, words, transfers


def test_after_an_error_of_ours_little_is_waited_for() -> None:
    scene = FaultyScene(Fault(ACK, 1, damage(opcode(5))))
    scene.wire.send(ack(1))
    assert scene.wire.hung_up
    began = scene.world.now()
    assert scene.wire.hear(60.0) is None
    assert scene.world.now() - began < 1.0


def test_after_word_of_a_closed_port_little_is_waited_for() -> None:
    scene = FaultyScene()
    scene.other.close()
    scene.wire.send(ack(1))
    assert scene.wire.hear(1.0) is None
    began = scene.world.now()
    assert scene.wire.hear(60.0) is None
    assert scene.world.now() - began < 1.0


def test_it_falls_silent_in_the_end() -> None:
    scene = FaultyScene()
    assert scene.wire.hear(AT_MOST - 1) is None
    until = scene.world.now() + 1
    assert scene.wire.hear(1000.0) is None
    assert scene.world.now() == until
    scene.says(data(1))
    assert scene.wire.hear(1.0) is None


def test_the_ladder_tells_what_befell() -> None:
    scene = FaultyScene(Fault(DATA, 1, lose(), (1, 2)), Fault("", None, seeded(1, loss=1.0), ALL))
    scene.says(data(1, b"x"), data(1, b"x"), ack(2))
    assert scene.heard() == []
    notes = [step.note for step in scene.trial.ladder.steps if step.note]
    assert notes == ["DATA 1, 1 octets: lost", "DATA 1, 1 octets, copy 2: lost", "ACK 2: lost"]


def test_copies_are_counted_on_each_way() -> None:
    scene = FaultyScene()
    scene.wire.send(ack(1))
    scene.says(ack(1), ack(1))
    scene.heard()
    assert (scene.wire.count(ACK, 1), scene.wire.count(ACK, 1, OUT)) == (2, 1)
    assert scene.wire.count(ACK, 1, IN) == 2


def test_a_whole_transfer_through_losses() -> None:
    """Both ends are played by the suite, each through a plan of its own."""
    world = World()
    trial = Trial(world, HOST)
    here, there = trial.line(), trial.line()
    here.peer, there.peer = there.address, here.address
    content = bytes(range(250)) * 8
    wire = FaultyLine(here, [Fault(DATA, 2, lose()), Fault(ACK, 3, double())], last=4)
    sender = FaultyLine(there, [Fault(DATA, 4, damage(cut(3), mended=0.1))], last=4)
    for block in range(1, 5):
        sender.send(data(block, content[(block - 1) * 512 : block * 512]))
    world.at(world.now() + 0.5, lambda: sender.send(data(2, content[512:1024])))
    world.at(world.now() + 1.0, lambda: sender.send(data(3, content[1024:1536])))
    world.at(world.now() + 1.5, lambda: there.send(data(4, content[1536:])))
    played = receive_file(wire, timer=3.0)
    assert played.complete
    assert played.content == content


def test_sending_waits_for_what_is_held_back() -> None:
    scene = FaultyScene(Fault(DATA, 1, hold(0.2)))
    scene.world.at(scene.world.now() + 0.5, lambda: scene.says(ack(1)))
    assert send_file(scene.wire, b"short", timer=2.0).complete
    assert octets(scene.arrived()) == [data(1, b"short")]


def test_an_oack_that_comes_again_is_acknowledged_again() -> None:
    scene = FaultyScene(Fault(ACK, 0, lose()))
    scene.says(oack({"blksize": 512}), data(1, b"x"))
    assert receive_file(scene.wire, opening=ack(0)).complete
    assert octets(scene.arrived()) == [ack(0), ack(1)]
