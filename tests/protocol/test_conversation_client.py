"""Ladders of a client's first flights: requests, and what may come in answer to them."""

import pytest

from tests.protocol.ladder import PEER, octets_of, terms
from tests.protocol.stages import client_read, client_write, server_read, server_write
from tftp.protocol.options import Wish
from tftp.protocol.pace import Timing
from tftp.protocol.packets import RRQ, Request
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender

ALL = Wish(block_size=1000, window=3, timeout=2, size=0)
ASKED = "tsize=0 blksize=1000 windowsize=3 timeout=2"


# Clients that read


def test_a_plain_read_request() -> None:
    """RFC1123-4.2.3.3-01, RFC1350-4-10: answers go to the port that the DATA came from."""
    stage = client_read().play("""
        0.0  > RRQ f octet to listener
        0.1  < DATA 1 512
             > ACK 1
        0.2  < DATA 2 10
             > ACK 2
             = DALLYING COMPLETE
        """)
    assert stage.stored == [1, 2]
    assert stage.transfer.peer == PEER
    receiver = stage.transfer
    assert isinstance(receiver, Receiver)
    assert receiver.received_bytes == 522


def test_an_oack_to_a_read_is_answered_by_ack_0() -> None:
    """RFC2347-N-16, RFC2348-12, RFC7440-3-05, RFC7440-4-24: lower values are used."""
    stage = client_read(ALL).play(f"""
        0.0  > RRQ f octet {ASKED} to listener
        0.1  < OACK tsize=350 blksize=100 windowsize=2 timeout=2
             > ACK 0
             = STREAMING
        0.2  < DATA 1-2 100
             > ACK 2
        0.3  < DATA 3-4 100
             > ACK 4
        0.4  < DATA 5 0
             > ACK 5
             = DALLYING COMPLETE
        """)
    assert stage.stored == [1, 2, 3, 4, 5]
    assert stage.transfer.terms.size == 350


def test_no_block_size_in_the_oack_means_512() -> None:
    """RFC2348-15, RFC2347-N-25."""
    client_read(Wish(block_size=1428, size=0)).play("""
        0.0  > RRQ f octet tsize=0 blksize=1428 to listener
        0.1  < OACK tsize=600
             > ACK 0
        0.2  < DATA 1 512
             > ACK 1
        0.3  < DATA 2 88
             > ACK 2
             = DALLYING COMPLETE
        """)


def test_an_empty_oack_accepts_nothing() -> None:
    """RFC2347-N-20."""
    client_read(ALL).play(f"""
        0.0  > RRQ f octet {ASKED} to listener
        0.1  < HEX 0006
             > ACK 0
        0.2  < DATA 1 512
             > ACK 1
        """)


def test_data_1_in_place_of_the_oack() -> None:
    """RFC1785-01: the server knows no options, and the defaults of RFC 1350 hold."""
    client_read(ALL).play(f"""
        0.0  > RRQ f octet {ASKED} to listener
        0.1  < DATA 2 512             # of no transfer that we know
             = OPENING
        0.2  < DATA 1 512
             > ACK 1
        0.3  < OACK blksize=1000      # of another answer: too late
        0.4  < DATA 2 512
             > ACK 2
        0.5  < DATA 3 1
             > ACK 3
             = DALLYING COMPLETE
        """)


def test_a_whole_file_in_place_of_the_oack() -> None:
    """RFC1785-01, RFC1350-6-03."""
    for size in (0, 1, 511):
        client_read(ALL).play(f"""
            0.0  > RRQ f octet {ASKED} to listener
            0.1  < DATA 1 {size}
                 > ACK 1
                 = DALLYING COMPLETE
            """)


def test_a_first_block_larger_than_512_in_place_of_the_oack() -> None:
    """RFC1350-5-23: not even where 1000 were asked for; only an OACK makes them so."""
    stage = client_read(ALL).play(f"""
        0.0  > RRQ f octet {ASKED} to listener
        0.1  < DATA 1 1000
             > ERROR 4 DATA larger than the block size
             = FAILED ILLEGAL
        """)
    assert stage.stored == []


def test_a_repeated_oack_is_acknowledged_again() -> None:
    """RFC2347-N-21: our ACK 0 was lost."""
    client_read(Wish(block_size=8)).play("""
        0.0  > RRQ f octet blksize=8 to listener
        0.1  < OACK blksize=8
             > ACK 0
        0.6  < OACK blksize=8
             > ACK 0
        0.7  < DATA 1 8
             > ACK 1
        """)


def test_an_oack_after_data_1_spoils_nothing() -> None:
    """RFC2347-N-22."""
    client_read(Wish(block_size=8)).play("""
        0.0  > RRQ f octet blksize=8 to listener
        0.1  < OACK blksize=8
             > ACK 0
        0.2  < DATA 1 8
             > ACK 1
        0.3  < OACK blksize=8
        0.4  < OACK blksize=512
        0.5  < DATA 2 8
             > ACK 2
        0.6  < DATA 3 0
             > ACK 3
        0.7  < OACK blksize=8
             = DALLYING COMPLETE
        """)


REFUSED = [
    pytest.param("foo=1", id="RFC2347-N-18 unknown"),
    pytest.param("blksize=1000 rollover=1", id="RFC2347-N-18 not asked"),
    pytest.param("blksize=1000 blksize=512", id="RFC2347-N-08"),
    pytest.param("blksize=1001", id="RFC2348-13"),
    pytest.param("blksize=7", id="RFC2348-14"),
    pytest.param("blksize=abc", id="RFC2347-N-19"),
    pytest.param("timeout=3", id="RFC2349-T-05"),
    pytest.param("windowsize=4", id="RFC7440-3-04"),
    pytest.param("windowsize=0", id="RFC7440-3-04 zero"),
]


@pytest.mark.parametrize("options", REFUSED)
def test_a_client_refuses_an_oack_with_error_8(options: str) -> None:
    """RFC2347-N-18, RFC2347-N-19: to the port that the OACK came from, once."""
    for stage, kind in ((client_read(ALL), "RRQ"), (client_write(100, ALL), "WRQ")):
        stage.play(f"0.0 > {kind} f octet {ASKED} to listener")
        stage.advance(0.1)
        (oack,) = octets_of(f"OACK {options}")
        stage.hear(oack)
        (said,) = stage.said
        assert said.words.startswith("ERROR 8 ")
        assert not said.words.endswith("listener")
        stage.said.clear()
        stage.play("99 = FAILED REFUSED")


def test_an_error_in_answer_to_a_request() -> None:
    """RFC1350-7-03, RFC2347-N-23: no answer to it; trying again is the application's."""
    for code, text in ((1, "File not found"), (8, "No options"), (5, ""), (99, "x")):
        stage = client_read(ALL).play(f"""
            0.0  > RRQ f octet {ASKED} to listener
            0.1  < ERROR {code} {text}
            99   = FAILED PEER_ERROR
            """)
        assert stage.transfer.outcome is not None
        assert stage.transfer.outcome[1:] == (code, text)


# Clients that write


def test_a_plain_write_request() -> None:
    """RFC1350-4-01, RFC1350-4-10, RFC1350-6-06."""
    stage = client_write(512).play("""
        0.0  > WRQ f octet to listener
        0.1  < ACK 0
             > DATA 1 512
        0.2  < ACK 1
             > DATA 2 0
        0.3  < ACK 2
             = DONE COMPLETE
        """)
    assert stage.transfer.peer == PEER
    sender = stage.transfer
    assert isinstance(sender, Sender)
    assert sender.sent_bytes == 512


def test_an_oack_to_a_write_is_answered_by_data_1() -> None:
    """RFC2347-N-17: DATA of the agreed size, and no ACK 0."""
    client_write(250, Wish(block_size=1000, window=4, size=250)).play("""
        0.0  > WRQ f octet tsize=250 blksize=1000 windowsize=4 to listener
        0.1  < OACK blksize=100 tsize=250
             > DATA 1 100
        0.2  < OACK blksize=100 tsize=250     # repeated: our DATA 1 has a timer of its own
        0.3  < ACK 1
             > DATA 2 100
        0.4  < ACK 2
             > DATA 3 50
        0.5  < ACK 3
             = DONE COMPLETE
        """)


def test_ack_0_in_place_of_the_oack() -> None:
    """RFC1785-01: the server knows no options."""
    client_write(600, ALL).play(f"""
        0.0  > WRQ f octet {ASKED} to listener
        0.1  < ACK 1                  # of a block that was never sent
             = OPENING
        0.2  < ACK 0
             > DATA 1 512
        0.3  < ACK 1
             > DATA 2 88
        """)


def test_noise_in_the_opening_changes_nothing() -> None:
    """RFC1350-5-24, RFC1350-5-26, RFC1350-2-07: short, foreign and unknown packets."""
    noise = """
        0.1  < HEX
        0.1  < HEX 00
        0.1  < HEX 0004
        0.1  < HEX 000300
        0.1  < HEX 0005
        0.1  < RRQ f octet
        0.1  < WRQ f octet
        0.1  < HEX 00090000
        0.1  < HEX ffffffffffff
        0.1  < DATA 7 8
        0.1  < ACK 7
             = OPENING
        """
    oack = "0.2 < OACK blksize=8\n = OPENING"  # nobody answers an answer with an OACK
    server_read(600).play("0.0 > DATA 1 512" + noise + oack)
    server_read(600, terms(8)).play("0.0 > OACK blksize=8" + noise + oack)
    server_write(terms(8)).play("0.0 > OACK blksize=8" + noise + oack)
    client_write(8).play("0.0 > WRQ f octet to listener" + noise)
    client_read().play("0.0 > RRQ f octet to listener" + noise)


def test_a_lock_step_server_acknowledges_nothing_before_data_1() -> None:
    """RFC1350-2-06, RFC1350-2-07: DATA 0 and DATA 2 are not the block awaited."""
    stage = server_write().play("""
        0.0  > ACK 0
        0.1  < DATA 0 512
        0.2  < DATA 2 512
             = OPENING
        0.3  < DATA 1 10
             > ACK 1
        """)
    assert stage.stored == [1]


def test_a_request_without_a_strict_form_is_refused_before_it_is_sent() -> None:
    """CODEC-06, RFC2347-P-09."""
    request = Request(RRQ, "n" * 600)
    with pytest.raises(ValueError, match="512"):
        Receiver.requesting(request, PEER, Timing(), 0.0)
    with pytest.raises(ValueError, match="512"):
        Sender.requesting(request, PEER, Timing(), 0.0)
