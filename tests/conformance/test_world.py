"""The world in memory keeps to what real ports do, as far as cases can tell."""

import time

import pytest

from conformance.ports import Net, Port
from tests.conformance.world import LATENCY, World
from tftp.sim.clock import Alarm

HOST = "127.0.0.1"


def test_it_is_a_net() -> None:
    world = World()
    net: Net = world
    port: Port = net.open(HOST)
    assert port.address[0] == HOST


def test_datagrams_come_in_order_and_take_a_moment() -> None:
    world = World()
    here, there = world.open(HOST), world.open("::1")
    began = world.now()
    for octets in (b"a", b"b"):
        here.send(octets, there.address)
    arrivals = [there.receive(began + 1) for _ in range(3)]
    assert [a and a.datagram for a in arrivals] == [b"a", b"b", None]
    assert arrivals[0] is not None
    assert arrivals[0].at == began + LATENCY
    assert world.now() == began + 1


def test_an_hour_takes_no_time() -> None:
    world = World()
    port = world.open(HOST)
    began, started = world.now(), time.process_time()
    assert port.receive(began + 3600) is None
    assert time.process_time() - started < 0.1
    world.pause(3600)
    assert world.now() == began + 7200


def test_time_never_goes_back() -> None:
    world = World()
    began = world.now()
    assert world.open(HOST).receive(began - 5) is None
    assert world.now() == began


def test_a_closed_port_is_reported_and_nobody_hears_it_who_is_gone() -> None:
    world = World()
    here, there = world.open(HOST), world.open(HOST)
    there.close()
    here.send(b"x", there.address)
    bounced = here.receive(world.now() + 1)
    assert bounced is not None
    assert (bounced.unreachable, bounced.source) == (True, there.address)
    here.send(b"x", there.address)
    here.close()
    world.pause(1)


def test_ports_are_free_or_taken() -> None:
    world = World()
    port = world.open(HOST, 69)
    with pytest.raises(OSError, match="taken"):
        world.open(HOST, 69)
    world.open("127.0.0.2", 69)
    port.close()
    world.open(HOST, 69)
    with pytest.raises(OSError, match="no address"):
        world.open("192.0.2.1")


def test_a_datagram_has_its_limit() -> None:
    world = World()
    port = world.open(HOST)
    with pytest.raises(OSError, match="larger"):
        port.send(bytes(65508), port.address)


def test_an_alarm_rings_once_where_it_stands() -> None:
    world = World()
    rung: list[float] = []
    began = world.now()
    alarm = Alarm(world.clock, lambda: rung.append(world.now() - began))
    alarm.set(began + 1)
    alarm.set(began + 3)  # later
    world.pause(2)
    assert rung == []
    alarm.set(began + 2.5)  # sooner
    world.pause(5)
    assert rung == [2.5]
    alarm.set(world.now() + 1)
    alarm.set(None)
    world.pause(5)
    assert rung == [2.5]
