"""Ladders of time: backoff, the agreed interval, adapting to the peer, giving up, patience."""

import pytest

from tests.protocol.ladder import ADDRESSES, PEER, TIMING, Stage, octets_of, terms
from tests.protocol.stages import client_read, client_write, server_read, server_write
from tftp.protocol.options import Terms, Wish
from tftp.protocol.pace import Timing
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender

# Doubling (RFC 1123 4.2.3.2)


def test_the_first_flight_of_each_role_backs_off_exponentially() -> None:
    """RFC1123-4.2.3.2-01, RFC1350-2-12, RFC1350-2-14, ROB-TIMER-01, ROB-TIMER-02."""
    flights = [
        (server_read(3000), "DATA 1 512"),
        (server_read(3000, terms(1024)), "OACK blksize=1024"),
        (server_write(), "ACK 0"),
        (server_write(terms(1024)), "OACK blksize=1024"),
        (client_read(), "RRQ f octet to listener"),
        (client_write(3000), "WRQ f octet to listener"),
    ]
    for stage, flight in flights:
        stage.play(f"""
            0.0  > {flight}
            1.0  > {flight}
            3.0  > {flight}
            7.0  > {flight}
            15   > {flight}
            23   > {flight}           # eight seconds is where doubling stops
            30.9 = OPENING
            31   = FAILED TIMEOUT
            31.1 < DATA 1 512
                 < ACK 1
                 < ACK 0
            300  = FAILED TIMEOUT
            """)
        assert stage.transfer.timeouts == 5


def test_every_copy_of_data_is_the_same() -> None:
    """RFC1350-2-11, RFC1350-2-16: the block without its ACK again, never the next."""
    stage = client_write(3000).play("""
        0.0  > WRQ f octet to listener
        0.5  < ACK 0
             > DATA 1 512
        2.0  > DATA 1 512
        5.0  > DATA 1 512
        11   > DATA 1 512
        """)
    assert stage.blocks == [1, 1, 1, 1]
    assert stage.transfer.resent == 3


def test_nothing_happens_before_the_deadline() -> None:
    """ROB-TIMER-07: `expire` may be called at any time."""
    stage = server_read(3000).play("0.0 > DATA 1 512")
    for now in (0.0, 0.5, 0.999):
        stage.transfer.expire(now)
        stage.listen()
    assert stage.said == []
    assert stage.transfer.deadline == 1.0


def test_a_driver_that_wakes_late_sends_one_copy() -> None:
    """ROB-TIMER-07: one flight for each event of the timer, however late it comes."""
    stage = server_read(3000).play("0.0 > DATA 1 512")
    stage.now = 6.5
    stage.transfer.expire(6.5)
    stage.listen()
    stage.play("""
        6.5  > DATA 1 512
        8.5  > DATA 1 512
        """)


def test_a_receiver_in_lock_step_repeats_its_ack_late() -> None:
    """RFC1350-2-13, RFC1350-2-15: the sender's timer repairs; ours is for peers with none."""
    server_write().play("""
        0.0  > ACK 0
        0.01 < DATA 1 512
             > ACK 1
        1.01 > ACK 1
        3.01 > ACK 1
        7.01 > ACK 1
        8.0  < DATA 2 10
             > ACK 2
             = DALLYING COMPLETE
        """)
    client_read().play("""
        0.0  > RRQ f octet to listener
        0.01 < DATA 1 512
             > ACK 1
        1.01 > ACK 1
        1.5  < DATA 2 10
             > ACK 2
        """)


# The agreed interval (RFC 2349)


@pytest.mark.parametrize("interval", [1, 3, 30])
def test_an_agreed_timeout_is_the_interval(interval: int) -> None:
    """RFC2349-T-01, RFC1123-4.2.3.2-01: constant, before and after the first answer."""
    flight = f"OACK timeout={interval}"
    lines = [f"{n * interval} > {flight}" for n in range(6)]
    for stage in (
        server_read(3000, terms(timeout=interval)),
        server_write(terms(timeout=interval)),
    ):
        stage.play("\n".join([*lines, f"{6 * interval} = FAILED TIMEOUT"]))
    server_read(3000, terms(timeout=interval)).play(f"""
        0.0   > {flight}
        0.001 < ACK 0
              > DATA 1 512
        {interval + 0.001} > DATA 1 512
        {interval * 2 + 0.001} > DATA 1 512
        """)


def test_utimeout_is_an_interval_below_a_second() -> None:
    """DF-HPA-02."""
    agreed = Terms(timeout=0.5, options=(("utimeout", "500000"),))
    server_read(3000, agreed).play("""
        0.0  > OACK utimeout=500000
        0.5  > OACK utimeout=500000
        1.0  > OACK utimeout=500000
        """)


def test_a_client_uses_the_agreed_timeout() -> None:
    """RFC2349-T-02: its request still by its own clock, for nothing is agreed yet."""
    client_read(Wish(timeout=3)).play("""
        0.0  > RRQ f octet timeout=3 to listener
        1.0  > RRQ f octet timeout=3 to listener
        1.1  < OACK timeout=3
             > ACK 0
        4.1  > ACK 0
        7.1  > ACK 0
        """)
    client_write(600, Wish(timeout=3)).play("""
        0.0  > WRQ f octet timeout=3 to listener
        0.1  < OACK timeout=3
             > DATA 1 512
        3.1  > DATA 1 512
        6.1  > DATA 1 512
        """)


def test_a_timeout_that_was_not_granted_is_not_used() -> None:
    """RFC2347-N-25."""
    client_read(Wish(timeout=30, block_size=8)).play("""
        0.0  > RRQ f octet blksize=8 timeout=30 to listener
        0.1  < OACK blksize=8
             > ACK 0
        1.1  > ACK 0
        """)


def test_a_timeout_of_255_does_not_hold_a_slot_for_long() -> None:
    """RFC2349-T-06: five minutes, not half an hour."""
    stage = server_read(3000, terms(timeout=255)).play("""
        0.0   > OACK timeout=255
        255   > OACK timeout=255
        510   = FAILED TIMEOUT
        """)
    assert stage.transfer.timeouts == 1


# Adapting (RFC 6298, Karn's rule)


def test_a_slow_peer_gets_single_copies_by_block_5() -> None:
    """RFC1123-4.2.3.2-02, ROB-TIMER-04: every ACK comes 1.5 s late."""
    stage = server_read(12 * 512)
    for block in range(1, 13):
        stage.advance(1.5 * block)
        stage.hear(b"\0\4" + block.to_bytes(2, "big"))
    copies = [stage.blocks.count(block) for block in range(1, 13)]
    assert copies[0] == 2  # one second is all that was known
    assert copies[4:] == [1] * 8
    assert sum(copies) <= 14


def test_a_peer_just_below_the_interval_gets_single_copies() -> None:
    """ROB-TIMER-04: 60 blocks, each acknowledged 0.8 s late."""
    stage = server_read(61 * 512)
    for block in range(1, 61):
        stage.advance(0.8 * block)
        stage.hear(b"\0\4" + block.to_bytes(2, "big"))
    assert stage.blocks == list(range(1, 62))


def test_a_fast_peer_brings_the_interval_to_the_floor_and_not_below() -> None:
    """RFC1123-4.2.3.2-01: and a peer that becomes slow brings it up again."""
    stage = server_read(3000).play("""
        0.0    > DATA 1 512
        0.001  < ACK 1
               > DATA 2 512
        0.101  > DATA 2 512
        0.301  > DATA 2 512
        0.302  < ACK 2                # of which copy? Karn: of no use as a measure
               > DATA 3 512           # but as soon after the last copy as usual: as before
        0.402  > DATA 3 512
        0.5    < ACK 3                # this one not: it may have got slower
               > DATA 4 512
        0.6    < ACK 4                # the first clean measure: 0.114 s from now on
               > DATA 5 512
        0.714  > DATA 5 512
        0.8    < ACK 5
               > DATA 6 440
        0.801  < ACK 5                # the first copy had arrived: that one was needless
        0.85   < ACK 6
               = DONE COMPLETE
        """)
    assert stage.transfer.timeouts == 4


def test_an_interval_doubled_by_losses_shrinks_with_the_next_clean_round_trip() -> None:
    """RFC1123-4.2.3.2-02: after Karn's rule has kept it long."""
    server_read(6000).play("""
        0.0    > DATA 1 512
        1.0    > DATA 1 512
        1.01   < ACK 1
               > DATA 2 512
        1.02   < ACK 2
               > DATA 3 512
        1.12   > DATA 3 512
        """)


def test_the_timing_of_a_transfer_is_its_own() -> None:
    """ROB-TIMER-02: fewer retries, other intervals."""
    quick = Timing(first=0.25, floor=0.05, ceiling=0.5, retries=3, dally=1.0)
    assert quick.patience == 0.25 + 0.5 + 0.5 + 0.5
    server_read(3000, timing=quick).play("""
        0.0   > DATA 1 512
        0.25  > DATA 1 512
        0.75  > DATA 1 512
        1.25  > DATA 1 512
        1.75  = FAILED TIMEOUT
        """)
    server_write(timing=quick).play("""
        0.0   > ACK 0
        0.1   < DATA 1 1
              > ACK 1
        1.1   = DONE COMPLETE
        """)


def test_the_interval_stays_below_the_ceiling() -> None:
    """RFC1123-4.2.3.2-01: a round trip of five seconds would ask for fifteen."""
    slow = TIMING._replace(first=6.0)
    server_read(3000, timing=slow).play("""
        0.0   > DATA 1 512
        5.0   < ACK 1
              > DATA 2 512
        13.0  > DATA 2 512
        21.0  > DATA 2 512
        """)


def test_a_first_interval_above_the_ceiling_is_kept_but_not_doubled() -> None:
    """RFC2349-T-06 in spirit: what the operator sets holds."""
    server_read(3000, timing=TIMING._replace(first=10.0)).play("""
        0.0   > DATA 1 512
        10.0  > DATA 1 512
        20.0  > DATA 1 512
        """)


# Patience


def test_progress_renews_patience() -> None:
    """ROB-TIMER-03: twelve blocks lose their first two copies each, and the file arrives."""
    stage = server_read(11 * 512 + 1, terms(timeout=1)).play("""
        0.0  > OACK timeout=1
             < ACK 0
             > DATA 1 512
        """)
    for block in range(1, 13):
        stage.advance(stage.now + 2.5)
        stage.said.clear()
        stage.hear(b"\0\4" + block.to_bytes(2, "big"))
    stage.said.clear()
    stage.play("= DONE COMPLETE")
    assert [stage.blocks.count(block) for block in range(1, 13)] == [3] * 12


def test_old_and_foreign_packets_do_not_renew_patience() -> None:
    """ROB-TIMER-02, RFC1123-4.2.3.1-04: only progress does."""
    stage = server_read(3000).play("0.0 > DATA 1 512\n 0.5 < ACK 1\n > DATA 2 512")
    for step in range(1, 400):
        stage.advance(0.5 + step * 0.1)
        stage.said.clear()
        stage.hear(b"\0\4\0\1")
        stage.hear(b"\0\4\0\2", ADDRESSES["stranger"])
    stage.said.clear()
    stage.play("40.5 = FAILED TIMEOUT")


def test_an_acknowledging_peer_that_then_falls_silent() -> None:
    """ROB-TIMER-05: each role gives up in bounded time, from any point of the transfer."""
    starts = [
        (server_read(3000), "ACK 1"),
        (server_write(), "DATA 1 512"),
        (client_read(), "DATA 1 512"),
        (client_write(3000), "ACK 0"),
    ]
    for stage, answer in starts:
        stage.advance(0.1)
        (datagram,) = octets_of(answer)
        stage.hear(datagram)
        stage.advance(60.0)
        assert 5 <= stage.transfer.timeouts <= 20
        stage.said.clear()
        stage.play("60 = FAILED TIMEOUT")


def test_patience_lasts_as_long_as_the_retries_take() -> None:
    """ROB-TIMER-02: with a fast peer, too, whose first repeats come quickly."""
    assert TIMING.patience == 1 + 2 + 4 + 8 + 8 + 8
    stage = Stage(Sender.answering(PEER, terms(), TIMING, 0.0), bytes(3000))
    stage.hear(b"\0\4\0\1")
    stage.advance(30.9)
    assert stage.transfer.outcome is None
    stage.advance(31.0 + TIMING.ceiling)
    assert stage.transfer.outcome is not None


@pytest.mark.parametrize("start", [0.0, 1000.0, 86_400.25])
def test_a_clock_may_begin_anywhere(start: float) -> None:
    """RFC1123-4.2.3.2-01: only differences of times mean anything."""
    agreed = terms(8, 4)
    for transfer in (
        Sender.answering(PEER, agreed, TIMING, start),
        Receiver.answering(PEER, agreed, TIMING, start),
    ):
        assert transfer.poll() is not None
        assert transfer.deadline == start + 1.0
        (datagram,) = octets_of("ACK 0" if isinstance(transfer, Sender) else "DATA 1 8")
        transfer.receive(datagram, PEER, start + 0.25)
        assert transfer.deadline == pytest.approx(start + 0.25 + 0.75)
        assert transfer.heard_at == start + 0.25
        transfer.expire(start + 0.9)
        assert transfer.timeouts == 0
        transfer.expire(start + 1.1)
        assert transfer.timeouts == 1
        assert transfer.deadline == pytest.approx(start + 1.1 + 1.5)


def test_thousands_of_transfers_are_small() -> None:
    """ROB-LOAD-02: no dictionary for each, and nothing that grows with the file."""
    stages = [server_read(3000), server_write(), client_read(), client_write(3000)]
    for stage in stages:
        assert not hasattr(stage.transfer, "__dict__")
