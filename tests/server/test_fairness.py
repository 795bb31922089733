"""One that wants very much and many that want little: everybody gets a share of each turn.

The loop is turned by hand, so that nothing here depends on how fast anything is.
"""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.server.house import BLOCKS, TRAIN, WINDOW, House, block
from tests.server.test_guard import Fake
from tests.server.wire import Address, ack, rrq
from tftp.net.channel import MAX_BLOCKS
from tftp.server import Limits

CLIENTS = 60

Open = Callable[[Limits], House]


@pytest.fixture
def house(open_house: Open) -> House:
    return open_house(Limits(window=WINDOW))


def test_many_small_ones_beside_a_giant(house: House) -> None:
    """Each ACK is answered in the turn that finds it, and a turn has one share for the giant."""
    peers = house.small(CLIENTS)
    giant = house.giant()
    beside = 0
    for number in range(1, BLOCKS):
        house.say((peer, ack(number)) for peer in peers)
        house.turn()
        assert house.blocks[giant.address] < MAX_BLOCKS + TRAIN
        beside += house.blocks[giant.address] > 0
        for peer in peers:
            peer.expect(block(number + 1))
    assert beside > 10, "the giant goes on all the while, unasked, until its window is out"


def test_a_giant_alone_is_never_idle_before_its_window_is_out(house: House) -> None:
    giant = house.giant()
    sent = 0
    for _ in range(WINDOW // MAX_BLOCKS):
        house.turn()
        sent += house.blocks[giant.address]
        if sent == WINDOW:
            break
        assert house.blocks[giant.address] >= MAX_BLOCKS
    assert sent == WINDOW


def test_giants_share_alike(house: House) -> None:
    giants = [house.giant() for _ in range(3)]
    total: Counter[Address] = Counter()
    for _ in range(10):
        house.turn()
        total += house.blocks
    sent = [total[giant.address] for giant in giants]
    assert max(sent) - min(sent) < MAX_BLOCKS + TRAIN
    assert min(sent) >= 8 * MAX_BLOCKS


def test_more_that_are_ready_than_one_turn_takes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds no place in this turn has one in the next: nobody is passed over twice."""
    peers = house.small(20)
    giants = [house.giant() for _ in range(2)]
    monkeypatch.setattr("tftp.server.loop.EVENTS_A_TURN", 8)
    house.say((peer, ack(1)) for peer in peers)
    total: Counter[Address] = Counter()
    for _ in range(4):  # 4 x 8 places, and 8 of them at the most are the giants'
        house.turn()
        total += house.blocks
    assert [total[peer.address] for peer in peers] == [1] * 20
    assert 0 < total[giants[0].address] < 4 * (MAX_BLOCKS + TRAIN)


def test_requests_wait_for_those_who_are_served(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst of requests is answered by and by, and a running transfer has its turn between."""
    monkeypatch.setattr("tftp.server.loop.REQUESTS_A_TURN", 4)
    (running,) = house.small(1)
    late = [house.peer() for _ in range(30)]
    for peer in late:
        peer.ask(rrq("small"))
    answered = number = 0
    while answered < len(late):
        before = len(house.endpoints)
        number += 1
        assert number <= len(late)
        if number < BLOCKS:
            house.say([(running, ack(number))])
        house.turn()
        if number < BLOCKS:
            running.expect(block(number + 1))
        assert len(house.endpoints) - before <= 4
        answered += len(house.endpoints) - before
    for peer in late:
        peer.expect(block(1))


def test_requests_beyond_those_that_may_wait_stay_in_the_socket(
    open_house: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is lost while the socket has room, however few are taken in at a time."""
    monkeypatch.setattr("tftp.server.loop.REQUESTS_A_TURN", 2)
    house = open_house(Limits(waiting=3))
    late = [house.peer() for _ in range(30)]
    known = Fake(str(late[0].address[0]))
    house.guard.begin(known)
    house.guard.prove(known)
    for peer in late:
        peer.ask(rrq("small"))
    for _ in range(40):
        house.turn()
        if len(house.endpoints) == len(late):
            break
    assert len(house.endpoints) == len(late)
    for peer in late:
        peer.expect(block(1))
