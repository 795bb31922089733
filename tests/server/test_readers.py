"""Threads that wait for disks: a few at most, and nobody has to wait for them."""

import select
import threading
from collections.abc import Callable, Iterator

import pytest

from tftp.server.beside import Bell
from tftp.server.readers import MOMENT, Readers

PATIENCE = 20.0


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


@pytest.fixture
def readers(bell: Bell) -> Iterator[Readers]:
    readers = Readers(bell, 3)
    yield readers
    readers.close()


def settle(bell: Bell, readers: Readers, done: list[int], wanted: int) -> None:
    """Does what the loop does, until so much has followed."""
    while len(done) < wanted:
        assert select.select([bell], [], [], PATIENCE)[0]
        bell.hush()
        readers.settle()


def held(gate: threading.Event, number: int, entered: list[int]) -> Callable[[], int]:
    def work() -> int:
        entered.append(number)
        assert gate.wait(PATIENCE)
        return number

    return work


def test_what_follows_runs_in_the_loop(bell: Bell, readers: Readers) -> None:
    workers: list[int] = []
    done: list[int] = []

    def work() -> int:
        workers.append(threading.get_ident())
        return 7

    def then(number: int) -> None:
        assert threading.get_ident() == here
        done.append(number)

    here = threading.get_ident()
    readers.run(work, then)
    settle(bell, readers, done, 1)
    assert done == [7]
    assert here not in workers


def test_no_more_threads_than_allowed(bell: Bell, readers: Readers) -> None:
    before = threading.active_count()
    gate = threading.Event()
    entered: list[int] = []
    done: list[int] = []
    for number in range(10):
        readers.run(held(gate, number, entered), done.append)
    assert threading.active_count() == before + 3
    gate.set()
    settle(bell, readers, done, 10)
    assert sorted(done) == list(range(10))


def test_one_thread_is_enough_for_one_after_the_other(bell: Bell, readers: Readers) -> None:
    before = threading.active_count()
    done: list[int] = []
    for number in range(5):
        readers.run(lambda number=number: number, done.append)  # type: ignore[misc]
        settle(bell, readers, done, number + 1)
    assert done == list(range(5))
    assert threading.active_count() == before + 1


@pytest.mark.fault
def test_without_threads_the_loop_does_it_itself(
    bell: Bell, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []
    readers.run(lambda: 1, done.append)
    settle(bell, readers, done, 1)
    monkeypatch.undo()
    readers.run(lambda: 2, done.append)
    settle(bell, readers, done, 2)
    assert done == [1, 2]


def test_the_end_waits_for_what_is_quick(bell: Bell) -> None:
    readers = Readers(bell)
    done: list[int] = []
    for number in range(50):
        readers.run(lambda number=number: number, done.append)  # type: ignore[misc]
    readers.close()
    assert sorted(done) == list(range(50))


@pytest.mark.fault
def test_the_end_does_not_wait_for_what_hangs(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows from that is still done, by then in the thread itself."""
    monkeypatch.setattr("tftp.server.readers.MOMENT", MOMENT / 100)
    gate, followed = threading.Event(), threading.Event()
    readers = Readers(bell)
    readers.run(lambda: gate.wait(PATIENCE), lambda _: followed.set())
    readers.close()
    assert not followed.is_set()
    gate.set()
    assert followed.wait(PATIENCE)


def test_a_hanging_thread_does_not_keep_the_process(readers: Readers) -> None:
    gate, entered = threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        gate.wait(PATIENCE)

    readers.run(work, lambda _: None)
    assert entered.wait(PATIENCE)
    mine = [thread for thread in threading.enumerate() if thread.name.startswith("tftp-read")]
    assert mine
    assert all(thread.daemon for thread in mine)
    gate.set()
