"""A progress bar on standard error, for people who wait.

It appears only on a terminal, and only once a transfer has taken a moment: until then the
library that draws it is not even loaded. What can be drawn without it is one line at
the end. Must not know what is transferred, or how.
"""

import sys
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Bar", "printable", "show_size"]

PATIENCE = 0.25  # seconds without a bar: loading it takes a good part of that


class Bar:
    """Draws a bar for one file; it is the `progress` of a download or an upload."""

    def __init__(self, label: str, *, wanted: bool) -> None:
        self._label = printable(label)
        self._wanted = wanted and sys.stderr is not None and sys.stderr.isatty()
        self._start = monotonic()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    @property
    def wanted(self) -> bool:
        """Whether there is somebody to look at it."""
        return self._wanted

    @property
    def drawn(self) -> bool:
        """Whether it has come to be shown."""
        return self._task is not None

    def __call__(self, done: int, total: int | None) -> None:
        """Takes the octets so far, and those in all where they are known."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total)
            self._progress.refresh()
        elif self._wanted and done != total and monotonic() - self._start >= PATIENCE:
            self._draw(done, total)

    def close(self) -> None:
        """Leaves the bar as it is, and the cursor below it."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _draw(self, done: int, total: int | None) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,  # no thread: a command that forks must not have one
        )
        self._progress.start()
        self._task = self._progress.add_task(escape(self._label), completed=done, total=total)


def printable(text: str) -> str:
    """Returns a text from outside with everything escaped that a terminal could obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def show_size(octets: float) -> str:
    """Returns a number of octets as people read it."""
    if octets < 1000:
        return f"{octets:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        octets /= 1000
        if octets < 1000 or unit == "GB":
            break
    return f"{octets:.1f} {unit}"
