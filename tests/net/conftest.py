"""What tests of the confined root share: both ways in which it finds a folder."""

import os
from pathlib import Path

import pytest

from tftp.net import openat2


@pytest.fixture(params=["openat2", "walk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Has roots that are opened in this process ask the kernel first, or never."""
    way: str = request.param
    if way == "walk":
        monkeypatch.setattr(openat2, "find", lambda _: None)
        return way
    folder = os.open(tmp_path, os.O_PATH)
    works = openat2.find(folder) is not None
    os.close(folder)
    if not works:
        pytest.skip("this kernel has no openat2")
    return way
