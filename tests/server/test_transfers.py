"""Whole transfers over real sockets: options, windows, netascii, wraps, trains and their lack."""

import errno
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.net.children import run
from tests.server.lab import CONTENT, QUICK, Lab, open_lab
from tests.server.moody import Mood, Moody, always
from tests.server.wire import Peer, ack, blocks_of, data, error, oack, rrq, wrq
from tftp.net import udp
from tftp.net.udp import Endpoint
from tftp.server import Upload

TEXT = b"foo\nbar\rbaz\n\r\nqux"
TEXT_ON_THE_WIRE = b"foo\r\nbar\r\0baz\r\n\r\0\r\nqux"


def expect_blocks(peer: Peer, content: bytes, size: int, first: int, last: int) -> None:
    blocks = blocks_of(content, size)
    peer.expect(*(data(number, blocks[number - 1]) for number in range(first, last + 1)))


@pytest.mark.parametrize("size", [8, 9, 511, 512, 513, 1428, 8192, 65464])
@pytest.mark.parametrize("window", [None, 1, 3])
def test_every_block_size_both_ways(lab: Lab, size: int, window: int | None) -> None:
    """RFC2348-01, RFC2348-05, RFC2348-06, RFC2348-08, RFC2348-11, RFC7440-3-03"""
    options = {"blksize": size} | ({"windowsize": window} if window else {})
    for number, length in enumerate((0, 1, size - 1, size, size + 1, 3 * size, 4 * size)):
        content = (CONTENT * 4)[:length]
        lab.put_file("f", content)
        peer = lab.peer()
        assert peer.fetch("f", **options) == content
        lab.peer().store(f"new{number}", content, **options)
        assert (lab.root / f"new{number}").read_bytes() == content


def test_all_options_together(lab: Lab) -> None:
    """RFC7440-4-24, RFC2347-N-06"""
    lab.put_file("f", CONTENT[:10240])
    options: dict[str, int | str] = {"blksize": 1000, "windowsize": 3, "timeout": 2, "tsize": 10240}
    assert lab.peer().fetch("f", **options) == CONTENT[:10240]
    lab.peer().store("new", CONTENT[:10240], **options)
    assert (lab.root / "new").read_bytes() == CONTENT[:10240]
    assert dict(lab.report().options) == {name: str(value) for name, value in options.items()}


def test_a_window_is_sent_and_then_awaited(lab: Lab) -> None:
    """RFC7440-4-01, RFC7440-4-02, RFC7440-4-05, RFC7440-4-06, RFC7440-4-08, RFC7440-4-09"""
    content = lab.put_file("f", CONTENT[:10240]).read_bytes()
    peer = lab.peer()
    peer.ask(rrq("f", windowsize=4))
    peer.expect(oack(windowsize=4))
    peer.say(ack(0))
    expect_blocks(peer, content, 512, 1, 4)
    peer.say(ack(4))
    expect_blocks(peer, content, 512, 5, 8)
    peer.say(ack(6), ack(6), ack(6), ack(3), ack(100))  # 7 was lost; the copies mean nothing
    expect_blocks(peer, content, 512, 7, 10)
    peer.say(ack(10))
    assert peer.take(512, 4, first=11) == content[5120:]
    assert lab.report().resent == 2


def test_a_window_larger_than_the_file(lab: Lab) -> None:
    """RFC7440-4-03, RFC7440-4-04"""
    content = lab.put_file("f", CONTENT[:3000]).read_bytes()
    peer = lab.peer()
    peer.ask(rrq("f", windowsize=64))
    peer.expect(oack(windowsize=64))
    peer.say(ack(0))
    expect_blocks(peer, content, 512, 1, 6)
    peer.say(ack(6))
    assert lab.report().ok


def test_a_window_of_an_upload_gets_one_ack(lab: Lab) -> None:
    """RFC7440-4-12, RFC7440-4-13, RFC7440-4-14, RFC7440-4-15, RFC7440-4-18, RFC7440-4-21"""
    peer = lab.peer()
    peer.ask(wrq("new", windowsize=4))
    peer.expect(oack(windowsize=4))
    blocks = blocks_of(CONTENT[:5000], 512)

    def send(*numbers: int) -> None:
        peer.say(*(data(number, blocks[number - 1]) for number in numbers))

    send(1, 2, 3, 4)
    peer.expect(ack(4))
    send(5, 6, 8)  # 7 is lost
    peer.expect(ack(6))
    send(7, 8, 9, 10)
    peer.expect(ack(10))
    assert (lab.root / "new").read_bytes() == CONTENT[:5000]
    assert lab.report().resent == 1


def test_a_window_finds_room_while_the_server_is_busy(lab: Lab) -> None:
    """RFC7440-4-12: what was granted is not lost in a buffer that cannot hold it."""
    content = CONTENT * 2
    peer = lab.peer()
    peer.ask(wrq("new", blksize=8192, windowsize=16))
    peer.expect(oack(blksize=8192, windowsize=16))
    with lab.halted():
        peer.say(*(data(n + 1, block) for n, block in enumerate(blocks_of(content, 8192)[:16])))
    peer.expect(ack(16))
    peer.give(content[16 * 8192 :], 8192, 16, first=17)
    assert (lab.root / "new").read_bytes() == content
    assert lab.report().resent == 0


@pytest.mark.parametrize("window", [1, 7])
def test_block_numbers_wrap(root: Path, window: int) -> None:
    """DF-ROLL-01, DF-ROLL-02, RFC7440-4-22"""
    content = CONTENT * 8  # 70,000 blocks of eight octets
    with open_lab(root, upload=Upload.CREATE) as lab:
        lab.put_file("f", content)
        assert lab.peer().fetch("f", blksize=8, windowsize=window) == content
        lab.peer().store("new", content, blksize=8, windowsize=window)
        assert (root / "new").read_bytes() == content


@pytest.mark.parametrize("mode", ["netascii", "NetASCII"])
@pytest.mark.parametrize("size", [8, 9, 512])
@pytest.mark.parametrize("window", [1, 3])
def test_netascii_both_ways(lab: Lab, mode: str, size: int, window: int) -> None:
    """RFC1350-5-30, RFC1350-5-31, RFC1350-5-33, RFC1350-5-34, RFC1123-4.2.4-01"""
    text, wire = TEXT * 40, TEXT_ON_THE_WIRE * 40
    lab.put_file("f", text)
    assert lab.peer().fetch("f", mode, blksize=size, windowsize=window) == wire
    lab.peer().store("new", wire, mode, blksize=size, windowsize=window)
    assert (lab.root / "new").read_bytes() == text
    assert "as netascii" in str(lab.report())


def test_netascii_goes_back_in_a_window(lab: Lab) -> None:
    """RFC7440-4-25, RFC1350-5-32"""
    lab.put_file("f", TEXT * 10)
    wire = TEXT_ON_THE_WIRE * 10
    peer = lab.peer()
    peer.ask(rrq("f", "netascii", blksize=9, windowsize=4))
    peer.expect(oack(blksize=9, windowsize=4))
    peer.say(ack(0))
    expect_blocks(peer, wire, 9, 1, 4)
    peer.say(ack(2))
    expect_blocks(peer, wire, 9, 3, 6)
    peer.say(ack(6))
    assert peer.take(9, 4, first=7) == wire[54:]


def test_a_file_of_a_full_last_block_in_netascii(lab: Lab) -> None:
    """RFC1350-6-14"""
    lab.put_file("f", b"\n" * 256)
    peer = lab.peer()
    peer.ask(rrq("f", "netascii"))
    peer.expect(data(1, b"\r\n" * 256))
    peer.say(ack(1))
    peer.expect(data(2))


@pytest.mark.fault
@pytest.mark.parametrize("mode", ["octet", "netascii"])
def test_a_file_that_is_cut_off_under_way(lab: Lab, mode: str) -> None:
    """Its reader is told so, and never gets a short file for a whole one."""
    path = lab.put_file("f", CONTENT)
    peer = lab.peer()
    peer.ask(rrq("f", mode, blksize=1024))
    peer.expect(oack(blksize=1024))
    peer.say(ack(0))
    peer.receive()
    path.write_bytes(b"short")
    peer.say(ack(1))
    assert peer.expect_error(0) == "The file changed while it was being sent"
    assert not lab.report().ok


@pytest.mark.fault
def test_a_file_that_goes_is_sent_as_it_was(lab: Lab) -> None:
    path = lab.put_file("f", CONTENT[:3000])
    peer = lab.peer()
    peer.ask(rrq("f"))
    peer.expect(data(1, CONTENT[:512]))
    path.unlink()
    peer.say(ack(1))
    assert peer.take(first=2) == CONTENT[512:3000]


def test_a_uefi_size_probe(lab: Lab) -> None:
    """DF-PXE-01, RFC2347-N-14: it is no failure, and what follows is served at once."""
    lab.put_file("boot.efi", CONTENT[:5000])
    peer = lab.peer()
    for _ in range(20):
        peer.ask(rrq("boot.efi", tsize=0, blksize=1468))
        peer.expect(oack(tsize=5000, blksize=1468))
        peer.say(error(8, "User aborted the transfer"))
        report = lab.report()
        assert (report.probe, report.ok, report.outcome) == (True, True, "size probe")
        peer.ask(rrq("boot.efi", blksize=1468))
        peer.expect(oack(blksize=1468))
        peer.say(ack(0))
        assert peer.take(1468) == CONTENT[:5000]
        assert lab.report().ok
    totals = lab.server.totals
    assert (totals.probes, totals.completed, totals.failed) == (20, 20, 0)


def test_error_8_of_a_client_without_tsize_is_a_failure(lab: Lab) -> None:
    lab.put_file("f", CONTENT[:5000])
    peer = lab.peer()
    peer.ask(rrq("f", blksize=1468))
    peer.expect(oack(blksize=1468))
    peer.say(error(8, "no"))
    report = lab.report()
    assert (report.probe, report.ok) == (False, False)


def test_firmware_that_never_acknowledges_an_empty_file(root: Path) -> None:
    """ACK 0 twice and then silence: neither repeats without end nor a failure."""
    with open_lab(root, timing=QUICK) as lab:
        lab.put_file("empty", b"")
        peer = lab.peer()
        peer.ask(rrq("empty", tsize=0))
        assert peer.receive() == oack(tsize=0)
        peer.say(ack(0), ack(0))
        report = lab.report()
        assert report.outcome == "done, but the last ACK is missing"
        assert report.ok
        assert report.resent <= QUICK.retries + 1  # what fits into its patience


@pytest.fixture
def moods(monkeypatch: pytest.MonkeyPatch) -> list[Mood]:
    """Moods for the sockets of transfers, used up one by one; the last one stays."""
    moods: list[Mood] = [always(None)]

    def bind(family: socket.AddressFamily, local: str, scope: int, ports: range | None) -> Endpoint:
        sock = Moody(family, socket.SOCK_DGRAM)
        sock.bind((local, 0))
        sock.mood = moods.pop(0) if len(moods) > 1 else moods[0]
        return Endpoint(sock)

    monkeypatch.setattr("tftp.server.loop.bind_transfer", bind)
    return moods


def fetch_and_store(lab: Lab) -> None:
    lab.put_file("f", CONTENT)
    assert lab.peer().fetch("f", blksize=1428, windowsize=32) == CONTENT
    lab.peer().store("new", CONTENT, blksize=1428, windowsize=32)
    assert (lab.root / "new").read_bytes() == CONTENT
    for _ in range(2):
        report = lab.report()
        assert (report.ok, report.resent, report.timeouts) == (True, 0, 0)


def test_without_segmentation(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "max_segments", lambda: 1)
    fetch_and_store(lab)


def test_without_receive_offload(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "UDP_GRO", 9999)
    fetch_and_store(lab)


@pytest.mark.fault
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_path_that_takes_no_trains(lab: Lab, moods: list[Mood], number: int) -> None:
    moods[0] = lambda size: number if size > 1432 else None
    fetch_and_store(lab)


@pytest.mark.fault
@pytest.mark.parametrize("windowed", [False, True])
def test_a_full_socket_is_tried_again(lab: Lab, moods: list[Mood], windowed: bool) -> None:
    turn = iter(range(1 << 30))
    moods[0] = lambda size: errno.EAGAIN if size > 200 and next(turn) % 3 else None
    lab.put_file("f", CONTENT)
    options = {"windowsize": 32} if windowed else {}
    assert lab.peer().fetch("f", blksize=1428, **options) == CONTENT
    report = lab.report()
    assert (report.ok, report.resent, report.timeouts) == (True, 0, 0)
    assert next(turn) > 3, "it was refused several times"


@pytest.mark.fault
def test_a_socket_that_fills_up_within_a_train(lab: Lab, moods: list[Mood]) -> None:
    """Where the path takes no trains, part of one may leave; the rest follows."""
    turn = iter(range(1 << 30))

    def mood(size: int) -> int | None:
        if size > 1432:
            return errno.EINVAL
        return errno.EAGAIN if next(turn) % 5 == 4 else None

    moods[0] = mood
    lab.put_file("f", CONTENT)
    peer = lab.peer()
    # The OACK may be among what the socket refuses: then it is lost like any datagram.
    assert peer.fetch("f", blksize=1428, windowsize=32) == CONTENT
    report = lab.report()
    assert (report.ok, report.resent, report.timeouts) == (True, 0, 0)


@pytest.mark.fault
def test_no_way_back_is_a_loss(root: Path, moods: list[Mood]) -> None:
    """The answer is lost, the timer repeats it, and everybody else is served."""
    moods[:] = [always(errno.ENETUNREACH), always(None)]
    with open_lab(root, timing=QUICK) as lab:
        lab.put_file("f", b"here")
        peer = lab.peer()
        peer.ask(rrq("f"))
        assert lab.report().outcome == "failed, the peer stopped answering"
        assert lab.peer().fetch("f") == b"here"


SLOW_LINK = """
import hashlib, subprocess, sys
from pathlib import Path
from tests.server.lab import open_lab
from tftp.net.udp import Endpoint
from tftp.server import Limits

CLIENT = '''
import hashlib, subprocess
from tests.server.wire import Peer
print("ready", flush=True)
port = int(input())
with Peer(("10.9.8.1", port), ("10.9.8.2", 0)) as peer:
    content = peer.fetch("f", blksize=1428, windowsize=200)
print(hashlib.sha256(content).hexdigest(), flush=True)
'''

def run(*commands):
    for command in commands:
        subprocess.run(command.split(), check=True)

def wait_for(prefix, link):
    command = [*prefix.split(), "ip", "link", "show", link]
    while b"state UP" not in subprocess.run(command, capture_output=True, check=True).stdout:
        pass

full = 0
send_train = Endpoint.send_train
def counted(self, view, stride, to):
    global full
    left = send_train(self, view, stride, to)
    full += left < -(-len(view) // stride)
    return left
Endpoint.send_train = counted

content = bytes(range(256)) * 8000
Path(sys.argv[1], "f").write_bytes(content)
client = subprocess.Popen(["unshare", "-n", sys.executable, "-c", CLIENT],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
with client:
    assert client.stdout.readline() == "ready\\n"
    there = f"nsenter -t {client.pid} -n"
    run("ip link add name d0 type veth peer name d1", f"ip link set d1 netns {client.pid}",
        "ip addr add 10.9.8.1/24 dev d0", "ip link set d0 up",
        f"{there} ip addr add 10.9.8.2/24 dev d1", f"{there} ip link set d1 up",
        "tc qdisc add dev d0 root tbf rate 100mbit burst 16kb limit 4mb")
    wait_for("", "d0")
    wait_for(there, "d1")
    with open_lab(Path(sys.argv[1]), host="10.9.8.1", limits=Limits(window=200)) as lab:
        print(lab.server.port, file=client.stdin, flush=True)
        same = client.stdout.readline().strip() == hashlib.sha256(content).hexdigest()
        report = lab.report()
print(same, report.ok, report.resent, full > 0)
"""


@pytest.mark.fault
@pytest.mark.root
@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="only root moves a link to another namespace")
def test_a_link_slower_than_the_server(root: Path) -> None:
    """The kernel's own EAGAIN, and its word that there is room again: nothing is sent twice."""
    prefix = ("unshare", "-n")
    rate = "tbf rate 1mbit burst 9kb limit 1mb"
    trial = f"ip link add name d0 type veth && tc qdisc add dev d0 root {rate}"
    if subprocess.run([*prefix, "sh", "-c", trial], capture_output=True).returncode:
        pytest.skip("no network namespaces, or no links with a rate, here")
    assert run(SLOW_LINK, root, under=prefix).split() == ["True", "True", "0", "True"]
