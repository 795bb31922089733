"""Stays behind to repeat a last ACK (RFC 1350 section 6).

Whoever fetched a file should wait a while after the last ACK: if that was lost, the
server sends its last block again and would otherwise fail, though the file is here. The
call that fetched the file does not wait with it: a daemon thread of the process, started
when it is needed and gone when it is not, answers for all transfers that are in this
last state. Their files are committed already. Must not know where a file went.
"""

import atexit
import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from tftp.net.clock import now
from tftp.net.udp import Endpoint
from tftp.protocol.receiver import Receiver
from tftp.protocol.transfer import Datagram

__all__ = ["MAX_DALLYING", "Dallying", "Keep", "Keeper", "keep", "serve"]

MAX_DALLYING = 128  # each holds a descriptor and a port; the oldest makes room


class Dallying(NamedTuple):
    """A transfer that has everything, and its socket."""

    endpoint: Endpoint
    transfer: Receiver

    def answer(self, buffer: bytearray) -> None:
        """Takes what has arrived, and repeats the last ACK where that is due."""
        arrival = self.endpoint.receive_into(buffer)
        if arrival is None:
            return
        size, stride, source = arrival
        self.transfer.receive_train(memoryview(buffer)[:size], stride, source, now())
        last: bytes | None = None
        while (word := self.transfer.poll()) is not None:
            # One arrival is one cause, however many copies of the block it holds.
            if isinstance(word, Datagram) and word.data != last:
                self.endpoint.send(word.data, word.to)
                last = word.data

    def over(self, time: float) -> bool:
        """Tells whether the time of dallying is up."""
        self.transfer.expire(time)
        return self.transfer.deadline is None


Keep = Callable[[Dallying], None]
"""Takes over a dallying transfer, and closes its socket in the end."""


def serve(dallying: Dallying) -> None:
    """Serves one transfer until its time is up, in this thread; closes the socket."""
    buffer = bytearray(65536)
    watch = select.poll()
    watch.register(dallying.endpoint.fileno(), select.POLLIN)
    try:
        while not dallying.over(time := now()):
            assert dallying.transfer.deadline is not None
            if watch.poll(ceil((dallying.transfer.deadline - time) * 1000)):
                dallying.answer(buffer)
    finally:
        dallying.endpoint.close()


class Keeper:
    """Serves many transfers from one thread, which lives as long as there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: deque[Dallying] = deque()
        self._thread: threading.Thread | None = None
        self._wake = -1
        self._leaving = False

    def keep(self, dallying: Dallying) -> None:
        """Takes over a transfer."""
        with self._lock:
            if self._leaving:
                dallying.endpoint.close()
                return
            self._new.append(dallying)
            if self._thread is None:
                self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                self._thread = threading.Thread(target=self._run, name="tftp-dally", daemon=True)
                self._thread.start()
            else:
                os.eventfd_write(self._wake, 1)

    def leave(self) -> None:
        """Closes everything and ends the thread; what comes later is closed at once."""
        with self._lock:
            self._leaving = True
            thread = self._thread
            if thread is not None:
                os.eventfd_write(self._wake, 1)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        wards: dict[int, Dallying] = {}
        buffer = bytearray(65536)
        watch = select.poll()
        watch.register(self._wake, select.POLLIN)
        while self._adopt(wards, watch):
            deadlines = [ward.transfer.deadline or 0.0 for ward in wards.values()]
            pause = max(0.0, min(deadlines) - now())
            for descriptor, _ in watch.poll(ceil(pause * 1000)):
                if descriptor in wards:
                    wards[descriptor].answer(buffer)

    def _adopt(self, wards: dict[int, Dallying], watch: select.poll) -> bool:
        """Takes in what is new, lets go what is over; False when nothing is left to do."""
        with self._lock:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            while self._new:
                ward = self._new.popleft()
                wards[ward.endpoint.fileno()] = ward
                watch.register(ward.endpoint.fileno(), select.POLLIN)
            time = now()
            surplus = len(wards) - MAX_DALLYING
            for place, (descriptor, ward) in enumerate(list(wards.items())):
                if self._leaving or place < surplus or ward.over(time):
                    watch.unregister(descriptor)
                    ward.endpoint.close()
                    del wards[descriptor]
            if wards:
                return True
            os.close(self._wake)
            self._wake, self._thread = -1, None
            return False


_keeper = Keeper()


def keep(dallying: Dallying) -> None:
    """Hands a transfer to the thread of this process."""
    _keeper.keep(dallying)


def _begin_anew() -> None:
    """Gives a forked child a keeper of its own: the thread has stayed with the parent."""
    global _keeper  # noqa: PLW0603
    _keeper = Keeper()


os.register_at_fork(after_in_child=_begin_anew)


@atexit.register
def _leave() -> None:
    """Closes the sockets while there is still an interpreter to do it."""
    _keeper.leave()
