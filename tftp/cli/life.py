"""The life of `tftp-serve` around its serving: whom it follows, who watches it, what it rereads.

The service manager is told when requests are answered (sd_notify(3)) and when that ends,
settings come from a file at the start and at each SIGHUP, and the server that this one
replaces is sent away once this one answers. Must not know how anything is served.
"""

import os
import signal
from pathlib import Path
from types import FrameType

from tftp.server import Config, Server
from tftp.server.chores import Chore
from tftp.server.notify import Manager, Watch
from tftp.server.reload import Reloader, SettingsFile
from tftp.server.upgrade import Predecessor
from tftp.server.workers import Workers

__all__ = ["Life"]


class Life:
    """What is made before the server is, while all rights are there."""

    def __init__(self, settings: Path | None, replaces: int | None, config: Config) -> None:
        """Reads the settings, which go before those of `config`. Raises LocalError."""
        self.manager = Manager.from_environment()
        self._predecessor = Predecessor(replaces) if replaces is not None else None
        self._file = SettingsFile(settings, config) if settings is not None else None
        self._reloader = None
        if self._file is not None:
            self._reloader = Reloader(self._file, manager=self.manager)
        self.config = self._reloader.settings.applied(config) if self._reloader else config
        """With what the file says."""

    @property
    def joins(self) -> bool:
        """Whether another server may listen on the port."""
        return self._predecessor is not None

    @property
    def readable(self) -> list[int]:
        """Returns the descriptors of folders that have to stay readable: that of the settings."""
        return [self._file.fileno()] if self._file is not None else []

    @property
    def chores(self) -> list[Chore]:
        """Returns what the server has to do beside its work."""
        then = self._predecessor.dismiss if self._predecessor is not None else None
        return [Watch(self.manager, then)]

    def handle_signals(self, server: Server | Workers) -> None:
        """Has signals stop the server, and reread the file if there is one.

        Without a file, SIGHUP goes on to mean that the terminal has gone.
        """

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.manager.stopping()
            server.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        reloader = self._reloader
        if reloader is not None:

            def reload(_number: int, _frame: FrameType | None) -> None:
                if isinstance(server, Workers):
                    server.reload(reloader)
                else:
                    reloader.ask(server.set)

            signal.signal(signal.SIGHUP, reload)

    def tell(self, text: str) -> None:
        """Tells the service manager, in a line for people, what is served."""
        self.manager.status(f"{text} (process {os.getpid()})")
