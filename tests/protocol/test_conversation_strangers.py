"""Ladders with a third party: who is the peer, and what all others get (RFC 1350 section 4)."""

import pytest

from tests.protocol.ladder import ADDRESSES, PEER, TIMING, terms, words_of
from tests.protocol.stages import client_read, client_write, server_read, server_write
from tftp.protocol.options import Wish
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import MAX_STRANGER_REPLIES, Address, Burst, Datagram

STRANGERS = ["other port", "stranger"]


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_gets_error_5_and_changes_nothing_of_a_read(stranger: str) -> None:
    """RFC1350-4-06, RFC1350-4-08: another port of the host, and another host with that port."""
    server_read(1500).play(f"""
        0.0  > DATA 1 512
        0.2  < ACK 1 from {stranger}
             > ERROR 5 Unknown transfer ID to {stranger}
             = OPENING
        0.3  < ACK 1
             > DATA 2 512
        0.4  < ACK 2 from {stranger}
             > ERROR 5 Unknown transfer ID to {stranger}
        0.5  < ACK 2
             > DATA 3 476
        0.6  < ACK 3 from {stranger}
             > ERROR 5 Unknown transfer ID to {stranger}
             = STREAMING
        0.7  < ACK 3
             = DONE COMPLETE
        0.8  < ACK 3 from {stranger}
             = DONE COMPLETE
        """)


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_never_gets_a_block_into_a_write(stranger: str) -> None:
    """RFC1350-4-09: neither stored nor acknowledged, from the first block to the dallying."""
    stage = server_write().play(f"""
        0.0  > ACK 0
        0.1  < DATA 1 512 from {stranger}
             > ERROR 5 Unknown transfer ID to {stranger}
        0.2  < DATA 1 512
             > ACK 1
        0.3  < DATA 2 10 from {stranger}
             > ERROR 5 Unknown transfer ID to {stranger}
             = STREAMING
        0.4  < DATA 2 10
             > ACK 2
        0.5  < DATA 2 10 from {stranger}
             > ERROR 5 Unknown transfer ID to {stranger}
             = DALLYING COMPLETE
        """)
    assert stage.stored == [1, 2]


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_strangers_error_changes_nothing_and_gets_no_answer(stranger: str) -> None:
    """RFC1350-4-07, RFC1350-7-02."""
    stage = server_read(1500).play(f"""
        0.0  > DATA 1 512
        0.2  < ERROR 0 die from {stranger}
             < ERROR 5 Unknown transfer ID from {stranger}
             = OPENING
        0.3  < ACK 1
             > DATA 2 512
        0.4  < ERROR 0 die from {stranger}
             = STREAMING
        0.5  < ACK 2
             > DATA 3 476
        """)
    assert stage.transfer.resent == 0
    server_write().play(f"""
        0.0  > ACK 0
        0.1  < DATA 1 10
             > ACK 1
        0.2  < ERROR 0 die from {stranger}
             = DALLYING COMPLETE
        """)


def test_a_stranger_does_not_put_off_the_timer() -> None:
    """RFC1350-4-06: nothing changes, the clock least of all."""
    server_read(1500).play("""
        0.0  > DATA 1 512
        0.9  < ACK 1 from stranger
             > ERROR 5 Unknown transfer ID to stranger
        1.0  > DATA 1 512
        """)


def test_what_is_no_packet_is_not_worth_an_answer() -> None:
    """RFC1350-5-08, RFC1350-4-06: shorter than any packet of a transfer."""
    server_read(1500).play("""
        0.0  > DATA 1 512
        0.1  < HEX from stranger
             < HEX 00 from stranger
             < HEX 0004 from stranger
             < HEX 000400 from stranger
        0.2  < HEX 00090000 from stranger
             > ERROR 5 Unknown transfer ID to stranger
        """)


def test_nobody_gets_to_use_a_transfer_as_a_reflector() -> None:
    """ROB-LOAD-01, ROB-TID-01: once per datagram, up to a bound for the whole transfer."""
    stage = server_read(1500).play("0.0 > DATA 1 512")
    for count in range(1, MAX_STRANGER_REPLIES + 10):
        stage.hear(b"\0\4\0\1", ADDRESSES["stranger"])
        assert len(stage.said) == min(count, MAX_STRANGER_REPLIES)
    stage.said.clear()
    stage.play("0.5 < ACK 1\n > DATA 2 512")


# Clients


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_reading_client_keeps_to_the_first_that_answers(stranger: str) -> None:
    """RFC1350-4-10, RFC1350-4-11, RFC1350-4-12: and tells the others so."""
    stage = client_read().play(f"""
        0.0  > RRQ f octet to listener
        0.1  < DATA 1 512
             > ACK 1
        0.2  < DATA 2 512 from {stranger}
             > ERROR 5 Unknown transfer ID to {stranger}
        0.3  < DATA 2 512 from listener
             > ERROR 5 Unknown transfer ID to listener
        0.4  < DATA 2 8
             > ACK 2
        """)
    assert stage.stored == [1, 2]


def test_a_request_that_was_doubled_in_the_network() -> None:
    """RFC1350-4-13: two transfers answer; the first is kept, the second is sent away."""
    client_read().play("""
        0.0  > RRQ f octet to listener
        0.10 < DATA 1 512
             > ACK 1
        0.15 < DATA 1 512 from other port
             > ERROR 5 Unknown transfer ID to other port
        0.2  < DATA 2 1
             > ACK 2
        """)
    client_write(600).play("""
        0.0  > WRQ f octet to listener
        0.10 < ACK 0
             > DATA 1 512
        0.15 < ACK 0 from other port
             > ERROR 5 Unknown transfer ID to other port
        0.2  < ACK 1
             > DATA 2 88
        """)
    client_read(Wish(block_size=8)).play("""
        0.0  > RRQ f octet blksize=8 to listener
        0.10 < OACK blksize=8
             > ACK 0
        0.15 < OACK blksize=8 from other port
             > ERROR 5 Unknown transfer ID to other port
        """)


def test_a_first_answer_from_another_host_is_not_taken() -> None:
    """RFC1350-4-14: neither DATA nor OACK, ACK or ERROR."""
    for packet in ("DATA 1 512", "ACK 0", "OACK blksize=8"):
        for stage, kind in ((client_read(), "RRQ"), (client_write(600), "WRQ")):
            stage.play(f"""
                0.0  > {kind} f octet to listener
                0.1  < {packet} from stranger
                     > ERROR 5 Unknown transfer ID to stranger
                0.2  < ERROR 1 no from stranger
                     = OPENING
                1.0  > {kind} f octet to listener
                """)


def test_a_server_with_one_port_for_everything() -> None:
    """DF-PORT-01: the answers may come from the listening port itself."""
    stage = client_read().play("""
        0.0  > RRQ f octet to listener
        0.1  < DATA 1 512 from listener
             > ACK 1 to listener
        0.2  < DATA 2 512 from peer
             > ERROR 5 Unknown transfer ID
        0.3  < DATA 2 1 from listener
             > ACK 2 to listener
        """)
    assert stage.transfer.peer == ADDRESSES["listener"]


def test_an_ack_that_answers_nothing_does_not_choose_the_peer() -> None:
    """RFC1350-4-10: only the awaited answer does."""
    stage = client_write(600).play("""
        0.0  > WRQ f octet to listener
        0.1  < ACK 7 from other port
             < DATA 1 5 from other port
             = OPENING
        0.2  < ACK 0
             > DATA 1 512
        """)
    assert stage.transfer.peer == PEER


def test_an_ipv6_peer_is_compared_as_a_whole() -> None:
    """DF-PORT-02: the scope of a link-local address is part of it."""
    peer: Address = ("fe80::1", 2000, 0, 2)
    neighbour: Address = ("fe80::1", 2000, 0, 3)
    sender = Sender.answering(peer, terms(), TIMING, 0.0)
    burst = sender.poll()
    assert isinstance(burst, Burst)
    sender.sent(burst, 512, 0.0)
    sender.receive(b"\0\4\0\1", neighbour, 0.1)
    error = sender.poll()
    assert isinstance(error, Datagram)
    assert (words_of(error.data), error.to) == ("ERROR 5 Unknown transfer ID", neighbour)
    assert sender.poll() is None
    sender.receive(b"\0\4\0\1", peer, 0.2)
    assert sender.poll() == Burst(2, 1, 512)
