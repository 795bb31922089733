"""A port of the suite on real sockets: what ICMP says is heard, whoever was told first."""

import socket
import time

import pytest

from conformance.ports import UdpNet, UdpPort

HERE = "127.0.0.1"


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HERE, 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize("others", [0, 1])
def test_a_closed_port_is_heard_of(others: int) -> None:
    """Also where a send to somebody else was told of it: what waits to be read is not left."""
    port = UdpNet().open(HERE)
    assert isinstance(port, UdpPort)
    gone = closed_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HERE, 0))
        try:
            port.send(b"\0\1f\0octet\0", (HERE, gone))
            for _ in range(others):
                port.send(b"\0\1f\0octet\0", other.getsockname())
            busy = time.process_time()
            arrival = port.receive(time.monotonic() + 5.0)
            assert arrival is not None
            assert (arrival.unreachable, arrival.source) == (True, (HERE, gone))
            assert time.process_time() - busy < 1.0, "it waited, and did not spin"
        finally:
            port.close()
