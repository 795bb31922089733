"""Work beside the loop: it runs in threads, and what follows from it in the loop's own."""

import select
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.wire import PATIENCE
from tftp.server.beside import Bell, Beside


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


@pytest.fixture
def beside(bell: Bell) -> Iterator[Beside]:
    beside = Beside(bell, 2, "beside")
    yield beside
    beside.close()


def hears(bell: Bell) -> bool:
    return bool(select.select([bell.fileno()], [], [], 0)[0])


def wait(bell: Bell) -> None:
    """Waits for the bell, as a loop does."""
    assert select.select([bell.fileno()], [], [], PATIENCE)[0]
    bell.hush()


def test_the_work_is_done_in_another_thread_and_its_result_taken_in_this(
    beside: Beside, bell: Bell
) -> None:
    places: list[object] = []

    def work() -> str:
        places.append(threading.current_thread().name)
        return "done"

    def then(result: str) -> None:
        places.append((result, threading.current_thread()))

    beside.run(work, then)
    wait(bell)
    assert len(places) == 1, "what follows waits for the loop"
    beside.settle()
    assert places[0] != threading.current_thread().name
    assert places[1] == ("done", threading.current_thread())


def test_what_follows_may_be_more_work(beside: Beside, bell: Bell) -> None:
    found: list[int] = []

    def then(number: int) -> None:
        found.append(number)
        if number < 3:
            beside.run(lambda: number + 1, then)

    beside.run(lambda: 1, then)
    while len(found) < 3:
        wait(bell)
        beside.settle()
    assert found == [1, 2, 3]


def test_no_more_threads_than_allowed(beside: Beside, bell: Bell) -> None:
    """The third waits for one of the two."""
    entered, free = threading.Semaphore(0), threading.Event()
    names: set[str] = set()

    def work() -> None:
        names.add(threading.current_thread().name)
        entered.release()
        free.wait(PATIENCE)

    done: list[None] = []
    for _ in range(5):
        beside.run(work, done.append)
    assert entered.acquire(timeout=PATIENCE)
    assert entered.acquire(timeout=PATIENCE)
    assert not hears(bell)
    free.set()
    while len(done) < 5:
        wait(bell)
        beside.settle()
    assert len(names) <= 2


def test_closing_waits_and_settles(bell: Bell) -> None:
    beside = Beside(bell, 2, "beside")
    free = threading.Event()
    done: list[bool] = []
    beside.run(lambda: free.wait(PATIENCE), done.append)
    threading.Timer(0.01, free.set).start()
    beside.close()
    assert done == [True]


def test_without_any_thread_the_work_is_done_at_once(
    beside: Beside, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow is better than never: then the loop itself waits for the disk."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    places: list[threading.Thread] = []
    with monkeypatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "submit", refuse)
        beside.run(threading.current_thread, places.append)
    wait(bell)
    beside.settle()
    assert places == [threading.current_thread()]
    beside.run(threading.current_thread, places.append)
    wait(bell)
    beside.settle()
    assert places[1] is not threading.current_thread(), "now there is one"


def test_a_bell_that_rang_before_anybody_waited(bell: Bell) -> None:
    bell.ring()
    bell.ring()
    wait(bell)
    assert not hears(bell), "once for all"


def test_a_closed_bell_is_silent() -> None:
    """Its number may be another file's by now."""
    bell = Bell()
    bell.close()
    bell.ring()
    assert bell.fileno() == -1
