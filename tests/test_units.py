"""The units for systemd: they are well formed, and what they ask of `tftp-serve` exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from tftp.cli.serve import app
from tftp.server.access import Access
from tftp.server.config import Limits
from tftp.server.reload import parse_settings
from tftp.server.seats import GRACE, HUNG

FOLDER = Path(__file__).parents[1] / "deploy" / "systemd"
UNITS = sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.socket"), *FOLDER.glob("*.conf")])
COMMAND = "/usr/local/bin/tftp-serve"


def lines(path: Path) -> list[tuple[str, str]]:
    """Returns the settings of a unit in their order."""
    found = []
    for line in path.read_text().splitlines():
        if line and line[0] not in "#[":
            key, equals, value = line.partition("=")
            assert equals, line
            assert re.fullmatch("[A-Za-z0-9]+", key), line
            found.append((key, value))
    return found


def setting(path: Path, key: str) -> str:
    """Returns the last value."""
    return [value for name, value in lines(path) if name == key][-1]


def named(path: Path) -> str:
    return path.name


def test_the_units_are_there() -> None:
    assert {path.name for path in UNITS} == {
        "tftp.service",
        "tftp.socket",
        "upload.conf",
        "workers.conf",
    }


@pytest.mark.parametrize("path", [p for p in UNITS if p.suffix != ".socket"], ids=named)
def test_the_command_line_is_one(path: Path) -> None:
    """Parsed by the command itself, as far as to where it would begin to serve."""
    program, *arguments = setting(path, "ExecStart").split()
    assert program == COMMAND
    command = typer.main.get_command(app)
    with command.make_context("tftp-serve", arguments) as context:
        assert str(context.params["root"]) == "/srv/tftp"
        assert str(context.params["settings"]) == "/etc/tftp/serve.toml"
        drain = context.params["drain"]
    service = FOLDER / "tftp.service"
    assert float(setting(service, "TimeoutStopSec")) > drain + HUNG + GRACE
    assert float(setting(service, "WatchdogSec")) > HUNG + GRACE


def test_the_service_gives_up_what_it_can() -> None:
    given = dict(lines(FOLDER / "tftp.service"))
    assert given["Type"] == "notify"
    assert given["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert given["CapabilityBoundingSet"] == given["AmbientCapabilities"] == ""
    assert given["ProtectSystem"] == "strict"
    for key in ("NoNewPrivileges", "PrivateTmp", "DynamicUser", "MemoryDenyWriteExecute"):
        assert given[key] == "yes"


def test_the_sample_settings_are_the_defaults() -> None:
    text = (FOLDER / "serve.toml").read_text()
    assert parse_settings(text) == (Limits(), Access())
    every = re.sub("(?m)^#(?=[a-z_]+ = )", "", text)
    settings = parse_settings(every)
    assert settings.limits == Limits(), "what is commented out is the default"
    assert settings.access.deny


# What says itself why it is there.
PLAIN = {
    "After",
    "Also",
    "Description",
    "ExecStart",
    "SystemCallErrorNumber",
    "TimeoutStartSec",
    "WantedBy",
    "Wants",
}


def test_the_readme_tells_what_each_line_is_for() -> None:
    readme = (FOLDER / "README.md").read_text()
    for key in {key for key, _ in lines(FOLDER / "tftp.service")} - PLAIN:
        assert f"`{key}=" in readme or (key.startswith("Protect") and "`Protect…=`" in readme), key
    for path in FOLDER.iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in readme


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    """With another program in the place of ours, which is not installed here."""
    for path in UNITS:
        if path.suffix == ".conf":
            target = tmp_path / "tftp.service.d" / path.name
            target.parent.mkdir(exist_ok=True)
        else:
            target = tmp_path / path.name
        target.write_text(path.read_text().replace(COMMAND, "/bin/true"))
    units = [tmp_path / "tftp.service", tmp_path / "tftp.socket"]
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    about_us = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert about_us == []
