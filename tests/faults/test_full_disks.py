"""A disk that is full at any octet, and at any step after the last one (RFC 1350: code 3).

No octet is acknowledged that found no room, the peer is told why, and nothing is left: not
a part of the file, not a temporary one, and what stood under the name stands there still.
"""

import errno
import os
from pathlib import Path
from typing import Literal

import pytest

import tftp
from tests.faults.disks import Full, failing
from tests.net.trees import names
from tests.server.lab import CONTENT, Lab, open_lab
from tests.server.wire import ack, blocks_of, data, oack, parse_error, wrq
from tftp.protocol.netascii import decode, encode
from tftp.server import Upload

pytestmark = pytest.mark.fault

TEXT = b"a line\nand a bare\rreturn\n\n" * 13
MODES = {"octet": CONTENT[: len(TEXT)], "netascii": TEXT}
FULL = (3, "Disk full")


def upload(lab: Lab, mode: str, window: int) -> tuple[bytes, bytes]:
    """Puts the text of a mode; returns what was acknowledged of it, and the last answer."""
    wire = encode(TEXT) if mode == "netascii" else MODES[mode]
    blocks = blocks_of(wire, 64)
    peer = lab.peer()
    peer.ask(wrq("new", mode, blksize=64, windowsize=window))
    peer.expect(oack(blksize=64, windowsize=window))
    done, answer = 0, b""
    while done < len(blocks):
        part = blocks[done : done + window]
        peer.say(*(data(done + n + 1, block) for n, block in enumerate(part)))
        answer = peer.receive()
        if answer != ack(done + len(part)):
            break
        done += len(part)
    return b"".join(blocks[:done]), answer


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_an_upload_for_which_there_is_room_up_to_any_octet(
    lab: Lab, mode: str, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Full(monkeypatch)
    for room in range(len(MODES[mode])):
        disk.room = room
        acknowledged, answer = upload(lab, mode, window)
        if mode == "netascii":  # a CR at the end waits for what follows it
            acknowledged = decode(acknowledged).removesuffix(b"\r")
        assert len(acknowledged) <= room
        assert parse_error(answer) == FULL, room
        assert lab.report().outcome == "failed with error 3, Disk full"
        assert names(lab.root) == set(), room
    disk.room = len(MODES[mode])
    upload(lab, mode, window)
    assert lab.report().ok
    assert (lab.root / "new").read_bytes() == MODES[mode]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("policy", [Upload.CREATE, Upload.OVERWRITE, Upload.RENAME])
@pytest.mark.parametrize("call", ["fsync", "link", "rename"])
def test_an_upload_whose_last_steps_find_no_room(
    root: Path, call: str, policy: Upload, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its octets are there, but not its name or its place on the disk."""
    (root / "old").write_bytes(b"old")
    name = "old" if policy is Upload.OVERWRITE else "new"
    with open_lab(root, upload=policy) as lab:
        monkeypatch.setattr(os, call, failing(number))
        if call == "link":  # a file system without links has the rename instead
            monkeypatch.setattr(os, "rename", failing(number))
        peer = lab.peer()
        peer.ask(wrq(name))
        peer.expect(ack(0))
        peer.say(data(1, b"lost"))
        answer = peer.receive()
        report = lab.report()
        if call == "rename" and policy is not Upload.OVERWRITE:
            assert answer == ack(1), "it is not needed"
            return
        assert parse_error(answer)[0] == 3
        assert not report.ok
    assert names(root) == {"old"}
    assert (root / "old").read_bytes() == b"old"


def test_an_upload_for_which_no_file_can_be_made(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def make(path: str | bytes, flags: int, *rest: int, **keywords: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, flags, *rest, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", make)
        assert lab.refused(wrq("new")) == FULL
    assert names(lab.root) == set()
    lab.check_alive()


def test_a_folder_that_cannot_be_made_durable_has_the_file(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All octets are durable and have their name; only a power cut might take that name."""
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC, after=1))
    lab.peer().store("new", CONTENT)
    assert lab.report().ok
    assert names(lab.root) == {"new"}
    assert (lab.root / "new").read_bytes() == CONTENT


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("mode", ["octet", "netascii"])
def test_a_download_for_which_there_is_room_up_to_any_octet(
    lab: Lab,
    tmp_path: Path,
    mode: Literal["octet", "netascii"],
    window: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab.put_file("f", MODES[mode])
    (tmp_path / "there").mkdir()
    dest = tmp_path / "there" / "f"
    dest.write_bytes(b"old")
    disk = Full(monkeypatch)
    client = tftp.Client(lab.server.host, lab.server.port, block_size=64, window=window)
    for room in range(len(MODES[mode])):
        disk.room = room
        with pytest.raises(tftp.DiskFull, match="No space left on device"):
            client.download("f", dest, mode=mode)
        assert lab.report().outcome == 'the peer ended it with error 3, "Disk full"'
        assert names(dest.parent) == {"f"}
        assert dest.read_bytes() == b"old"
    disk.room = len(MODES[mode])
    client.download("f", dest, mode=mode)
    assert dest.read_bytes() == MODES[mode]


@pytest.mark.parametrize("call", ["rename", "dup"])
def test_a_download_whose_last_steps_find_no_room(
    lab: Lab, tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.put_file("f", CONTENT)
    (tmp_path / "there").mkdir()
    dest = tmp_path / "there" / "f"
    dest.write_bytes(b"old")
    monkeypatch.setattr(os, call, failing(errno.ENOSPC))
    with pytest.raises(tftp.DiskFull):
        tftp.download(lab.server.host, "f", dest, port=lab.server.port)
    assert lab.report().outcome == 'the peer ended it with error 3, "Disk full"'
    assert names(dest.parent) == {"f"}
    assert dest.read_bytes() == b"old"
