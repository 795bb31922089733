"""The parts of the simulator: its clock, its links, its disk, its endpoints, its strangers."""

import random

import pytest

from tftp.errors import DiskFull, FileChanged, LocalError, NoSuchFile
from tftp.net.cold import Cold
from tftp.protocol.transfer import Address
from tftp.sim.clock import START, Alarm, Clock
from tftp.sim.disk import Disk, Temper
from tftp.sim.endpoint import VirtualEndpoint, Watch
from tftp.sim.link import Faults
from tftp.sim.network import Hazards, Network
from tftp.sim.served import Here
from tftp.sim.strangers import noise
from tftp.sim.trace import Trace

HERE: Address = ("10.0.0.1", 69)
THERE: Address = ("10.0.0.2", 4000)
CALM = Faults(delay=0.01)


def test_things_happen_in_the_order_of_their_times_and_of_being_asked_for() -> None:
    clock, seen = Clock(), []
    for name, seconds in [("c", 2.0), ("a", 1.0), ("d", 2.0), ("b", 1.0)]:
        clock.after(seconds, lambda name=name: seen.append((name, clock.now)))  # type: ignore[misc]
    assert clock.run(3) == 1
    assert clock.run(3) == 0
    assert seen == [("a", START + 1), ("b", START + 1), ("c", START + 2), ("d", START + 2)]


def test_an_alarm_rings_once_when_it_is_due_at_last() -> None:
    clock = Clock()
    rings: list[float] = []
    alarm = Alarm(clock, lambda: rings.append(clock.now))
    alarm.set(START + 1)
    alarm.set(START + 3)
    clock.after(0.5, lambda: alarm.set(START + 2))
    clock.run(100)
    assert rings == [START + 2]
    alarm.set(START + 5)
    alarm.set(None)
    clock.run(100)
    assert rings == [START + 2]


class Post:
    """A network with one port at each of two hosts."""

    def __init__(self, hazards: Hazards, seed: int = 1) -> None:
        self.clock = Clock()
        self.trace = Trace()
        self.network = Network(self.clock, self.trace, seed, hazards)
        self.came: list[tuple[bytes, float]] = []
        self.network.bind(
            HERE[0], HERE[1], lambda data, _: self.came.append((data, self.clock.now - START))
        )

    def send(self, count: int, size: int = 10) -> int:
        """Sends so many, a millisecond apart; returns how many have come."""
        for number in range(count):
            data = number.to_bytes(4, "big").ljust(size, b".")
            self.clock.after(number / 1000, lambda data=data: self.network.send(data, THERE, HERE))  # type: ignore[misc]
        self.clock.run(1_000_000)
        return len(self.came)

    def fates(self) -> str:
        """Returns all that the ladder says."""
        return "\n".join(self.trace.ladder())


def test_a_calm_link_delivers_all_in_order() -> None:
    post = Post(Hazards(CALM))
    assert post.send(50) == 50
    assert [data for data, _ in post.came] == sorted(data for data, _ in post.came)
    assert post.came[0][1] == pytest.approx(0.01)


def test_what_is_larger_than_the_mtu_vanishes() -> None:
    assert Post(Hazards(CALM, mtu=1500)).send(3, 1472) == 3
    post = Post(Hazards(CALM, mtu=1500))
    assert post.send(3, 1473) == 0
    assert "too large" in post.fates()


def test_damage_is_loss_under_another_name() -> None:
    post = Post(Hazards(CALM, damage=0.5))
    assert 20 < post.send(100) < 80
    assert "damaged" in post.fates()
    assert all(data.endswith(b"......") for data, _ in post.came)


def test_a_cut_is_in_one_direction_and_for_a_time() -> None:
    post = Post(Hazards(CALM, cuts=((START + 0.010, START + 0.020),)))
    assert post.send(30) == 20
    assert post.fates().count("cut off") == 10
    back: list[bytes] = []
    post.network.bind(THERE[0], THERE[1], lambda data, _: back.append(data))
    post.network.connect(HERE[0], THERE[0], Hazards(CALM))
    post.network.send(b"back", HERE, THERE)
    post.clock.run(10)
    assert back == [b"back"]


def test_late_copies_come_late() -> None:
    post = Post(Hazards(CALM, late=1.0, lateness=5.0))
    assert post.send(10) == 20
    assert max(when for _, when in post.came) > 1.0


def test_a_closed_port_hears_nothing_and_a_taken_one_cannot_be_had() -> None:
    post = Post(Hazards(CALM))
    with pytest.raises(OSError, match="taken"):
        post.network.bind(HERE[0], HERE[1], lambda *_: None)
    post.network.release(HERE)
    assert post.send(1) == 0
    assert "nobody is there" in post.fates()
    assert not post.network.open_ports


def disk(temper: Temper) -> Disk:
    return Disk(Clock(), 1, temper)


def read(content: Disk, name: str, size: int, offset: int = 0) -> bytes:
    source = content.read(name, netascii=False, keep=0)
    try:
        buffer = bytearray(size)
        return bytes(buffer[: source.read_into([buffer], offset)])
    finally:
        source.close()


def test_a_file_is_read_as_it_was_when_it_was_opened_or_not_at_all() -> None:
    content = disk(Temper())
    content.put("f", b"0123456789")
    source = content.read("f", netascii=False, keep=0)
    content.put("f", b"abcdefghij")
    buffer = bytearray(20)
    assert source.read_into([buffer], 0) == 10
    assert buffer[:10] == b"0123456789"
    assert read(content, "f", 4, 2) == b"cdef"
    source.close()
    source = content.read("f", netascii=False, keep=0)
    content.change("f", b"abc")
    with pytest.raises(FileChanged):
        source.read_into([buffer], 0)
    assert content.texts("f", START) == [b"0123456789", b"abcdefghij", b"abc"]
    content.remove("f")
    with pytest.raises(NoSuchFile):
        content.read("f", netascii=False, keep=0)
    source.close()
    source.close()
    assert content.sources == 0


def test_a_spoilt_file_is_read_up_to_where_it_is_spoilt() -> None:
    content = disk(Temper())
    content.put("f", b"0123456789")
    content.spoil("f", 4)
    assert read(content, "f", 4) == b"0123"
    with pytest.raises(LocalError, match="input/output"):
        read(content, "f", 5)
    assert content.sources == 0


def test_a_slow_disk_says_so_and_brings_the_octets_later() -> None:
    content = disk(Temper(slow=1.0, wait=2.0))
    content.put("f", b"0123456789")
    source = content.read("f", netascii=False, keep=0)
    buffer = bytearray(4)
    told: list[float] = []
    with pytest.raises(Cold) as cold:
        source.read_into([buffer], 0)
    cold.value.source.fetch(Here(), lambda: told.append(content.clock.now))
    cold.value.source.fetch(Here(), lambda: told.append(0.0))
    with pytest.raises(Cold):
        source.read_into([buffer], 0)
    content.clock.run(10)
    assert len(told) == 1
    assert START < told[0] < START + 2
    assert source.read_into([buffer], 0) == 4
    with pytest.raises(Cold):
        source.read_into([buffer], 4)


def test_a_full_disk_takes_what_fits_and_gets_it_back() -> None:
    content = disk(Temper(room=10))
    sink = content.write("u", netascii=False, size=None)
    sink.write([b"12345", b"67"])
    with pytest.raises(DiskFull):
        sink.write([b"8901"])
    sink.discard()
    assert (content.used, content.sinks) == (0, 0)
    with pytest.raises(DiskFull):
        content.write("u", netascii=False, size=11)
    sink = content.write("u", netascii=False, size=10)
    sink.write([b"0123456789"])
    sink.commit()
    sink.discard()
    assert content.stored == {"u": b"0123456789"}
    assert (content.used, content.sinks) == (10, 0)


def endpoint(groups: bool) -> tuple[VirtualEndpoint, Network, Clock]:
    clock = Clock()
    network = Network(clock, Trace(), 1, Hazards(Faults(delay=0.0)))
    made = VirtualEndpoint(network, "10.0.0.1", Watch(), groups=groups)
    made.group_arrivals()
    return made, network, clock


@pytest.mark.parametrize(("groups", "stride"), [(True, 4), (False, 0)])
def test_equal_datagrams_of_one_source_come_as_a_train(groups: bool, stride: int) -> None:
    made, network, clock = endpoint(groups)
    other: Address = ("10.0.0.3", 1)
    for data, source in [(b"aaaa", THERE), (b"bbbb", THERE), (b"cc", THERE), (b"dddd", other)]:
        network.send(data, source, made.address)
    clock.run(10)
    buffer = bytearray(100)
    expected = (10, stride, THERE) if stride else (4, 0, THERE)
    assert made.receive_into(buffer) == expected
    assert bytes(buffer[: expected[0]]) == b"aaaabbbbcc"[: expected[0]]
    made.close()
    assert not network.open_ports


def test_a_connected_socket_hears_its_peer_and_nobody_else() -> None:
    made, network, clock = endpoint(groups=True)
    made.connect(THERE)
    network.send(b"peer", THERE, made.address)
    network.send(b"else", ("10.0.0.3", 1), made.address)
    clock.run(10)
    quick = made.quick
    assert quick is not None
    buffer = memoryview(bytearray(100))
    assert quick.recv_into(buffer) == 4
    assert bytes(buffer[:4]) == b"peer"
    with pytest.raises(BlockingIOError):
        quick.recv_into(buffer)
    assert made.receive_into(buffer) == (4, 0, ("10.0.0.3", 1))
    made.is_full = lambda: True
    with pytest.raises(BlockingIOError):
        quick.send(b"no room")
    assert made.send_train(memoryview(b"12345678"), 4, THERE) == 0


def test_noise_for_the_listening_port_never_is_a_request() -> None:
    chance = random.Random(1)
    heard = [noise(chance, requests=False) for _ in range(3000)]
    assert not [data for data in heard if data[:2] in (b"\0\1", b"\0\2")]
    assert {data[:2] for data in heard} >= {b"\0\3", b"\0\4", b"\0\5", b"\0\6", b""}
    assert any(noise(chance)[:2] == b"\0\1" for _ in range(300))
