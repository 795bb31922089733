"""A disk that fails: EIO and its kind, at any octet, for reads and writes of both sides.

What was read before is sent; then comes an ERROR that names the trouble, and never the
file. Whoever writes is left with nothing, or with what was there before.
"""

import errno
import os
from pathlib import Path

import pytest

import tftp
from tests.faults.disks import failing, fails_from
from tests.faults.readers import KINDS, Kind, Reader
from tests.net.trees import names
from tests.server.lab import CONTENT, Lab
from tests.server.wire import ack, data, wrq
from tftp.protocol.netascii import encode

pytestmark = pytest.mark.fault

EIO = (0, "Local error (EIO)")
PLACES = [0, 1, 511, 512, 20_000, 8192, 65_536, len(CONTENT) - 1]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("bad", PLACES)
def test_a_file_that_cannot_be_read_from_any_octet_on(
    lab: Lab, kind: Kind, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.put_file("f", CONTENT)
    whole = encode(CONTENT) if kind.mode == "netascii" else CONTENT
    with monkeypatch.context() as patch:
        fails_from(patch, bad)
        reader = Reader(lab.peer(), kind)
        assert not reader.receive_all()
        assert reader.refusal == EIO
        assert whole.startswith(bytes(reader.got))
        assert len(reader.got) % kind.block_size == 0
        assert not lab.report().ok
    assert lab.peer().fetch("f") == CONTENT, "the disk has come back"


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("bad", [0, 20_000, len(CONTENT) - 1])
def test_a_put_of_what_cannot_be_read(
    lab: Lab, tmp_path: Path, bad: int, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(CONTENT)
    fails_from(monkeypatch, bad)
    with pytest.raises(tftp.LocalError, match="Input/output error"):
        tftp.upload(lab.server.host, "new", path, port=lab.server.port, window=window)
    assert not lab.report().ok
    assert names(lab.root) == set()


TROUBLES = {
    errno.EIO: EIO,
    errno.EROFS: (2, "Access violation: the file system is read-only"),
    errno.EFBIG: (3, "Disk full: the file is too large for this system"),
    errno.EDQUOT: (3, "Disk full: the quota is used up"),
}
by_number = pytest.mark.parametrize("number", TROUBLES, ids=errno.errorcode.get)


@by_number
@pytest.mark.parametrize("block", [1, 2, 30])
def test_an_upload_that_cannot_be_written_from_any_block_on(
    lab: Lab, block: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block 30 comes over the connected socket."""
    peer = lab.peer()
    peer.ask(wrq("new"))
    peer.expect(ack(0))
    for before in range(1, block):
        peer.say(data(before, bytes(512)))
        peer.expect(ack(before))
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", failing(number))
        peer.say(data(block, bytes(512)))
        code, text = TROUBLES[number]
        assert peer.expect_error(code) == text
        assert not lab.report().ok
    assert names(lab.root) == set()
    lab.check_alive()


@by_number
def test_an_upload_that_does_not_reach_the_disk(
    lab: Lab, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(number))
    peer = lab.peer()
    peer.ask(wrq("new"))
    peer.expect(ack(0))
    peer.say(data(1, b"lost"))
    code, text = TROUBLES[number]
    assert peer.expect_error(code) == text
    assert not lab.report().ok
    assert names(lab.root) == set()


@by_number
@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("call", ["writev", "rename"])
def test_a_download_that_cannot_be_written(
    lab: Lab, tmp_path: Path, call: str, window: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.put_file("f", CONTENT)
    (tmp_path / "there").mkdir()
    dest = tmp_path / "there" / "f"
    dest.write_bytes(b"old")
    monkeypatch.setattr(os, call, failing(number))
    with pytest.raises(tftp.LocalError, match=os.strerror(number)):
        tftp.download(lab.server.host, "f", dest, port=lab.server.port, window=window)
    code, text = TROUBLES[number]
    outcome = lab.report().outcome.replace('"', "")
    assert outcome == f"the peer ended it with error {code}, {text}"
    assert names(dest.parent) == {"f"}
    assert dest.read_bytes() == b"old"
