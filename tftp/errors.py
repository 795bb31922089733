"""One tree of exceptions, and the error codes of the wire (RFC 1350 appendix, RFC 2347).

Every exception knows the code that stands for it in an ERROR packet. Its text is
written for a person and is safe to send: it never holds a path of the server.
Must not know about sockets, files or the state machine.
"""

from enum import IntEnum

__all__ = [
    "AccessDenied",
    "Cancelled",
    "DiskFull",
    "ErrorCode",
    "FileChanged",
    "FileExists",
    "IllegalOperation",
    "LocalError",
    "MalformedPacket",
    "NoSuchFile",
    "OptionRefused",
    "PeerError",
    "ProtocolError",
    "SizeMismatch",
    "TftpError",
    "TransferTimeout",
    "UnknownHost",
    "Unreachable",
]


class ErrorCode(IntEnum):
    """The codes an ERROR packet may carry (RFC 1350 appendix; 8 is RFC 2347)."""

    NOT_DEFINED = 0
    FILE_NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    DISK_FULL = 3
    ILLEGAL_OPERATION = 4
    UNKNOWN_TID = 5
    FILE_EXISTS = 6
    NO_SUCH_USER = 7
    OPTION_REFUSED = 8


class TftpError(Exception):
    """Anything that keeps a transfer from succeeding."""

    code: ErrorCode | int = ErrorCode.NOT_DEFINED


class ProtocolError(TftpError):
    """The peer sent something that the RFCs do not allow."""

    code = ErrorCode.ILLEGAL_OPERATION


class MalformedPacket(ProtocolError):
    """A datagram that is no TFTP packet."""


class IllegalOperation(ProtocolError):
    """A packet, a mode or an operation that has no place here."""


class OptionRefused(ProtocolError):
    """An option or a value that cannot be accepted (RFC 2347: ERROR 8)."""

    code = ErrorCode.OPTION_REFUSED


class PeerError(TftpError):
    """The peer sent an ERROR packet. `code` is what it sent, known to us or not."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"the peer answered with error {int(self.code)}: {self.message or 'no text'}"


class TransferTimeout(TftpError):
    """The peer stopped answering, and every retransmission was in vain."""


class Unreachable(TransferTimeout):
    """Waiting is no use: no way leads to the peer, or its host says that the port is closed."""


class LocalError(TftpError):
    """Something on this side of the wire went wrong."""


class UnknownHost(LocalError):
    """The name of the host leads to no address."""


class NoSuchFile(LocalError):
    """No file of that name."""

    code = ErrorCode.FILE_NOT_FOUND


class AccessDenied(LocalError):
    """The name leads to something that must not be read or written."""

    code = ErrorCode.ACCESS_VIOLATION


class DiskFull(LocalError):
    """No space, or no quota, for the bytes that arrive."""

    code = ErrorCode.DISK_FULL


class FileExists(LocalError):
    """The name is taken and must not be overwritten."""

    code = ErrorCode.FILE_EXISTS


class FileChanged(LocalError):
    """The file was truncated while it was being sent."""


class SizeMismatch(LocalError):
    """The bytes received are not as many as the tsize option promised (RFC 2349)."""


class Cancelled(LocalError):
    """The application ended the transfer."""
