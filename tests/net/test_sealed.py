"""Packets that transfers of one file share: bounded, and never those of another content."""

from tftp.net.sealed import Cache, Identity

FILE: Identity = (1, 2, 1000, 5, 9)
OTHER: Identity = (1, 2, 1000, 6, 10)  # the same file, rewritten
RESTORED: Identity = (1, 2, 1000, 5, 11)  # and again, with the old time


def test_transfers_of_one_content_and_block_size_share() -> None:
    cache = Cache(1000)
    first = cache.join(FILE, 512)
    assert cache.join(FILE, 512) is first
    assert cache.join(FILE, 1024) is not first
    assert cache.join(OTHER, 512) is not first
    assert cache.join(RESTORED, 512) is not first
    assert first.users == 2


def test_packets_outlive_their_transfers_until_room_is_needed() -> None:
    cache = Cache(100)
    first = cache.join(FILE, 512)
    cache.keep(first, 1, b"x" * 60)
    cache.leave(first)
    assert cache.join(FILE, 512) is first
    cache.leave(first)
    second = cache.join(OTHER, 512)
    cache.keep(second, 1, b"y" * 60)
    assert first.packets == {}
    assert cache.size == 60
    assert cache.join(FILE, 512) is not first, "nobody has it any more"


def test_the_oldest_packets_go_first() -> None:
    cache = Cache(30)
    shared = cache.join(FILE, 512)
    for block in range(1, 6):
        cache.keep(shared, block, b"z" * 10)
        assert cache.size <= 30
    assert list(shared.packets) == [3, 4, 5]


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = Cache(0)
    shared = cache.join(FILE, 512)
    cache.keep(shared, 1, b"x")
    assert (shared.packets, cache.size) == ({}, 0)


def test_a_packet_kept_twice_counts_once() -> None:
    cache = Cache(100)
    shared = cache.join(FILE, 512)
    cache.keep(shared, 1, b"x" * 40)
    cache.keep(shared, 1, b"x" * 40)
    assert cache.size == 40
