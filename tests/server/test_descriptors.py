"""Many transfers and few descriptors: files are shared, second sockets given back.

A scene that has a limit of its own is a process of its own.
"""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.net.children import run
from tests.server.house import House
from tests.server.house import block as small_block
from tests.server.process import Serving
from tests.server.wire import Peer, ack, data, rrq
from tftp.net.udp import bind_transfer
from tftp.server import Limits

pytestmark = pytest.mark.fault

CONTENT = bytes(range(256)) * 80  # 41 blocks: lock-step gets its connected socket on the way
BLOCKS = 41
LONG_AGO = (1, 1)
# With so many ports somebody else's late words would reach one of them sooner or later.
ELSEWHERE = ("127.9.9.8", 0)
LIMIT = 300
COUNT = 200


def under(limit: int) -> tuple[str, ...]:
    return ("sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh")


def put(root: Path, name: str) -> None:
    (root / name).write_bytes(CONTENT)
    os.utime(root / name, LONG_AGO)


def block(number: int) -> bytes:
    return data(number, CONTENT[(number - 1) * 512 : number * 512])


def advance(peers: list[Peer], first: int, last: int) -> None:
    """Has all of them fetch blocks, side by side."""
    for number in range(first, last + 1):
        for peer in peers:
            peer.expect(block(number))
        for peer in peers:
            peer.say(ack(number))


def test_more_transfers_of_one_file_than_half_the_descriptors(root: Path) -> None:
    """ROB-LOAD-02: all of them side by side, from the first block to the last, and no silence."""
    put(root, "f")
    with Serving(root, under=under(LIMIT)).listening() as serving:
        peers = [serving.peer(ELSEWHERE) for _ in range(COUNT)]
        for peer in peers:
            peer.ask(rrq("f"))
        advance(peers, 1, 30)
        used = serving.descriptors()
        assert COUNT < used < LIMIT, "the file is open once, and some have two sockets"
        advance(peers, 31, BLOCKS)
        for peer in peers:
            peer.close()
        serving.process.terminate()
        assert serving.wait() == 0
        assert serving.seen[-1].endswith(f"stopped: {COUNT} done, 0 failed")
        assert "no room" not in "".join(serving.seen)


GIVEN_BACK = """
import os, resource, sys
from pathlib import Path
from tests.server.lab import open_lab
from tests.server.test_descriptors import BLOCKS, ELSEWHERE, advance, put
from tests.server.wire import ack, rrq
from tftp.server.connections import RESERVE

def numbers():
    return {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}

root = Path(sys.argv[1])
put(root, "f")
with open_lab(root) as lab:
    late = [lab.peer(bind=ELSEWHERE) for _ in range(8)]
    early = [lab.peer(bind=ELSEWHERE) for _ in range(10)]
    lab.refused(rrq("nope"))  # it is up, and has closed what it tried out
    before = len(numbers())
    for peer in early:
        peer.ask(rrq("f"))
    advance(early, 1, 20)
    print(len(numbers()) - before)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(numbers()) + RESERVE + 3, hard))
    for peer in late:
        peer.ask(rrq("f"))
    advance(late, 1, 10)
    print(len(numbers()) - before)
    advance(late, 11, 30)
    advance(early, 21, BLOCKS)
    advance(late, 31, BLOCKS)
    print(lab.server.totals.turned_away, [lab.report().resent for _ in early + late])
"""


def test_second_sockets_are_given_back_to_those_who_have_none(root: Path) -> None:
    """At once, and with what they had: nobody has to ask or to send again."""
    assert run(GIVEN_BACK, root).splitlines() == [
        "21",  # two sockets each, and the file
        "19",
        f"0 {[0] * 18}",
    ]


RESERVED = """
import resource, sys
from pathlib import Path
from tests.server.lab import open_lab
from tests.server.test_descriptors import ELSEWHERE, put
from tests.server.wire import ack, data, rrq, wrq
from tftp.server import Upload

root = Path(sys.argv[1])
put(root, "f")
with open_lab(root, upload=Upload.CREATE) as lab:
    writer = lab.peer()
    peers = [lab.peer(bind=ELSEWHERE) for _ in range(60)]
    writer.ask(wrq("new"))
    writer.expect(ack(0))
    used = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, hard))
    for peer in peers:
        peer.ask(rrq("f"))
    last = lab.peer(bind=ELSEWHERE)  # of the same host: it is its turn when they have had theirs
    last.ask(rrq("nope"))
    last.receive()
    print(lab.server.totals.turned_away)
    writer.say(data(1, b"whole"))
    writer.expect(ack(1))
    print((root / "new").read_bytes())
"""


def test_an_upload_finds_the_descriptor_that_its_end_takes(root: Path) -> None:
    """However many would read: the last descriptors are for making files durable."""
    turned_away, content = run(RESERVED, root).splitlines()
    assert 20 < int(turned_away) < 60
    assert content == "b'whole'"


def test_no_descriptor_for_a_second_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    endpoint = bind_transfer(socket.AF_INET, "127.0.0.1", 0, None)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        assert not endpoint.connect(("127.0.0.1", 9))
    assert endpoint.fast is None
    endpoint.close()


def test_an_ack_in_a_socket_that_is_given_back(
    open_house: Callable[[Limits], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered first: the peer need not send it again."""
    monkeypatch.setattr("tftp.server.loop.REQUESTS_A_TURN", 1)
    house = open_house(Limits())
    (peer,) = house.small(1)
    for number in range(1, 18):
        house.say([(peer, ack(number))])
        house.turn()
        peer.expect(small_block(number + 1))
    assert house.has_two_sockets(peer)
    first, late = house.peer(), house.peer()
    first.ask(rrq("small"))
    late.ask(rrq("small"))
    house.turn()  # the second one waits, and comes before whatever comes from now on
    house.say([(peer, ack(18))])
    house.shortages.append(errno.EMFILE)
    house.turn()
    assert not house.shortages
    assert not house.has_two_sockets(peer)
    peer.expect(small_block(19))
    late.expect(small_block(1))
    house.say([(peer, ack(19))])
    house.turn()
    peer.expect(small_block(20))


def test_other_troubles_with_a_socket_take_none_away(open_house: Callable[[Limits], House]) -> None:
    house = open_house(Limits())
    (peer,) = house.small(1)
    for number in range(1, 18):
        house.say([(peer, ack(number))])
        house.turn()
        peer.expect(small_block(number + 1))
    house.peer().ask(rrq("small"))
    house.shortages.append(errno.EADDRNOTAVAIL)
    house.turn()
    assert not house.shortages
    assert house.has_two_sockets(peer)
