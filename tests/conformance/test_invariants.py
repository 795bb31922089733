"""Each invariant holds of a right transfer, and is broken by what it speaks of.

A transfer is a list of packets with their times: `>` for ours, `<` for the target's.
"""

from collections.abc import Sequence

import pytest

from conformance.fixtures import content
from conformance.invariants import CHECKS, Trace, broken, shrinks, strangers_troubled
from conformance.ladder import Ladder
from conformance.wire import Packet, ack, data, error, oack, parse
from tests.conformance.faulty_scene import FaultyScene

FILE = content(5 * 512 + 100, 3)  # six blocks
LAST = 6
OURS, THEIRS, STRANGER = ("127.0.0.1", 1000), ("127.0.0.1", 2000), ("127.0.0.1", 3000)
MOMENT = 0.1

Said = tuple[str, bytes] | tuple[str, bytes, float]


def block(number: int, octets: bytes | None = None) -> bytes:
    """Returns DATA of the file."""
    return data(number, FILE[(number - 1) * 512 : number * 512] if octets is None else octets)


def trace(*said: Said, sends: bool, window: int = 1, steady: int = 0) -> Trace:
    """Returns what the packets make; each comes a millisecond later, or after its seconds."""
    ladder, now = Ladder(0.0), 0.0
    for way, datagram, *wait in said:
        now += wait[0] if wait else 0.001
        note = ladder.sent if way == ">" else ladder.heard
        note(now, OURS, THEIRS, datagram)
    return Trace.of(
        ladder, OURS, THEIRS, FILE, sends=sends, moment=MOMENT, window=window, steady=steady
    )


def read(*extra: Said, window: int = 1, steady: int = 0) -> Trace:
    """Returns a right read from a server, with something behind it."""
    said: list[Said] = []
    for number in range(1, LAST + 1):
        said += [("<", block(number)), (">", ack(number))]
    return trace(*said, *extra, sends=True, window=window, steady=steady)


def write(*extra: Said) -> Trace:
    """Returns a right upload, with something behind it."""
    said: list[Said] = [("<", ack(0))]
    for number in range(1, LAST + 1):
        said += [(">", block(number)), ("<", ack(number))]
    return trace(*said, *extra, sends=False)


def windows(*, lost: Sequence[int] = ()) -> Trace:
    """Returns a read in windows of three, with an OACK and a restart where blocks were lost."""
    said: list[Said] = [("<", oack({"windowsize": 3})), (">", ack(0))]
    said += [("<", block(number)) for number in (1, 2, 3)]
    if lost:
        said += [(">", ack(lost[0] - 1)), *[("<", block(n)) for n in (2, 3, 4)]]
        said += [(">", ack(4)), ("<", block(5)), ("<", block(6)), (">", ack(6))]
    else:
        said += [(">", ack(3)), *[("<", block(n)) for n in (4, 5, 6)], (">", ack(6))]
    return trace(*said, sends=True, window=3, steady=4 if lost else 0)


@pytest.mark.parametrize(
    "whole", [read(), write(), windows(), windows(lost=[2])], ids=["read", "write", "w", "w, gap"]
)
def test_a_right_transfer_breaks_nothing(whole: Trace) -> None:
    assert broken(whole, CHECKS) == []


def test_only_what_is_asked_for_is_looked_at() -> None:
    wrong = read(("<", block(LAST)), ("<", error(0)), ("<", block(LAST)))
    assert broken(wrong, ["I1", "I8"]) == []
    assert [text[:3] for text in broken(wrong, ["I7"])] == ["I7:"]


def test_only_these_two_are_looked_at() -> None:
    ladder = Ladder(0.0)
    ladder.heard(1.0, OURS, STRANGER, block(3))
    ladder.heard(1.0, OURS, THEIRS, block(1))
    ladder.note(1.0, "a remark")
    made = Trace.of(ladder, OURS, THEIRS, FILE, sends=True, moment=MOMENT)
    assert [move.block for move in made.moves] == [1]


# ---------------------------------------------------------------- I1


def test_other_octets_break_integrity() -> None:
    wrong = trace(("<", block(1)), (">", ack(1)), ("<", block(2, b"x" * 512)), sends=True)
    assert broken(wrong, ["I1"]) == ["I1: DATA 2 is not what the file holds there"]


@pytest.mark.parametrize("number", [0, LAST + 1])
def test_blocks_that_the_file_has_not_break_integrity(number: int) -> None:
    assert broken(trace(("<", data(number)), sends=True), ["I1"])


def test_acknowledging_what_has_not_come_breaks_integrity() -> None:
    said: list[Said] = [("<", ack(0)), (">", block(1)), ("<", ack(1)), (">", block(3))]
    assert broken(trace(*said, ("<", ack(1)), sends=False), ["I1"]) == []
    assert broken(trace(*said, ("<", ack(3)), sends=False), ["I1"]) == [
        "I1: ACK 3 came when no more than 1 blocks had arrived"
    ]


@pytest.mark.parametrize("payload", [b"", b"x" * 512, FILE[512:1024] + b"x"])
def test_acknowledging_a_damaged_block_breaks_integrity(payload: bytes) -> None:
    said = [("<", ack(0)), (">", block(1)), ("<", ack(1)), (">", block(2, payload))]
    assert broken(trace(*said, ("<", ack(2)), sends=False), ["I1"])


# ---------------------------------------------------------------- I5


def test_a_copy_of_a_timer_is_in_order() -> None:
    assert broken(read(("<", block(LAST), MOMENT)), ["I5"]) == []


def test_a_copy_that_no_timer_sent_is_too_much() -> None:
    found = broken(read(("<", block(LAST))), ["I5"])
    assert found == ["I5: 7 DATA were sent where 6 were due at most; repeated: 6"]


def test_a_restart_may_send_a_window_again() -> None:
    assert broken(windows(lost=[2]), ["I5"]) == []


def test_a_window_sent_twice_for_nothing_is_too_much() -> None:
    said = [("<", block(number)) for number in (1, 2, 3, 1, 2, 3)]
    assert broken(trace(*said, sends=True, window=3), ["I5"])
    late: list[Said] = [("<", block(n)) for n in (1, 2, 3)]
    late += [("<", block(1), MOMENT)]
    late += [("<", block(n)) for n in (2, 3)]
    assert broken(trace(*late, sends=True, window=3), ["I5"]) == []


def test_a_doubled_ack_may_restart_a_window_once() -> None:
    said = [("<", block(n)) for n in (1, 2, 3)] + [(">", ack(3)), (">", ack(3))]
    said += [("<", block(n)) for n in (4, 5, 6)] * 2
    assert broken(trace(*said, sends=True, window=3), ["I5"]) == []
    said += [("<", block(n)) for n in (4, 5, 6)]
    assert broken(trace(*said, sends=True, window=3), ["I5"])


def test_an_ack_from_before_the_window_restarts_nothing() -> None:
    said = [("<", block(n)) for n in (1, 2, 3)] + [(">", ack(3))]
    said += [("<", block(n)) for n in (4, 5, 6)] + [(">", ack(2))]
    assert broken(trace(*said, sends=True, window=3), ["I5"]) == []
    said += [("<", block(n)) for n in (4, 5, 6)]
    assert broken(trace(*said, sends=True, window=3), ["I5"])


def test_doubling_behind_the_fault_is_too_much_however_slow() -> None:
    """Each copy may be a timer's, but not of every block."""
    said: list[Said] = []
    for number in range(1, LAST + 1):
        copies: list[Said] = [("<", block(number)), ("<", block(number), 2 * MOMENT)]
        said += [*copies, (">", ack(number))]
    assert broken(trace(*said, sends=True), ["I5"]) == []
    assert broken(trace(*said, sends=True, steady=2), ["I5"]) == [
        "I5: after the fault 4 of 4 blocks came again"
    ]


def test_a_receiver_may_acknowledge_each_copy_and_by_its_timer() -> None:
    usual = write((">", block(LAST)), ("<", ack(LAST)), ("<", ack(LAST), MOMENT))
    assert broken(usual, ["I5"]) == []


def test_a_receiver_that_acknowledges_twice_is_too_much() -> None:
    said: list[Said] = [("<", ack(0))]
    for number in range(1, LAST + 1):
        said += [(">", block(number)), ("<", ack(number)), ("<", ack(number))]
    assert broken(trace(*said, sends=False), ["I5"]) == [
        "I5: 13 ACKs were sent for 6 packets",
    ]


# ---------------------------------------------------------------- I7


def test_one_error_ends_it() -> None:
    assert broken(read(("<", error(0))), ["I7"]) == []


@pytest.mark.parametrize("behind", [error(0), ack(1), block(2)])
def test_nothing_comes_behind_an_error(behind: bytes) -> None:
    assert (
        "behind the target's own ERROR" in broken(read(("<", error(0)), ("<", behind)), ["I7"])[0]
    )


def test_an_error_is_not_answered_by_another() -> None:
    found = broken(read((">", error(0)), ("<", error(0))), ["I7"])
    assert found == ["I7: ERROR 0 '' came in answer to an ERROR"]


def test_what_was_on_its_way_may_cross_an_error() -> None:
    assert broken(read((">", error(0)), ("<", block(LAST), 0.1)), ["I7"]) == []
    assert broken(read((">", error(0)), ("<", block(LAST), 1.0)), ["I7"])


# ---------------------------------------------------------------- I8


def test_a_block_before_its_turn_is_out_of_order() -> None:
    said = [("<", block(1)), ("<", block(2))]
    assert broken(trace(*said, sends=True), ["I8"]) == [
        "I8: DATA 2 came when only ACK 0 had been sent"
    ]
    assert broken(trace(*said, sends=True, window=2), ["I8"]) == []


def test_an_oack_has_to_be_acknowledged_first() -> None:
    early = [("<", oack({"tsize": 1})), ("<", block(1))]
    assert broken(trace(*early, sends=True), ["I8"])
    right = [("<", oack({"tsize": 1})), (">", ack(0)), ("<", block(1))]
    assert broken(trace(*right, sends=True), ["I8"]) == []


@pytest.mark.parametrize("damaged", [ack(2), ack(100), ack(1)[:3], ack(1) + b"x", data(1)])
def test_what_is_no_right_ack_moves_nothing(damaged: bytes) -> None:
    said = [("<", block(1)), (">", damaged), ("<", block(2))]
    assert broken(trace(*said, sends=True), ["I8"])


def test_acknowledged_numbers_do_not_fall() -> None:
    assert broken(write(("<", ack(3))), ["I8"]) == ["I8: ACK 3 came behind ACK 6"]
    assert broken(write(("<", ack(0))), ["I8"]) == ["I8: ACK 0 came behind ACK 6"]


def test_an_old_block_may_get_its_old_ack() -> None:
    assert broken(write((">", block(3)), ("<", ack(3))), ["I8"]) == []
    assert broken(write((">", block(3)), ("<", ack(3)), ("<", ack(3))), ["I8"])


def test_numbers_rise_over_the_wrap() -> None:
    ladder, octets = Ladder(0.0), bytes(8 * 65540)
    for number in range(1, 65541):
        ladder.heard(0.0, OURS, THEIRS, data(number, bytes(8)))
        ladder.sent(0.0, OURS, THEIRS, ack(number))
    made = Trace.of(ladder, OURS, THEIRS, octets, sends=True, moment=MOMENT, size=8)
    assert broken(made, CHECKS) == []
    assert made.moves[-1].block == 65540


# ---------------------------------------------------------------- I10


def test_intervals_may_grow_or_stay() -> None:
    assert shrinks([0.0, 1.0, 2.0, 4.0, 8.0, 12.0]) == []
    assert shrinks([0.0]) == shrinks([]) == []


def test_intervals_may_not_shrink() -> None:
    assert shrinks([0.0, 4.0, 6.0, 7.0]) == [
        "a packet was repeated after 2.00 s or more, and then 1.00 s"
    ]


def test_one_late_copy_is_the_fault_of_a_busy_machine() -> None:
    assert shrinks([0.0, 1.0, 3.5, 4.5]) == []
    assert shrinks([0.0, 2.5, 3.5, 4.5]) == []


def test_progress_begins_anew() -> None:
    said: list[Said] = [("<", block(1), wait) for wait in (0.0, 4.0, 4.0)]
    said += [(">", ack(1)), *[("<", block(2), wait) for wait in (0.0, 1.0, 1.0)]]
    assert broken(trace(*said, sends=True), ["I10"]) == []
    shrinking: list[Said] = [("<", block(1), wait) for wait in (0.0, 4.0, 2.0, 1.0)]
    assert broken(trace(*shrinking, sends=True), ["I10"])


def test_a_copy_that_we_asked_for_says_nothing_of_timers() -> None:
    said: list[Said] = [("<", ack(0), wait) for wait in (0.0, 4.0, 4.0)]
    said += [(">", block(1)), ("<", ack(0), 1.0)]
    assert broken(trace(*said, sends=False), ["I10"]) == []


# ---------------------------------------------------------------- I6


def met(*answers: bytes, sent: Sequence[bytes] = (ack(1),)) -> tuple[list[str], list[str]]:
    """Returns what is wrong and what is unusual when a stranger gets these."""
    scene = FaultyScene()
    scene.says(*answers)
    while scene.line.hear(1.0) is not None:
        pass
    packets: list[Packet] = [parse(datagram) for datagram in sent]
    turned = strangers_troubled(scene.line, packets)
    return turned.wrong, turned.unusual


def test_a_stranger_is_told_error_5() -> None:
    assert met(error(5, "Who are you?")) == ([], [])


def test_a_stranger_may_meet_silence_or_another_code() -> None:
    assert met() == ([], ["a stranger is not told ERROR 5"])
    assert met(error(4)) == ([], ["a stranger got ERROR 4 ''"])
    assert met(error(5), error(5)) == ([], ["a stranger got 2 ERRORs for 1 packets"])


def test_a_stranger_gets_no_part_of_the_transfer() -> None:
    assert met(block(2))[0] == ["a stranger got DATA 2, 512 octets"]


def test_a_strangers_error_needs_no_answer() -> None:
    assert met(sent=[error(0)]) == ([], [])
    assert met(error(5), sent=[error(0)])[1] == ["a stranger's ERROR is answered by another"]
