"""Clients that read and write all the time, and count what did not go well."""

import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import tftp
from tests.server.wire import PATIENCE

__all__ = ["FILES", "Crowd", "fill"]

SIZES = (0, 100, 512, 5_000, 20_000)
FILES = {f"f{size}": bytes((n * 7 + size) & 0xFF for n in range(size)) for size in SIZES}
WRITERS = 5  # every so many-th client writes


def fill(root: Path) -> None:
    for name, content in FILES.items():
        (root / name).write_bytes(content)


class Crowd:
    """Threads, each a client that makes one transfer after the other until the end."""

    def __init__(self, port: int, root: Path, clients: int = 20, *, uploads: bool = True) -> None:
        self.failures: list[str] = []
        self.done = 0
        self._port = port
        self._root = root
        self._uploads = uploads
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    def wait_for(self, transfers: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Waits until so many transfers have been made."""
        until = monotonic() + 3 * PATIENCE
        while self.done < transfers:
            meanwhile()
            assert not self.failures, self.failures
            assert monotonic() < until, f"only {self.done}"
            self._end.wait(0.02)

    def leave(self) -> None:
        """Lets all end the transfer that they are at."""
        self._end.set()
        for thread in self._threads:
            thread.join(3 * PATIENCE)
            assert not thread.is_alive()

    def _run(self, number: int) -> None:
        writes = self._uploads and number % WRITERS == 0
        names = list(FILES)
        for turn in count():
            if self._end.is_set():
                return
            name = names[(number + turn) % len(names)]
            try:
                self._write(f"up-{number}-{turn}", FILES[name]) if writes else self._read(name)
            except (tftp.TftpError, OSError, AssertionError) as error:
                self.failures.append(f"{number}/{turn} {name}: {error!r}")
            with self._lock:
                self.done += 1

    def _read(self, name: str) -> None:
        window = 4 if len(name) > 4 else 1
        content = tftp.get("127.0.0.1", name, port=self._port, window=window)
        assert content == FILES[name], "other octets than those of the file"

    def _write(self, name: str, content: bytes) -> None:
        tftp.put("127.0.0.1", name, content, port=self._port)
        assert (self._root / name).read_bytes() == content, "other octets than were sent"
