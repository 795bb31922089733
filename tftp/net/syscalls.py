"""System calls for which Python has no spelling, by their numbers or their names in libc.

Every failure is an OSError with the kernel's number, as from functions of `os`. The numbers
are those of calls made since Linux 4.17 or so, which have one number on all machines.
Must not know what the calls are for.
"""

import ctypes
import errno
import os

__all__ = ["call", "capget", "capset", "prctl"]

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def call(number: int, *arguments: int | bytes | None) -> int:
    """Makes a system call. Octets are for the kernel to read; None is the null pointer.

    Whole numbers are made as wide as a register.
    """
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return _checked(_syscall(ctypes.c_long(number), *wide))


def prctl(option: int, *arguments: int) -> int:
    """Makes the system call prctl; arguments not given are 0, as most options demand."""
    given = [*arguments, 0, 0, 0, 0][:4]
    return _checked(_named("prctl")(ctypes.c_int(option), *map(ctypes.c_ulong, given)))


def capget() -> tuple[int, int, int]:
    """Returns the sets of capabilities of this thread: effective, permitted, inheritable."""
    words = (ctypes.c_uint32 * 6)()
    _checked(_named("capget")(_header(), words))
    low, high = words[:3], words[3:]
    effective, permitted, inheritable = (a | b << 32 for a, b in zip(low, high, strict=True))
    return effective, permitted, inheritable


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Sets the capabilities of this thread."""
    sets = (effective, permitted, inheritable)
    low, high = [one & 0xFFFFFFFF for one in sets], [one >> 32 for one in sets]
    _checked(_named("capset")(_header(), (ctypes.c_uint32 * 6)(*low, *high)))


def _header() -> object:
    return ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0))


def _named(name: str) -> "ctypes._NamedFuncPointer":
    """Returns a function of libc. Raises OSError where it has none of that name."""
    try:
        return getattr(_libc, name)  # type: ignore[no-any-return]
    except AttributeError as error:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
