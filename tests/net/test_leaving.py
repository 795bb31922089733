"""A port is left without losing what is on its way."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tftp.net.leaving import stop_arrivals
from tftp.net.udp import bind_listener

V4, V6 = socket.AF_INET, socket.AF_INET6
PLACES = [(V4, "127.0.0.1"), (V4, "0.0.0.0"), (V6, "::1"), (V6, "::")]
SENDERS = 100


@contextmanager
def senders(family: socket.AddressFamily) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(SENDERS)
        ]


def read_all(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(100))
        except BlockingIOError:
            return found


@pytest.mark.parametrize(("family", "host"), PLACES)
def test_what_has_come_is_read_and_the_rest_goes_to_the_next(
    family: socket.AddressFamily, host: str
) -> None:
    target = "127.0.0.1" if family == V4 else "::1"
    with (
        bind_listener(family, (host, 0)) as first,
        senders(family) as crowd,
    ):
        port = first.getsockname()[1]
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for sender in crowd:
            sender.sendto(b"early", (target, port))
        with bind_listener(family, (host, port), shared=True) as second:
            stop_arrivals(first)
            for sender in crowd:
                sender.sendto(b"late", (target, port))
            assert read_all(first) == [b"early"] * SENDERS
            assert read_all(second) == [b"late"] * SENDERS


@pytest.mark.parametrize(("family", "host"), PLACES)
def test_alone_it_refuses_as_if_it_were_closed(family: socket.AddressFamily, host: str) -> None:
    target = "127.0.0.1" if family == V4 else "::1"
    with bind_listener(family, (host, 0)) as sock, socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.settimeout(20)
        peer.connect((target, sock.getsockname()[1]))
        stop_arrivals(sock)
        peer.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            peer.recv(10)
        assert read_all(sock) == []


def test_a_socket_that_is_closed_does_not_matter() -> None:
    sock = bind_listener(V4, ("127.0.0.1", 0))
    sock.close()
    stop_arrivals(sock)


def test_it_still_answers_to_anybody() -> None:
    """What it has read may have to be refused."""
    with bind_listener(V4, ("127.0.0.1", 0)) as sock, senders(V4) as crowd:
        crowd[0].settimeout(20)
        crowd[0].sendto(b"ask", sock.getsockname())
        stop_arrivals(sock)
        _, source = sock.recvfrom(100)
        sock.sendto(b"no", source)
        assert crowd[0].recvfrom(100) == (b"no", sock.getsockname())
