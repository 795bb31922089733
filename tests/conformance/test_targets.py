"""The targets that come with the suite: their files, their programs, their versions."""

import os
import sys
from pathlib import Path

import pytest

from conformance.commands import Commands
from conformance.targets import NotAvailable, Programs, Target, load_targets

SERVERS = (
    "tftpkit",
    "tftpd-hpa",
    "atftpd",
    "dnsmasq",
    "tftpy",
    "py3tftp",
    "fbtftp",
    "busybox",
    "Erlang tftp",
    "Net::TFTPd",
    "pin/tftp",
)
CLIENTS = ("tftpkit", "tftp-hpa", "atftp", "curl", "busybox", "tftpy", "Net::TFTP")


def program(folder: Path, name: str, script: str = "exit 0") -> Path:
    """Makes a program of a shell script."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def target(needs_root: str = "") -> Target:
    about, version = "A thing.", "thing --version"
    return Target("thing", "Thing", "server", about, version, start="thing", needs_root=needs_root)


# Files


def test_all_targets_are_there_and_ours_comes_first() -> None:
    targets = load_targets()
    names = [(one.side, one.name) for one in targets]
    assert names == [("server", n) for n in SERVERS] + [("client", n) for n in CLIENTS]
    assert all(one.about.endswith(".") for one in targets)


@pytest.mark.parametrize("one", load_targets(), ids=lambda one: one.id)
def test_every_command_makes_sense(one: Target, tmp_path: Path) -> None:
    commands = [one.version, *([one.start] if one.start else one.commands.values())]
    for command in commands:
        program(tmp_path, command.split()[0])
    programs = Programs(tmp_path)
    if one.side == "server":
        words = programs.start(one, "127.0.0.1", 6900, Path("/srv"))
        assert Path(words[0]).parent == tmp_path
        assert not [word for word in words if "{" in word]
        assert any("6900" in word for word in words) == (one.launch == "port")
    else:
        templates = programs.commands(one)
        assert {"get", "put"} <= set(templates)
        Commands(templates)  # raises ValueError for one that makes no sense


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('name = "x"\nside = "peer"\nabout = ""\nversion = "x"\n', "side is 'peer'"),
        ('name = "x"\nside = "server"\nabout = ""\nversion = "x"\n', "a server has a start"),
        ('name = "x"\nside = "client"\nabout = ""\nversion = "x"\nstart = "x"\n', "a client has"),
        (
            'name = "x"\nside = "server"\nabout = ""\nversion = "x"\nstart = "x"\nlaunch = "now"\n',
            "launch is 'now'",
        ),
        ('name = "x"\n', "bad.toml describes no target"),
        ('name = "x"\ncolour = "red"\n', "bad.toml describes no target"),
        ("name =", "bad.toml describes no target"),
    ],
)
def test_a_file_that_makes_no_sense_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        load_targets(tmp_path)


# Programs


def test_the_folder_of_peers_comes_before_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = program(tmp_path / "peers", "thing")
    second = program(tmp_path / "path", "thing")
    monkeypatch.setenv("PATH", str(second.parent))
    assert Programs(first.parent).words("thing") == [str(first)]
    assert Programs().words("thing") == [str(second)]


def test_programs_beside_this_python_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    name = Path(sys.executable).name
    assert Programs().words(name) == [sys.executable]


def test_places_are_filled_in_word_by_word(tmp_path: Path) -> None:
    program(tmp_path, "thing")
    words = Programs(tmp_path).words("thing '{host} {host}' {port} {other}", host="a b", port="1")
    assert words[1:] == ["a b a b", "1", "{other}"]


def test_a_missing_program_is_named_and_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=rf"no nowhere-to-be in {tmp_path} .*scripts/peers"):
        Programs(tmp_path).words("nowhere-to-be --version")


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo thing, version 1.2.3-4~deb12 of today", "1.2.3-4~deb12"),
        ("echo thing-0.8.0 '(server)' >&2; exit 1", "0.8.0"),
        ("echo I shall not tell", "unknown"),
    ],
)
def test_the_first_number_of_its_output_is_the_version(
    tmp_path: Path, script: str, version: str
) -> None:
    program(tmp_path, "thing", script)
    assert Programs(tmp_path).version(target()) == version


def test_status_127_says_that_a_target_cannot_be_had(tmp_path: Path) -> None:
    program(tmp_path, "thing", "echo looking; echo no engine for it; exit 127")
    with pytest.raises(NotAvailable, match=r"^no engine for it$"):
        Programs(tmp_path).version(target())


def test_what_needs_root_is_not_tried_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "thing", "echo 1.0")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotAvailable, match="it asks for the moon, which takes root"):
        Programs(tmp_path).version(target("it asks for the moon"))


def test_a_program_that_cannot_be_started_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "thing").write_bytes(b"\x7fELF is not enough")
    (tmp_path / "thing").chmod(0o755)
    with pytest.raises(NotAvailable, match="it does not tell its version"):
        Programs(tmp_path).version(target())
