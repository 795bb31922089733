"""Sockets handed over by a service manager, as sd_listen_fds(3) has it."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.server.process import COMMAND, environment
from tests.server.wire import Peer

FIRST = 3


def start(root: Path, sock: socket.socket, process: str = "$$") -> "subprocess.Popen[str]":
    """Runs `tftp-serve` with the socket as descriptor 3; `$$` is its own process."""
    script = f'export LISTEN_FDS=1 LISTEN_PID={process}; exec "$@"'
    number = os.dup(sock.fileno())
    try:
        # The shell's own redirection puts it where it has to be.
        return subprocess.Popen(
            [
                "bash",
                "-c",
                f"exec {FIRST}<&{number}; {script}",
                "-",
                *COMMAND,
                str(root),
                "-p",
                "1",
            ],
            pass_fds=[number],
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(number)


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_socket_that_is_handed_over_is_served(
    tmp_path: Path, family: socket.AddressFamily, host: str
) -> None:
    (tmp_path / "f").write_bytes(b"handed")
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        address = (host, sock.getsockname()[1])
        with start(tmp_path, sock) as process, Peer(address) as peer:
            assert peer.fetch("f") == b"handed", "requests wait in the socket until it is taken"
            process.terminate()
            _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert f"listening on {'[::1]' if ':' in host else host}:{address[1]}," in err


def test_variables_meant_for_another_process_are_passed_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        with start(tmp_path, sock, "1") as process:
            # It goes for port 1 of its own, and says what comes of that.
            assert process.stderr is not None
            line = process.stderr.readline()
            process.terminate()
        assert f":{sock.getsockname()[1]}," not in line
    assert "port 1" in line or ":1," in line


def test_what_is_no_udp_socket_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        process = start(tmp_path, sock)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err == (
        "tftp-serve: Descriptor 3, handed over to listen on, is no UDP socket. "
        "Check the socket unit: it needs ListenDatagram=.\n"
    )
