"""What the tests of this folder look at: the good read, answers, and the neighbours' files."""

from pathlib import Path

from tests.server.lab import CONTENT, Lab
from tests.server.wire import Peer, ack, data, error, oack, parse_error, rrq

__all__ = ["GOOD", "HOST", "SECRET", "answers", "begin", "check_good", "check_neighbours", "finish"]

# Some tests send to ports of transfers that are over: on this address nobody else has them.
HOST = "127.9.8.1"
GOOD = CONTENT[:5000]
SECRET = b"nobody's business"


def check_good(lab: Lab, peer: Peer | None = None) -> None:
    """Reads a file plainly and with options, to the last octet.

    With a `peer`, its answer has to be the first thing that this one hears: so nothing that
    it sent before was answered.
    """
    peer = peer or lab.peer()
    assert peer.fetch("good") == GOOD
    peer = lab.peer()
    peer.ask(rrq("good", tsize=0, blksize=1000))
    peer.expect(oack(tsize=len(GOOD), blksize=1000))
    peer.say(ack(0))
    assert peer.take(1000) == GOOD


def begin(lab: Lab) -> Peer:
    """Begins a read that has had its first block."""
    peer = lab.peer()
    peer.ask(rrq("good"))
    peer.expect(data(1, GOOD[:512]))
    return peer


def finish(peer: Peer) -> None:
    """Reads the rest of the file: the transfer is as it was."""
    peer.say(ack(1))
    assert peer.take(first=2) == GOOD[512:]


def answers(lab: Lab, datagram: bytes) -> bytes:
    """Returns the one answer to a request that has to have one, and ends its transfer."""
    peer = lab.peer()
    peer.ask(datagram)
    answer = peer.receive()
    if answer[:2] == b"\0\5":
        _, text = parse_error(answer)
        assert str(lab.root) not in text
    else:
        peer.say(error(0, "enough"))
    return answer


def check_neighbours(root: Path) -> None:
    """Nothing beside the root was changed, and nothing was added."""
    beside = sorted(path.relative_to(root.parent).as_posix() for path in root.parent.rglob("*"))
    names = ["outside/secret", "root-evil/secret", "root-sibling/secret", "secret"]
    files = [n for n in beside if (root.parent / n).is_file() and not n.startswith("root/")]
    assert files == names
    assert all((root.parent / name).read_bytes() == SECRET for name in names)
