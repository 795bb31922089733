"""A few threads that read for the loop, and that nobody ever has to wait for.

A disk may take its time, and one across a network may never answer. So these threads end
with the process, whatever they wait for, and `close` gives them a moment, not more: unlike
uploads, which are made durable beside the loop too, nothing is lost with a read. What
follows from a read runs in the loop again, which is woken for it. Must not know what is read.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from tftp.net.clock import now
from tftp.server.beside import Bell

__all__ = ["READERS", "Readers"]

READERS = 8  # a disk sorts requests that it has at once; more would wait for each other
MOMENT = 1.0  # seconds for reads that are under way when the server ends

T = TypeVar("T")


class Readers:
    """Runs functions in threads, and what follows from each of them in the loop."""

    def __init__(self, bell: Bell, threads: int = READERS) -> None:
        """Starts none yet."""
        self._bell = bell
        self._most = threads
        self._threads: list[threading.Thread] = []
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._done: deque[Callable[[], None]] = deque()
        self._pending = 0
        self._lock = threading.RLock()
        self._closed = False

    def run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Calls `work` in a thread, and then `then` with what it returned, in `settle`.

        `work` raises nothing: what may go wrong is a part of what it returns.
        """

        def call() -> None:
            follow = partial(then, work())
            with self._lock:
                if self._closed:
                    follow()  # the loop has left, and nobody else is there any more
                else:
                    self._done.append(follow)
            self._bell.ring()

        self._pending += 1
        if len(self._threads) < min(self._most, self._pending):
            self._start()
        if self._threads:
            self._work.put(call)
        else:
            call()  # no thread is to be had

    def settle(self) -> None:
        """Does in the calling thread, which is the loop's, what follows from work that is done."""
        while self._done:
            self._pending -= 1
            self._done.popleft()()

    def close(self) -> None:
        """Lets the threads end with the work that they have, and waits a moment for that.

        What has not begun yet will be: work that nobody wants any more should see so by
        itself. From here on a thread does itself what follows, one at a time.
        """
        for _ in self._threads:
            self._work.put(None)
        end = now() + MOMENT
        for thread in self._threads:
            thread.join(max(0.0, end - now()))
        with self._lock:
            self._closed = True
            self.settle()

    def _start(self) -> None:
        name = f"tftp-read-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        with suppress(RuntimeError):  # those that there are will come to it
            thread.start()
            self._threads.append(thread)

    def _serve(self) -> None:
        while (call := self._work.get()) is not None:
            call()
