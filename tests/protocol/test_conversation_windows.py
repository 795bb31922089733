"""Ladders of windows on their way out: RFC 7440 section 4 for the sender."""

import pytest

from tests.protocol.ladder import PEER, TIMING, terms
from tests.protocol.stages import server_read
from tftp.protocol.options import Terms
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Burst

# With ACK 0 after 0.1 s the interval of a sender is 0.1 + 4 * 0.05 = 0.3 s.
READ_4 = """
    0.0  > OACK blksize=8 windowsize=4
    0.1  < ACK 0
         > DATA 1-4 8
    """


def streaming(agreed: Terms) -> Sender:
    """Returns a server's sender whose OACK has been answered after 0.1 s."""
    sender = Sender.answering(PEER, agreed, TIMING, 0.0)
    assert sender.poll() is not None
    sender.receive(b"\0\4\0\0", PEER, 0.1)
    return sender


# The sender


def test_the_sender_sends_one_window_and_waits() -> None:
    """RFC7440-4-01, RFC7440-4-02."""
    stage = server_read(200, terms(8, 4)).play(f"""
        {READ_4}
        0.3  < ACK 4
             > DATA 5-8 8
        0.4  < ACK 8
             > DATA 9-12 8
        0.5  = STREAMING
        """)
    assert stage.transfer.resent == 0


def test_the_last_window_may_be_shorter() -> None:
    """RFC7440-4-03: one ACK ends it, and an exact multiple ends with an empty block."""
    server_read(49, terms(8, 4)).play(f"""
        {READ_4}
        0.2  < ACK 4
             > DATA 5-6 8
             > DATA 7 1
        0.3  < ACK 7
             = DONE COMPLETE
        """)
    server_read(32, terms(8, 4)).play(f"""
        {READ_4}
        0.2  < ACK 4
             > DATA 5 0
        0.3  < ACK 5
             = DONE COMPLETE
        """)


def test_a_window_larger_than_the_file() -> None:
    """RFC7440-4-04."""
    server_read(20, terms(8, 64)).play("""
        0.0  > OACK blksize=8 windowsize=64
        0.1  < ACK 0
             > DATA 1-2 8
             > DATA 3 4
        0.2  < ACK 3
             = DONE COMPLETE
        """)


def test_an_ack_inside_the_window_starts_a_window_behind_it() -> None:
    """RFC7440-4-05: at once, in order, and nothing in front of it."""
    stage = server_read(200, terms(8, 4)).play(f"""
        {READ_4}
        0.2  < ACK 2
             > DATA 3-6 8
        0.3  < ACK 6
             > DATA 7-10 8
        """)
    assert stage.transfer.resent == 2


def test_copies_of_an_ack_restart_the_window_once() -> None:
    """RFC7440-4-06, RFC1123-4.2.3.1-01: else every copy would breed a window of copies."""
    server_read(200, terms(8, 4)).play(f"""
        {READ_4}
        0.20 < ACK 2
             > DATA 3-6 8
        0.22 < ACK 2
        0.24 < ACK 2
             < ACK 2
        0.3  < ACK 6
             > DATA 7-10 8
        """)


def test_a_repeated_ack_before_the_window_restarts_it_at_most_once() -> None:
    """RFC7440-4-07: the window's first block was lost, says the receiver."""
    server_read(200, terms(8, 4)).play(f"""
        {READ_4}
        0.2  < ACK 4
             > DATA 5-8 8
        0.3  < ACK 4
             > DATA 5-8 8
        0.35 < ACK 4
             < ACK 4
        0.4  < ACK 8
             > DATA 9-12 8
        """)


def test_an_ack_that_was_doubled_in_the_network_restarts_nothing() -> None:
    """RFC7440-4-07, RFC1123-4.2.3.1-03: it is too early to answer what is outstanding."""
    server_read(200, terms(8, 4)).play(f"""
        {READ_4}
        0.1  < ACK 0
        0.12 < ACK 0
        0.2  < ACK 4
             > DATA 5-8 8
             < ACK 4
        0.22 < ACK 4
        0.3  < ACK 8
             > DATA 9-12 8
        """)


def test_a_peer_whose_repeated_acks_mean_nothing_is_no_longer_believed() -> None:
    """RFC7440-4-07: after two needless restarts only the timer is."""
    server_read(400, terms(8, 4)).play(f"""
        {READ_4}
        0.20 < ACK 0
             > DATA 1-4 8
        0.21 < ACK 4                  # the answer to the first copies: no loss at all
             > DATA 5-8 8
        0.31 < ACK 4
             > DATA 5-8 8
        0.32 < ACK 8
             > DATA 9-12 8
        0.42 < ACK 8
        0.43 < ACK 12
             > DATA 13-16 8
        """)


def test_one_needless_restart_counts_once() -> None:
    """RFC7440-4-07: a single ACK that came twice does not cost a peer its credit."""
    server_read(400, terms(8, 4)).play(f"""
        {READ_4}
        0.20 < ACK 0
             > DATA 1-4 8
        0.21 < ACK 4                  # needless, as it turns out
             > DATA 5-8 8
        0.22 < ACK 8
             > DATA 9-12 8
        0.32 < ACK 8
             > DATA 9-12 8
        """)


def test_an_ack_below_the_window_is_ignored() -> None:
    """RFC7440-4-08."""
    server_read(200, terms(8, 4)).play(f"""
        {READ_4}
        0.2  < ACK 4
             > DATA 5-8 8
        0.3  < ACK 3
             < ACK 0
             < ACK 65535
        0.4  < ACK 8
             > DATA 9-12 8
        """)


def test_an_ack_beyond_what_was_sent_is_no_progress() -> None:
    """RFC7440-4-09, RFC1350-2-02."""
    server_read(200, terms(8, 4)).play(f"""
        {READ_4}
        0.2  < ACK 100
             < ACK 5
             < ACK 32768
        0.3  < ACK 4
             > DATA 5-8 8
        """)


def test_a_timer_goes_back_to_the_block_behind_the_last_ack() -> None:
    """RFC7440-4-10, ROB-TIMER-07: one window for each time-out."""
    server_read(200, terms(8, 4, timeout=1)).play("""
        0.0  > OACK blksize=8 windowsize=4 timeout=1
        0.1  < ACK 0
             > DATA 1-4 8
        1.1  > DATA 1-4 8
        2.1  > DATA 1-4 8
        2.5  < ACK 4
             > DATA 5-8 8
        3.5  > DATA 5-8 8
        3.6  < ACK 6
             > DATA 7-10 8
        """)


def test_after_a_time_out_a_repeated_ack_answers_those_very_copies() -> None:
    """RFC7440-4-06: it restarts nothing that the timer has just sent."""
    server_read(200, terms(8, 4, timeout=1)).play("""
        0.0  > OACK blksize=8 windowsize=4 timeout=1
        0.1  < ACK 0
             > DATA 1-4 8
        1.1  > DATA 1-4 8
        1.3  < ACK 0
             < ACK 0
        1.4  < ACK 4
             > DATA 5-8 8
        """)


def test_repeats_of_a_window_are_counted() -> None:
    """RFC7440-4-11."""
    window = "> DATA 1-4 8"
    server_read(200, terms(8, 4, timeout=1)).play(f"""
        0.0  > OACK blksize=8 windowsize=4 timeout=1
        0.1  < ACK 0
             {window}
        1.1  {window}
        2.1  {window}
        3.1  {window}
        4.1  {window}
        5.1  {window}
        6.1  = FAILED TIMEOUT
        """)


def test_a_window_that_lacks_only_its_last_ack() -> None:
    """RFC1350-6-10: all but the last block is acknowledged; else the file is not sure."""
    start = """
        0.0  > OACK blksize=8 windowsize=4 timeout=1
        0.1  < ACK 0
             > DATA 1-4 8
        0.2  < ACK {}
        """
    certain = server_read(33, terms(8, 4, timeout=1)).play(start.format(4) + "> DATA 5 1")
    uncertain = server_read(33, terms(8, 4, timeout=1)).play(
        start.format(3) + "> DATA 4 8\n > DATA 5 1"
    )
    for stage in (certain, uncertain):
        stage.advance(20)
        stage.said.clear()
    certain.play("20 = DONE UNCONFIRMED")
    uncertain.play("20 = FAILED TIMEOUT")


@pytest.mark.parametrize("room", [1, 2, 3, 5, 64])
def test_the_drivers_room_cuts_bursts_and_changes_nothing_else(room: int) -> None:
    """RFC7440-4-01: a window larger than the driver's room is several bursts."""
    stage = server_read(75, terms(8, 5), room=room).play("""
        0.0  > OACK blksize=8 windowsize=5
        0.1  < ACK 0
             > DATA 1-5 8
        0.2  < ACK 3
             > DATA 4-8 8
        0.3  < ACK 8
             > DATA 9 8
             > DATA 10 3
        0.4  < ACK 10
             = DONE COMPLETE
        """)
    assert stage.transfer.resent == 2


def test_an_offer_that_the_driver_did_not_take_is_made_again() -> None:
    """A burst is an offer until `sent`; an ACK in between changes the next offer."""
    sender = streaming(terms(8, 4))
    assert sender.poll(2) == sender.poll(2) == Burst(1, 2, 0)
    assert sender.poll(64) == Burst(1, 4, 0)
    sender.sent(Burst(1, 2, 0), 16, 0.2)
    assert sender.poll(64) == Burst(3, 2, 16)
    sender.receive(b"\0\4\0\1", PEER, 0.3)
    assert sender.poll(64) == Burst(2, 4, 8)


@pytest.mark.parametrize(("ack", "first"), [(4, 5), (3, 4), (1, 2)])
def test_an_ack_that_overtakes_the_copies(ack: int, first: int) -> None:
    """RFC7440-4-10: what is acknowledged by the time the driver can send is not sent again."""
    sender = streaming(terms(8, 4))
    sender.sent(Burst(1, 4, 0), 32, 0.2)
    assert sender.deadline is not None
    sender.expire(sender.deadline)
    assert sender.poll(64) == Burst(1, 4, 0)
    sender.receive(b"\0\4\0" + bytes([ack]), PEER, 2.0)
    assert sender.poll(64) == Burst(first, 4, (first - 1) * 8)
    assert sender.resent == 0


def test_an_ack_that_comes_between_the_copies() -> None:
    """RFC7440-4-10: the rest of the copies is not owed any more."""
    sender = streaming(terms(8, 4))
    sender.sent(Burst(1, 4, 0), 32, 0.2)
    assert sender.deadline is not None
    sender.expire(sender.deadline)
    sender.sent(Burst(1, 3, 0), 24, sender.deadline)
    sender.receive(b"\0\4\0\4", PEER, 2.0)
    assert sender.poll(64) == Burst(5, 4, 32)
    assert sender.resent == 3
