"""Where an answer comes from, and who gets none: several addresses, both families, groups.

A broadcast on loopback needs no rights; what needs a network of its own makes a namespace
in a child process, which is gone with it.
"""

import errno
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import run
from tests.server.lab import CONTENT, Lab, open_lab
from tests.server.wire import Peer, ack, data, parse_error, rrq, wrq
from tftp.net.udp import bind_listener, is_group
from tftp.protocol.transfer import Address
from tftp.server import EVERYWHERE, Server


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
            trial.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def network_namespace() -> tuple[str, ...] | None:
    """The prefix that runs a command in a network of its own; None where that is forbidden."""
    prefix = ("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-Urn")
    make = [*prefix, "ip", "link", "add", "name", "d0", "type", "veth"]
    try:
        done = subprocess.run(make, capture_output=True, timeout=20)
    except FileNotFoundError:
        return None
    return prefix if done.returncode == 0 else None


@pytest.fixture
def everywhere(root: Path) -> Iterator[Lab]:
    (root / "f").write_bytes(CONTENT[:1000])
    with open_lab(root, host=EVERYWHERE) as lab:
        yield lab


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.1.2.3"])
def test_the_answer_comes_from_the_address_that_was_asked(everywhere: Lab, host: str) -> None:
    """RFC1350-4-05"""
    peer = everywhere.peer(host, ("127.0.0.1", 0))
    peer.ask(rrq("f"))
    peer.expect(data(1, CONTENT[:512]))
    assert peer.tid is not None
    assert peer.tid[0] == host
    peer.say(ack(1))
    assert peer.take(first=2) == CONTENT[512:1000]
    peer.ask(rrq("nope"))
    assert parse_error(peer.receive())[0] == 1
    assert peer.tid == (host, everywhere.server.port)


@needs_ipv6
def test_ipv6(everywhere: Lab) -> None:
    """DF-PORT-02"""
    peer = everywhere.peer("::1")
    assert peer.fetch("f", blksize=65464, windowsize=4) == CONTENT[:1000]
    assert peer.tid is not None
    assert peer.tid[0] == "::1"
    assert str(everywhere.report()).startswith(f'[::1]:{peer.address[1]} read "f" 1000 bytes')
    stranger = everywhere.peer("::1")
    stranger.ask(rrq("f"))
    stranger.expect(data(1, CONTENT[:512]))
    other = everywhere.stranger(stranger, ("::1", 0))
    other.say(ack(1))
    other.expect_error(5)
    stranger.ask(wrq("new"))
    assert parse_error(stranger.receive())[0] == 2
    assert stranger.tid == ("::1", everywhere.server.port, 0, 0)


@needs_ipv6
def test_both_families_have_the_same_port(everywhere: Lab) -> None:
    server = everywhere.server
    assert [address[0] for address in server.addresses] == list(EVERYWHERE)
    assert len({address[1] for address in server.addresses}) == 1
    assert everywhere.peer("127.0.0.1").fetch("f") == everywhere.peer("::1").fetch("f")


@needs_ipv6
def test_a_free_port_is_free_for_both_families(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port that IPv4 gave may be taken for IPv6: then another one is tried."""
    tries: list[Address] = []

    def bind(
        family: socket.AddressFamily, address: Address, *, shared: bool = False
    ) -> socket.socket:
        tries.append(address)
        if family == socket.AF_INET6 and len(tries) == 2:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return bind_listener(family, address, shared=shared)

    monkeypatch.setattr("tftp.server.server.bind_listener", bind)
    with Server(root, host=EVERYWHERE) as server:
        assert len(server.addresses) == 2
        assert server.port
    assert len(tries) == 4


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_machine_without_ipv6(root: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def bind(
        family: socket.AddressFamily, address: Address, *, shared: bool = False
    ) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(number, os.strerror(number))
        return bind_listener(family, address, shared=shared)

    monkeypatch.setattr("tftp.server.server.bind_listener", bind)
    with Server(root, host=EVERYWHERE) as server:
        assert [address[0] for address in server.addresses] == ["0.0.0.0"]
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        Server(root, host="::").open()


def test_a_port_that_is_taken_is_not_tried_again(root: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        server = Server(root, port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            server.open()


def test_a_broadcast_on_loopback_is_not_answered(everywhere: Lab) -> None:
    """RFC1123-4.2.3.5-01"""
    peer = everywhere.peer("127.0.0.1")
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    group = ("127.255.255.255", everywhere.server.port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        control.bind(("", 0))
        control.settimeout(10)
        peer.socket.sendto(b"x", (group[0], control.getsockname()[1]))
        assert control.recv(10) == b"x", "broadcasts get through here"
    for request in (rrq("f"), rrq("nope"), wrq("new"), b"\0\1"):
        peer.socket.sendto(request, group)
    everywhere.check_alive(peer)


@pytest.mark.parametrize(
    ("address", "group"),
    [
        (("127.0.0.1", 69), False),
        (("223.255.255.255", 69), False),
        (("224.0.0.1", 69), True),
        (("255.255.255.255", 69), True),
        (("0.0.0.0", 69), True),
        (("127.0.0.1", 0), True),
        (("::1", 69, 0, 0), False),
        (("fe80::1%lo", 69, 0, 1), False),
        (("ff02::1", 69, 0, 0), True),
        (("FF02::1", 69, 0, 0), True),
    ],
)
def test_sources_that_are_no_host(address: Address, group: bool) -> None:
    """RFC1123-4.2.3.5-01: nobody is answered who cannot have asked."""
    assert is_group(address) is group


LINK = """
import socket, subprocess, sys
from pathlib import Path

def ip(*commands):
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)

ip("link set lo up", "link add name d0 type veth peer name d1", "link set d0 up", "link set d1 up")
show = ["ip", "link", "show", "d0"]
while b"state UP" not in subprocess.run(show, capture_output=True, check=True).stdout:
    pass  # the link comes up by and by; till then packets may be lost
"""

GROUPS = """
from tests.server.lab import open_lab
from tests.server.wire import Peer, data, rrq

ip("addr add 10.9.8.1/24 brd + dev d0", "addr add fd09::1/64 dev d0 nodad",
   "route add default dev d0")
root = Path(sys.argv[1])
(root / "asked").write_bytes(b"of a group")
index = socket.if_nametoindex("d0")

def reaches(family, group, sock):
    with socket.socket(family, socket.SOCK_DGRAM) as control:
        if family == socket.AF_INET6:
            control.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        control.bind(("", 0))
        control.settimeout(5)
        sock.sendto(b"control", (group[0], control.getsockname()[1], *group[2:]))
        try:
            return control.recv(100) == b"control"
        except TimeoutError:
            return False

with open_lab(root, host=("0.0.0.0", "::")) as lab:
    port = lab.server.port
    for group in (("255.255.255.255", port), ("10.9.8.255", port), ("224.0.0.1", port),
                  ("ff02::1", port, 0, index)):
        family = socket.AF_INET6 if ":" in group[0] else socket.AF_INET
        own = "fd09::1" if family == socket.AF_INET6 else "10.9.8.1"
        peer = lab.peer(own, (own, 0))
        if family == socket.AF_INET:
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        assert reaches(family, group, peer.socket), group
        peer.socket.sendto(rrq("asked"), group)
        peer.socket.sendto(rrq("nope"), group)
        lab.check_alive(peer)
        print(group[0], "is not answered")
"""


@pytest.mark.netns
def test_no_group_is_answered(root: Path) -> None:
    """RFC1123-4.2.3.5-01: everybody, the subnet, and multicast of both families."""
    prefix = network_namespace()
    if prefix is None:
        pytest.skip("no network namespaces here")
    printed = run(LINK + GROUPS, root, under=prefix).splitlines()
    assert [line.split()[0] for line in printed] == [
        "255.255.255.255",
        "10.9.8.255",
        "224.0.0.1",
        "ff02::1",
    ]


LINK_LOCAL = """
from tests.server.lab import CONTENT, open_lab

ip("addr add fe80::9/64 dev d0 nodad")
root = Path(sys.argv[1])
(root / "f").write_bytes(CONTENT[:5000])
index = socket.if_nametoindex("d0")
with open_lab(root, host="::") as lab:
    peer = lab.peer("fe80::9", ("fe80::9", 0, 0, index))
    peer.server = ("fe80::9%d0", lab.server.port, 0, index)
    assert peer.fetch("f") == CONTENT[:5000]
    print(peer.tid[0], peer.tid[3] == index)
    peer.ask(b"\\0\\1nope\\0octet\\0")
    print(peer.expect_error(1))
"""


@pytest.mark.netns
def test_a_link_local_address(root: Path) -> None:
    """RFC1350-4-05: such an address means something only together with its link."""
    prefix = network_namespace()
    if prefix is None:
        pytest.skip("no network namespaces here")
    assert run(LINK + LINK_LOCAL, root, under=prefix).splitlines() == [
        "fe80::9 True",
        "File not found",
    ]


def test_two_hosts_of_choice(root: Path) -> None:
    (root / "f").write_bytes(b"here")
    with open_lab(root, host=("127.0.0.3", "127.0.0.4")) as lab:
        for host in ("127.0.0.3", "127.0.0.4"):
            assert lab.peer(host).fetch("f") == b"here"
        with Peer(("127.0.0.5", lab.server.port)) as elsewhere:
            elsewhere.socket.connect(elsewhere.server)
            elsewhere.socket.send(rrq("f"))
            with pytest.raises(ConnectionRefusedError):
                elsewhere.socket.recv(100)
