"""An address of this host that goes away while transfers use it, and comes back, or does not.

In a network namespace whose loopback has three addresses: two are the server's, and one of
those is taken away.
"""

from pathlib import Path

import pytest

from tests.net.children import run
from tests.server.test_addresses import network_namespace

pytestmark = [pytest.mark.fault, pytest.mark.netns]

SCENE = """
import subprocess, sys, threading
from pathlib import Path
from tests.server.lab import CONTENT, open_lab
from tests.server.wire import Peer, ack, data, oack, rrq, wrq
from tftp.protocol.pace import Timing
import tftp

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

def come(address):
    ip(f"addr add {address}/32 dev lo")

def go(address):
    ip(f"addr del {address}/32 dev lo")

def take(peer, first, last, window):
    content = b""
    for block in range(first, last + 1):
        while (packet := peer.receive())[:4] != data(block):
            pass
        content += packet[4:]
        if block % window == 0 and block < last:
            peer.say(ack(block))
    return content

GOING, STAYING, CLIENT = "10.9.8.1", "10.9.8.2", "10.9.8.3"
PATIENT = Timing(first=0.1, floor=0.1, least=0.1, ceiling=0.2, retries=100)
IMPATIENT = Timing(first=0.1, floor=0.1, least=0.1, ceiling=0.2, retries=4)
ip("link set lo up")
for address in (GOING, STAYING, CLIENT):
    come(address)
root = Path(sys.argv[1])
(root / "f").write_bytes(CONTENT)
LAST = len(CONTENT) // 1024 + 1
"""

BACK = """
for hosts in ("0.0.0.0", (GOING, STAYING)):
    for window in (1, 4):
        with open_lab(root, host=hosts, timing=PATIENT, upload="overwrite") as lab:
            address = (GOING, lab.server.port)
            reader, writer = (Peer(address, (CLIENT, 0)) for _ in range(2))
            with reader, writer:
                reader.ask(rrq("f", blksize=1024, windowsize=window))
                reader.expect(oack(blksize=1024, windowsize=window))
                reader.say(ack(0))
                content = take(reader, 1, 40, window)
                writer.ask(wrq("new"))
                writer.expect(ack(0))
                for block in range(1, 31):
                    writer.say(data(block, bytes(512)))
                    while writer.receive() != ack(block): pass
                go(GOING)
                other = Peer((STAYING, lab.server.port), (CLIENT, 0))
                with other:
                    assert other.fetch("f", blksize=1024) == CONTENT
                come(GOING)
                reader.say(ack(40))
                content += take(reader, 41, LAST, window)
                reader.say(ack(LAST))
                writer.say(data(31, b"end"))
                while writer.receive() != ack(31): pass
                again = Peer(address, (CLIENT, 0))
                with again:
                    assert again.fetch("f", blksize=1024) == CONTENT
            assert content == CONTENT
            assert (root / "new").read_bytes() == bytes(30 * 512) + b"end"
            print(all(lab.report().ok for _ in range(4)))
"""

GONE = """
for window in (1, 4):
    with open_lab(root, host="0.0.0.0", timing=IMPATIENT, upload="create") as lab:
        with Peer((GOING, lab.server.port), (CLIENT, 0)) as reader:
            reader.ask(rrq("f", blksize=1024, windowsize=window))
            reader.expect(oack(blksize=1024, windowsize=window))
            reader.say(ack(0))
            take(reader, 1, 40, window)
            go(GOING)
            print(lab.report().outcome)
            with Peer((STAYING, lab.server.port), (CLIENT, 0)) as other:
                assert other.fetch("f", blksize=1024) == CONTENT
            print(lab.report().outcome)
    come(GOING)
"""

OURS = """
with open_lab(root, host=STAYING, timing=PATIENT, upload="create") as lab:
    gone = threading.Event()
    def progress(done, total):
        if done > 20_000 and not gone.is_set():
            gone.set()
            go(CLIENT)
            threading.Timer(0.5, come, [CLIENT]).start()
    client = tftp.Client(STAYING, lab.server.port, block_size=1024, window=int(sys.argv[2]),
                         local_address=CLIENT, timeout=0.1, retries=100)
    large = CONTENT * 100
    (root / "large").write_bytes(large)
    client.download("large", root / "got", progress=progress)
    assert gone.is_set()
    print((root / "got").read_bytes() == large)
    gone.clear()
    client.upload("new", root / "large", progress=progress)
    assert gone.is_set()
    print((root / "new").read_bytes() == large)
"""


@pytest.fixture(scope="module", autouse=True)
def namespace() -> tuple[str, ...]:
    prefix = network_namespace()
    if prefix is None:
        pytest.skip("no network namespaces here")
    return prefix


def test_transfers_outlast_an_address_that_comes_back(
    root: Path, namespace: tuple[str, ...]
) -> None:
    """Who asked another address is served meanwhile, and both can be asked again afterwards."""
    assert run(SCENE + BACK, root, under=namespace).split() == ["True"] * 4


def test_transfers_end_when_an_address_stays_away(root: Path, namespace: tuple[str, ...]) -> None:
    given_up = "failed, the peer stopped answering"
    assert run(SCENE + GONE, root, under=namespace).splitlines() == [given_up, "done"] * 2


@pytest.mark.parametrize("window", [1, 8])
def test_our_client_outlasts_its_own_address(
    root: Path, namespace: tuple[str, ...], window: int
) -> None:
    assert run(SCENE + OURS, root, window, under=namespace).split() == ["True", "True"]
