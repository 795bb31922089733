"""What hosts may have: buckets, shares, and who has answered. No sockets, no clock."""

from dataclasses import dataclass

import pytest

from tftp.protocol.transfer import Address
from tftp.server.access import Access, parse_network
from tftp.server.config import Limits
from tftp.server.guard import Bucket, Guard, Verdict, host_of

READ, WRITE = b"\0\1f\0octet\0", b"\0\2f\0octet\0"


@dataclass(eq=False)
class Fake:
    """A transfer, as far as the guard looks."""

    host: str = "192.0.2.1"
    port: int = 2000
    writes: bool = False

    @property
    def peer(self) -> Address:
        return self.host, self.port


def many(guard: Guard, count: int, host: str = "192.0.2.1", writes: bool = False) -> list[Fake]:
    begun = [Fake(host, 2000 + number, writes) for number in range(count)]
    for transfer in begun:
        guard.begin(transfer)
    return begun


def prove(guard: Guard, *hosts: str) -> None:
    for host in hosts:
        transfer = Fake(host)
        guard.begin(transfer)
        guard.prove(transfer)
        guard.end(transfer)


def test_a_bucket_has_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(10.0, burst=2.0)
    assert [bucket.take(5.0) for _ in range(21)] == [True] * 20 + [False]
    assert bucket.wait(5.0) == pytest.approx(0.1)
    assert not bucket.take(5.05)
    assert bucket.take(5.11)
    assert bucket.wait(1000.0) == 0.0
    assert sum(bucket.take(1000.0) for _ in range(100)) == 20, "no more than it holds"


def test_a_bucket_that_goes_back_in_time_gives_nothing() -> None:
    bucket = Bucket(1.0, burst=1.0)
    assert bucket.take(10.0)
    assert not bucket.take(9.0)
    assert not bucket.take(10.5)
    assert bucket.take(11.0)


def test_a_rate_of_zero_is_no_limit() -> None:
    bucket = Bucket(0.0)
    assert all(bucket.take(0.0) for _ in range(100_000))
    assert bucket.wait(0.0) == 0.0


@pytest.mark.parametrize("port", sorted(Limits().muted_ports))
def test_other_servers_are_not_answered(port: int) -> None:
    """CVE-2024-2169"""
    assert Guard(Limits()).hear(READ, ("192.0.2.1", port), 0.0) is Verdict.MUTED
    assert Guard(Limits(muted_ports=frozenset())).hear(READ, ("192.0.2.1", port), 0.0) is None


def test_hosts_that_may_not_ask_are_not_answered() -> None:
    guard = Guard(
        Limits(),
        Access(
            deny=(parse_network("192.0.2.0/24"),), allow_upload=(parse_network("198.51.100.1"),)
        ),
    )
    assert guard.hear(READ, ("192.0.2.1", 2000), 0.0) is Verdict.DENIED
    assert guard.hear(READ, ("198.51.100.2", 2000), 0.0) is None
    assert guard.hear(WRITE, ("198.51.100.2", 2000), 0.0) is Verdict.DENIED
    assert guard.hear(WRITE, ("198.51.100.1", 2000), 0.0) is None


def test_each_host_has_a_bucket_of_its_own() -> None:
    guard = Guard(Limits(host_requests=1.0))  # eight may come together
    prove(guard, "192.0.2.1", "192.0.2.2")
    heard = [guard.hear(READ, ("192.0.2.1", port), 0.0) for port in range(2000, 2009)]
    assert heard == [None] * 8 + [Verdict.HOST_REQUESTS]
    assert guard.hear(READ, ("192.0.2.2", 2000), 0.0) is None
    assert guard.hear(READ, ("192.0.2.1", 2000), 1.0) is None


def test_buckets_are_bounded_and_forged_sources_have_none() -> None:
    guard = Guard(Limits(hosts=3))
    for number in range(100):
        guard.hear(READ, (f"192.0.2.{number}", 2000), 0.0)
    assert len(guard._buckets) == 0
    for number in range(100):
        prove(guard, f"192.0.2.{number}")
        guard.hear(READ, (f"192.0.2.{number}", 2000), 0.0)
    assert len(guard._buckets) == 3


def test_a_host_may_have_its_share_of_transfers() -> None:
    guard = Guard(Limits(host_transfers=2))
    first, _ = many(guard, 2)
    assert guard.admit(("192.0.2.1", 9), 0.0, writes=False) is Verdict.HOST_TRANSFERS
    assert guard.admit(("192.0.2.2", 9), 0.0, writes=False) is None
    guard.end(first)
    assert guard.admit(("192.0.2.1", 9), 0.0, writes=False) is None


def test_a_host_that_has_answered_nothing_may_have_few() -> None:
    guard = Guard(Limits(host_unproven=3))
    begun = many(guard, 3)
    assert guard.admit(("192.0.2.1", 9), 0.0, writes=False) is Verdict.HOST_UNPROVEN
    assert guard.prove(begun[0]), "the first time"
    assert not guard.prove(begun[1]), "it is known by now"
    assert guard.admit(("192.0.2.1", 9), 0.0, writes=False) is None
    assert guard.is_proven("192.0.2.1")
    for transfer in begun:
        guard.end(transfer)
    assert guard.is_proven("192.0.2.1"), "for the next time"
    assert guard.empty


def test_those_remembered_are_bounded() -> None:
    guard = Guard(Limits(hosts=2))
    for number in range(3):
        transfer = Fake(f"192.0.2.{number}")
        guard.begin(transfer)
        guard.prove(transfer)
        guard.end(transfer)
    assert [guard.is_proven(f"192.0.2.{number}") for number in range(3)] == [False, True, True]


def test_the_oldest_without_an_answer_gives_way() -> None:
    guard = Guard(Limits(unproven=2))
    first, second = many(guard, 2)
    assert guard.surplus() is None
    (third,) = many(guard, 1, "192.0.2.9")
    assert guard.surplus() is first
    guard.prove(first)
    assert guard.surplus() is None
    many(guard, 1, "192.0.2.10")
    assert guard.surplus() is second
    guard.end(second)
    assert guard.surplus() is None
    guard.end(third)


def test_uploads_are_counted_apart() -> None:
    guard = Guard(Limits(uploads=3, host_uploads=2))
    begun = many(guard, 2, writes=True)
    assert guard.admit(("192.0.2.1", 9), 0.0, writes=True) is Verdict.HOST_UPLOADS
    assert guard.admit(("192.0.2.1", 9), 0.0, writes=False) is None
    begun += many(guard, 1, "192.0.2.2", writes=True)
    assert guard.admit(("192.0.2.3", 9), 0.0, writes=True) is Verdict.UPLOADS
    for transfer in begun:
        guard.end(transfer)
    assert guard.admit(("192.0.2.3", 9), 0.0, writes=True) is None
    assert guard.empty


def test_uploads_have_a_rate() -> None:
    guard = Guard(Limits(upload_requests=1.0))
    peer = ("192.0.2.1", 9)
    admitted = [guard.admit(peer, 0.0, writes=True) for _ in range(11)]
    assert admitted == [None] * 10 + [Verdict.UPLOAD_REQUESTS]
    assert guard.admit(peer, 0.0, writes=False) is None
    assert guard.admit(peer, 1.0, writes=True) is None


def test_zero_is_no_limit() -> None:
    none = Limits(
        host_transfers=0, host_unproven=0, unproven=0, uploads=0, host_uploads=0, upload_requests=0
    )
    guard = Guard(none)
    many(guard, 5000, writes=True)
    assert guard.admit(("192.0.2.1", 9), 0.0, writes=True) is None
    assert guard.surplus() is None


def test_new_limits_leave_what_runs_alone() -> None:
    guard = Guard(Limits())
    begun = many(guard, 3)
    guard.prove(begun[0])
    guard.set(Limits(host_transfers=2), Access())
    assert guard.is_proven("192.0.2.1")
    assert guard.admit(("192.0.2.1", 9), 0.0, writes=False) is Verdict.HOST_TRANSFERS
    for transfer in begun:
        guard.end(transfer)
    assert guard.empty


def test_an_ipv6_host_has_a_network_to_itself() -> None:
    """A host takes any address of its 64 bits, as many as it likes."""
    assert host_of(("2001:db8::1", 1, 0, 0)) == host_of(("2001:db8::ffff:1", 9, 0, 0))
    assert host_of(("2001:db8:0:1::1", 1, 0, 0)) != host_of(("2001:db8::1", 1, 0, 0))
    assert host_of(("fe80::1%2", 1, 0, 2)) == "fe80::"
    assert host_of(("192.0.2.1", 1)) == "192.0.2.1"
