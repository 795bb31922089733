"""Where the lines of a server go, and in which form: for people, or one JSON object each.

Must not know what is said in them.
"""

import fcntl
import json
import logging
import os
import sys
import time
from typing import TextIO

from tftp.server.journal import Notice
from tftp.server.report import Report

__all__ = ["say", "set_up_log"]


def say(event: str, message: str, level: int = logging.INFO) -> None:
    """Tells the operator something."""
    logging.getLogger("tftp.server").log(level, Notice(event, message))


def set_up_log(log_format: str, level: int, *, shared: bool) -> None:
    """Has lines from `level` on written; `shared`: by several processes."""
    handler = _Turns(sys.stderr) if shared else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    logger = logging.getLogger("tftp")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    logging.raiseExceptions = False  # a log that cannot be written must not stop the serving


class _Turns(logging.StreamHandler[TextIO]):
    """Lets processes that are forked later write by turns, so that their lines stay whole.

    A pipe that is full takes long lines in pieces. Whoever dies has had its turn.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._turn = os.memfd_create("tftp-log")

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        fcntl.lockf(self._turn, fcntl.LOCK_EX)
        try:
            super().emit(record)
        finally:
            fcntl.lockf(self._turn, fcntl.LOCK_UN)


class _Text(logging.Formatter):
    """Local time and the line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        return f"{moment} {record.getMessage()}"


class _Json(logging.Formatter):
    """One object a line, with UTC time and level."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
        }
        told = record.msg
        if isinstance(told, Report | Notice):
            line |= told.fields()
        else:
            line["message"] = record.getMessage()
        return json.dumps(line)
