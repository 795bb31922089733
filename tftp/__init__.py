"""TFTP as the RFCs describe it: a server, a client, and commands for both.

    import tftp

    data = tftp.get("192.0.2.1", "pxelinux.0")
    with tftp.Server("files") as server:
        tftp.download(server.host, "kernel", "/tmp/kernel", port=server.port)

`get`, `put`, `download`, `upload` and `Client` are the client; `Server` serves a folder;
what goes wrong is a `TftpError` of some kind. Importing this package loads none of it:
each name brings its module along when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tftp._version import __version__

if TYPE_CHECKING:
    from tftp.client import Client, Progress, Result, download, get, put, upload
    from tftp.errors import (
        AccessDenied,
        Cancelled,
        DiskFull,
        ErrorCode,
        FileChanged,
        FileExists,
        IllegalOperation,
        LocalError,
        MalformedPacket,
        NoSuchFile,
        OptionRefused,
        PeerError,
        ProtocolError,
        SizeMismatch,
        TftpError,
        TransferTimeout,
        UnknownHost,
        Unreachable,
    )
    from tftp.protocol.options import Terms
    from tftp.server import Server

__all__ = [
    "AccessDenied",
    "Cancelled",
    "Client",
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
    "Progress",
    "ProtocolError",
    "Result",
    "Server",
    "SizeMismatch",
    "Terms",
    "TftpError",
    "TransferTimeout",
    "UnknownHost",
    "Unreachable",
    "__version__",
    "download",
    "get",
    "put",
    "upload",
]

_HOMES = {
    "Client": "tftp.client",
    "Progress": "tftp.client",
    "Result": "tftp.client",
    "Server": "tftp.server",
    "Terms": "tftp.protocol.options",
    "download": "tftp.client",
    "get": "tftp.client",
    "put": "tftp.client",
    "upload": "tftp.client",
}


def __getattr__(name: str) -> object:
    """Loads a public name with its module (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "tftp.errors")), name)
    globals()[name] = value  # the next look finds it at once
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
