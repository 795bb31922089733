"""The server as its users run it: `tftp-serve` in a process of its own."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from tests.net.children import PROJECT
from tests.server.wire import PATIENCE, Address, Peer

__all__ = ["COMMAND", "Serving", "environment"]

COMMAND = (sys.executable, "-c", "from tftp.cli.serve import main; main()")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "COLUMNS": "100", "TERM": "dumb"}


class Serving:
    """`tftp-serve` from its start to its end; its lines are those on stderr.

    It listens on a free port of loopback, unless the options say otherwise.
    """

    def __init__(self, root: Path | str, *options: str | Path, under: tuple[str, ...] = ()) -> None:
        listen = () if "--port" in options else ("--host", "127.0.0.1", "--port", "0")
        self.process = subprocess.Popen(
            [*under, *COMMAND, str(root), *listen, *map(str, options)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.seen: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="stderr", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self, pattern: str) -> re.Match[str]:
        """Waits for a line in which the pattern is found."""
        until = monotonic() + PATIENCE
        while True:
            line = self._lines.get(timeout=max(0.0, until - monotonic()))
            assert line is not None, f"it ended without {pattern!r}: {self.seen}"
            self.seen.append(line)
            if found := re.search(pattern, line):
                return found

    def listening(self) -> Self:
        """Waits until it listens."""
        self._port = int(self.line(r"listening on \S+?:(\d+)")[1])
        return self

    def peer(self, bind: Address | None = None) -> Peer:
        return Peer(("127.0.0.1", self._port), bind)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Waits for its end, and returns the exit status."""
        status = self.process.wait(PATIENCE)
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            self.seen.append(line)
        return status

    def status(self, key: str) -> str:
        """Reads a line of /proc/PID/status."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return next(line.split(":", 1)[1].strip() for line in text.splitlines() if key in line)

    def descriptors(self) -> int:
        """Counts its open files."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
