"""Targets bite: with a bug put into the product, inputs of the corpus find it."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.fuzz.catalogue import corpus, load
from tftp.net.root import Root
from tftp.net.upload import UploadSink
from tftp.protocol import netascii, options, packets
from tftp.protocol.options import Terms
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Burst, Transfer
from tftp.server.service import Admitted, Service

Break = Callable[[pytest.MonkeyPatch], None]


def finds(name: str) -> bool:
    """Tells whether some input of the corpus raises."""
    target = load(name)
    for path in corpus(name):
        try:
            target(path.read_bytes())
        except Exception:
            return True
    return False


def codec_trips_over_latin(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(packets, "_pairs", lambda octets: ((octets.decode("ascii"), ""),))


def options_are_raised(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(options._GRANTS, "blksize", lambda *_: 1024)


def netascii_forgets_a_cr(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(netascii.Decoder, "finish", lambda _: b"")


def sender_exceeds_its_window(patch: pytest.MonkeyPatch) -> None:
    honest = Sender.poll

    def poll(self: Sender, room: int = 1) -> object:
        word = honest(self, room)
        return word._replace(count=word.count + 1) if isinstance(word, Burst) else word

    patch.setattr(Sender, "poll", poll)


def stranger_takes_over(patch: pytest.MonkeyPatch) -> None:
    def reject(self: Transfer, datagram: bytes, source: Any) -> None:
        self.peer = source

    patch.setattr(Transfer, "_reject", reject)


def receiver_skips_a_block(patch: pytest.MonkeyPatch) -> None:
    honest = Receiver._receive_out_of_order

    def receive(self: Receiver, ahead: int) -> None:
        self._expected += 1
        honest(self, ahead)

    patch.setattr(Receiver, "_receive_out_of_order", receive)


def receiver_never_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Transfer, "_give_up", lambda self: setattr(self, "deadline", 1e9))


def transfers_are_not_released(patch: pytest.MonkeyPatch) -> None:
    def release(self: Service, admitted: Admitted) -> None:
        self._newest.pop(admitted.peer, None)

    patch.setattr(Service, "release", release)


def half_a_file_is_left(patch: pytest.MonkeyPatch) -> None:
    honest = UploadSink.discard

    def discard(self: UploadSink) -> None:
        self._temporary = b""
        honest(self)

    patch.setattr(UploadSink, "discard", discard)


def terms_are_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tests.fuzz.targets.options.confirm", lambda *_: Terms(window=7))


def root_is_left(patch: pytest.MonkeyPatch) -> None:
    def open_file(self: Root, name: str) -> int:
        return os.open(f"{self.path}/{name}", os.O_RDONLY | os.O_NONBLOCK)

    patch.setattr(Root, "open_file", open_file)


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        ("codec", codec_trips_over_latin),
        ("reader", codec_trips_over_latin),
        ("options", options_are_raised),
        ("options", terms_are_not_checked),
        ("netascii", netascii_forgets_a_cr),
        ("sender", sender_exceeds_its_window),
        ("sender", stranger_takes_over),
        ("sender", receiver_never_ends),
        ("receiver", receiver_skips_a_block),
        ("receiver", stranger_takes_over),
        ("receiver", receiver_never_ends),
        ("service", transfers_are_not_released),
        ("service", half_a_file_is_left),
        ("service", stranger_takes_over),
        ("service", root_is_left),
        ("root", root_is_left),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_bug_in_the_product_is_found(
    name: str, break_it: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not finds(name), "the product as it is"
    break_it(monkeypatch)
    assert finds(name)
