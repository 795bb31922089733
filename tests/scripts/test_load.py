"""The load generator against a server that is played by hand: what it sends, and what not."""

from pathlib import Path

import pytest

from scripts.bench_tools.job import Generator, Job
from tests.scripts.scripted import ack, content, data, oack, output, playing

BLOCK = 100
LOCKSTEP = Job(250, block=BLOCK, timer=30.0)
WINDOW = Job(1000, block=BLOCK, window=4, timer=30.0)


def blocks(size: int, *numbers: int) -> list[bytes]:
    whole = content(size)
    return [data(n, whole[(n - 1) * BLOCK : n * BLOCK]) for n in numbers]


def test_files_have_the_known_content(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size in (0, 1, 7, 8, 9, 4096, 1_048_583):
        generator.make(path, size)
        assert path.read_bytes() == content(size)
        assert generator.verify(path, size)


def test_a_file_that_differs_is_not_verified(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "file"
    generator.make(path, 5000)
    whole = path.read_bytes()
    assert not generator.verify(path, 4999)
    assert not generator.verify(path, 5001)
    path.write_bytes(whole[:2500] + bytes([whole[2500] ^ 1]) + whole[2501:])
    assert not generator.verify(path, 5000)


def test_lock_step_without_options(generator: Generator) -> None:
    whole = content(700)
    with playing(generator, Job(700, timer=30.0)) as server:
        assert server.request() == b"\0\1file\0octet\0"
        server.send(data(1, whole[:512]))
        assert server.receive() == ack(1)
        server.send(data(2, whole[512:]))
        assert server.receive() == ack(2)
        tally = server.tally()
    assert (tally["finished"], tally["bytes"], tally["blocks"]) == (1, 700, 2)
    assert (tally["wrong"], tally["failed"], tally["duplicates"]) == (0, 0, 0)
    assert (tally["block"], tally["window"]) == (512, 1)


def test_it_asks_for_options_and_takes_what_is_granted(generator: Generator) -> None:
    whole = content(1000)
    with playing(generator, Job(1000, block=1428, window=16, timer=30.0)) as server:
        request = server.request()
        assert request == b"\0\1file\0octet\0blksize\x001428\0tsize\x000\0windowsize\x0016\0"
        server.send(oack(blksize=600, tsize=1000))
        assert server.receive() == ack(0)
        server.send(data(1, whole[:600]))
        assert server.receive() == ack(1)
        server.send(data(2, whole[600:]))
        assert server.receive() == ack(2)
        tally = server.tally()
    assert (tally["block"], tally["window"], tally["finished"]) == (600, 1, 1)


def test_a_copy_of_the_last_block_gets_its_ack_again(generator: Generator) -> None:
    """RFC 1350 section 2: the ACK may be what was lost."""
    with playing(generator, LOCKSTEP) as server:
        server.request()
        server.send(oack(blksize=BLOCK))
        assert server.receive() == ack(0)
        for _ in range(2):
            server.send(*blocks(250, 1))
            assert server.receive() == ack(1)
        server.send(*blocks(250, 2))
        assert server.receive() == ack(2)
        server.send(*blocks(250, 1))
        assert server.hears_nothing()
        server.send(*blocks(250, 3))
        assert server.receive() == ack(3)
        tally = server.tally()
    assert (tally["finished"], tally["duplicates"], tally["again_acks"]) == (1, 2, 1)


def test_a_window_gets_one_ack_and_a_gap_one_more(generator: Generator) -> None:
    """RFC 7440 section 4."""
    with playing(generator, WINDOW) as server:
        server.request()
        server.send(oack(blksize=BLOCK, windowsize=4))
        assert server.receive() == ack(0)
        server.send(*blocks(1000, 1, 2, 3, 4))
        assert server.receive() == ack(4)
        server.send(*blocks(1000, 5, 7, 8))
        assert server.receive() == ack(5)
        server.send(*blocks(1000, 8))
        assert server.hears_nothing()
        server.send(*blocks(1000, 6, 7, 8, 9))
        assert server.receive() == ack(9)
        server.send(*blocks(1000, 10, 11))
        assert server.receive() == ack(11)
        tally = server.tally()
    assert (tally["finished"], tally["gaps"], tally["packets_out"]) == (1, 1, 6)


def test_a_window_that_comes_again_is_acknowledged_where_it_ends(generator: Generator) -> None:
    with playing(generator, WINDOW) as server:
        server.request()
        server.send(oack(blksize=BLOCK, windowsize=4))
        assert server.receive() == ack(0)
        server.send(*blocks(1000, 1, 2, 4))
        assert server.receive() == ack(2)  # lost: the server begins anew at 1
        server.send(*blocks(1000, 1))
        assert server.hears_nothing()
        server.send(*blocks(1000, 3, 4))
        assert server.receive() == ack(4)


@pytest.mark.parametrize("where", [0, 40, 99])
def test_wrong_bytes_end_a_transfer(generator: Generator, where: int) -> None:
    job = Job(250, block=BLOCK, timer=30.0, full_check=True)
    with playing(generator, job) as server:
        server.request()
        server.send(oack(blksize=BLOCK))
        server.receive()
        packet = bytearray(blocks(250, 1)[0])
        packet[4 + where] ^= 1
        server.send(bytes(packet))
        tally = server.tally()
    assert (tally["wrong"], tally["failed"], tally["finished"]) == (1, 1, 0)
    assert tally["causes"] == {"wrong bytes": 1}


def test_a_wrong_size_ends_a_transfer(generator: Generator) -> None:
    with playing(generator, LOCKSTEP) as server:
        server.request()
        server.send(oack(blksize=BLOCK))
        server.receive()
        server.send(data(1, content(60)))
        tally = server.tally()
    assert (tally["wrong"], tally["finished"]) == (1, 0)


def test_the_request_is_repeated_from_the_same_port(generator: Generator) -> None:
    with playing(generator, Job(10, timer=0.05)) as server:
        first = server.request()
        assert server.request() == first
        server.send(data(1, content(10)))
        assert server.receive() == ack(1)
        assert server.tally()["again_requests"] >= 1


def test_silence_ends_a_transfer(generator: Generator) -> None:
    with playing(generator, Job(10, timer=0.02, retries=2)) as server:
        for _ in range(3):
            server.request()
        tally = server.tally()
    assert (tally["failed"], tally["again_requests"], tally["causes"]) == (1, 2, {"gave up": 1})


def test_an_error_is_counted_with_its_text(generator: Generator) -> None:
    with playing(generator, Job(10, timer=30.0)) as server:
        server.request()
        server.send(b'\0\5\0\1no "such" file\0')
        assert server.tally()["causes"] == {"ERROR 1 no ?such? file": 1}


def test_an_upload_ignores_old_acks_and_repeats_a_window_once(generator: Generator) -> None:
    job = Job(1000, block=BLOCK, window=4, put=True, timer=30.0)
    with playing(generator, job, "up-") as server:
        request = server.request()
        assert request == b"\0\2up-0\0octet\0blksize\x00100\0tsize\x001000\0windowsize\x004\0"
        server.send(oack(blksize=BLOCK, windowsize=4))
        assert [server.receive() for _ in range(4)] == blocks(1000, 1, 2, 3, 4)
        server.send(ack(2))
        assert [server.receive() for _ in range(4)] == blocks(1000, 3, 4, 5, 6)
        server.send(ack(1))
        assert server.hears_nothing()
        server.send(ack(2))
        assert [server.receive() for _ in range(4)] == blocks(1000, 3, 4, 5, 6)
        server.send(ack(2))
        assert server.hears_nothing()
        server.send(ack(6))
        assert [server.receive() for _ in range(4)] == blocks(1000, 7, 8, 9, 10)
        server.send(ack(10))
        assert server.receive() == data(11, b"")
        server.send(ack(11))
        tally = server.tally()
    assert (tally["finished"], tally["bytes"], tally["again_data"]) == (1, 1000, 2 + 4)


def test_a_lock_step_upload_answers_no_old_ack(generator: Generator) -> None:
    """RFC 1123 section 4.2.3.1."""
    with playing(generator, Job(250, block=BLOCK, put=True, timer=30.0)) as server:
        server.request()
        server.send(oack(blksize=BLOCK))
        assert server.receive() == blocks(250, 1)[0]
        server.send(ack(1))
        assert server.receive() == blocks(250, 2)[0]
        server.send(ack(1))
        assert server.hears_nothing()
        server.send(ack(2))
        assert server.receive() == blocks(250, 3)[0]
        server.send(ack(3))
        assert server.tally()["again_data"] == 0


def test_a_seed_loses_the_same_packets_each_time(generator: Generator) -> None:
    """Of a hundred that it does not answer, so that nothing depends on time."""

    def lost(seed: int) -> int:
        job = Job(10, block=BLOCK, loss=10.0, seed=seed, timer=30.0, limit=0.4)
        with playing(generator, job) as server:
            server.request()  # these seeds let it through
            server.send(*[data(2, b"")] * 100)
            tally = server.tally()
        assert tally["packets_in"] == 100
        return tally["dropped_in"]

    first = lost(1)
    assert 2 < first < 30
    assert lost(1) == first
    assert {lost(seed) for seed in (2, 3, 4)} != {first}


def test_a_time_limit_counts_what_was_moved(generator: Generator) -> None:
    with playing(generator, Job(250, block=BLOCK, timer=30.0, limit=0.3)) as server:
        server.request()
        server.send(oack(blksize=BLOCK))
        server.receive()
        server.send(*blocks(250, 1))
        server.receive()
        tally = server.tally()
    assert (tally["bytes"], tally["finished"], tally["unfinished"]) == (100, 0, 1)


def test_misuse_is_refused(generator: Generator) -> None:
    for words in ([], ["--host", "127.0.0.1"], ["--no-such"]):
        done = output(generator.program, *words)
        assert done.returncode == 2
        assert "usage: load" in done.stderr
