"""Gets whose blocks come singly: a second socket, connected to the server, takes them.

RFC 1350 section 4: a stranger is told that it is one, and changes nothing, also then.
"""

import errno
import io
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import tftp
from tests.client.scripted import PATIENCE, Line, Stage, ack, data, error, oack
from tftp import Client
from tftp.net.udp import Endpoint
from tftp.protocol.transfer import Address

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MANY = 40  # blocks: by then there is a connected socket
WINDOW = 8


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Address]]:
    """Makes sure that each test is about what it says."""
    connect = Endpoint.connect
    peers: list[Address] = []

    def note(endpoint: Endpoint, peer: Address) -> bool:
        peers.append(peer)
        return connect(endpoint, peer)

    monkeypatch.setattr(Endpoint, "connect", note)
    yield peers
    assert len(peers) == 1


def one_by_one(line: Line, content: bytes, first: int, end: int) -> None:
    for block in range(first, end):
        line.send_blocks(content, [block])
        line.expect(ack(block))


@pytest.mark.parametrize("rest", [-1, 0, 1])
def test_a_file_arrives_in_lock_step(rest: int) -> None:
    content = os.urandom(200 * 512 + rest)
    with Stage(lambda stage: stage.accept().serve(content)) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, options=False) == content


@pytest.mark.parametrize("rest", [-1, 0, 1])
@pytest.mark.parametrize("window", [2, WINDOW, 64])
def test_a_file_arrives_in_windows_of_single_datagrams(window: int, rest: int) -> None:
    content = os.urandom(256 * 512 + rest)

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(windowsize=window))
        line.expect(ack(0))
        line.serve(content, 512, window)

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, window=window) == content


@pytest.mark.fault
def test_without_a_second_socket_the_first_one_does_it_all(
    connected: list[Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Endpoint, peer: Address) -> bool:
        connected.append(peer)
        return False

    monkeypatch.setattr(Endpoint, "connect", refuse)
    content = os.urandom(200 * 512)
    with Stage(lambda stage: stage.accept().serve(content)) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, options=False) == content
    assert len(connected) == 1, "tried once, not with every block"


def test_ipv6_works_too(connected: list[Address]) -> None:
    content = os.urandom(200 * 512)
    try:
        stage = Stage(lambda stage: stage.accept().serve(content), "::1")
    except OSError:
        connected.append(("::1", 0))
        pytest.skip("no IPv6 on this machine")
    with stage:
        assert tftp.get("::1", "a", port=stage.port, options=False) == content


def test_strangers_are_told_so_in_lock_step() -> None:
    content = os.urandom(2 * MANY * 512)

    def script(stage: Stage) -> None:
        asked = stage.request()
        line, stranger = stage.answer(asked), stage.answer(asked)
        one_by_one(line, content, 1, MANY)
        stranger.send(data(MANY, bytes(512)), error(1, "forged"))
        stranger.expect_error(5)
        line.send_blocks(content, [MANY])
        stranger.send(data(MANY + 1, bytes(512)))
        line.expect(ack(MANY))
        one_by_one(line, content, MANY + 1, 2 * MANY + 2)
        stranger.expect_error(5)

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, options=False) == content


def test_a_stranger_is_told_so_while_blocks_never_pause() -> None:
    content = os.urandom(4000 * 512)
    told = threading.Event()

    def listen(stranger: Line) -> None:
        stranger.send(data(9, bytes(512)))
        stranger.expect_error(5)
        told.set()

    def script(stage: Stage) -> None:
        asked = stage.request()
        line, stranger = stage.answer(asked), stage.answer(asked)
        one_by_one(line, content, 1, MANY)
        thread = threading.Thread(target=listen, args=[stranger])
        thread.start()
        one_by_one(line, content, MANY, 4002)
        thread.join(PATIENCE)

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, options=False) == content
    assert told.is_set()


def test_a_gap_and_a_stranger_in_a_window_of_single_datagrams() -> None:
    content = os.urandom(8 * WINDOW * 512 - 1)

    def script(stage: Stage) -> None:
        asked = stage.request()
        line, stranger = stage.answer(asked), stage.answer(asked)
        line.send(oack(windowsize=WINDOW))
        line.expect(ack(0))
        for first in range(1, 6 * WINDOW, WINDOW):
            for block in range(first, first + WINDOW):
                line.send_blocks(content, [block])
            line.expect(ack(first + WINDOW - 1))
        for block in (49, 50, 52, 53):
            line.send_blocks(content, [block])
        stranger.send(data(51, bytes(512)))
        stranger.expect_error(5)
        line.expect(ack(50))
        for block in range(51, 51 + WINDOW):
            line.send_blocks(content, [block])
        line.expect(ack(58))
        for block in range(59, 65):
            line.send_blocks(content, [block])
        line.expect(ack(64))

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, window=WINDOW) == content


def test_a_copy_of_a_block_is_acknowledged_again_and_kept_once() -> None:
    content = os.urandom(2 * MANY * 512 + 9)

    def script(stage: Stage) -> None:
        line = stage.accept()
        one_by_one(line, content, 1, MANY)
        line.send_blocks(content, [MANY - 1])
        line.expect(ack(MANY - 1))
        one_by_one(line, content, MANY, 2 * MANY + 2)

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port, options=False) == content


def test_an_error_of_the_server_ends_it() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        one_by_one(line, bytes(MANY * 512), 1, MANY)
        line.send(error(0, "enough"))

    with Stage(script) as stage, pytest.raises(tftp.PeerError, match="enough"):
        tftp.get(stage.host, "a", port=stage.port, options=False)


def test_data_larger_than_a_block_ends_it() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        one_by_one(line, bytes(MANY * 512), 1, MANY)
        line.send(data(MANY, bytes(513)))
        line.expect_error(4)

    with Stage(script) as stage, pytest.raises(tftp.IllegalOperation):
        tftp.get(stage.host, "a", port=stage.port, options=False)


def test_silence_ends_it() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        one_by_one(line, bytes(MANY * 512), 1, MANY)
        line.expect(ack(MANY - 1))  # once more, in vain

    with Stage(script) as stage, pytest.raises(tftp.TransferTimeout, match="stopped answering"):
        tftp.get(stage.host, "a", port=stage.port, options=False, timeout=0.1, retries=1)


@pytest.mark.fault
def test_a_disk_that_is_full_later_on_is_told_and_no_ack_goes_ahead_of_it() -> None:
    class Small(io.BytesIO):
        def write(self, octets: "ReadableBuffer") -> int:
            if self.tell() == MANY * 512:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(octets)

    def script(stage: Stage) -> None:
        line = stage.accept()
        one_by_one(line, bytes(2 * MANY * 512), 1, MANY + 1)
        line.send(data(MANY + 1, bytes(512)))
        line.expect_error(3)

    with Stage(script) as stage, pytest.raises(tftp.DiskFull):
        tftp.download(stage.host, "a", Small(), port=stage.port, options=False)


def test_the_last_ack_is_repeated_after_the_call() -> None:
    returned = threading.Event()
    content = os.urandom(MANY * 512 + 1)

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.serve(content)
        assert returned.wait(PATIENCE)
        for _ in range(3):
            line.send_blocks(content, [MANY + 1])
            line.expect(ack(MANY + 1))

    with Stage(script) as stage:
        client = Client(stage.host, stage.port, options=False, linger=5)
        assert client.get("a") == content
        returned.set()
