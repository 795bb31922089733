"""Opens a folder below another one in a single step that never leads out of it: openat2(2).

Where the kernel has the call (Linux 5.6), it resolves a whole name, links and all, and
refuses whatever would leave the folder it began at, also when somebody moves folders about
meanwhile. Links to the likes of /proc/self/fd, which know no path, are refused too.
Must not know about names from the wire, or what is done after a refusal.
"""

import ctypes
import errno
import os
from collections.abc import Callable

__all__ = ["OpenBelow", "find", "folder_below"]

OpenBelow = Callable[[int, bytes], int]
"""What `folder_below` is: takes an open folder and a relative name, returns a descriptor."""

NO_MAGICLINKS = 0x02
BENEATH = 0x08

# Prepared once: this is on the way of every request. The kernel only reads open_how, which
# is flags, mode, and how to resolve.
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_OPENAT2 = ctypes.c_long(437)
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_HOW = (ctypes.c_uint64 * 3)(_FOLDER, 0, BENEATH | NO_MAGICLINKS)
_SIZE = ctypes.c_size_t(ctypes.sizeof(_HOW))


def folder_below(folder: int, name: bytes) -> int:
    """Opens the folder `name`, which is not absolute, at or below `folder`, as a `dir_fd`.

    Raises OSError: EXDEV for what leads out, EAGAIN for what may have been moved meanwhile.
    """
    file: int = _syscall(_OPENAT2, folder, name, _HOW, _SIZE)
    if file < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return file


def find(folder: int) -> OpenBelow | None:
    """Returns `folder_below` if it works at an open folder; None where it does not.

    The kernel may be older, or whoever started us may have forbidden the call.
    """
    try:
        os.close(folder_below(folder, b"."))
    except PermissionError as error:
        if error.errno != errno.EACCES:  # that is about the folder, not about the call
            return None
    except OSError:
        return None
    return folder_below
