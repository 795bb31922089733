"""Work that may wait for a disk, beside the loop: never more than a few threads of it.

The loop has one thread, and nothing in it may take long. So what does (making an upload
durable before its last ACK goes, RFC 1350 section 6) runs in another thread, and what
follows from it runs in the loop again, which is woken for it. Must not know what the
work is, or anything of transfers.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

__all__ = ["Bell", "Beside"]

T = TypeVar("T")


class Bell:
    """Wakes a loop that waits for `fileno` to become readable."""

    def __init__(self) -> None:
        """Makes an eventfd."""
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.RLock()  # a signal may come while this very thread has it

    def fileno(self) -> int:
        """Returns the descriptor, to wait on."""
        return self._fd

    def ring(self) -> None:
        """Has the loop look around; fit for any thread and for signal handlers.

        Does nothing once it is closed, when the number may be another file's.
        """
        with self._lock:
            if self._fd >= 0:
                os.eventfd_write(self._fd, 1)

    def hush(self) -> None:
        """Stops ringing. Call it when `fileno` is readable."""
        os.eventfd_read(self._fd)

    def close(self) -> None:
        """Closes the descriptor."""
        with self._lock:
            os.close(self._fd)
            self._fd = -1


class Beside:
    """Runs functions in a few threads, and what follows from each of them in the loop."""

    def __init__(self, bell: Bell, threads: int, name: str) -> None:
        """Starts no thread yet; `name` is what they will be called."""
        self._bell = bell
        self._threads = threads
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._has_thread = False
        self._done: deque[Callable[[], None]] = deque()

    def run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Calls `work` in a thread, and then `then` with what it returned, in `settle`.

        `work` raises nothing: what may go wrong is a part of what it returns.
        """

        def call() -> None:
            self._done.append(partial(then, work()))
            self._bell.ring()

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, self._name)
        try:
            self._pool.submit(call)
            self._has_thread = True
        except RuntimeError:  # no thread is to be had; those that there are will come to it
            if not self._has_thread:
                self._pool = None  # with what it has queued
                call()

    def settle(self) -> None:
        """Does in the calling thread, which is the loop's, what follows from work that is done."""
        while self._done:
            self._done.popleft()()

    def close(self) -> None:
        """Waits for all work, and settles it."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
        self.settle()
