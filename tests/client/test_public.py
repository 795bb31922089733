"""The face of the package: its names, and how little it costs to import."""

import subprocess
import sys

import pytest

import tftp


def loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("name", tftp.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tftp, name) is not None
    assert name in dir(tftp)


def test_the_names_are_sorted_and_complete() -> None:
    assert sorted(set(tftp.__all__)) == sorted(tftp.__all__)
    assert {"get", "put", "download", "upload", "Client", "Server"} <= set(tftp.__all__)
    from tftp import errors

    assert set(errors.__all__) <= set(tftp.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'gett'"):
        tftp.gett  # noqa: B018


def test_importing_the_package_loads_none_of_it() -> None:
    loaded = loaded_by("import tftp") - loaded_by("import importlib, typing")
    assert loaded == {"tftp", "tftp._version"}


def test_the_client_brings_no_server_and_no_terminal_along() -> None:
    loaded = loaded_by("from tftp import Client")
    assert not loaded & {"tftp.server", "tftp.sim", "tftp.cli", "typer", "rich", "logging"}


@pytest.mark.parametrize("command", ["get", "put"])
def test_the_commands_do_not_load_the_bar_before_it_is_drawn(command: str) -> None:
    loaded = loaded_by(f"from tftp.cli.{command} import main")
    assert "typer" in loaded
    assert not {name for name in loaded if name.split(".")[0] == "rich"}
    assert "tftp.server" not in loaded
