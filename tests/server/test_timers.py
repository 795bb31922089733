"""Many deadlines at once: who is due when, and how much the keeping of them may cost."""

import random

from tftp.net.clock import NEVER, Timers


class Clock:
    """Something with a deadline that moves."""

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self.alarm = NEVER


def test_nothing_is_due_at_the_start() -> None:
    timers: Timers[Clock] = Timers()
    assert timers.first == NEVER
    assert timers.due(1e9) == []


def test_items_are_due_in_the_order_of_their_deadlines() -> None:
    timers: Timers[Clock] = Timers()
    items = [Clock(float(number)) for number in (3, 1, 2)]
    for item in items:
        timers.watch(item)
    assert timers.first == 1.0
    assert timers.due(0.5) == []
    assert timers.due(2.0) == [items[1], items[2]]
    assert timers.first == 3.0
    assert timers.due(3.0) == [items[0]]


def test_a_deadline_that_moved_on_is_not_due() -> None:
    timers: Timers[Clock] = Timers()
    item = Clock(1.0)
    timers.watch(item)
    item.deadline = 2.0
    timers.watch(item)
    assert timers.due(1.5) == []
    assert timers.due(2.0) == [item]


def test_a_deadline_that_came_nearer_is_due_in_time_and_once() -> None:
    timers: Timers[Clock] = Timers()
    item = Clock(5.0)
    timers.watch(item)
    item.deadline = 1.0
    timers.watch(item)
    assert timers.first == 1.0
    assert timers.due(1.0) == [item]
    item.deadline = 9.0
    timers.watch(item)
    assert timers.due(6.0) == [], "the entry of 5.0 is stale"
    assert timers.due(9.0) == [item]


def test_what_has_no_deadline_any_more_is_forgotten() -> None:
    timers: Timers[Clock] = Timers()
    item = Clock(1.0)
    timers.watch(item)
    item.deadline = None
    timers.watch(item)
    assert timers.due(2.0) == []
    assert timers.first == NEVER
    item.deadline = 3.0
    timers.watch(item)
    assert timers.due(3.0) == [item], "it may come to life again"


def test_what_is_over_does_not_pile_up() -> None:
    """RFC2349-T-06: a peer may ask for 255 seconds, end at once, and ask again."""
    timers: Timers[Clock] = Timers()
    lasting = [Clock(500.0 + number) for number in range(10)]
    for item in lasting:
        timers.watch(item)
    for _ in range(100_000):
        item = Clock(255.0)
        timers.watch(item)
        item.deadline = None
    assert len(timers) < 5000
    assert timers.due(300.0) == []
    assert timers.due(1000.0) == lasting


def test_many_that_are_due_at_once_come_by_and_by() -> None:
    """A turn of the loop looks at so many entries and no more; none is left out."""
    timers: Timers[Clock] = Timers()
    items = [Clock(1.0 + number / 1000) for number in range(100)]
    for item in items:
        timers.watch(item)
    found = []
    for _ in range(10):
        upcoming = timers.first
        assert upcoming <= 2.0, "there is more to do at once"
        part = timers.due(2.0, 10)
        assert len(part) == 10
        found += part
    assert found == items
    assert timers.first == NEVER


def test_entries_that_moved_on_count_too() -> None:
    timers: Timers[Clock] = Timers()
    items = [Clock(1.0) for _ in range(100)]
    for item in items:
        timers.watch(item)
        item.deadline = 3.0
    assert [timers.due(2.0, 10) for _ in range(9)] == [[]] * 9
    assert timers.first == 1.0
    assert timers.due(2.0, 10) == []
    assert timers.first == 3.0
    assert timers.due(3.0) == items


def test_a_deadline_that_moves_on_costs_the_heap_nothing() -> None:
    """What a packet does to ten thousand transfers in flow: one comparison, and no new entry."""
    timers: Timers[Clock] = Timers()
    items = [Clock(1.0) for _ in range(10_000)]
    for turn in range(20):
        for item in items:
            item.deadline = 1.0 + turn
            timers.watch(item)
    assert len(timers) == len(items)


def test_what_pauses_while_others_pass_comes_back() -> None:
    timers: Timers[Clock] = Timers()
    pausing = Clock(10.0)
    timers.watch(pausing)
    pausing.deadline = None
    for _ in range(10_000):
        item = Clock(5.0)
        timers.watch(item)
        item.deadline = None
    pausing.deadline = 20.0
    timers.watch(pausing)
    assert timers.due(20.0) == [pausing]


def test_against_a_list_that_is_searched() -> None:
    chance = random.Random(1)
    for _ in range(50):
        timers: Timers[Clock] = Timers()
        items = [Clock() for _ in range(30)]
        now = 0.0
        for _ in range(200):
            now += chance.random()
            for item in chance.sample(items, 5):
                item.deadline = chance.choice([None, now + chance.random() * 10])
                timers.watch(item)
            expected = {id(i) for i in items if i.deadline is not None and i.deadline <= now}
            due = timers.due(now)
            assert {id(item) for item in due} == expected
            assert len(due) == len(expected), "each once"
            for item in due:
                item.deadline = now + chance.random() * 10
                timers.watch(item)
            waiting = [item.deadline for item in items if item.deadline is not None]
            upcoming = timers.first
            if waiting:
                assert upcoming <= min(waiting)
