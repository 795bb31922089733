"""Servers that overflowed, fooled or stalled other clients, played against ours."""

from pathlib import Path

import pytest

import tftp
from tests.client.scripted import Line, Stage, ack, data, error, oack
from tests.server.lab import CONTENT

pytestmark = pytest.mark.regression

GOOD = CONTENT[:5000]


def get(stage: Stage, **keywords: int | bool) -> bytes:
    block_size = keywords.get("block_size")
    options = bool(keywords.get("options", True))
    return tftp.get(
        stage.host, "f", port=stage.port, linger=0, block_size=block_size, options=options
    )


def check_still_good() -> None:
    """The client is as good as new: it fetches a file, to the last octet."""
    with Stage(lambda stage: stage.accept().serve(GOOD)) as stage:
        assert get(stage, options=False) == GOOD


def download_fails(stage: Stage, folder: Path, kind: type[Exception], **keywords: int) -> None:
    """The download raises, and leaves no file behind."""
    with stage, pytest.raises(kind):
        tftp.download(
            stage.host,
            "f",
            folder / "f",
            port=stage.port,
            linger=0,
            block_size=keywords.get("block_size"),
        )
    assert list(folder.iterdir()) == []
    check_still_good()


def test_cve_2019_5436_an_oack_without_the_small_block_that_was_asked_for() -> None:
    """curl made its buffer as small as it had asked, and 512 octets came: what was not agreed on
    leaves the block at 512.
    """

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(tsize=len(GOOD)))
        line.expect(ack(0))
        line.serve(GOOD, 512)

    with Stage(script) as stage:
        assert get(stage, block_size=8) == GOOD
    check_still_good()


def test_cve_2019_5482_no_oack_at_all_where_a_small_block_was_asked_for() -> None:
    """curl's mending of the above forgot the server that answers with DATA at once."""
    with Stage(lambda stage: stage.accept().serve(GOOD, 512)) as stage:
        assert get(stage, block_size=8) == GOOD
    check_still_good()


@pytest.mark.parametrize("size", [9, 512, 513, 65_464])
def test_cve_2019_5482_and_cve_2019_5436_data_larger_than_agreed(tmp_path: Path, size: int) -> None:
    """Agreed on 8 octets, and more come: the client says so, ends, and keeps nothing."""

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=8))
        line.expect(ack(0))
        line.send(data(1, bytes(size)))
        line.expect_error(4)

    download_fails(Stage(script), tmp_path, tftp.IllegalOperation, block_size=8)


@pytest.mark.parametrize("answer", [9, 512, 65_464, 7, 0])
def test_cve_2019_5436_an_oack_of_a_block_size_that_was_not_asked_for(
    tmp_path: Path, answer: int
) -> None:
    """More than was asked for, or less than there is: refused by ERROR 8."""

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(blksize=answer))
        line.expect_error(8)

    download_fails(Stage(script), tmp_path, tftp.OptionRefused, block_size=8)


def test_netric_adv010_long_names_and_long_errors_to_the_client(tmp_path: Path) -> None:
    """atftp's client copied a name into an array; a server's text is as long as it likes."""
    for length in (600, 5000):
        with pytest.raises(ValueError, match="512"):
            tftp.get("127.0.0.1", "n" * length, port=9, linger=0)

    def script(stage: Stage) -> None:
        asked = stage.request()
        assert asked.filename == b"n" * 400
        stage.answer(asked).send(error(1, "x" * 60_000))

    with Stage(script) as stage, pytest.raises(tftp.PeerError):
        tftp.download(stage.host, "n" * 400, tmp_path / "f", port=stage.port, linger=0)
    assert list(tmp_path.iterdir()) == []
    check_still_good()


def test_cve_2019_11365_an_error_of_three_octets_to_the_client() -> None:
    """What is no whole ERROR is passed over, like all that is no packet."""

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(b"\0\5", b"\0\5\0", b"\0", b"", b"\0\3\0")
        line.serve(GOOD)

    with Stage(script) as stage:
        assert get(stage, options=False) == GOOD
    check_still_good()


def test_cve_2024_2169_the_client_answers_no_error() -> None:
    """Neither its server's, nor a stranger's."""

    def script(stage: Stage) -> None:
        asked = stage.request()
        line, stranger = stage.answer(asked), stage.answer(asked)
        line.send(data(1, GOOD[:512]))
        line.expect(ack(1))
        for code in (0, 4, 5, 8, 99):
            stranger.send(error(code, "no"))
        line.send(data(2, GOOD[512:1024]))
        line.expect(ack(2))
        line.send(error(0, "enough"))
        line.expect_silence()
        stranger.expect_silence()

    with Stage(script) as stage, pytest.raises(tftp.PeerError):
        get(stage, options=False)
    check_still_good()


# What other clients took for a file


def test_hpa_client_a_missing_file_is_a_failure_and_leaves_nothing(tmp_path: Path) -> None:
    """tftp-hpa reports success, and leaves an empty file."""
    stage = Stage(lambda stage: stage.accept().send(error(1, "File not found")))
    download_fails(stage, tmp_path, tftp.PeerError)


def test_metasploit_5518_an_error_in_the_middle_is_a_failure(tmp_path: Path) -> None:
    """A client that calls that a success keeps half a file."""

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(data(1, bytes(512)))
        line.expect(ack(1))
        line.send(error(3, "Disk full"))

    download_fails(Stage(script), tmp_path, tftp.PeerError)


def test_data_length_mismatch_is_found_by_the_size_announced(tmp_path: Path) -> None:
    """A block that lost its end looks like the last one: five clients of five took it for that."""

    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(tsize=2000))
        line.expect(ack(0))
        line.send(data(1, bytes(300)))
        line.receive()

    download_fails(Stage(script), tmp_path, tftp.SizeMismatch)


def test_curl_client_an_empty_file_whose_size_is_announced() -> None:
    """curl takes a tsize of 0 for no number."""

    def script(stage: Stage) -> None:
        line: Line = stage.accept()
        line.send(oack(tsize=0))
        line.expect(ack(0))
        line.serve(b"")

    with Stage(script) as stage:
        assert get(stage) == b""
    check_still_good()
