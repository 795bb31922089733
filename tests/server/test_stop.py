"""How a server begins and ends: it drains, or stops at once, and leaves nothing behind."""

import math
import socket
import threading
from pathlib import Path

import pytest

import tftp
from tests.net.children import DROP, open_files, run
from tests.net.trees import names
from tests.server.lab import CONTENT, Lab, open_lab
from tests.server.wire import PATIENCE, Peer, ack, data, rrq, wrq
from tftp.errors import LocalError, NoSuchFile
from tftp.server import Report, Server, Upload

BLOCK = CONTENT[:512]


class Stopper(threading.Thread):
    """Stops a server from another thread."""

    def __init__(self, server: Server, *, at_once: bool = False) -> None:
        super().__init__(name="stopper")
        self._server = server
        self._at_once = at_once
        self.start()

    def run(self) -> None:
        self._server.stop(at_once=self._at_once)

    def wait(self) -> None:
        self.join(PATIENCE)
        assert not self.is_alive(), "the server does not stop"


def wait_until_deaf(lab: Lab) -> None:
    """Waits until nobody listens any more: the kernel says so to a connected socket."""
    peer = lab.peer()
    peer.socket.connect(peer.server)
    peer.socket.settimeout(0.01)
    for _ in range(round(PATIENCE / 0.01)):
        try:
            peer.socket.send(b"x")
            peer.socket.recv(10)
        except ConnectionRefusedError:
            return
        except TimeoutError:
            continue
    raise AssertionError("the server still listens")


def begin_read(lab: Lab, *, heard: bool = False) -> Peer:
    lab.put_file("f", CONTENT[:3000])
    peer = lab.peer()
    peer.ask(rrq("f"))
    peer.expect(data(1, BLOCK))
    if heard:
        peer.say(ack(1))
        peer.expect(data(2, CONTENT[512:1024]))
    return peer


def test_a_server_without_transfers_stops_at_once(lab: Lab) -> None:
    Stopper(lab.server).wait()


def test_running_transfers_may_end_and_nothing_new_begins(root: Path) -> None:
    with open_lab(root, upload=Upload.CREATE, drain=100) as lab:
        reader, writer = begin_read(lab), lab.peer()
        writer.ask(wrq("new"))
        writer.expect(ack(0))
        stopper = Stopper(lab.server)
        wait_until_deaf(lab)
        reader.say(ack(1))
        assert reader.take(first=2) == CONTENT[512:3000]
        assert lab.report().ok
        assert stopper.is_alive(), "the upload is still running"
        writer.give(CONTENT[:600])
        stopper.wait()  # though it would dally on for minutes
        assert lab.report().ok
        assert (root / "new").read_bytes() == CONTENT[:600]


def test_what_does_not_end_in_time_gets_an_error(root: Path) -> None:
    with open_lab(root, drain=0.05) as lab:
        reader = begin_read(lab, heard=True)
        Stopper(lab.server).wait()
        assert reader.expect_error(0) == "The server is shutting down"
        assert lab.report().outcome == "failed with error 0, The server is shutting down"


def test_who_may_never_have_asked_is_told_nothing(root: Path) -> None:
    """The source of a request may be forged; until it answers it gets no second packet."""
    with open_lab(root) as lab:
        reader = begin_read(lab)
        Stopper(lab.server, at_once=True).wait()
        assert lab.report().outcome == "failed, the peer stopped answering"
        with open_lab(root, host="127.0.0.2") as other:
            reader.server, reader.tid = (other.server.host, other.server.port), None
            other.check_alive(reader)  # and nothing came before that


def test_at_once_is_at_once(root: Path) -> None:
    with open_lab(root, drain=100) as lab:
        reader = begin_read(lab, heard=True)
        Stopper(lab.server, at_once=True).wait()
        reader.expect_error(0)


def test_a_second_stop_is_at_once(root: Path) -> None:
    with open_lab(root, drain=100) as lab:
        reader = begin_read(lab, heard=True)
        first = Stopper(lab.server)
        wait_until_deaf(lab)
        assert first.is_alive()
        Stopper(lab.server).wait()
        first.wait()
        reader.expect_error(0)


@pytest.mark.parametrize("drain", [math.inf, 1e12])
def test_as_long_as_it_takes(root: Path, drain: float) -> None:
    with open_lab(root, drain=drain) as lab:
        reader = begin_read(lab)
        stopper = Stopper(lab.server)
        wait_until_deaf(lab)
        reader.say(ack(1))
        assert reader.take(first=2) == CONTENT[512:3000]
        stopper.wait()


def test_a_late_stop_touches_no_other_file(root: Path, tmp_path: Path) -> None:
    """What woke the loop is closed, and its number may be somebody else's by now."""
    server = Server(root).start()
    server.stop()
    files = [(tmp_path / str(number)).open("wb") for number in range(20)]
    server.stop()
    server.stop(at_once=True)
    for file in files:
        file.close()
        assert Path(file.name).stat().st_size == 0


def test_stopped_before_it_was_started(root: Path) -> None:
    Server(root).stop()


def test_everything_is_given_back(root: Path) -> None:
    before = open_files()
    with open_lab(root, upload=Upload.CREATE) as lab:
        begin_read(lab)
        writer = lab.peer()
        writer.ask(wrq("new"))
        writer.expect(ack(0))
        writer.say(data(1, BLOCK))
        writer.expect(ack(1))
        lab.peer().store("whole", CONTENT)  # dallies
    assert open_files() <= before
    assert names(root) == {"f", "whole"}


def test_it_can_be_started_again(root: Path) -> None:
    (root / "f").write_bytes(b"here")
    server = Server(root)
    for _ in range(3):
        with server, Peer((server.host, server.port)) as peer:
            assert peer.fetch("f") == b"here"
    assert server.totals.completed == 3


def test_it_serves_in_the_callers_thread(root: Path) -> None:
    (root / "f").write_bytes(b"here")
    server = Server(root)
    server.open()
    with Peer((server.host, server.port)) as peer:
        peer.ask(rrq("f"))  # before anybody serves: it waits in the socket

        def stop() -> None:
            assert peer.take() == b"here"
            server.stop()

        stopper = threading.Thread(target=stop)
        stopper.start()
        server.serve()
        stopper.join()


def test_the_listener_may_stop_it(root: Path) -> None:
    """`stop` in the server's own thread does not wait for itself."""
    (root / "f").write_bytes(b"here")
    server: Server

    def listener(report: Report) -> None:
        server.stop()

    server = Server(root, on_transfer=listener)
    server.start()
    with Peer((server.host, server.port)) as peer:
        assert peer.fetch("f") == b"here"
    Stopper(server).wait()


def test_a_listener_that_fails_stops_nothing(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "f").write_bytes(b"here")

    def listener(report: Report) -> None:
        raise ValueError("a bug of the caller")

    with Server(root, on_transfer=listener) as server:
        for _ in range(3):
            with Peer((server.host, server.port)) as peer:
                assert peer.fetch("f") == b"here"
    assert "a bug of the caller" in caplog.text


def test_the_package_has_it(root: Path) -> None:
    (root / "f").write_bytes(b"here")
    with tftp.Server(root, upload="create") as server, Peer((server.host, server.port)) as peer:
        assert peer.fetch("f") == b"here"
        peer.store("g", b"there")
    with pytest.raises(ValueError, match="sometimes"):
        tftp.Server(root, upload="sometimes")


def test_a_root_that_is_absent(tmp_path: Path) -> None:
    before = open_files()
    with pytest.raises(NoSuchFile, match="There is no folder"):
        Server(tmp_path / "nowhere").open()
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match="is not a folder"):
        Server(tmp_path / "file").open()
    assert open_files() <= before


def test_a_host_that_is_no_address(root: Path) -> None:
    before = open_files()
    with pytest.raises(socket.gaierror):
        Server(root, host=("127.0.0.1", "no such host")).open()
    with pytest.raises(OSError, match="assign"):
        Server(root, host=("127.0.0.1", "192.0.2.1")).open()
    with pytest.raises(LocalError, match="No address"):
        Server(root, host=()).open()
    assert open_files() <= before


UNREADABLE = """
import encodings.idna, os, sys
from tftp.server import Server
from tftp.errors import AccessDenied
os.chdir(sys.argv[1])  # what lies above may be closed to an ordinary user
{drop}
for name in ("closed", "searchable"):
    try:
        with Server(name):
            print(name, "is served")
    except AccessDenied as error:
        print(str(error))
"""


def test_a_root_that_may_not_be_read(tmp_path: Path) -> None:
    """Said at the start, and not to every client; to search it is all that names need."""
    tmp_path.chmod(0o755)
    for folder, mode in (("closed", 0o000), ("searchable", 0o111)):
        (tmp_path / folder).mkdir(mode=mode)
    printed = run(UNREADABLE.format(drop=DROP), tmp_path)
    assert printed.splitlines() == [
        "The folder 'closed' may not be read by this user",
        "searchable is served",
    ]
