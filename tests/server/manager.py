"""A service manager, as far as a server sees it: a socket that takes what sd_notify(3) sends."""

import os
import socket
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from tests.server.wire import PATIENCE

__all__ = ["FakeManager"]


class FakeManager:
    """Listens at a path, or at an abstract name with `@` in front."""

    def __init__(self, address: Path | str) -> None:
        self.address = os.fspath(address)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        abstract = self.address.startswith("@")
        self.socket.bind("\0" + self.address[1:] if abstract else self.address)
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()
        if not self.address.startswith("@"):
            Path(self.address).unlink(missing_ok=True)

    def hear(self) -> list[str]:
        """Waits for a message, and returns its lines."""
        self.socket.settimeout(PATIENCE)
        text = self.socket.recv(4096).decode()
        self.heard.append(text)
        return text.split("\n")

    def wait_for(self, line: str) -> list[str]:
        """Waits for a message with that line in it."""
        until = monotonic() + PATIENCE
        while line not in (lines := self.hear()):
            assert monotonic() < until, f"no {line}: {self.heard}"
        return lines

    def is_silent(self, seconds: float = 0.0) -> bool:
        """Tells whether nothing waits here, or comes within so many seconds."""
        self.socket.settimeout(seconds)
        try:
            self.heard.append(self.socket.recv(4096).decode())
        except (BlockingIOError, TimeoutError):
            return True
        return False
