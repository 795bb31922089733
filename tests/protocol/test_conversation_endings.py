"""Ladders of every end: the last block, dallying, ERROR from either side, aborts."""

import pytest

from tests.protocol.ladder import Stage, terms
from tests.protocol.stages import client_read, client_write, server_read, server_write
from tftp.errors import ErrorCode
from tftp.protocol.options import Wish

# Blocks larger than agreed


@pytest.mark.parametrize(("agreed", "length"), [(512, 513), (512, 600), (100, 512), (8, 9)])
def test_data_larger_than_the_block_size_is_an_error(agreed: int, length: int) -> None:
    """RFC1350-5-22, RFC2348-10: neither a longer block nor a last one."""
    opening = "ACK 0" if agreed == 512 else f"OACK blksize={agreed}"
    stage = server_write(terms(agreed)).play(f"""
        0.0  > {opening}
        0.1  < DATA 1 {length}
             > ERROR 4 DATA larger than the block size
             = FAILED ILLEGAL
        0.2  < DATA 1 {agreed}
        99   = FAILED ILLEGAL
        """)
    assert stage.stored == []
    assert stage.transfer.outcome is not None
    assert stage.transfer.outcome.code == ErrorCode.ILLEGAL_OPERATION


def test_a_client_treats_an_oversize_block_as_an_error() -> None:
    """RFC1350-5-23: in mid-transfer, and even where its number is not the one awaited."""
    for number in (1, 2, 3):
        stage = client_read().play(f"""
            0.0  > RRQ f octet to listener
            0.1  < DATA 1 512
                 > ACK 1
            0.2  < DATA {number} 513
                 > ERROR 4 DATA larger than the block size
                 = FAILED ILLEGAL
            """)
        assert stage.stored == [1]


# The end


def test_a_receiver_stays_to_repeat_its_last_ack() -> None:
    """RFC1350-6-07, RFC1350-6-08, RFC1350-6-12: and it does so without writing again."""
    stage = server_write().play("""
        0.0  > ACK 0
        0.1  < DATA 1 3
             > ACK 1
             = DALLYING COMPLETE
        0.4  < DATA 1 3
             > ACK 1
        3.0  < DATA 1 3
             > ACK 1
        3.1  < DATA 0 3               # not the last block: old, or of nothing
             < DATA 2 3
             < ACK 1
             < OACK blksize=8
             < HEX 00
        9.0  = DALLYING COMPLETE      # it was spoken to at 3.1, and so stays till 9.1
        9.1  = DONE COMPLETE
        9.2  < DATA 1 3
             = DONE COMPLETE
        """)
    assert stage.stored == [1]


def test_a_receiver_stays_for_a_sender_that_asks_slowly() -> None:
    """RFC1350-6-08, ROB-TIMER-03: the third copy of a last window still finds it.

    The sender took a slow opening for a slow peer and asks every 3 and 6 s. It has lost the
    last ACK, and then the last block of the repeated window.
    """
    stage = server_write(terms(8, window=2)).play("""
        0.0  > OACK blksize=8 windowsize=2
        1.0  > OACK blksize=8 windowsize=2
        1.0  < DATA 1 8
             < DATA 2 0
             > ACK 2
             = DALLYING COMPLETE
        4.0  < DATA 1 8
        9.9  = DALLYING COMPLETE
        9.9  < DATA 1 8
             < DATA 2 0
             > ACK 2
        15.9 = DONE COMPLETE
        """)
    assert stage.stored == [1, 2]


def test_nobody_can_make_a_receiver_stay_for_ever() -> None:
    """RFC1350-6-08: no longer than a sender would ask, which is 31 s here."""
    asking = "\n".join(f"{1 + 3 * n}.0 < DATA 1 3\n > ACK 1" for n in range(10))
    server_write().play(f"""
        0.0  > ACK 0
        0.5  < DATA 1 3
             > ACK 1
        {asking}
        31.0 < DATA 1 3
             > ACK 1
             = DALLYING COMPLETE
        31.5 = DONE COMPLETE
        """)


def test_dallying_is_as_long_as_the_peer_needs_to_ask_again() -> None:
    """RFC1350-6-08: an agreed interval longer than ours counts twice, up to a minute."""
    for interval, until in ((1, 6.1), (5, 10.1), (255, 60.1)):
        server_write(terms(timeout=interval)).play(f"""
            0.0  > OACK timeout={interval}
            0.1  < DATA 1 3
                 > ACK 1
            {until - 0.02:.2f} = DALLYING COMPLETE
            {until + 0.02:.2f} = DONE COMPLETE
            """)


def test_nothing_is_sent_after_the_last_ack() -> None:
    """RFC1350-6-09, RFC1350-6-11: the last DATA is repeated until then, and not after."""
    server_read(3).play("""
        0.0  > DATA 1 3
        1.0  > DATA 1 3
        1.5  < ACK 1
             = DONE COMPLETE
             < ACK 1
             < ACK 1
        60   = DONE COMPLETE
        """)


def test_a_last_block_that_only_lacks_its_ack() -> None:
    """RFC1350-6-10, ROB-TIMER-05: the receiver may leave, so it most likely has the file."""
    stage = server_read(600, terms(timeout=1)).play("""
        0.0  > OACK timeout=1
        0.1  < ACK 0
             > DATA 1 512
        0.2  < ACK 1
             > DATA 2 88
        1.2  > DATA 2 88
        2.2  > DATA 2 88
        3.2  > DATA 2 88
        4.2  > DATA 2 88
        5.2  > DATA 2 88
        6.2  = DONE UNCONFIRMED
        """)
    assert stage.transfer.outcome is not None
    assert stage.transfer.outcome.ok


def test_a_block_before_the_last_that_lacks_its_ack() -> None:
    """ROB-TIMER-05: no half file passes as whole."""
    server_read(600, terms(timeout=1)).play("""
        0.0  > OACK timeout=1
        0.1  < ACK 0
             > DATA 1 512
        1.1  > DATA 1 512
        2.1  > DATA 1 512
        3.1  > DATA 1 512
        4.1  > DATA 1 512
        5.1  > DATA 1 512
        6.1  = FAILED TIMEOUT
        """)


# ERROR, from either side


def each_role(phase: str) -> list[Stage]:
    """Returns one stage of each part of the play, in the opening or in the data phase."""
    read, write = server_read(3000), server_write()
    get, put = client_read(), client_write(3000)
    read.play("0.0 > DATA 1 512")
    write.play("0.0 > ACK 0")
    get.play("0.0 > RRQ f octet to listener")
    put.play("0.0 > WRQ f octet to listener")
    if phase == "streaming":
        read.play("0.1 < ACK 1\n > DATA 2 512")
        write.play("0.1 < DATA 1 512\n > ACK 1")
        get.play("0.1 < DATA 1 512\n > ACK 1")
        put.play("0.1 < ACK 0\n > DATA 1 512")
    return [read, write, get, put]


@pytest.mark.parametrize("phase", ["opening", "streaming"])
@pytest.mark.parametrize(
    "error",
    [
        "ERROR 0 stop",
        "ERROR 3 Disk full",
        "ERROR 5 Unknown transfer ID",  # RFC1350-2-17
        "HEX 00 05 00 63 73 74 6f 70 00",
        "HEX 00 05 00 00",
        "HEX 00 05 00 00 00",
        "HEX 00 05 ff ff " + "41" * 60_000,
    ],
)
def test_an_error_ends_the_transfer_at_once(phase: str, error: str) -> None:
    """RFC1350-7-02 .. 05: whatever its code and text, and never an answer to it."""
    for stage in each_role(phase):
        stage.play(f"""
            0.2  < {error}
                 = FAILED PEER_ERROR
                 < ACK 1
                 < DATA 2 512
            99   = FAILED PEER_ERROR
            """)


def test_an_error_while_dallying_closes_early() -> None:
    """RFC1350-6-07: the file is whole, whatever the peer thinks of it."""
    server_write().play("""
        0.0  > ACK 0
        0.1  < DATA 1 3
             > ACK 1
        0.2  < ERROR 0 closed
             = DONE COMPLETE
        """)


def test_an_abort_in_the_data_phase_is_told_once() -> None:
    """RFC1350-7-06: one ERROR, which no timer repeats."""
    for stage in each_role("streaming"):
        stage.play("""
            0.2  ! abort 3 Disk full
                 > ERROR 3 Disk full
                 = FAILED ABORTED
                 ! abort 0 Again
                 < ACK 1
                 < DATA 2 512
            99   = FAILED ABORTED
            """)
        assert stage.transfer.outcome is not None
        assert stage.transfer.outcome[1:] == (3, "Disk full")


def test_an_abort_in_the_opening() -> None:
    """RFC1350-7-06, RFC1350-4-10: a client has no TID yet that it could tell."""
    read, write, get, put = each_role("opening")
    for stage in (read, write):
        stage.play("0.2 ! abort 0 Stopped\n > ERROR 0 Stopped\n = FAILED ABORTED")
    for stage in (get, put):
        stage.play("0.2 ! abort 0 Stopped\n = FAILED ABORTED\n 99 = FAILED ABORTED")


def test_an_abort_after_the_end() -> None:
    """RFC1350-7-06: while dallying it is told; when all is over it means nothing."""
    ended = "0.0 > ACK 0\n 0.1 < DATA 1 3\n > ACK 1\n"
    server_write().play(f"""
        {ended}
        0.2  ! abort 3 Disk full      # the file could not be closed
             > ERROR 3 Disk full
             = FAILED ABORTED
        """)
    server_write().play(f"{ended} 7.0 ! abort 3 Disk full\n = DONE COMPLETE")


def test_every_option_at_once() -> None:
    """RFC7440-4-24."""
    wish = Wish(block_size=1000, window=3, timeout=2, size=0)
    client_read(wish).play("""
        0.0  > RRQ f octet tsize=0 blksize=1000 windowsize=3 timeout=2 to listener
        0.1  < OACK blksize=1000 windowsize=3 timeout=2 tsize=4000
             > ACK 0
        0.2  < DATA 1-3 1000
             > ACK 3
        2.2  > ACK 3                  # the agreed interval, whatever the round trip
        2.3  < DATA 4 1000
             < DATA 5 0
             > ACK 5
             = DALLYING COMPLETE
        """)
