"""What the kernel's refusals mean on the wire (RFC 1350 appendix).

Turns an OSError into the exception whose code an ERROR packet carries. The texts are
short, printable and hold no path of the server: what went wrong, never where.
Must not know which name was asked for.
"""

import errno

from tftp.errors import AccessDenied, DiskFull, FileExists, LocalError, NoSuchFile

__all__ = ["ACCESS_VIOLATION", "FILE_EXISTS", "FILE_NOT_FOUND", "refusal"]

FILE_NOT_FOUND = "File not found"
ACCESS_VIOLATION = "Access violation"
FILE_EXISTS = "File already exists"

_MEANINGS: dict[int, tuple[type[LocalError], str]] = {
    errno.ENOENT: (NoSuchFile, FILE_NOT_FOUND),
    errno.ENOTDIR: (NoSuchFile, FILE_NOT_FOUND),
    # Some file systems cannot hold every name: such a file cannot be there.
    errno.EINVAL: (NoSuchFile, FILE_NOT_FOUND),
    errno.EILSEQ: (NoSuchFile, FILE_NOT_FOUND),
    errno.ENAMETOOLONG: (NoSuchFile, "File not found: the name is too long"),
    errno.EACCES: (AccessDenied, ACCESS_VIOLATION),
    errno.EPERM: (AccessDenied, ACCESS_VIOLATION),
    errno.EISDIR: (AccessDenied, "Access violation: it is a directory"),
    errno.ELOOP: (AccessDenied, ACCESS_VIOLATION),
    errno.ENXIO: (AccessDenied, ACCESS_VIOLATION),
    errno.ETXTBSY: (AccessDenied, "Access violation: the file is in use"),
    errno.EROFS: (AccessDenied, "Access violation: the file system is read-only"),
    errno.ENOSPC: (DiskFull, "Disk full"),
    errno.EDQUOT: (DiskFull, "Disk full: the quota is used up"),
    errno.EFBIG: (DiskFull, "Disk full: the file is too large for this system"),
    errno.EEXIST: (FileExists, FILE_EXISTS),
}


def refusal(error: OSError) -> LocalError:
    """Returns the exception to raise `from error`.

    What has no code of its own becomes a LocalError that shows the symbol of the
    error, such as EIO or EMFILE: enough for the operator, nothing for a stranger.
    """
    number = error.errno or 0
    if number in _MEANINGS:
        kind, text = _MEANINGS[number]
        return kind(text)
    return LocalError(f"Local error ({errno.errorcode.get(number, 'unknown')})")
