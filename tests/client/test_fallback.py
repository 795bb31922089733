"""What the client does when a server does not like what it asked for (RFC 2347)."""

import socket
from time import monotonic

import pytest

import tftp
from tests.client.scripted import Asked, Line, Stage, ack, data, error, oack
from tftp import Client, PeerError, TransferTimeout, Unreachable
from tftp.client import session
from tftp.client.session import MAX_ADDRESSES, Place
from tftp.client.settings import schedule
from tftp.net import udp
from tftp.protocol.pace import Timing

CONTENT = bytes(range(256)) * 5


def closed_port(host: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


class Asks:
    """Keeps what a script was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def accept(self, stage: Stage) -> Line:
        self.asked.append(stage.request())
        return stage.answer(self.asked[-1])


def test_the_usual_request_asks_for_size_block_size_and_window() -> None:
    asks = Asks()

    def script(stage: Stage) -> None:
        asks.accept(stage).serve(CONTENT)

    with Stage(script) as stage:
        assert tftp.get(stage.host, "a", port=stage.port) == CONTENT
    request = asks.asked[0]
    assert (request.opcode, request.filename, request.mode) == (1, b"a", b"octet")
    assert list(request.options) == ["tsize", "blksize", "windowsize"]
    assert request.options["tsize"] == "0"
    assert request.options["blksize"] == "8192"
    assert 1 <= int(request.options["windowsize"]) <= 32


def test_a_server_that_ignores_options_is_served_as_it_likes() -> None:
    def get(stage: Stage) -> None:
        stage.accept().serve(CONTENT)
        line = stage.accept()
        line.send(ack(0))
        assert line.take() == CONTENT

    with Stage(get) as stage:
        client = Client(stage.host, stage.port)
        assert client.get("a") == CONTENT
        client.put("a", CONTENT)


@pytest.mark.parametrize("code", [0, 4, 8])
def test_a_get_is_tried_once_more_without_options_after_error(code: int) -> None:
    asks = Asks()

    def script(stage: Stage) -> None:
        asks.accept(stage).send(error(code, "no options here"))
        asks.accept(stage).serve(CONTENT)
        stage.no_request(0.05)

    with Stage(script) as stage:
        result = Client(stage.host, stage.port).download("a", "/dev/null")
    first, second = asks.asked
    assert first.options
    assert not second.options
    assert first.source != second.source, "a new transfer has a new TID"
    assert (second.filename, second.mode) == (first.filename, first.mode)
    assert result.size == len(CONTENT)
    assert len(result.notes) == 1
    assert f"error {code}: no options here" in result.notes[0]


@pytest.mark.parametrize("code", [0, 4, 8])
def test_a_put_is_tried_once_more_without_options_after_error(code: int) -> None:
    asks = Asks()

    def script(stage: Stage) -> None:
        asks.accept(stage).send(error(code))
        line = asks.accept(stage)
        line.send(ack(0))
        assert line.take() == CONTENT

    with Stage(script) as stage:
        Client(stage.host, stage.port).put("a", CONTENT)
    assert [bool(asked.options) for asked in asks.asked] == [True, False]
    assert asks.asked[0].options["tsize"] == str(len(CONTENT))


@pytest.mark.parametrize("code", [1, 2, 3, 5, 6, 7, 9, 65535])
def test_an_error_about_the_file_is_final(code: int) -> None:
    def script(stage: Stage) -> None:
        stage.accept().send(error(code, "so it is"))
        stage.no_request(0.05)

    with Stage(script) as stage, pytest.raises(PeerError) as caught:
        Client(stage.host, stage.port).get("a")
    assert caught.value.code == code
    assert caught.value.message == "so it is"


def test_the_second_error_is_the_one_that_is_told() -> None:
    def script(stage: Stage) -> None:
        stage.accept().send(error(8))
        stage.accept().send(error(1, "not here"))
        stage.no_request(0.05)

    with Stage(script) as stage, pytest.raises(PeerError, match="not here"):
        Client(stage.host, stage.port).get("a")


def test_an_error_without_options_in_the_request_is_final() -> None:
    def script(stage: Stage) -> None:
        stage.accept().send(error(8))
        stage.no_request(0.05)

    with Stage(script) as stage, pytest.raises(PeerError):
        Client(stage.host, stage.port, options=False).get("a")


def test_an_error_after_data_is_final() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect(ack(1))
        line.send(error(0, "enough"))
        stage.no_request(0.05)

    with Stage(script) as stage, pytest.raises(PeerError, match="enough"):
        Client(stage.host, stage.port).get("a")


def test_silence_to_options_is_followed_by_a_request_without() -> None:
    asks = Asks()

    def script(stage: Stage) -> None:
        while (asked := stage.request()).options:
            asks.asked.append(asked)
        stage.answer(asked).serve(CONTENT)

    with Stage(script) as stage:
        client = Client(stage.host, stage.port, timeout=0.1, retries=3)
        result = client.download("a", "/dev/null")
    assert len(asks.asked) == 3, "0.1 and 0.3 s; half of the patience of 1.5 s is over at 0.7 s"
    assert len({asked.source for asked in asks.asked}) == 1, "a repeat is no new transfer"
    assert result.notes == (
        "the server did not answer a request with options; asked again without options",
    )


def test_silence_after_the_options_are_agreed_is_followed_by_a_request_without() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=1024))
        line.expect(ack(0))
        second = stage.request()
        assert not second.options
        stage.answer(second).serve(CONTENT)

    with Stage(script) as stage:
        client = Client(stage.host, stage.port, timeout=0.1, retries=3)
        result = client.download("a", "/dev/null")
    assert result.size == len(CONTENT)
    assert "fell silent" in result.notes[0]


def test_silence_of_a_put_after_the_options_are_agreed_starts_the_file_anew() -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=1024, windowsize=2))
        line.expect(data(1, CONTENT[:1024]), data(2, CONTENT[1024:]))
        second = stage.request()
        assert not second.options
        again = stage.answer(second)
        again.send(ack(0))
        assert again.take() == CONTENT

    with Stage(script) as stage:
        Client(stage.host, stage.port, timeout=0.1, retries=3).put("a", CONTENT)


@pytest.mark.parametrize("options", [True, False])
def test_a_host_that_says_nothing_is_given_up_in_bounded_time(options: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        patience = schedule(Timing(first=0.05, retries=2))[-1]
        client = Client(
            "127.0.0.1", mute.getsockname()[1], timeout=0.05, retries=2, options=options
        )
        start = monotonic()
        with pytest.raises(TransferTimeout, match=r"Nobody answers at 127\.0\.0\.1 port"):
            client.get("a")
        assert patience - 0.01 <= monotonic() - start < patience + 2


def test_the_default_patience_is_half_a_minute() -> None:
    assert schedule(Timing()) == [1, 3, 7, 15, 23, 31]


@pytest.mark.fault
def test_a_closed_port_is_told_by_icmp_and_believed_the_second_time() -> None:
    client = Client("127.0.0.1", closed_port(), timeout=0.1)
    start = monotonic()
    with pytest.raises(Unreachable, match="the port is closed"):
        client.get("a")
    assert 0.09 <= monotonic() - start < 2, "one repeat, in case the server is just starting"


def test_a_server_that_starts_a_moment_late_is_found() -> None:
    port = closed_port()
    asked: list[bool] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:

        def progress(_: int, __: int | None) -> None:
            if not asked:  # called once the first request was refused
                late.bind(("127.0.0.1", port))
                asked.append(True)

        client = Client("127.0.0.1", port, timeout=0.1, retries=1, options=False)
        with pytest.raises(TransferTimeout, match="Nobody answers") as caught:
            client.download("a", "/dev/null", progress=progress)
        assert not isinstance(caught.value, Unreachable)
        assert late.recv(100).startswith(b"\0\1a\0octet\0")


def at(monkeypatch: pytest.MonkeyPatch, *places: Place) -> None:
    """Makes every host name lead to these places."""
    monkeypatch.setattr(session, "resolve", lambda *_: list(places))


@pytest.mark.fault
def test_the_next_address_of_a_name_is_tried_when_one_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def script(stage: Stage) -> None:
        stage.accept().serve(CONTENT)

    with Stage(script) as stage:
        at(
            monkeypatch,
            (socket.AF_INET, ("127.0.0.2", closed_port("127.0.0.2"))),
            (socket.AF_INET, (stage.host, stage.port)),
        )
        start = monotonic()
        assert Client("several.example", stage.port).get("a") == CONTENT
        assert monotonic() - start < 0.9, "the first refusal is enough where there is another"


def test_the_next_address_is_tried_when_one_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(stage: Stage) -> None:
        stage.accept().serve(CONTENT)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, Stage(script) as stage:
        mute.bind(("127.0.0.2", 0))
        at(
            monkeypatch,
            (socket.AF_INET, mute.getsockname()),
            (socket.AF_INET, (stage.host, stage.port)),
        )
        assert Client("several.example", timeout=0.1, retries=3).get("a") == CONTENT


def test_an_error_is_an_answer_and_no_reason_to_ask_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def script(stage: Stage) -> None:
        stage.accept().send(error(1))

    with Stage(script) as stage, Stage(lambda other: other.no_request(0.1)) as other:
        at(
            monkeypatch,
            (socket.AF_INET, (stage.host, stage.port)),
            (socket.AF_INET, (other.host, other.port)),
        )
        with pytest.raises(PeerError):
            Client("several.example").get("a")


def test_a_name_with_many_addresses_does_not_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port: int = mute.getsockname()[1]
        places: list[Place] = [(socket.AF_INET, ("127.0.0.1", port + n)) for n in (0, 0, 0)]
        assert len(places) < MAX_ADDRESSES
        at(monkeypatch, *places)
        start = monotonic()
        with pytest.raises(TransferTimeout):
            Client("several.example", timeout=0.05, retries=2).get("a")
        assert monotonic() - start < 0.35 + 2


def test_a_family_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(stage: Stage) -> None:
        stage.accept().serve(CONTENT)

    with Stage(script) as stage:
        at(
            monkeypatch,
            (socket.AF_INET6, ("::1", stage.port, 0, 0)),
            (socket.AF_INET, (stage.host, stage.port)),
        )
        assert Client("both.example", family=socket.AF_INET).get("a") == CONTENT
    monkeypatch.undo()
    with pytest.raises(tftp.UnknownHost, match="no IPv6 address"):
        Client("127.0.0.1", family=socket.AF_INET6).get("a")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "x" * 300])
def test_a_host_that_cannot_be_found_is_named(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int) -> list[Place]:
        if host.endswith(".invalid"):  # no packet leaves this machine for a test
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return udp.resolve(host, port)

    monkeypatch.setattr(session, "resolve", resolve)
    with pytest.raises(tftp.UnknownHost, match="Cannot find the host"):
        Client(host).get("a")


def test_a_name_without_room_for_options_is_asked_for_without() -> None:
    name = "n" * 490
    asks = Asks()

    def script(stage: Stage) -> None:
        asks.accept(stage).serve(CONTENT)

    with Stage(script) as stage:
        result = Client(stage.host, stage.port).download(name, "/dev/null")
    assert not asks.asked[0].options
    assert result.notes == ("the name is too long to leave room for options",)


def test_options_can_be_chosen_by_name() -> None:
    asks = Asks()

    def script(stage: Stage) -> None:
        for _ in range(4):
            asks.accept(stage).serve(CONTENT)

    with Stage(script) as stage:
        client = Client(stage.host, stage.port, options={"blksize"}, block_size=1000)
        client.get("a")
        client = Client(stage.host, stage.port, options=["TSIZE", "timeout"], server_timeout=3)
        client.get("a")
        client = Client(stage.host, stage.port, options={"rollover", "windowsize"}, rollover=1)
        client.get("a")
        client.get("a", mode="netascii")
    sizes, timers, others, text = (asked.options for asked in asks.asked)
    assert sizes == {"blksize": "1000"}
    assert timers == {"tsize": "0", "timeout": "3"}
    assert others == text == {"windowsize": "32", "rollover": "1"}
