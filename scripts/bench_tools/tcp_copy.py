"""Copies a file over TCP in the plainest way: one side calls sendfile, the other receives.

What TFTP is measured against, run by scripts/bench as two programs:

    tcp_copy.py serve PORT FILE      sends FILE to everybody who connects
    tcp_copy.py fetch PORT DEST      stores what it gets
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

HOST = "127.0.0.1"
CHUNK = 1 << 20


def serve(port: int, name: str) -> None:
    """Sends the file to one client after the other, for ever."""
    with socket.create_server((HOST, port)) as listener:
        while True:
            client, _ = listener.accept()
            # Who only looks whether anybody listens takes nothing.
            with client, open(name, "rb") as file, suppress(ConnectionError):  # noqa: PTH123
                client.sendfile(file)


def fetch(port: int, name: str) -> None:
    """Stores everything until the other side ends."""
    room = memoryview(bytearray(CHUNK))
    with (
        socket.create_connection((HOST, port)) as sock,
        open(name, "wb", buffering=0) as file,  # noqa: PTH123 - pathlib costs start-up time
    ):
        while count := sock.recv_into(room):
            file.write(room[:count])


if __name__ == "__main__":
    {"serve": serve, "fetch": fetch}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
