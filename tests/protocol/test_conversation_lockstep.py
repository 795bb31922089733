"""Ladders of the data phase in lock-step: sizes, the Sorcerer's Apprentice, odd numbers."""

import pytest

from tests.protocol.ladder import terms
from tests.protocol.stages import client_read, client_write, server_read, server_write
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender

# Sizes


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1023, 1024, 1025, 5120])
def test_every_block_is_full_but_the_last(size: int) -> None:
    """RFC1350-5-19, RFC1350-5-20, RFC1350-6-01 .. 03, RFC1350-6-05, RFC1350-6-06."""
    blocks = [512] * (size // 512) + [size % 512]
    sending, receiving = [], []
    for number, length in enumerate(blocks, start=1):
        sending += [f" > DATA {number} {length}", f"{number / 100} < ACK {number}"]
        receiving += [f"{number / 100} < DATA {number} {length}", f" > ACK {number}"]
    read = server_read(size).play("\n".join([*sending, "= DONE COMPLETE"]))
    assert isinstance(read.transfer, Sender)
    assert (read.transfer.sent_bytes, read.transfer.resent) == (size, 0)
    write = server_write().play("\n".join(["0.0 > ACK 0", *receiving, "= DALLYING COMPLETE"]))
    assert isinstance(write.transfer, Receiver)
    assert (write.transfer.received_bytes, write.transfer.resent) == (size, 0)
    assert write.stored == list(range(1, len(blocks) + 1))


@pytest.mark.parametrize("block_size", [8, 9, 1428, 65464])
def test_sizes_of_the_block_size_option(block_size: int) -> None:
    """RFC2348-01, RFC2348-05, RFC2348-06."""
    server_read(block_size + 1, terms(block_size)).play(f"""
        0.0  > OACK blksize={block_size}
        0.1  < ACK 0
             > DATA 1 {block_size}
        0.2  < ACK 1
             > DATA 2 1
        0.3  < ACK 2
             = DONE COMPLETE
        """)


def test_one_block_is_outstanding_in_lock_step() -> None:
    """RFC1350-2-01, RFC7440-3-03: windowsize=1 is the same as none."""
    server_read(3000).play("0.0 > DATA 1 512\n 0.9 = OPENING")
    asked = server_read(3000, terms()._replace(options=(("windowsize", "1"),)))
    asked.play("""
        0.0  > OACK windowsize=1
        0.1  < ACK 0
             > DATA 1 512
        0.2  < ACK 1
             > DATA 2 512
        0.25 < ACK 1
             = STREAMING
        """)


# The Sorcerer's Apprentice (RFC 1123 4.2.3.1)


def test_a_doubled_ack_sends_the_next_block_once() -> None:
    """RFC1123-4.2.3.1-01, RFC1123-4.2.3.1-02: back to back, and after the next DATA."""
    stage = server_read(3000).play("""
        0.0  > DATA 1 512
        0.3  < ACK 1
             > DATA 2 512
             < ACK 1
        0.4  < ACK 1
        0.6  < ACK 2
             > DATA 3 512
             < ACK 2
        0.9  < ACK 3
             > DATA 4 512
        """)
    assert stage.blocks == [1, 2, 3, 4]


def test_a_doubled_ack_0_sends_data_1_once() -> None:
    """RFC1123-4.2.3.1-03."""
    server_read(3000, terms(1024)).play("""
        0.0  > OACK blksize=1024
        0.3  < ACK 0
             > DATA 1 1024
             < ACK 0
        0.5  < ACK 0
        0.8  < ACK 1
             > DATA 2 1024
        """)


def test_ten_copies_of_an_ack_send_nothing() -> None:
    """RFC1123-4.2.3.1-04: and they do not put off the timer either."""
    copies = "".join(f"{0.35 + n * 0.05:.2f} < ACK 1\n" for n in range(10))
    server_read(3000).play(f"""
        0.0  > DATA 1 512
        0.3  < ACK 1
             > DATA 2 512
        {copies}
        1.2  > DATA 2 512             # 0.3 s round trip: 0.3 + 4 * 0.15 = 0.9 s
        """)


def test_one_late_ack_does_not_double_the_rest() -> None:
    """RFC1123-4.2.3.1-05: a peer of RFC 783 acknowledges every copy that it sees."""
    lines = ["0.0 > DATA 1 512", "0.1 < ACK 1", " > DATA 2 512", "0.2 < ACK 2", " > DATA 3 512"]
    # 0.1 s round trips: the interval is 0.1 + 4 * 0.0375 = 0.25 s, and ACK 3 comes at 0.9 s.
    lines += ["0.45 > DATA 3 512", "0.9 < ACK 3", " > DATA 4 512", " < ACK 3"]
    for block in range(4, 20):
        lines += [f"{block * 0.1 + 0.6:.2f} < ACK {block}", f" > DATA {block + 1} 512"]
    stage = server_read(30 * 512).play("\n".join(lines))
    assert stage.transfer.resent == 1


def test_a_client_that_writes_obeys_the_same_rule() -> None:
    """RFC1123-4.2.3.1-06, RFC1350-2-10: old, doubled and future ACKs do not move it."""
    stage = client_write(1500).play("""
        0.0  > WRQ f octet to listener
        0.2  < ACK 0
             > DATA 1 512
             < ACK 0
        0.3  < ACK 7
             < ACK 0
        0.5  < ACK 1
             > DATA 2 512
             < ACK 1
             < ACK 0
        0.8  < ACK 2
             > DATA 3 476
        1.1  < ACK 3
             = DONE COMPLETE
        """)
    assert stage.blocks == [1, 2, 3]


def test_data_again_is_acknowledged_once_per_copy() -> None:
    """RFC1123-4.2.3.1-07, RFC1350-2-04, RFC1350-2-05, RFC1350-2-08: stored once."""
    stage = server_write().play("""
        0.0  > ACK 0
        0.1  < DATA 1 512
             > ACK 1
        0.2  < DATA 1 512
             > ACK 1
        0.3  < DATA 1 100             # the first copy wins, whatever the second holds
             > ACK 1
        0.4  < DATA 2 10
             > ACK 2
        """)
    assert stage.stored == [1, 2]
    assert stage.transfer.resent == 2


# Numbers that have no place


def test_a_future_ack_is_no_progress() -> None:
    """RFC1350-2-02, RFC1350-2-03: of a block not yet sent, and older than the last."""
    server_read(3000).play("""
        0.0  > DATA 1 512
        0.1  < ACK 100
             < ACK 2
             < ACK 65535
        0.3  < ACK 1
             > DATA 2 512
        0.5  < ACK 2
             > DATA 3 512
        0.6  < ACK 1
             < ACK 0
             < ACK 4
        0.8  < ACK 3
             > DATA 4 512
        """)


def test_data_ahead_is_neither_stored_nor_acknowledged() -> None:
    """RFC1350-2-06, RFC1350-2-09, RFC1350-2-07: what is acknowledged is the last in order."""
    stage = client_read().play("""
        0.0  > RRQ f octet to listener
        0.1  < DATA 1 512
             > ACK 1
        0.2  < DATA 3 512
             > ACK 1
        0.3  < DATA 0 512
             > ACK 1
        0.4  < DATA 2 512
             > ACK 2
        0.5  < DATA 3 1
             > ACK 3
        """)
    assert stage.stored == [1, 2, 3]


def test_an_ack_with_octets_behind_it() -> None:
    """RFC1350-5-25, DF-MS-01."""
    server_read(3000).play("""
        0.0  > DATA 1 512
        0.1  < HEX 00 04 00 01 61 62 63 64 65 66
             > DATA 2 512
        """)


def test_noise_in_the_data_phase_changes_nothing() -> None:
    """RFC1350-5-24, RFC1350-5-26, RFC1350-2-07, ROB-LOAD-09."""
    noise = """
        0.2  < HEX
             < HEX 00
             < HEX 0004
             < HEX 000400
             < HEX 0003
             < HEX 0005
             < RRQ f octet
             < OACK blksize=8
             < HEX 00090000
        """
    server_read(3000).play(f"""
        0.0  > DATA 1 512
        0.1  < ACK 1
             > DATA 2 512
        {noise}
             < DATA 2 512
        0.3  < ACK 2
             > DATA 3 512
        """)
    server_write().play(f"""
        0.0  > ACK 0
        0.1  < DATA 1 512
             > ACK 1
        {noise}
             < ACK 0
             < ACK 1
        0.3  < DATA 2 512
             > ACK 2
        """)
