"""Settings from a file: what is taken, what is refused and how, and what a reload changes."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from ipaddress import ip_network
from pathlib import Path
from time import monotonic

import pytest

from tests.net.trees import names
from tests.server.manager import FakeManager
from tests.server.process import Serving
from tests.server.team import CONTENT
from tests.server.wire import PATIENCE, Peer, ack, error, oack, rrq
from tftp.errors import LocalError
from tftp.server import Config, Limits, Server
from tftp.server.access import Access
from tftp.server.notify import Manager
from tftp.server.reload import LARGEST, Reloader, Settings, SettingsFile, parse_settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "settings"
    folder.mkdir()
    return folder / "serve.toml"


@pytest.fixture
def file(path: Path) -> Iterator[SettingsFile]:
    path.write_text("window = 8\n")
    with closing(SettingsFile(path)) as file:
        yield file


EVERYTHING = """
# Rules and limits
allow = ["192.0.2.0/24", "2001:db8::/32", "127.0.0.1"]
deny_upload = ["192.0.2.9"]
window = 16
quiet_repeat = 2
upload = "none"
transfer_octets = 5_000_000
muted_ports = [7, 19]
"""


def test_every_kind_of_value() -> None:
    base = Settings(Limits(upload=5, transfers=7), Access(deny=(ip_network("10.0.0.0/8"),)))
    limits, access = parse_settings(EVERYTHING, base)
    assert access.allow == (
        ip_network("192.0.2.0/24"),
        ip_network("2001:db8::/32"),
        ip_network("127.0.0.1/32"),
    )
    assert access.deny_upload == (ip_network("192.0.2.9/32"),)
    assert access.deny == base.access.deny, "as it was: the file does not name it"
    assert limits == replace(
        base.limits,
        window=16,
        quiet_repeat=2.0,
        upload=None,
        transfer_octets=5_000_000,
        muted_ports=frozenset({7, 19}),
    )
    assert isinstance(limits.quiet_repeat, float)


def test_an_empty_file_changes_nothing() -> None:
    assert parse_settings("") == (Limits(), Access())


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_each_limit_can_be_set_to_what_it_is(name: str) -> None:
    value = getattr(Limits(), name)
    if isinstance(value, frozenset):
        text = str(sorted(value))
    else:
        text = '"none"' if value is None else repr(value)
    assert parse_settings(f"{name} = {text}") == (Limits(), Access())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("window = 0", "line 1: window: 0 is not a whole number from 1 to 65535"),
        ("\n\nwindow = 65536", "line 3: window: 65536 is not a whole number from 1 to 65535"),
        ('window = "16"', "line 1: window: '16' is not a whole number from 1 to 65535"),
        ("window = 1.5", "line 1: window: 1.5 is not a whole number from 1 to 65535"),
        ("window = true", "line 1: window: True is not a whole number from 1 to 65535"),
        ('window = "none"', "line 1: window: none is not a whole number from 1 to 65535"),
        ("cache = -1", "line 1: cache: -1 is not a whole number of 0 or more"),
        ("quiet_repeat = nan", "line 1: quiet_repeat: nan is not a number of 0 or more"),
        ("quiet_repeat = inf", "line 1: quiet_repeat: inf is not a number of 0 or more"),
        ("upload = []", 'line 1: upload: [] is not a whole number of 0 or more, or "none"'),
        ("block_size = 7", "line 1: block_size: 7 is not a whole number from 8 to 65464"),
        ("request = 511", "line 1: request: 511 is not a whole number from 512 to 65535"),
        ("muted_ports = 7", "line 1: muted_ports: 7 is not a list of ports from 0 to 65535"),
        ("muted_ports = [70000]", "[70000] is not a list of ports"),
        ("muted_ports = [true]", "[True] is not a list of ports"),
        ('allow = "10.0.0.0/8"', "line 1: allow: '10.0.0.0/8' is not a list of networks"),
        ('deny = ["10.0.0.1/8"]', "line 1: deny: '10.0.0.1/8' is no network; they look like"),
        ("deny = [10]", "line 1: deny: 10 is no network; they look like"),
        ('deny = ["host.example"]', "'host.example' is no network"),
        ("block_size = 512\nblock_size_least = 513", "line 2: block_size_least: it must not be"),
        ("windows = 5", "line 1: windows: there is no such setting; there are transfers, request"),
        ("\n[limits]\nwindow = 5", "line 2: limits: there is no such setting"),
        ('"a b" = 5', "line 1: 'a b': there is no such setting"),
        ("window = 1\nwindow = 2\n", "it is no TOML: cannot overwrite a value (at line 2"),
        ("window = \n", "it is no TOML: invalid value (at line 1"),
        ("x = " + 3000 * "[", "it is no TOML"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_settings(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_survive_the_way_to_a_worker() -> None:
    settings = parse_settings(EVERYTHING)
    assert Settings.unpack(settings.pack()) == settings
    default = Settings(Limits(), Access())
    assert Settings.unpack(default.pack()) == default


def test_what_changed_is_told_by_name() -> None:
    before = parse_settings('window = 64\nallow = ["10.0.0.0/8", "192.0.2.0/24"]')
    after = parse_settings('window = 16\nupload = 100\nallow = ["10.0.0.0/8", "198.51.100.0/24"]')
    told = "window 64 -> 16, upload none -> 100, allow +198.51.100.0/24 -192.0.2.0/24"
    assert before.changes(after) == told
    assert before.changes(before) == ""


def test_a_thousand_networks_are_counted() -> None:
    many = ", ".join(f'"10.0.{n}.0/24"' for n in range(200))
    told = parse_settings("").changes(parse_settings(f"deny = [{many}]"))
    assert told == "deny +10.0.0.0/24 +10.0.1.0/24 +10.0.10.0/24 +197 more"


# The file


def test_the_file_is_found_again_after_an_editor_replaced_it(
    path: Path, file: SettingsFile
) -> None:
    assert file.load().limits.window == 8
    new = path.with_suffix(".new")
    new.write_text("window = 9\n")
    new.rename(path)
    assert file.load().limits.window == 9


def test_it_is_found_from_another_place_too(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("window = 8\n")
    monkeypatch.chdir(path.parent)
    with closing(SettingsFile(path.name)) as file:
        monkeypatch.chdir(tmp_path)
        assert file.load().limits.window == 8
        assert Path(f"/proc/self/fd/{file.fileno()}").readlink() == path.parent


def test_a_file_that_cannot_be_read_is_named(path: Path, file: SettingsFile) -> None:
    path.unlink()
    with pytest.raises(LocalError) as caught:
        file.load()
    assert str(caught.value) == f"{path}: it cannot be read (No such file or directory)"
    path.mkdir()
    with pytest.raises(LocalError, match=r"it is no regular file|Is a directory"):
        file.load()
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(LocalError, match="it is no regular file"):
        file.load()
    path.unlink()
    path.write_bytes(b"window = 8\n# \xff\n")
    with pytest.raises(LocalError, match="line 2 is not UTF-8"):
        file.load()
    path.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(LocalError, match=f"it is larger than {LARGEST} octets"):
        file.load()


@pytest.mark.parametrize("name", ["nowhere/serve.toml", "a\0b/serve.toml"])
def test_a_folder_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalError, match=r"serve\.toml: "):
        SettingsFile(f"{tmp_path}/{name}")


# Reading it again


def test_good_settings_are_told_and_handed_on(
    path: Path, file: SettingsFile, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tftp.server")
    reloader = Reloader(file)
    assert reloader.settings.limits.window == 8
    path.write_text("window = 16\n")
    settings = reloader.reread()
    assert settings is not None
    assert settings.limits.window == 16
    assert reloader.reread() == settings
    assert caplog.messages == [
        "settings reloaded: window 8 -> 16",
        "settings reloaded: nothing has changed",
    ]


def test_bad_settings_are_refused_and_the_old_ones_stay(
    path: Path, file: SettingsFile, caplog: pytest.LogCaptureFixture
) -> None:
    reloader = Reloader(file)
    path.write_text("window = 16\ncache = many\n")
    assert reloader.reread() is None
    assert reloader.settings.limits.window == 8
    (line,) = caplog.messages
    assert line.startswith(f"the settings stay as they are: {path}: it is no TOML: ")


def test_the_manager_hears_of_it_whatever_comes(
    path: Path, file: SettingsFile, tmp_path: Path
) -> None:
    with FakeManager(tmp_path / "notify") as fake:
        manager = Manager(fake.address)
        reloader = Reloader(file, manager=manager)
        for text in ("window = 16", "window = -1"):
            path.write_text(text)
            reloader.reread()
            assert fake.hear()[0] == "RELOADING=1"
            assert fake.hear()[0] == "READY=1"
        manager.close()


def test_a_server_takes_them_while_it_runs(path: Path, file: SettingsFile, root: Path) -> None:
    (root / "f").write_bytes(CONTENT)
    reloader = Reloader(file)
    config = reloader.settings.applied(Config())
    taken = threading.Event()
    with Server(root, config=config) as server:

        def adopt(limits: Limits, access: Access) -> None:
            server.set(limits, access)
            taken.set()

        path.write_text("window = 2\n")
        reloader.ask(adopt)
        assert taken.wait(PATIENCE)
        with Peer((server.host, server.port)) as peer:
            peer.ask(rrq("f", windowsize=64))
            peer.expect(oack(windowsize=2))


# The command


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_changes_limits_and_no_transfer(root: Path, path: Path, workers: str) -> None:
    (root / "f").write_bytes(CONTENT)
    path.write_text("window = 8\n")
    options = ("--config", path, "--workers", workers, "--window-max", "4")
    with Serving(root, *options).listening() as serving:
        peers = [serving.peer() for _ in range(8)]
        for peer in peers:
            peer.ask(rrq("f", windowsize=64, timeout=100))
            peer.expect(oack(windowsize=8, timeout=100))
        path.write_text('window = 2\ndeny = ["192.0.2.0/24"]\n')
        serving.signal(signal.SIGHUP)
        serving.line("settings reloaded: window 8 -> 2, deny [+]192.0.2.0/24")
        for _ in peers:
            wait_until_granted(serving, 2)
        for peer in peers:
            peer.say(ack(0))
            assert peer.take(window=8) == CONTENT, "as it was agreed"
            peer.close()
        path.write_text("window = many\n")
        serving.signal(signal.SIGHUP)
        serving.line("the settings stay as they are: .*serve.toml: it is no TOML: .*line 1")
        path.write_text("")
        serving.signal(signal.SIGHUP)
        serving.line("settings reloaded: window 2 -> 4, deny -192.0.2.0/24")
        serving.signal(signal.SIGTERM)
        assert serving.wait() == 0


def wait_until_granted(serving: Serving, window: int) -> None:
    """Asks until a new transfer gets that window: all workers have to take it in first."""
    until = monotonic() + PATIENCE
    while True:
        assert monotonic() < until, "the settings do not change"
        with serving.peer() as peer:
            peer.ask(rrq("f", windowsize=64, timeout=100))
            answer = peer.receive()
            peer.say(error(0, "enough"))
            if answer == oack(windowsize=window, timeout=100):
                return


def test_a_worker_that_comes_later_has_the_newest(root: Path, path: Path) -> None:
    (root / "f").write_bytes(CONTENT)
    path.write_text("window = 8\n")
    with Serving(root, "--config", path, "--workers", "2", "-v").listening() as serving:
        workers = [int(serving.line(r"worker \d is process (\d+)")[1]) for _ in range(2)]
        path.write_text("window = 2\n")
        serving.signal(signal.SIGHUP)
        serving.line("settings reloaded")
        for process in workers:
            os.kill(process, signal.SIGKILL)
            serving.line(r"worker \d is process (\d+)")
        for _ in range(8):
            with serving.peer() as peer:
                peer.ask(rrq("f", windowsize=64, timeout=100))
                peer.expect(oack(windowsize=2, timeout=100))
                peer.say(error(0, "enough"))


def test_a_bad_file_is_a_sentence_at_the_start(root: Path, path: Path) -> None:
    path.write_text("window = 0\n")
    with Serving(root, "--config", path) as serving:
        assert serving.wait() == 1
    said = f"tftp-serve: {path}: line 1: window: 0 is not a whole number from 1 to 65535."
    assert serving.seen == [said]
    assert names(root) == set()
