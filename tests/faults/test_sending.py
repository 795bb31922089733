"""Packets that cannot leave: no memory, a firewall, no way, too large for the way.

TFTP knows one thing to do about a packet that did not arrive, and does it here too: the
timer sends it again. Nobody looks again and again whether it works by now, the others are
served, and a peer to whom nothing ever gets out is given up like one that is silent.
"""

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

import tftp
from tests.faults.sockets import Faults
from tests.net.trees import names
from tests.server.lab import CONTENT, Lab, open_lab
from tests.server.wire import PATIENCE, Peer, ack, data, oack, rrq, wrq
from tftp.protocol.pace import Timing
from tftp.server import Upload
from tftp.server.loop import Loop

pytestmark = pytest.mark.fault

PATIENT = Timing(first=0.05, floor=0.02, ceiling=0.1, retries=100, dally=0.1)
SLOWER = Timing(first=0.3, floor=0.3, least=0.3, ceiling=0.3, retries=3, dally=0.1)
IMPATIENT = Timing(first=0.02, floor=0.02, ceiling=0.05, retries=4, dally=0.1)
NUMBERS = [
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EPERM,
    errno.EACCES,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EMSGSIZE,
    errno.ECONNREFUSED,
]
by_number = pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
windows = pytest.mark.parametrize("window", [1, 4])


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def server(root: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A server whose sockets fail when they are told to."""
    faults.install(monkeypatch, "server")
    with open_lab(root, upload=Upload.CREATE, timing=PATIENT) as lab:
        yield lab


def client(lab: Lab, window: int) -> tftp.Client:
    """One that asks again soon; with lock-step, over connected sockets on both sides."""
    size = 1024 if window == 1 else 1428
    return tftp.Client(
        lab.server.host, lab.server.port, block_size=size, window=window, timeout=0.05, retries=100
    )


@by_number
@windows
def test_a_read_survives(server: Lab, faults: Faults, window: int, number: int) -> None:
    server.put_file("f", CONTENT)
    faults.every(7, number)
    assert client(server, window).get("f") == CONTENT
    report = server.report()
    assert report.ok
    assert report.resent > 0


@by_number
@windows
def test_a_write_survives(server: Lab, faults: Faults, window: int, number: int) -> None:
    faults.every(7, number)
    client(server, window).put("new", CONTENT)
    assert server.report().ok
    assert (server.root / "new").read_bytes() == CONTENT


@by_number
@windows
def test_our_client_survives(
    root: Path, faults: Faults, window: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults.install(monkeypatch, "client")
    with open_lab(root, upload=Upload.CREATE, timing=PATIENT) as lab:
        lab.put_file("f", CONTENT)
        faults.first(2, number)
        assert client(lab, window).get("f") == CONTENT
        faults.every(7, number)
        client(lab, window).put("new", CONTENT)
        assert (root / "new").read_bytes() == CONTENT


@by_number
@pytest.mark.parametrize(("asked", "code"), [(rrq("nope"), 1), (wrq("new", "mail"), 4)])
def test_an_error_that_cannot_be_told_is_told_to_who_asks_again(
    server: Lab, faults: Faults, asked: bytes, code: int, number: int
) -> None:
    """The answers of the listening port have no timer: silence, until the client asks again."""
    peer = server.peer()
    faults.always(number)
    peer.ask(asked)
    wait_until(lambda: faults.tries == 1)
    faults.none()
    peer.ask(asked)
    peer.expect_error(code)
    assert peer.is_silent(), "the first one was lost"
    server.check_alive()


@by_number
@windows
def test_a_peer_whom_nothing_reaches_is_given_up(
    root: Path, faults: Faults, window: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried as often as the timer says, and not as often as the loop turns."""
    faults.install(monkeypatch, "server")
    with open_lab(root, timing=IMPATIENT) as lab:
        lab.put_file("f", CONTENT)
        faults.always(number)
        lab.peer().ask(rrq("f", windowsize=window))
        assert lab.report().outcome == "failed, the peer stopped answering"
        assert 2 <= faults.tries <= 12
        faults.none()
        lab.check_alive()


@pytest.mark.parametrize("number", NUMBERS[:3], ids=errno.errorcode.get)
@windows
def test_a_peer_whom_nothing_reaches_any_more_is_given_up(
    root: Path, faults: Faults, window: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in the middle of the file: in lock-step that is over a connected socket."""
    faults.install(monkeypatch, "server")
    with open_lab(root, timing=IMPATIENT) as lab:
        lab.put_file("f", CONTENT)
        peer = lab.peer()
        peer.ask(rrq("f", blksize=1024, windowsize=window))
        peer.expect(oack(blksize=1024, windowsize=window))
        peer.say(ack(0))
        take(peer, 40, window)
        tries = faults.tries
        faults.always(number)
        peer.say(ack(40))
        assert lab.report().outcome == "failed, the peer stopped answering"
        assert 2 <= faults.tries - tries <= 12 * window
        faults.none()
        lab.check_alive()


def take(peer: Peer, blocks: int, window: int) -> None:
    """Takes so many blocks, copies aside, and acknowledges all windows but the last one."""
    block = 0
    while block < blocks:
        if peer.receive()[:4] == data(block + 1):
            block += 1
            if block % window == 0 and block < blocks:
                peer.say(ack(block))


@by_number
def test_a_get_that_never_gets_out_says_so_in_time(
    faults: Faults, number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    faults.install(monkeypatch, "client")
    faults.always(number)
    dest = tmp_path / "f"
    with pytest.raises(tftp.TransferTimeout, match="Nobody answers"):
        tftp.download("127.0.0.1", "f", dest, port=9, timeout=0.02, retries=3)
    assert 2 <= faults.tries <= 12
    assert names(tmp_path) == set()


TOLD = [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMSGSIZE, errno.EPROTO]


@pytest.mark.parametrize("writing", [False, True])
def test_what_icmp_says_to_a_connected_socket_is_passed_over(
    server: Lab, faults: Faults, writing: bool
) -> None:
    """The next look finds what the peer has said: an ICMP message, which may be forged, ends
    nothing."""
    server.put_file("f", CONTENT)
    faults.receiving = [number for number in TOLD for _ in range(3)]
    if writing:
        client(server, 1).put("new", CONTENT)
        assert (server.root / "new").read_bytes() == CONTENT
    else:
        assert client(server, 1).get("f") == CONTENT
    assert server.report().ok
    assert not faults.receiving, "it had a connected socket"


@pytest.mark.parametrize("writing", [False, True])
def test_a_peer_that_is_gone_is_given_up_without_a_frenzy(
    root: Path, writing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host says with each packet that the port is closed; the loop turns for that, no more."""
    turns = 0
    turn = Loop.turn

    def counted(loop: Loop) -> None:
        nonlocal turns
        turns += 1
        turn(loop)

    monkeypatch.setattr(Loop, "turn", counted)
    with open_lab(root, upload=Upload.CREATE, timing=SLOWER) as lab:
        lab.put_file("f", CONTENT)
        peer = lab.peer()
        if writing:
            peer.ask(wrq("new"))
            peer.expect(ack(0))
            for number in range(1, 41):
                peer.say(data(number, bytes(512)))
                peer.expect(ack(number))
            peer.say(data(41, bytes(512)))
        else:
            peer.ask(rrq("f"))
            take(peer, 40, 1)
            peer.say(ack(40))
        before = turns
        peer.close()
        assert lab.report().outcome == "failed, the peer stopped answering"
        assert turns - before <= 40
        assert names(root) == {"f"}
        lab.check_alive()


def wait_until(condition: Callable[[], bool]) -> None:
    pause, until = threading.Event(), monotonic() + PATIENCE
    while not condition():
        assert monotonic() < until, "it does not come about"
        pause.wait(0.002)
