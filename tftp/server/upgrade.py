"""Taking the port over from a server that runs: the old one ends once the new one answers.

Both listen for a moment (SO_REUSEPORT); then the old one gets SIGTERM, answers what has
reached it, closes its sockets, and lets its transfers end (RFC 1350 section 4: each has a
port of its own, so the new server is not in their way). By then the new one has given up the
right to signal others, so a child that was forked before does it. Must not know about sockets.
"""

import logging
import os
import signal

from tftp.errors import LocalError
from tftp.server.journal import Journal

__all__ = ["Predecessor"]


class Predecessor:
    """The server that is to be replaced, by its process."""

    def __init__(self, process: int, journal: Journal | None = None) -> None:
        """Gets hold of it, and forks. Raises LocalError where there is no such process.

        For a process of one thread, before it gives up rights.
        """
        self.process = process
        """Its number."""
        self._journal = journal or Journal()
        if process in (os.getpid(), os.getppid(), 1):
            raise LocalError(f"Process {process} is not a server to replace")
        try:
            target = os.pidfd_open(process)  # its number may be another's when we are ready
        except (OSError, OverflowError) as error:
            raise LocalError(f"There is no process {process} to replace") from error
        order, self._line = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(self._line)
            _wait_and_signal(order, target)
        os.close(order)
        os.close(target)

    def dismiss(self) -> None:
        """Has it end; says so when it cannot. To be called once; raises nothing."""
        try:
            os.write(self._line, b"x")
            os.close(self._line)
            number = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        except OSError as error:
            number = error.errno or -1
        if number:
            why = os.strerror(number) if number > 0 else f"signal {-number}"
            told = f"process {self.process} could not be told to end ({why})"
            self._journal.say(logging.WARNING, "replace", told)
        else:
            told = f"process {self.process} is replaced: it lets its transfers end"
            self._journal.say(logging.INFO, "replace", told)


def _wait_and_signal(order: int, target: int) -> None:
    """Waits for the order, in the child; without one, the new server has failed."""
    status = 0
    try:
        if os.read(order, 1):
            signal.pidfd_send_signal(target, signal.SIGTERM)
    except OSError as error:
        status = error.errno or 1
    finally:
        os._exit(status)
