"""Uploads that other servers mixed, lost or began twice."""

from pathlib import Path

import pytest

from tests.net.trees import names
from tests.regressions.check import GOOD, check_good
from tests.server.lab import Lab, open_lab
from tests.server.wire import Peer, ack, blocks_of, data, error, oack, wrq
from tftp.server import Upload

pytestmark = pytest.mark.regression

OTHER = bytes(octet ^ 0xFF for octet in GOOD)


def open_upload(lab: Lab, name: str) -> Peer:
    peer = lab.peer()
    peer.ask(wrq(name))
    peer.expect(ack(0))
    return peer


def say_all_but_last(peers: dict[Peer, bytes]) -> None:
    """Sends the blocks of several uploads by turns, but for the last block of each."""
    cut = {peer: blocks_of(content, 512) for peer, content in peers.items()}
    for number in range(1, max(map(len, cut.values()))):
        for peer, blocks in cut.items():
            if number < len(blocks):
                peer.say(data(number, blocks[number - 1]))
                peer.expect(ack(number))


def say_last(peer: Peer, content: bytes) -> bytes:
    """Sends the last block, and returns what it was answered with."""
    blocks = blocks_of(content, 512)
    peer.say(data(len(blocks), blocks[-1]))
    return peer.receive()


@pytest.mark.parametrize("policy", [Upload.CREATE, Upload.OVERWRITE, Upload.RENAME])
def test_atftpd_receive_race_two_uploads_of_one_name(root: Path, policy: Upload) -> None:
    """atftpd wrote both into one file, block by block."""
    with open_lab(root, upload=policy) as lab:
        first, second = open_upload(lab, "new"), open_upload(lab, "new")
        contents = {first: GOOD, second: OTHER[:-700]}
        say_all_but_last(contents)
        done = {content: say_last(peer, content) for peer, content in contents.items()}
        assert sorted((lab.report().ok, lab.report().ok))[-1]
        whole = [c for c, answer in done.items() if answer == ack(len(c) // 512 + 1)]
        refused = [answer for answer in done.values() if answer[:2] == b"\0\5"]
        stored = {n: (root / n).read_bytes() for n in names(root) - {"good", "empty", "incoming"}}
        assert len(refused) == (1 if policy is Upload.CREATE else 0)
        assert refused in ([], [error(6, "File already exists")])
        if policy is Upload.RENAME:
            assert sorted(stored.values()) == sorted(whole)
        else:
            assert stored == {"new": whole[-1]}
        check_good(lab)


def test_uftpd_41_a_repeated_write_request_truncates_nothing(lab: Lab) -> None:
    """uftpd opened the file anew for each copy of the request, and forgot the old descriptor."""
    peer = lab.peer()
    for _ in range(5):
        peer.ask(wrq("new", blksize=512))
    peer.expect(oack(blksize=512))
    for _ in range(20):
        peer.socket.sendto(wrq("new", blksize=512), peer.server)
    peer.give(GOOD)
    assert (lab.root / "new").read_bytes() == GOOD
    assert names(lab.root) == {"good", "empty", "incoming", "new"}
    check_good(lab)


def test_tftpy_duplicate_wrq_in_mid_upload(lab: Lab) -> None:
    """tftpy answers with ERROR 4, and leaves the first blocks as if they were the file."""
    peer = open_upload(lab, "new")
    blocks = blocks_of(GOOD, 512)
    for number, payload in enumerate(blocks, 1):
        if number in (2, 3, len(blocks)):
            peer.socket.sendto(wrq("new"), peer.server)
        peer.say(data(number, payload))
        peer.expect(ack(number))
    assert (lab.root / "new").read_bytes() == GOOD
    check_good(lab)


def test_litex_1424_an_ack_0_of_the_uploader_is_passed_over(lab: Lab) -> None:
    """LiteX answered the OACK of its WRQ with ACK 0, as if it were reading."""
    peer = lab.peer()
    peer.ask(wrq("new", tsize=len(GOOD)))
    peer.expect(oack(tsize=len(GOOD)))
    peer.say(ack(0), ack(0))
    peer.give(GOOD)
    assert (lab.root / "new").read_bytes() == GOOD
    check_good(lab)


def test_tftp4j_2_without_an_oack_a_block_has_512_octets(lab: Lab) -> None:
    """tftp4j used the size asked for, whether it had granted it or not."""
    peer = lab.peer()
    peer.ask(wrq("new", blksize=7))  # passed over
    peer.expect(ack(0))
    peer.give(GOOD)
    assert (lab.root / "new").read_bytes() == GOOD
    peer = lab.peer()
    peer.ask(wrq("newer", blksize=7))
    peer.expect(ack(0))
    peer.say(data(1, bytes(513)))
    peer.expect_error(4)
    assert [lab.report().ok, lab.report().ok] == [True, False]
    assert "newer" not in names(lab.root)
    check_good(lab)


def test_cve_2011_2199_and_cve_2021_41054_blocks_larger_than_agreed(lab: Lab) -> None:
    """What does not fit the block that was agreed on is refused, and leaves nothing."""
    for options, size in (({}, 513), ({"blksize": 8}, 9), ({"blksize": 8}, 65_464)):
        peer = lab.peer()
        peer.ask(wrq("new", **options))
        peer.expect(oack(**options) if options else ack(0))
        peer.say(data(1, bytes(size)))
        peer.expect_error(4)
        assert not lab.report().ok
        assert names(lab.root) == {"good", "empty", "incoming"}
    check_good(lab)
