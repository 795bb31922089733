"""Ladders of windows on their way in: RFC 7440 section 4 for the receiver."""

import pytest

from tests.protocol.ladder import terms
from tests.protocol.stages import client_read, server_write
from tftp.protocol.options import Wish

WRITE_4 = "0.0 > OACK blksize=8 windowsize=4\n"


def test_the_receiver_acknowledges_the_last_block_of_each_window() -> None:
    """RFC7440-4-12, RFC7440-4-21: an OACK opens the first window by itself."""
    stage = server_write(terms(8, 4)).play(f"""
        {WRITE_4}
        0.1  < DATA 1-4 8
             > ACK 4
        0.2  < DATA 5-7 8
        0.3  < DATA 8 8
             > ACK 8
        0.4  < DATA 9 8
             < DATA 10 0
             > ACK 10
             = DALLYING COMPLETE
        """)
    assert stage.stored == list(range(1, 11))
    assert stage.transfer.resent == 0


def test_a_gap_is_reported_once_and_the_window_counts_from_there() -> None:
    """RFC7440-4-13, RFC7440-4-14."""
    stage = server_write(terms(8, 4)).play(f"""
        {WRITE_4}
        0.1  < DATA 1-2 8
             < DATA 4 8
             > ACK 2
        0.2  < DATA 3-5 8
        0.3  < DATA 6 8
             > ACK 6
        0.4  < DATA 7-10 8
             > ACK 10
        """)
    assert stage.stored == list(range(1, 11))


def test_further_blocks_behind_the_same_gap_get_no_ack() -> None:
    """RFC7440-4-15."""
    stage = server_write(terms(8, 16)).play("""
        0.0  > OACK blksize=8 windowsize=16
        0.1  < DATA 1 8
             < DATA 3 8
             > ACK 1
             < DATA 4-16 8
        0.2  < DATA 2-16 8
             < DATA 17 8
             > ACK 17
        """)
    assert stage.stored == list(range(1, 18))


def test_a_second_gap_is_reported_again() -> None:
    """RFC7440-4-13: each gap once, also where it opens at the block behind another."""
    server_write(terms(8, 8)).play("""
        0.0  > OACK blksize=8 windowsize=8
        0.1  < DATA 1 8
             < DATA 3-8 8
             > ACK 1
        0.2  < DATA 2-4 8
             < DATA 6 8
             > ACK 4
             < DATA 7-9 8
        0.3  < DATA 5-12 8
             > ACK 12
        """)


def test_the_loss_of_a_windows_first_block() -> None:
    """RFC7440-4-16: in the first window and in a later one, at once."""
    stage = server_write(terms(8, 4)).play(f"""
        {WRITE_4}
        0.1  < DATA 2 8
             > ACK 0
             < DATA 3-4 8
             = OPENING
        0.2  < DATA 1-4 8
             > ACK 4
        0.3  < DATA 6 8
             > ACK 4
             < DATA 7-8 8
        0.4  < DATA 5-8 8
             > ACK 8
        """)
    assert stage.stored == list(range(1, 9))


def test_the_loss_of_the_first_block_of_all_at_a_client() -> None:
    """RFC7440-4-16: after ACK 0 answered the OACK."""
    stage = client_read(Wish(block_size=8, window=4)).play("""
        0.0  > RRQ f octet blksize=8 windowsize=4 to listener
        0.1  < OACK blksize=8 windowsize=4
             > ACK 0
        0.2  < DATA 2 8
             > ACK 0
             < DATA 3-4 8
        0.3  < DATA 1-4 8
             > ACK 4
        """)
    assert stage.stored == [1, 2, 3, 4]


def test_the_loss_of_a_windows_last_block() -> None:
    """RFC7440-4-17: the receiver's timer says what is there, three floors later."""
    stage = server_write(terms(8, 4)).play(f"""
        {WRITE_4}
        0.01 < DATA 1-3 8
        0.31 > ACK 3
        0.32 < DATA 4-7 8
             > ACK 7
        """)
    assert stage.stored == list(range(1, 8))


def test_a_short_block_inside_a_window_is_the_end() -> None:
    """RFC7440-4-18."""
    stage = server_write(terms(8, 8)).play("""
        0.0  > OACK blksize=8 windowsize=8
        0.1  < DATA 1-2 8
             < DATA 3 7
             > ACK 3
             = DALLYING COMPLETE
        0.2  < DATA 4-8 8             # of nothing: the file has ended
             < DATA 1-2 8
             < DATA 3 7
             > ACK 3
        """)
    assert stage.stored == [1, 2, 3]


def test_blocks_sent_again_after_a_restart_are_not_stored_twice() -> None:
    """RFC7440-4-19: a sender that took a late ACK 2 for a gap."""
    stage = server_write(terms(8, 4)).play(f"""
        {WRITE_4}
        0.1  < DATA 1-4 8
             > ACK 4
        0.2  < DATA 3-6 8
        0.5  > ACK 6
        0.6  < DATA 7-10 8
             > ACK 10
        """)
    assert stage.stored == list(range(1, 11))


def test_two_neighbours_that_are_swapped() -> None:
    """RFC7440-4-20: no more than two ACKs, and the file is right."""
    stage = server_write(terms(8, 4)).play(f"""
        {WRITE_4}
        0.1  < DATA 1 8
             < DATA 3 8
             > ACK 1
             < DATA 2 8
             < DATA 4 8
             > ACK 2
        0.2  < DATA 3-6 8
             > ACK 6
        """)
    assert stage.stored == list(range(1, 7))


def test_a_copy_inside_a_window_gets_no_ack() -> None:
    """RFC7440-4-15, RFC1123-4.2.3.1-07: the window is not complete, so nothing is due."""
    stage = server_write(terms(8, 4)).play(f"""
        {WRITE_4}
        0.1  < DATA 1-3 8
             < DATA 2 8
             < DATA 1 8
        0.2  < DATA 4 8
             > ACK 4
        """)
    assert stage.stored == [1, 2, 3, 4]


def test_a_window_that_is_sent_again_is_acknowledged_once() -> None:
    """RFC7440-4-12, RFC1123-4.2.3.1-07: its ACK was lost, and one ACK answers all of it."""
    stage = server_write(terms(8, 4)).play(f"""
        {WRITE_4}
        0.1  < DATA 1-4 8
             > ACK 4
        0.25 < DATA 1 8
             > ACK 4
             < DATA 2-4 8
        0.38 < DATA 1 8
             > ACK 4
             < DATA 2-4 8
        0.39 < DATA 5-8 8
             > ACK 8
        """)
    assert stage.stored == list(range(1, 9))
    assert stage.transfer.resent == 2


@pytest.mark.parametrize("rollover", [0, 1])
def test_a_block_that_the_network_doubled_gets_no_ack(rollover: int) -> None:
    """RFC7440-4-07: an ACK too many would send the peer back for nothing."""
    stage = server_write(terms(8, 4, rollover=rollover))
    stage.said.clear()
    stage.play("""
        0.1  < DATA 1-3 8
             < DATA 4 8
             > ACK 4
        0.2  < DATA 5-8 8
             > ACK 8
             < DATA 8 8
             < DATA 6-7 8
             < DATA 5 8               # the first of the window: its ACK was lost
             > ACK 8
        """)
