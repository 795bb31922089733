"""`tftp-get` and `tftp-put`: what a shell sees of them."""

import hashlib
import os
from pathlib import Path

import pytest

import tftp
from tests.cli.commands import Run, run
from tests.client.scripted import Script, Stage, ack, data, error, oack

CONTENT = bytes(range(256)) * 5


def serve(stage: Stage) -> None:
    stage.accept().serve(CONTENT)


def answer(packet: bytes) -> Script:
    """Returns a script that answers every request with one packet, and needs one at least."""

    def script(stage: Stage) -> None:
        asked = stage.request()
        stage.answer(asked).send(packet)
        if asked.options and packet[:2] == b"\0\5" and packet[3] in (0, 4, 8):
            stage.accept().send(packet)

    return script


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def sentence(ended: Run, command: str) -> str:
    """Returns the one sentence on standard error."""
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith(f"tftp-{command}: "), ended.err
    assert "Traceback" not in ended.err
    return ended.err


def test_a_file_comes_and_goes_between_our_own_programs(tmp_path: Path) -> None:
    root, here = tmp_path / "root", tmp_path / "here"
    root.mkdir()
    here.mkdir()
    content = os.urandom(3_000_001)
    (here / "up").write_bytes(content)
    with tftp.Server(root, upload="create") as server:
        where = f"{server.host}:{server.port}"
        assert run("put", where, "up", folder=here) == Run(0, b"", "")
        assert (root / "up").read_bytes() == content
        assert run("get", where, "up", "down", folder=here) == Run(0, b"", "")
        assert (here / "down").read_bytes() == content
        assert run("get", "-p", str(server.port), server.host, "up", "-").out == content
        url = f"tftp://{where}/folder%20less"
        assert run("put", url, str(here / "up")).code == 0
        assert (root / "folder less").read_bytes() == content
        assert run("get", url, folder=here) == Run(0, b"", "")
        assert (here / "folder less").read_bytes() == content
        ended = run("put", where, "up", folder=here)
        assert ended.code == 73
        assert "has a file 'up' already" in sentence(ended, "put")
        assert run("get", where, "none", folder=here).code == 68
    assert listing(here) == ["down", "folder less", "up"]


PEER_ERRORS = [
    (1, 68, "has no file 'f'"),
    (2, 69, "does not give out 'f'"),
    (3, 70, "ran out of space"),
    (4, 71, "--no-options"),
    (5, 72, "lost track"),
    (6, 73, "the file exists"),
    (7, 74, "no such user"),
    (8, 71, "--no-options"),
    (0, 1, "error 0"),
    (9, 1, "error 9"),
    (65535, 1, "error 65535"),
]


@pytest.mark.parametrize(("code", "status", "text"), PEER_ERRORS)
def test_an_error_of_the_server_is_a_sentence_and_a_code(
    code: int, status: int, text: str, tmp_path: Path
) -> None:
    with Stage(answer(error(code, "so it is"))) as stage:
        ended = run("get", f"{stage.host}:{stage.port}", "f", folder=tmp_path)
    assert ended.code == status
    said = sentence(ended, "get")
    assert text in said
    assert f'(error {code}, it says: "so it is")' in said
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [(2, 69, "--upload create"), (3, 70, "no space for 'f'"), (6, 73, "another name as REMOTE")],
)
def test_an_error_of_the_server_says_what_to_do_about_a_put(
    code: int, status: int, text: str, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    with Stage(answer(error(code))) as stage:
        ended = run("put", f"{stage.host}:{stage.port}", "f", folder=tmp_path)
    assert ended.code == status
    assert text in sentence(ended, "put")


def test_what_a_server_says_does_not_reach_the_terminal_as_commands(tmp_path: Path) -> None:
    text = b"\x1b[2J\x07\r\n\xc2\x9b31m\xe2\x80\xaeevil\xff"
    with Stage(answer(error(1, text))) as stage:
        ended = run("get", f"{stage.host}:{stage.port}", "f\x1b[1m", folder=tmp_path)
    said = sentence(ended, "get")
    assert said.removesuffix("\n").isprintable()
    assert r"\x1b[2J\x07\r\n\x9b31m\u202eevil" in said


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Missing argument"),
        (["h"], "which FILE"),
        (["h:99999", "f"], "1 to 65535"),
        (["", "f"], "names no host"),
        (["h:69", "f", "-p", "70"], "two different ports"),
        (["h", "f", "--port", "0"], "0"),
        (["h", "f", "--block-size", "7"], "7"),
        (["h", "f", "--window", "65536"], "65536"),
        (["h", "f", "--retries", "-1"], "-1"),
        (["h", "f", "--mode", "mail"], "mail"),
        (["h", "f", "--mode", "octet", "--netascii"], "two different modes"),
        (["h", "n" * 600, "-"], "longer than 512"),
        (["h", "a/.."], "as DEST"),
        (["h", "a/"], "as DEST"),
        (["http://h/f"], "tftp://"),
        (["tftp://h/"], "which FILE"),
        (["tftp://h/f%00"], "zero octet"),
        (["tftp://h/f;mode=mail"], "octet or netascii"),
        (["tftp://h/f;mode=octet", "--netascii"], "two different modes"),
        (["tftp://h:69/f", "-p", "70"], "two different ports"),
        (["tftp://h/f", "a", "b"], "only DEST"),
        (["h", "f", "d", "e"], "unexpected"),
        (["h", "f", "--nonsense"], "nonsense"),
    ],
)
def test_a_wrong_call_of_get_is_told_without_a_packet(
    arguments: list[str], text: str, tmp_path: Path
) -> None:
    ended = run("get", *arguments, folder=tmp_path)
    assert ended.code == 2
    assert text in " ".join(ended.err.split())
    assert "Traceback" not in ended.err
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["h"], "Missing argument"),
        (["h", "-"], "give REMOTE"),
        (["h", ".."], "give REMOTE"),
        (["tftp://h/", "-"], "give REMOTE"),
        (["tftp://h/f", "f", "g"], "one too many"),
        (["tftp://h/f;mode=mail", "f"], "octet or netascii"),
        (["h", "f", "n" * 600], "longer than 512"),
    ],
)
def test_a_wrong_call_of_put_is_told_without_a_packet(
    arguments: list[str], text: str, tmp_path: Path
) -> None:
    ended = run("put", *arguments, folder=tmp_path)
    assert ended.code == 2
    assert text in " ".join(ended.err.split())
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["get", "put"])
def test_help_and_version_are_there(command: str) -> None:
    ended = run(command, "--version")
    assert (ended.code, ended.out, ended.err) == (
        0,
        f"tftp-{command} {tftp.__version__}\n".encode(),
        "",
    )
    for flag in ("--help", "-h"):
        ended = run(command, flag)
        assert ended.code == 0
        assert b"--no-options" in ended.out


def test_a_host_that_is_not_found_is_named() -> None:
    ended = run("get", "a..b", "f", "-")
    assert ended.code == 6
    assert "'a..b'" in sentence(ended, "get")


def test_a_closed_port_is_told_at_once(tmp_path: Path) -> None:
    with Stage(lambda _: None) as stage:
        port = stage.port
    ended = run("get", f"127.0.0.1:{port}", "f", "--timeout", "0.1", folder=tmp_path)
    assert ended.code == 28
    assert "the port is closed" in sentence(ended, "get")
    assert "--port" in ended.err
    assert listing(tmp_path) == []


def test_silence_is_told(tmp_path: Path) -> None:
    def mute(stage: Stage) -> None:
        stage.request()

    with Stage(mute) as stage:
        ended = run(
            "get", f"{stage.host}:{stage.port}", "f", "--timeout", "0.05", "--retries", "1",
            folder=tmp_path,
        )  # fmt: skip
    assert ended.code == 28
    assert f"Nobody answers at {stage.host} port {stage.port}" in sentence(ended, "get")
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("packet", "status", "text"),
    [
        (oack(blksize=65000), 71, "broke the protocol"),
        (oack(timeout=1), 71, "was not requested"),
        (data(1, bytes(513)), 71, "broke the protocol"),
    ],
)
def test_a_server_that_breaks_the_protocol_is_named(
    packet: bytes, status: int, text: str, tmp_path: Path
) -> None:
    with Stage(answer(packet)) as stage:
        ended = run("get", f"{stage.host}:{stage.port}", "f", folder=tmp_path)
    assert ended.code == status
    assert text in sentence(ended, "get")
    assert listing(tmp_path) == []


def test_a_size_other_than_promised_keeps_nothing(tmp_path: Path) -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(oack(tsize=100))
        line.expect(ack(0))
        line.send(data(1, b"short"))
        line.expect_error(0)

    with Stage(script) as stage:
        ended = run("get", f"{stage.host}:{stage.port}", "f", folder=tmp_path)
    assert ended.code == 18
    assert "tsize promised 100; nothing was kept" in sentence(ended, "get")
    assert listing(tmp_path) == []


def test_a_last_ack_that_never_came_is_told_as_uncertain(tmp_path: Path) -> None:
    def script(stage: Stage) -> None:
        line = stage.accept()
        line.send(ack(0))
        line.expect(data(1, b""))

    (tmp_path / "f").touch()
    with Stage(script) as stage:
        ended = run(
            "put", f"{stage.host}:{stage.port}", "f", "--timeout", "0.05", "--retries", "1",
            "--no-options", folder=tmp_path,
        )  # fmt: skip
    assert ended.code == 28
    assert "probably complete" in sentence(ended, "put")


@pytest.mark.parametrize(
    ("dest", "text"),
    [
        ("no/where", "Cannot write 'no/where': No such file or directory"),
        ("full", "Cannot write 'full': No space left on device"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(dest: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")

    def script(stage: Stage) -> None:
        if dest == "full":
            line = stage.accept()
            line.send(data(1, b"x"))
            line.expect_error(3)

    with Stage(script) as stage:
        ended = run("get", f"{stage.host}:{stage.port}", "f", dest, folder=tmp_path)
    assert ended.code == 23
    assert text in sentence(ended, "get")


def test_a_folder_of_the_name_of_the_file_asks_for_a_dest(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    ended = run("get", "127.0.0.1", "a/f", folder=tmp_path)
    assert ended.code == 23
    assert "name a DEST" in sentence(ended, "get")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    ended = run("put", "127.0.0.1", "missing", folder=tmp_path)
    assert ended.code == 26
    assert "Cannot read 'missing': No such file or directory" in sentence(ended, "put")


def test_without_dest_a_file_is_saved_here_under_its_last_name(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, dest, place in (
        ("/a/b", None, "b"),
        ("../../c", None, "c"),
        ("x\\y\\d", None, "d"),
        ("a/e", "sub", "sub/e"),
        ("f", "sub/g", "sub/g"),
    ):
        with Stage(serve) as stage:
            arguments = [f"{stage.host}:{stage.port}", name, *([dest] if dest else [])]
            assert run("get", *arguments, folder=tmp_path) == Run(0, b"", "")
        assert (tmp_path / place).read_bytes() == CONTENT
    assert listing(tmp_path) == ["b", "c", "d", "sub"]
    assert listing(tmp_path / "sub") == ["e", "g"]


def test_an_existing_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "second name").hardlink_to(tmp_path / "f")
    with Stage(answer(error(1))) as stage:
        assert run("get", f"{stage.host}:{stage.port}", "f", folder=tmp_path).code == 68
    assert (tmp_path / "f").read_bytes() == b"old"
    with Stage(serve) as stage:
        assert run("get", f"{stage.host}:{stage.port}", "f", folder=tmp_path).code == 0
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert (tmp_path / "second name").read_bytes() == b"old", "it is a new file"


def test_standard_input_and_output_are_binary_and_whole(tmp_path: Path) -> None:
    content = os.urandom(1_000_003)
    (tmp_path / "f").write_bytes(content)
    with tftp.Server(tmp_path, upload="create") as server:
        where = f"{server.host}:{server.port}"
        ended = run("get", where, "f", "-")
        assert hashlib.sha256(ended.out).digest() == hashlib.sha256(content).digest()
        assert run("put", where, "-", "g", stdin=content) == Run(0, b"", "")
        assert run("put", where, "-", "empty") == Run(0, b"", "")
    assert (tmp_path / "g").read_bytes() == content
    assert (tmp_path / "empty").read_bytes() == b""


@pytest.mark.parametrize("how", [["--netascii"], ["--mode", "netascii"], []])
def test_netascii_can_be_asked_for_in_three_ways(how: list[str]) -> None:
    def script(stage: Stage) -> None:
        asked = stage.request()
        assert asked.mode == b"netascii"
        stage.answer(asked).serve(b"a\r\nb\r\0c")

    with Stage(script) as stage:
        where = f"tftp://{stage.host}:{stage.port}/f" + ("" if how else ";mode=netascii")
        assert run("get", where, "-", *how).out == b"a\nb\rc"


def test_what_is_asked_for_can_be_chosen() -> None:
    def script(stage: Stage) -> None:
        asked = stage.request()
        assert asked.options == {
            "tsize": "0", "blksize": "1000", "windowsize": "3", "timeout": "2",
        }  # fmt: skip
        stage.answer(asked).serve(CONTENT)
        bare = stage.request()
        assert not bare.options
        stage.answer(bare).serve(CONTENT)

    with Stage(script) as stage:
        where = f"{stage.host}:{stage.port}"
        chosen = ["--block-size", "1000", "--window", "3", "--server-timeout", "2"]
        assert run("get", where, "f", "-", *chosen).out == CONTENT
        assert run("get", where, "f", "-", "--no-options").out == CONTENT


def test_a_family_can_be_chosen() -> None:
    with Stage(serve) as stage:
        assert run("get", "-4", f"localhost:{stage.port}", "f", "-").out == CONTENT
    ended = run("get", "-6", "127.0.0.1", "f", "-")
    assert ended.code == 6
    assert "no IPv6 address" in sentence(ended, "get")


def test_verbose_says_what_was_agreed_and_done(tmp_path: Path) -> None:
    def script(stage: Stage) -> None:
        stage.accept().send(error(8, "no \x1b options"))
        stage.accept().serve(CONTENT)
        line = stage.accept()
        line.send(oack(blksize=1024, tsize=len(CONTENT)))
        line.expect(ack(0))
        line.serve(CONTENT, 1024)

    with Stage(script) as stage:
        where = f"{stage.host}:{stage.port}"
        first = run("get", "-v", where, "f", folder=tmp_path)
        second = run("get", "-v", where, "f", folder=tmp_path)
    assert first.code == second.code == 0
    assert r"refused the options (error 8: no \x1b options)" in first.err
    assert "options agreed: none" in first.err
    assert "options agreed: blksize 1024, tsize 1280" in second.err
    assert "saved as f" in second.err
    assert "1.3 kB in " in second.err
    assert "0 sent again, 0 timeouts" in second.err
    assert all(line.startswith("tftp-get: ") for line in (first.err + second.err).splitlines())
