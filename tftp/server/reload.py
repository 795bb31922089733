"""Limits and rules from a TOML file, and again whenever the operator asks for it (SIGHUP).

The keys are the fields of `Limits`, and `allow`, `deny`, `allow_upload`, `deny_upload`. A file
with anything wrong in it is refused as a whole, in one sentence that says where and what is
allowed; what was in force stays. The folder of the file is opened at the start and kept, so
that the file can be read again, also where an editor has put a new one in its place, by a
process without rights. Must not know about transfers.
"""

import json
import logging
import math
import os
import re
import stat
import threading
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from queue import SimpleQueue
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from tftp.errors import LocalError
from tftp.protocol.options import MIN_BLOCK_SIZE
from tftp.protocol.packets import MAX_BLOCK_SIZE
from tftp.server.access import Access, Network, parse_network
from tftp.server.config import Config, Limits
from tftp.server.journal import Journal
from tftp.server.notify import Manager

__all__ = ["Reloader", "Settings", "SettingsFile", "parse_settings"]

LARGEST = 64 << 10  # octets of the file
SHOWN = 3  # networks told of in a line, before they are only counted

RULES = tuple(rule.name for rule in fields(Access))
NONE = "none"
"""How the file says that there is no limit, where there may be none."""

# Least and most of the numbers; of those not named here, 0 and no end.
BOUNDS: dict[str, tuple[int, int | None]] = {
    "transfers": (1, None),
    "request": (512, 65535),
    "waiting": (1, None),
    "block_size": (MIN_BLOCK_SIZE, MAX_BLOCK_SIZE),
    "block_size_least": (MIN_BLOCK_SIZE, MAX_BLOCK_SIZE),
    "window": (1, 65535),
    "hosts": (1, None),
}
PORTS = (0, 65535)
NETWORKS = 'they look like "192.0.2.0/24" or "2001:db8::/32", with no bits behind the prefix'


class Settings(NamedTuple):
    """What can be changed while the server runs."""

    limits: Limits
    access: Access

    def applied(self, config: Config) -> Config:
        """Returns the configuration with these settings."""
        return replace(config, limits=self.limits, access=self.access)

    def pack(self) -> bytes:
        """Returns octets of which `unpack` makes the same settings."""
        table = {name: _plain(getattr(self.limits, name)) for name in _KINDS}
        table |= {name: list(map(str, getattr(self.access, name))) for name in RULES}
        return json.dumps(table).encode()

    @staticmethod
    def unpack(octets: bytes) -> "Settings":
        """Returns the settings that `pack` was called on."""
        return _settle(json.loads(octets), DEFAULT, lambda _: "")

    def changes(self, new: "Settings") -> str:
        """Returns what differs in the new ones, in words for people; empty: nothing does."""
        told = []
        for name in _KINDS:
            before, after = getattr(self.limits, name), getattr(new.limits, name)
            if before != after:
                told.append(f"{name} {_spelled(before)} -> {_spelled(after)}")
        for name in RULES:
            before, after = set(getattr(self.access, name)), set(getattr(new.access, name))
            signs = [*_signed("+", after - before), *_signed("-", before - after)]
            if signs:
                told.append(f"{name} {' '.join(signs)}")
        return ", ".join(told)


DEFAULT = Settings(Limits(), Access())


class SettingsFile:
    """The file, by its folder."""

    def __init__(self, path: str | os.PathLike[str], base: Config | None = None) -> None:
        """Opens the folder. Raises LocalError. What the file does not name is as in `base`."""
        self.path = os.fspath(path)
        """As it was given, for people."""
        base = base or Config()
        self._base = Settings(base.limits, base.access)
        folder, self._name = os.path.split(self.path)
        try:
            self._folder = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise LocalError(f"{self.path}: {_reason(error)}") from error

    def fileno(self) -> int:
        """Returns the descriptor of the folder, under which a sandbox has to allow reading."""
        return self._folder

    def load(self) -> Settings:
        """Reads the file. Raises LocalError with one sentence that names it."""
        try:
            text = self._read()
            return parse_settings(text, self._base)
        except (OSError, ValueError) as error:
            raise LocalError(f"{self.path}: {_reason(error)}") from error

    def close(self) -> None:
        """Closes the folder."""
        os.close(self._folder)

    def _read(self) -> str:
        # Not to wait for somebody who writes, should it be a pipe.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        fd = os.open(self._name, flags, dir_fd=self._folder)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ValueError("it is no regular file")
            octets = file.read(LARGEST + 1)
        if len(octets) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST} octets")
        try:
            return octets.decode()
        except UnicodeDecodeError as error:
            line = octets[: error.start].count(b"\n") + 1
            raise ValueError(f"line {line} is not UTF-8") from None


def parse_settings(text: str, base: Settings | None = None) -> Settings:
    """Reads the text of a file. Raises ValueError with a sentence that says where.

    What it does not name is as in `base`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is no TOML: {_uncapital(str(error))}") from None
    except RecursionError:
        raise ValueError("it is no TOML: too deeply nested") from None
    return _settle(table, base or DEFAULT, lambda key: _line_of(key, text))


class Reloader:
    """Reads the file again when asked to, and tells the log and the service manager about it."""

    def __init__(
        self, file: SettingsFile, *, journal: Journal | None = None, manager: Manager | None = None
    ) -> None:
        """Reads the file for the first time. Raises LocalError."""
        self.settings = file.load()
        """The newest that were good."""
        self._file = file
        self._journal = journal or Journal()
        self._manager = manager or Manager(None)
        self._asked: SimpleQueue[Callable[[Limits, Access], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def reread(self) -> Settings | None:
        """Reads the file; returns what is to hold now, or None where the old settings stay."""
        self._manager.reloading()
        try:
            found = self._file.load()
        except LocalError as error:
            line = f"the settings stay as they are: {error}"
            self._journal.say(logging.WARNING, "reload", line)
            return None
        else:
            changes = self.settings.changes(found) or "nothing has changed"
            self._journal.say(logging.INFO, "reload", f"settings reloaded: {changes}")
            self.settings = found
            return found
        finally:
            self._manager.ready()

    def ask(self, adopt: Callable[[Limits, Access], None]) -> None:
        """Has the file read in a thread, since disks may be slow, and `adopt` called there.

        Fit for signal handlers. Of those who ask while it is read, the last one is answered.
        """
        self._asked.put(adopt)
        if self._thread is None:
            self._thread = threading.Thread(target=self._answer, name="tftp-reload", daemon=True)
            with suppress(RuntimeError):  # no thread is to be had: the old settings stay
                self._thread.start()
                return
            self._thread = None

    def _answer(self) -> None:
        while True:
            adopt = self._asked.get()
            while not self._asked.empty():
                adopt = self._asked.get()
            settings = self.reread()
            if settings is not None:
                adopt(*settings)


# ---------------------------------------------------------------- from a table to settings

_KINDS: dict[str, Any] = get_type_hints(Limits)

# `Any`: a TOML table holds anything, and each value is looked at here.


def _settle(table: dict[str, Any], base: Settings, where: Callable[[str], str]) -> Settings:
    """Makes settings of a table; `where` tells the place of a key, for the sentence."""
    limits: dict[str, Any] = {}
    rules: dict[str, tuple[Network, ...]] = {}
    for key, value in table.items():
        try:
            if key in RULES:
                rules[key] = _networks(value)
            elif key in _KINDS:
                limits[key] = _limit(key, value)
            else:
                known = ", ".join((*_KINDS, *RULES))
                raise ValueError(f"there is no such setting; there are {known}")
        except ValueError as error:
            raise ValueError(f"{where(key)}{_shown(key)}: {error}") from None
    settings = Settings(replace(base.limits, **limits), replace(base.access, **rules))
    if settings.limits.block_size_least > settings.limits.block_size:
        place = where("block_size_least") or where("block_size")
        raise ValueError(f"{place}block_size_least: it must not be above block_size")
    return settings


def _limit(key: str, value: Any) -> object:
    kind = _KINDS[key]
    if get_origin(kind) is frozenset:
        return _ports(value)
    optional = isinstance(kind, UnionType) and NoneType in get_args(kind)
    if optional and value == NONE:
        return None
    whole = kind is int or (optional and int in get_args(kind))
    least, most = BOUNDS.get(key, (0, None))
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right or not math.isfinite(value) or value < least or (most and value > most):
        number = "a whole number" if whole else "a number"
        span = f"from {least} to {most}" if most else f"of {least} or more"
        also = f', or "{NONE}"' if optional else ""
        raise ValueError(f"{_shown(value)} is not {number} {span}{also}")
    return value if whole else float(value)


def _ports(value: Any) -> frozenset[int]:
    least, most = PORTS
    if isinstance(value, list) and all(
        type(port) is int and least <= port <= most for port in value
    ):
        return frozenset(value)
    raise ValueError(f"{_shown(value)} is not a list of ports from {least} to {most}")


def _networks(value: Any) -> tuple[Network, ...]:
    if not isinstance(value, list):
        raise ValueError(f'{_shown(value)} is not a list of networks, such as ["192.0.2.0/24"]')
    found = []
    for text in value:
        try:
            found.append(parse_network(text if isinstance(text, str) else ""))
        except ValueError:
            raise ValueError(f"{_shown(text)} is no network; {NETWORKS}") from None
    return tuple(found)


# ---------------------------------------------------------------- for people


def _line_of(key: str, text: str) -> str:
    """Returns where a key stands; empty where it is spelled in another way, as in a header."""
    spelled = re.escape(key)
    pattern = re.compile(rf"""\s*(?:\[\[?\s*)?(["']?){spelled}\1\s*[.=\]]""")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return f"line {number}: "
    return ""


def _shown(value: object) -> str:
    text = value if isinstance(value, str) and value.isidentifier() else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _spelled(value: object) -> str:
    if isinstance(value, frozenset):
        return " ".join(map(str, sorted(value))) or NONE
    return NONE if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _signed(sign: str, networks: set[Network]) -> list[str]:
    told = [sign + str(network) for network in sorted(networks, key=str)]
    return [*told[:SHOWN], f"{sign}{len(told) - SHOWN} more"] if len(told) > SHOWN + 1 else told


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return NONE if value is None else value


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror})"
    return str(error)


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:]
