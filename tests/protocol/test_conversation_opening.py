"""Ladders of a server's first flights: OACK, ACK 0, DATA 1, and the same request again."""

from tests.protocol.ladder import terms
from tests.protocol.stages import server_read, server_write


def test_a_read_without_options_is_answered_by_data() -> None:
    """RFC1350-5-01, RFC1350-6-01, RFC1350-6-11: DATA 1 at once; nothing after the last ACK."""
    stage = server_read(513).play("""
        0.0  > DATA 1 512
        0.1  < ACK 1
             > DATA 2 1
        0.2  < ACK 2
             = DONE COMPLETE
        0.3  < ACK 2
        99   = DONE COMPLETE
        """)
    assert stage.blocks == [1, 2]


def test_a_write_without_options_is_answered_by_ack_0() -> None:
    """RFC1350-4-01, RFC1350-6-04: ACK 0, then one ACK for each block."""
    stage = server_write().play("""
        0.0  > ACK 0
        0.1  < DATA 1 512
             > ACK 1
        0.6  < DATA 2 0
             > ACK 2
             = DALLYING COMPLETE
        6.6  = DONE COMPLETE
        """)
    assert stage.stored == [1, 2]


def test_an_oack_waits_for_ack_0() -> None:
    """RFC2347-N-09: no DATA before it; RFC2348-06: an exact multiple ends empty."""
    server_read(3000, terms(1000)).play("""
        0.0  > OACK blksize=1000
        0.4  < ACK 0
             > DATA 1 1000
        0.5  < ACK 1
             > DATA 2 1000
        0.6  < ACK 2
             > DATA 3 1000
        0.7  < ACK 3
             > DATA 4 0
        0.8  < ACK 4
             = DONE COMPLETE
        """)


def test_an_oack_stands_in_place_of_ack_0() -> None:
    """RFC2347-N-10, RFC2348-08: the agreed size decides which DATA is the last."""
    stage = server_write(terms(1024)).play("""
        0.0  > OACK blksize=1024
        0.1  < DATA 1 1024
             > ACK 1
        0.2  < DATA 2 512
             > ACK 2
             = DALLYING COMPLETE
        """)
    assert stage.stored == [1, 2]


def test_a_first_block_below_the_agreed_size_is_the_last() -> None:
    """RFC2348-09."""
    server_write(terms(1024)).play("""
        0.0  > OACK blksize=1024
        0.1  < DATA 1 512
             > ACK 1
             = DALLYING COMPLETE
        """)


def test_an_oack_without_an_answer_is_sent_again() -> None:
    """RFC2347-N-01, RFC2347-N-11: the same octets, and one DATA 1 in the end."""
    server_read(3000, terms(1024)).play("""
        0.0  > OACK blksize=1024
        1.0  > OACK blksize=1024
        3.0  > OACK blksize=1024
        3.1  < ACK 0
             > DATA 1 1024
        """)


def test_what_is_repeated_for_a_write_is_the_oack() -> None:
    """RFC2347-N-02: ACK 0 would have the client fall back to 512 octets."""
    server_write(terms(1024)).play("""
        0.0  > OACK blksize=1024
        1.0  > OACK blksize=1024
        3.0  > OACK blksize=1024
        3.1  < DATA 1 1024
             > ACK 1
        """)


def test_ack_1_in_answer_to_an_oack_is_no_progress() -> None:
    """RFC2347-N-12: the block that it would acknowledge was never sent."""
    server_read(3000, terms(1024)).play("""
        0.0  > OACK blksize=1024
        0.1  < ACK 1
        0.2  < ACK 65535
             = OPENING
        0.3  < ACK 0
             > DATA 1 1024
        """)


def test_error_8_in_answer_to_an_oack_ends_it_in_silence() -> None:
    """RFC2347-N-14, DF-PXE-01: how boot firmware asks for the size alone."""
    stage = server_read(3000, terms(1468)).play("""
        0.0  > OACK blksize=1468
        0.1  < ERROR 8 User aborted the transfer
             = FAILED PEER_ERROR
        99   = FAILED PEER_ERROR
        """)
    assert stage.transfer.outcome is not None
    assert stage.transfer.outcome.code == 8
    assert stage.transfer.outcome.message == "User aborted the transfer"
    assert not stage.transfer.outcome.ok


def test_firmware_that_never_acknowledges_an_empty_file() -> None:
    """RFC1350-6-03: a second ACK 0 and silence; no resend for ever, and no failure."""
    stage = server_read(0, terms(1432)).play("""
        0.0  > OACK blksize=1432
        0.1  < ACK 0
             > DATA 1 0
        0.2  < ACK 0
        0.4  > DATA 1 0
        1.0  > DATA 1 0
        2.2  > DATA 1 0
        4.6  > DATA 1 0
        9.4  > DATA 1 0
        17.4 > DATA 1 0
        25.4 > DATA 1 0
        33.4 = DONE UNCONFIRMED
        """)
    assert stage.transfer.outcome is not None
    assert stage.transfer.outcome.ok


def test_firmware_that_closes_an_empty_file_with_an_error() -> None:
    """RFC1350-7-04: an ERROR in place of the last ACK ends it at once, in silence."""
    server_read(0, terms(1024)).play("""
        0.0  > OACK blksize=1024
        0.1  < ACK 0
             > DATA 1 0
        0.2  < ERROR 0 closed
             = FAILED PEER_ERROR
        """)


# The same request again


def test_a_request_repeated_in_the_opening_gets_the_flight_again() -> None:
    """RFC1350-4-16, DF-PXE-02: one transfer, once per cause, and no copy by the timer on top."""
    server_read(3000).play("""
        0.0   > DATA 1 512
              ! ask_again             # doubled by the network: no cause of its own
        0.05  ! ask_again
        0.3   ! ask_again
              > DATA 1 512
        0.7   ! ask_again
              > DATA 1 512
        0.75  ! ask_again
        1.7   > DATA 1 512            # the timer, a whole interval after the last copy
        1.8   < ACK 1
              > DATA 2 512
        1.95  ! ask_again             # late: the transfer lives, and is left alone
        2.0   < ACK 2
              > DATA 3 512
        """)


def test_a_repeated_request_gets_the_oack_again() -> None:
    """RFC1350-4-16, RFC1350-4-18, RFC2347-N-26: the terms of the first one stand."""
    ladder = """
        0.0  > OACK blksize=1024
        0.5  ! ask_again
             > OACK blksize=1024
        1.5  > OACK blksize=1024
        """
    server_read(3000, terms(1024)).play(ladder)
    server_write(terms(1024)).play(ladder)


def test_a_repeated_write_request_gets_ack_0_again() -> None:
    """RFC1350-4-18: and nothing of what has arrived is lost by a later one."""
    stage = server_write().play("""
        0.0  > ACK 0
        0.5  ! ask_again
             > ACK 0
        0.6  < DATA 1 512
             > ACK 1
        0.9  ! ask_again
        1.0  < DATA 2 10
             > ACK 2
        1.2  ! ask_again
             = DALLYING COMPLETE
        """)
    assert stage.stored == [1, 2]


def test_a_transfer_that_was_replaced_speaks_only_when_spoken_to() -> None:
    """RFC1350-4-17: a board that was reset uses its port again; no timer disturbs it."""
    server_read(3000).play("""
        0.0  > DATA 1 512
        0.5  ! hush
        31   = FAILED SUPERSEDED
        """)
    server_write(terms(8)).play("""
        0.0  > OACK blksize=8
        0.2  < DATA 1 8
             > ACK 1
        0.5  ! hush
        99   = FAILED SUPERSEDED
        """)


def test_a_transfer_that_was_hushed_in_error_comes_back_to_life() -> None:
    """RFC1350-4-17: a late copy of the request must not end a living transfer."""
    server_read(1600).play("""
        0.0  > DATA 1 512
        0.2  ! hush
        0.5  < ACK 1
             > DATA 2 512
        2.0  > DATA 2 512             # its timers run again
        2.1  ! hush
        9.0  < ACK 2
             > DATA 3 512
        """)
    stage = server_write().play("""
        0.0  > ACK 0
        0.2  ! hush
        5.0  < DATA 1 512
             > ACK 1
             = STREAMING
        """)
    assert stage.transfer.heard_at == 5.0


def test_a_hushed_sender_repeats_for_a_peer_that_still_waits() -> None:
    """RFC1350-4-17: the request was a late copy, and the block after it was lost.

    In lock-step a repeated ACK causes no DATA, so all that can go on is the timer.
    """
    server_read(600).play("""
        0.0  > DATA 1 512
        0.5  < ACK 1
             > DATA 2 88              # lost
        1.6  ! hush
        2.1  = STREAMING              # its timer has run, and said nothing
        3.0  < ACK 1                  # the peer's timer
        5.0  > DATA 2 88
        5.5  < ACK 2
             = DONE COMPLETE
        """)


def test_a_hushed_receiver_acknowledges_for_a_peer_that_still_waits() -> None:
    """RFC1350-4-17, RFC7440-4-19: the sender lacks an ACK that only the timer would repeat."""
    server_write(terms(8, window=2, timeout=1)).play("""
        0.0  > OACK blksize=8 windowsize=2 timeout=1
        0.1  < DATA 1 8
        1.1  > ACK 1                  # lost
        1.2  < DATA 2 8               # half a window, as we count
        1.3  ! hush
        1.4  < DATA 1 8               # its window again, of which nothing is new
             < DATA 2 8
        2.2  > ACK 2
        2.3  < DATA 3 3
             > ACK 3
             = DALLYING COMPLETE
        """)


def test_a_hushed_transfer_still_ends_by_what_it_hears() -> None:
    """RFC1350-7-04."""
    server_read(100).play("""
        0.0  > DATA 1 100
        0.2  ! hush
        0.3  < ACK 1
             = DONE COMPLETE
        """)
