"""Kill -9 of a server in the middle of uploads: no part of a file ever has a final name."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.net.trees import names
from tests.server.process import Serving
from tests.server.wire import Peer, ack, blocks_of, data, wrq
from tftp.net.temporary import is_temporary

pytestmark = pytest.mark.fault

UPLOADS = 50
OLD = b"as it was"


def content_of(number: int) -> bytes:
    """Of different lengths: 2 to 11 blocks."""
    return bytes([number]) * (600 + 512 * (number % 10))


@contextmanager
def uploads(serving: Serving) -> Iterator[list[Peer]]:
    """Clients whose WRQs have all been answered."""
    with ExitStack() as stack:
        peers = [stack.enter_context(serving.peer()) for _ in range(UPLOADS)]
        for number, peer in enumerate(peers):
            peer.ask(wrq(f"up{number}"))
        for peer in peers:
            peer.expect(ack(0))
        yield peers


def upload_a_few(peers: list[Peer], steps: int) -> set[int]:
    """Sends so many blocks, one of each upload in turn; returns which uploads are complete."""
    complete: set[int] = set()
    for block in range(1, 100):
        for number, peer in enumerate(peers):
            blocks = blocks_of(content_of(number), 512)
            if block > len(blocks):
                continue
            if steps == 0:
                return complete
            steps -= 1
            peer.say(data(block, blocks[block - 1]))
            peer.expect(ack(block))
            if block == len(blocks):
                complete.add(number)
    return complete


def temporary(root: Path) -> set[str]:
    return {name for name in names(root) if is_temporary(os.fsencode(name))}


@pytest.mark.parametrize("steps", [0, 30, 77, 180, 300])
@pytest.mark.parametrize("policy", ["create", "overwrite"])
def test_killed_in_the_middle_of_uploads(root: Path, policy: str, steps: int) -> None:
    """RFC1350-6-13"""
    existed = range(0, UPLOADS, 2) if policy == "overwrite" else range(0)
    for number in existed:
        (root / f"up{number}").write_bytes(OLD)
    with Serving(root, "--upload", policy).listening() as serving, uploads(serving) as peers:
        complete = upload_a_few(peers, steps)
        serving.signal(signal.SIGKILL)
        assert serving.wait() == -signal.SIGKILL
    assert len(temporary(root)) == UPLOADS - len(complete)
    expected = {f"up{number}": OLD for number in existed}
    expected |= {f"up{number}": content_of(number) for number in complete}
    found = {name: (root / name).read_bytes() for name in names(root) - temporary(root)}
    assert found == expected

    left = temporary(root)
    with Serving(root, "--upload", policy) as serving:
        removed = {serving.line("removed '(.+)', left behind by")[1] for _ in left}
        serving.listening()
        assert removed == left
        assert names(root) == set(expected)


def test_the_files_of_a_running_server_are_left_alone(root: Path) -> None:
    (root / "sub").mkdir()
    with (
        Serving(root, "--upload", "create").listening() as first,
        first.peer() as peer,
        first.peer() as other,
    ):
        peer.ask(wrq("new"))
        peer.expect(ack(0))
        other.ask(wrq("sub/new"))
        other.expect(ack(0))
        other.say(data(1, bytes(512)))
        other.expect(ack(1))
        with Serving(root, "--upload", "create").listening() as second:
            assert [line for line in second.seen if "removed" in line] == []
            assert len(temporary(root)) == len(temporary(root / "sub")) == 1
            peer.give(content_of(1))
            other.say(data(2, b"end"))
            other.expect(ack(2))
    assert (root / "new").read_bytes() == content_of(1)
    assert (root / "sub" / "new").read_bytes() == bytes(512) + b"end"
    assert temporary(root) == temporary(root / "sub") == set()


def test_a_server_without_uploads_removes_nothing(root: Path) -> None:
    with Serving(root, "--upload", "create").listening() as serving, serving.peer() as peer:
        peer.ask(wrq("new"))
        peer.expect(ack(0))
        serving.signal(signal.SIGKILL)
        serving.wait()
    left = temporary(root)
    assert len(left) == 1
    with Serving(root).listening() as serving, serving.peer() as peer:
        assert temporary(root) == left
        peer.ask(b"\0\1" + os.fsencode(left.pop()) + b"\0octet\0")
        peer.expect_error(1)  # nor does it serve them
