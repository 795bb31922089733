"""Worlds made by hand, in which it is known what must come of it; and the judges by themselves."""

import pytest

from tftp.protocol.options import Wish
from tftp.protocol.packets import (
    RRQ,
    WRQ,
    Data,
    Oack,
    Request,
    encode,
    encode_ack,
    encode_error,
)
from tftp.protocol.transfer import Address, Ending
from tftp.server.config import Limits
from tftp.sim.client import Errand
from tftp.sim.disk import Temper
from tftp.sim.invariants import Broken, Delivery, Flow, Ledger
from tftp.sim.link import Faults
from tftp.sim.network import Hazards
from tftp.sim.play import Play, Report
from tftp.sim.scenario import Mishap, Scenario
from tftp.sim.server import Conduct

FILE = bytes(range(256)) * 80
SLOW = Hazards(Faults(delay=0.02))
WINDOWS = Wish(block_size=1024, window=8, size=0)
PEER: Address = ("203.0.113.1", 2000)


def world(errands: list[Errand], **what: object) -> Play:
    """Makes a world with one file, and links that are slow enough for something to happen."""
    hazards = what.pop("hazards", (SLOW, SLOW))
    setting = {"seed": 1, "files": {"f": FILE}, "hazards": [hazards] * len(errands), **what}
    return Play(Scenario(errands=errands, **setting))  # type: ignore[arg-type]


def endings(report: Report) -> dict[str, int]:
    return {ending.name: count for ending, count in report.endings.items()}


def test_hundreds_of_clients_fetch_and_bring_on_a_clean_network() -> None:
    fetch = [Errand("f", wishes=(wish,)) for wish in (Wish(), WINDOWS)] * 50
    bring = [Errand(f"u{n}", upload=FILE[:n], wishes=(WINDOWS,)) for n in range(100)]
    play = world(fetch + bring, clean=True)
    report = play.run()
    assert endings(report) == {"COMPLETE": 200}
    assert report.octets == 100 * len(FILE) + sum(range(100))
    assert len(play.disk.stored) == 100
    assert play.server.most > 50


@pytest.mark.parametrize("what", ["kill", "stop"])
def test_a_client_boots_from_a_server_that_came_back(what: str) -> None:
    play = world([Errand("f")], mishaps=[Mishap(0.5, what, seconds=3.0)])
    report = play.run()
    first = "TIMEOUT" if what == "kill" else "PEER_ERROR"
    assert endings(report) == {first: 1, "COMPLETE": 1}
    assert report.octets == len(FILE)


def test_a_server_that_sleeps_for_five_seconds_goes_on_where_it_was() -> None:
    play = world(
        [Errand("f"), Errand("f", wishes=(WINDOWS,))], mishaps=[Mishap(0.1, "pause", seconds=5.0)]
    )
    assert endings(play.run()) == {"COMPLETE": 2}
    assert play.clock.now > 1005


@pytest.mark.parametrize("same_port", [False, True])
def test_a_board_that_is_reset_boots_again(same_port: bool) -> None:
    report = world([Errand("f", resets=(0.3, 1.5), same_port=same_port)]).run()
    assert endings(report) == {"COMPLETE": 1}
    assert report.served[Ending.COMPLETE] == 1


def test_a_board_comes_back_to_its_port() -> None:
    play = world([Errand("f", resets=(0.3,), same_port=True)])
    play.run()
    requests = [line for line in play.trace.ladder() if "> 10.0.0.1:69  RRQ" in line]
    assert len({line.split()[1] for line in requests}) == 1
    assert len(requests) >= 2


def test_strangers_keep_nobody_from_booting() -> None:
    errands = [Errand("f", wishes=(wish,)) for wish in (Wish(), WINDOWS)] * 4
    play = world(errands, strangers=400, seed=5)
    report = play.run()
    assert endings(report) == {"COMPLETE": 8}
    assert report.strangers == 400
    assert report.served[Ending.TIMEOUT] > 20  # of those who never asked


def test_a_cut_that_ends_costs_time_only() -> None:
    cut = Hazards(Faults(delay=0.02), cuts=((1000.2, 1006.0),))
    play = world([Errand("f")], hazards=(cut, SLOW))
    assert endings(play.run()) == {"COMPLETE": 1}


def test_blocks_that_are_too_large_for_the_path_end_in_smaller_ones() -> None:
    small = Hazards(Faults(delay=0.02), mtu=1000)
    play = world([Errand("f", wishes=(WINDOWS, Wish()))], hazards=(SLOW, small))
    report = play.run()
    assert endings(report) == {"TIMEOUT": 1, "COMPLETE": 1}


def test_a_full_disk_refuses_and_keeps_nothing() -> None:
    errands = [Errand("u", upload=FILE, attempts=1), Errand("v", upload=b"small", begins=5.0)]
    play = world(errands, temper=Temper(room=1000))
    assert endings(play.run()) == {"PEER_ERROR": 1, "COMPLETE": 1}
    assert play.disk.stored == {"v": b"small"}


def test_a_slow_disk_costs_time_only() -> None:
    temper = Temper(slow=1.0, wait=3.0, commit=4.0)
    errands = [Errand("f"), Errand("f", wishes=(WINDOWS,)), Errand("u", upload=FILE)]
    assert endings(world(errands, temper=temper).run())["COMPLETE"] == 3


@pytest.mark.parametrize("what", ["replace", "remove", "grow", "shorten", "spoil"])
def test_a_file_that_changes_is_never_mixed(what: str) -> None:
    report = world([Errand("f", attempts=2)], mishaps=[Mishap(0.5, what, "f")], seed=4).run()
    whole = what in ("replace", "remove")
    assert (report.endings[Ending.PEER_ERROR] == 0) is whole
    assert (report.octets == len(FILE)) >= whole


def test_a_server_that_is_full_answers_those_who_ask_again() -> None:
    conduct = Conduct(Limits(transfers=1))
    play = world([Errand("f") for _ in range(4)], conduct=conduct)
    assert endings(play.run())["COMPLETE"] == 4
    assert play.server.most == 1
    assert play.server.verdicts["BUSY"] > 3


# The judges


def request(opcode: int, *options: tuple[str, str]) -> bytes:
    return encode(Request(opcode, "a-file", "octet", options))


def test_who_never_answers_gets_the_first_block_and_its_repeats() -> None:
    ledger = Ledger(repeats=3)
    ledger.heard(PEER, request(RRQ))
    for _ in range(4):
        ledger.said(PEER, encode(Data(1, bytes(512))))
    with pytest.raises(Broken, match="never answered"):
        ledger.said(PEER, encode(Data(1, bytes(512))))


def test_who_asks_for_options_gets_less_than_ten_times_its_own_octets() -> None:
    ledger = Ledger(repeats=3)
    asked = request(RRQ, ("blksize", "65464"), ("windowsize", "64"))
    ledger.heard(PEER, asked)
    answer = encode(Oack((("blksize", "65464"),)))
    times = (10 * len(asked) - 1) // len(answer)
    for _ in range(times):
        ledger.said(PEER, answer)
    with pytest.raises(Broken, match="never answered"):
        ledger.said(PEER, answer)


def test_each_datagram_gets_one_error_at_most() -> None:
    ledger = Ledger(repeats=3)
    ledger.heard(PEER, b"\0\1")
    ledger.said(PEER, encode_error(4, "What?"))
    with pytest.raises(Broken, match="more errors"):
        ledger.said(PEER, encode_error(4, "What?"))


def test_who_has_answered_gets_as_much_as_it_wants() -> None:
    ledger = Ledger(repeats=0)
    ledger.heard(PEER, request(WRQ))
    ledger.answered(PEER)
    for _ in range(100):
        ledger.said(PEER, encode(Data(1, bytes(512))))


def test_a_window_counts_from_the_last_block_acknowledged() -> None:
    flow = Flow(asks=False)
    flow.said(encode(Oack((("windowsize", "2"),))))
    with pytest.raises(Broken, match="before the peer has answered"):
        flow.said(encode(Data(1, b"x")))
    flow.heard(encode_ack(0))
    flow.said(encode(Data(1, b"x")))
    flow.said(encode(Data(2, b"x")))
    flow.heard(encode_ack(7))  # of what was never sent
    with pytest.raises(Broken, match="window ends at 2"):
        flow.said(encode(Data(3, b"x")))
    flow.heard(encode_ack(1))
    flow.said(encode(Data(3, b"x")))
    with pytest.raises(Broken, match="window ends at 3"):
        flow.said(encode(Data(1, b"x")))


def test_octets_belong_to_one_of_the_contents_and_to_the_same_ever_after() -> None:
    delivery = Delivery()
    delivery.take(b"same", [b"same old", b"same new"])
    delivery.take(b" old", [b"same old", b"same new"])
    delivery.complete([b"same old", b"same new"])
    mixed = Delivery()
    mixed.take(b"abc", [b"abcdef", b"xyzuvw"])
    with pytest.raises(Broken, match="wrong bytes are delivered at 3"):
        mixed.take(b"uvw", [b"abcdef", b"xyzuvw"])
    short = Delivery()
    short.take(b"abc", [b"abcdef"])
    with pytest.raises(Broken, match="not all"):
        short.complete([b"abcdef"])
