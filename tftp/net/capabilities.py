"""What root is made of (capabilities(7)), and how to be without it.

A process has sets of capabilities; whatever is in none of them, and not in the bounding set
either, is lost to it and to all programs it may start. Names are those of the manual without
`CAP_`. Must not know why somebody keeps one.
"""

import errno
from collections.abc import Iterable

from tftp.net.syscalls import capget, capset, prctl

__all__ = [
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "NET_BIND_SERVICE",
    "bound",
    "held",
    "keep_only",
    "spelled",
]

# As sets of one, so that they can be joined by `|`.
DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, NET_BIND_SERVICE = 1 << 1, 1 << 2, 1 << 3, 1 << 10

_LIST = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP "
    "LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER "
    "SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
    "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
    "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF "
    "CHECKPOINT_RESTORE"
)
NAMES = _LIST.split()

BOUNDING_HAS, BOUNDING_DROP, AMBIENT = 23, 24, 47
AMBIENT_CLEAR = 4
MOST = 64  # the sets have so many bits


def held() -> int:
    """Returns the set, a bit for each, that this thread has or can give itself."""
    effective, permitted, _ = capget()
    return effective | permitted


def bound(wanted: int) -> None:
    """Sees to it that no program started later gets any but `wanted`. Raises OSError.

    Takes a right (SETPCAP); without it, nothing is done.
    """
    for number in _known():
        if not wanted >> number & 1:
            try:
                prctl(BOUNDING_DROP, number)
            except OSError as error:
                if error.errno != errno.EPERM:
                    raise
                return


def keep_only(wanted: int) -> None:
    """Drops all capabilities but `wanted`, for threads started later too. Raises OSError."""
    try:
        prctl(AMBIENT, AMBIENT_CLEAR)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Linux before 4.3 has no such set
            raise
    kept = held() & wanted
    capset(kept, kept, 0)


def spelled(held: int) -> str:
    """Returns the names of a set: `DAC_OVERRIDE, FOWNER`."""
    return ", ".join(_name(number) for number in range(MOST) if held >> number & 1)


def _known() -> Iterable[int]:
    """Yields the capabilities that the kernel knows and has in the bounding set."""
    for number in range(MOST):
        try:
            if prctl(BOUNDING_HAS, number):
                yield number
        except OSError:
            return


def _name(number: int) -> str:
    return NAMES[number] if number < len(NAMES) else f"CAP_{number}"
