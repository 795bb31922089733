"""Whose turn it is among requests that wait. No sockets, no clock."""

from tests.server.test_guard import Fake
from tftp.protocol.transfer import Address
from tftp.server.config import Limits
from tftp.server.guard import Guard
from tftp.server.queue import AGAIN_AFTER, STALE, Queue


class Line:
    """A queue whose calls are words."""

    def __init__(self, limit: int = 100, **limits: float) -> None:
        self.guard = Guard(Limits(**limits))  # type: ignore[arg-type]
        self.queue: Queue[str] = Queue(self.guard, limit)

    def put(self, word: str, host: int = 1, port: int = 2000, now: float = 0.0) -> None:
        source: Address = (f"192.0.2.{host}", port)
        self.queue.put((source, word.encode()), word, now)

    def prove(self, host: int) -> None:
        transfer = Fake(f"192.0.2.{host}")
        self.guard.begin(transfer)
        self.guard.prove(transfer)
        self.guard.end(transfer)

    def all(self, now: float = 0.0) -> list[str]:
        found = []
        while (word := self.queue.next(now)) is not None:
            found.append(word)
        return found


def test_of_one_host_the_first_goes_first() -> None:
    line = Line()
    for word in "abc":
        line.put(word)
    assert len(line.queue) == 3
    assert line.all() == ["a", "b", "c"]
    assert len(line.queue) == 0
    assert line.queue.wait(0.0) is None


def test_hosts_take_turns() -> None:
    line = Line()
    for word in ("a1", "a2", "a3"):
        line.put(word, host=1)
    line.put("b1", host=2)
    line.put("c1", host=3)
    line.put("b2", host=2)
    assert line.all() == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_same_again_waits_once() -> None:
    line = Line()
    line.put("a")
    line.put("a", now=5.0)
    line.put("a", port=2001)
    assert line.all() == ["a", "a"]


def test_who_has_answered_before_goes_first() -> None:
    line = Line()
    line.prove(2)
    line.put("new", host=1)
    line.put("known", host=2)
    assert line.all() == ["known", "new"]


def test_who_asks_again_goes_before_who_asks_once() -> None:
    """A client repeats its request; whoever forges sources has no reason to."""
    line = Line()
    for host in (1, 2, 3):
        line.put(f"from {host}", host)
    line.put("from 3", 3, now=AGAIN_AFTER / 2)
    assert line.queue.next(0.1) == "from 1", "what comes so soon was doubled on the way"
    line.put("from 3", 3, now=AGAIN_AFTER)
    line.put("from 3", 3, now=2 * AGAIN_AFTER)
    assert line.all(2 * AGAIN_AFTER) == ["from 3", "from 2"]


def test_who_has_waited_in_vain_has_to_ask_again() -> None:
    """After a flood nobody waits behind what it has left."""
    line = Line()
    for host in range(50):
        line.put(f"from {host}", host)
    line.put("late", 99, now=STALE)
    assert line.all(STALE) == ["late"]
    line.put("other", 98, now=STALE)
    line.put("from 7", 7, now=STALE)
    assert line.all(STALE) == ["from 7", "other"], "who asks again is known"


def test_a_host_with_many_requests_and_one_with_one() -> None:
    line = Line()
    for word in "abc":
        line.put(word, 1)
    line.put("x", 2)
    for word in "bx":
        line.put(word, 1 if word == "b" else 2, now=0.5)  # again
    assert line.all(0.5) == ["b", "x", "a", "c"]
    assert not line.queue.yields


def test_a_host_that_answers_takes_its_others_along() -> None:
    line = Line(unproven_requests=0.05)  # one, and then one each twenty seconds
    for word in "abc":
        line.put(word, host=1)
    line.put("x", host=2)
    assert line.queue.next(0.0) == "a"
    assert line.queue.next(0.0) is None
    line.prove(1)
    line.queue.promote("192.0.2.1")
    assert line.all() == ["b", "c"]
    assert 0.0 < (line.queue.wait(0.0) or 0.0) <= 20.0
    line.put("x", host=2, now=20.0)
    assert line.all(20.0) == ["x"]


def test_what_waits_for_a_token_says_how_long() -> None:
    line = Line(unproven_requests=0.5)  # eight, and then one in two seconds
    for number in range(10):
        line.put(str(number), host=number)
    assert len(line.all()) == 8
    assert line.queue.wait(0.0) == 2.0
    assert line.queue.wait(1.5) == 0.5
    line.put("8", host=8, now=2.0)
    assert line.all(2.0) == ["8"]
    line.prove(77)
    line.put("known", host=77, now=2.0)
    assert line.queue.wait(2.0) == 0.0


def test_who_finds_no_place_is_known_when_it_asks_again() -> None:
    line = Line(limit=3)
    for host in (1, 2, 3):
        line.put(f"from {host}", host)
    assert line.queue.full
    assert line.queue.yields
    line.put("from 4", 4)
    assert line.queue.lost == 1
    line.put("from 4", 4, now=0.9)
    assert line.queue.lost == 2, "somebody lost a place to it"
    assert len(line.queue) == 3
    assert line.all(0.9) == ["from 4", "from 2", "from 3"]


def test_nobody_loses_a_place_to_somebody_worse() -> None:
    line = Line(limit=2)
    for host in (1, 2):
        line.prove(host)
        line.put(f"known {host}", host)
    assert line.queue.full
    assert not line.queue.yields
    line.put("new", 3)
    assert line.queue.lost == 1
    assert line.all() == ["known 1", "known 2"]
    line.put("other", 4, now=1.0)
    line.put("new", 3, now=1.0)
    assert line.all() == ["new", "other"], "it had asked before"


def test_those_who_ask_again_lose_theirs_only_to_their_like() -> None:
    line = Line(limit=1)
    line.put("a", 1)
    line.put("a", 1, now=1.0)
    line.put("b", 2, now=1.0)
    assert line.all() == ["a"], "b asks for the first time"
    line.put("a", 1, now=2.0)
    line.put("a", 1, now=2.5)
    line.prove(3)
    line.put("known", 3, now=3.0)
    assert line.all() == ["known"]


def test_a_flood_keeps_the_memory_bounded() -> None:
    line = Line(limit=50)
    for number in range(2000):
        line.put(f"f{number}", host=number % 250, port=number)
        line.put(f"f{number}", host=number % 250, port=number, now=1.0)
    assert len(line.queue) == 50
    line.queue.clear()
    assert line.queue.wait(0.0) is None
    assert line.all() == []
    assert not line.queue.yields
