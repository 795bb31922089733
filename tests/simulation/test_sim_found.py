"""What the simulator has found in the core, each as small as it can be told.

The lock-step sender was told that a block could not go out yet: the socket was full, or the disk
slow. A copy of the ACK that had asked for the block then counted as the ACK of that very block,
as soon as it had gone out; it was never sent again, and a transfer with one loss there was dead.
"""

from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.packets import encode_ack
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Address, Burst

PEER: Address = ("192.0.2.2", 1000)
BLOCK = 512


def send(sender: Sender, block: int, now: float) -> None:
    """Sends the block that the sender names, which is this one."""
    word = sender.poll()
    assert word == Burst(block, 1, (block - 1) * BLOCK)
    sender.sent(word, BLOCK, now)


def flowing() -> Sender:
    """Returns a sender in full flow, that waits for ACK 2."""
    sender = Sender.answering(PEER, Terms(), Timing(), 0.0)
    send(sender, 1, 0.0)
    sender.receive(encode_ack(1), PEER, 0.1)
    send(sender, 2, 0.1)
    return sender


def test_a_copy_of_an_ack_does_not_acknowledge_the_block_that_waited_for_the_socket() -> None:
    sender = flowing()
    assert sender.step(encode_ack(2), 0.2) == 3  # and the socket is full
    assert sender.step(encode_ack(2), 0.2) == 0
    sender.receive(encode_ack(2), PEER, 0.2)
    send(sender, 3, 0.3)
    assert sender.step(encode_ack(2), 0.4) == 0
    sender.receive(encode_ack(2), PEER, 0.4)
    assert sender.poll() is None
    assert sender.sent_bytes == 2 * BLOCK


def test_a_copy_of_an_ack_does_not_acknowledge_the_block_that_waited_for_the_disk() -> None:
    sender = flowing()
    sender.excuse(0.05, 0.2)  # block 2 came late from the disk
    if sender.step(encode_ack(2), 0.25) == 0:
        sender.receive(encode_ack(2), PEER, 0.25)
    send(sender, 3, 0.5)  # and so does block 3
    sender.excuse(0.25, 0.5)
    assert sender.step(encode_ack(2), 0.6) == 0
    sender.receive(encode_ack(2), PEER, 0.6)
    assert sender.poll() is None
    assert sender.sent_bytes == 2 * BLOCK


def test_the_quick_way_is_taken_again_after_a_block_that_waited() -> None:
    sender = flowing()
    assert sender.step(encode_ack(2), 0.2) == 3
    send(sender, 3, 0.3)
    assert sender.step(encode_ack(3), 0.4) == 4
    sender.stepped(4, BLOCK, 0.4)
    assert sender.step(encode_ack(4), 0.5) == 5
