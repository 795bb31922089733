"""Uploads under fire: full disks, kill -9, folders without permission."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import DROP, namespace, open_files, run, start
from tests.net.trees import names
from tftp.net.root import Root
from tftp.net.temporary import is_temporary
from tftp.net.upload import room_for

pytestmark = pytest.mark.fault


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


FILL = """
import os, sys
from tftp.errors import DiskFull
from tftp.net.root import Root
from tftp.net.upload import UploadSink, room_for

def fill(folder, policy):
    with Root(folder) as root:
        parent, name = root.open_parent("big")
        print("room", room_for(parent, 1 << 19), room_for(parent, 1 << 22))
        with UploadSink(parent, name, policy) as sink:
            try:
                while sink.written < 1 << 22:
                    sink.write([memoryview(bytes(1400))] * 16)
            except DiskFull as error:
                print(error.code, error, 1 << 19 < sink.written <= 1 << 20)
    print(sorted(os.listdir(folder)))
"""


def test_a_full_disk_gives_its_code_and_leaves_nothing(tmp_path: Path) -> None:
    prefix = namespace()
    if prefix is None:
        pytest.skip("no mount namespaces here")
    code = f"""{FILL}
import subprocess
folder = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
for policy in ("create", "overwrite", "rename"):
    fill(folder, policy)
open(folder + "/small", "w").close()
with open(folder + "/ballast", "wb") as ballast:
    try:
        ballast.write(bytes(1 << 22))
    except OSError as error:
        print(error.strerror)
fill(folder, "create")
"""
    said = run(code, tmp_path, under=prefix).splitlines()
    whole = ["room True False", "3 Disk full True", "[]"]
    assert said[:9] == whole * 3
    assert said[9:] == [
        "No space left on device",
        "room False False",
        "3 Disk full False",
        "['ballast', 'small']",
    ]
    assert names(tmp_path) == set()


def test_a_file_size_limit_of_the_system_is_a_full_disk(tmp_path: Path) -> None:
    code = f"""{FILL}
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
fill(sys.argv[1], "create")
"""
    said = run(code, tmp_path).splitlines()
    assert said[1] == "3 Disk full: the file is too large for this system True"
    assert said[2] == "[]"


@pytest.mark.parametrize("policy", ["create", "overwrite", "rename"])
def test_a_killed_upload_leaves_only_what_a_sweep_removes(tmp_path: Path, policy: str) -> None:
    (tmp_path / "sub").mkdir()
    expected = set()
    if policy != "create":
        (tmp_path / "sub" / "x").write_bytes(b"old")
        expected = {"x"}
    code = """
import sys
from tftp.net.root import Root
from tftp.net.upload import UploadSink
root = Root(sys.argv[1])
sinks = []
for _ in range(5):
    sinks.append(UploadSink(*root.open_parent("sub/x"), sys.argv[2]))
    sinks[-1].write([b"half of it"] * 100)
print("ready", flush=True)
sys.stdin.read()
"""
    with start(code, tmp_path, policy) as child, Root(tmp_path) as root:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        alive = names(tmp_path / "sub") - expected
        assert len(alive) == 5
        assert all(is_temporary(os.fsencode(name)) for name in alive)
        assert root.sweep() == []
        child.kill()
        assert child.wait(20) == -signal.SIGKILL
        assert names(tmp_path / "sub") == alive | expected
        assert set(root.sweep()) == {f"sub/{name}" for name in alive}
    assert names(tmp_path / "sub") == expected
    assert all((tmp_path / "sub" / name).read_bytes() == b"old" for name in expected)


def test_folders_and_files_without_permission_are_denied(tmp_path: Path) -> None:
    """As any user but root: what the folder forbids, and a write-protected file."""
    for inner, mode in (("fixed", 0o555), ("drop", 0o333), ("open", 0o777)):
        (tmp_path / inner).mkdir()
        (tmp_path / inner).chmod(mode)
    (tmp_path / "open" / "protected").touch(mode=0o444)
    (tmp_path / "open" / "writable").touch()
    (tmp_path / "open" / "writable").chmod(0o666)
    tmp_path.chmod(0o755)
    code = f"""
import sys
from tftp.errors import TftpError
from tftp.net.root import Root
from tftp.net.upload import UploadSink
root = Root(sys.argv[1])
{DROP}
for policy, name in (
    ("create", "fixed/x"), ("overwrite", "fixed/x"), ("rename", "fixed/x"), ("create", "drop/x"),
    ("overwrite", "open/protected"), ("overwrite", "open/writable"), ("create", "open/protected"),
    ("rename", "open/protected"),
):
    try:
        sink = UploadSink(*root.open_parent(name), policy)
        sink.write([b"new"])
        sink.commit()
        print(name, policy, sink.final_name)
    except TftpError as error:
        print(name, policy, int(error.code), error)
"""
    said = run(code, tmp_path)
    (tmp_path / "drop").chmod(0o700)
    assert said.splitlines() == [
        "fixed/x create 2 Access violation",
        "fixed/x overwrite 2 Access violation",
        "fixed/x rename 2 Access violation",
        "drop/x create x",
        "open/protected overwrite 2 Access violation: the file is write-protected",
        "open/writable overwrite writable",
        "open/protected create 6 File already exists",
        "open/protected rename protected.1",
    ]
    assert names(tmp_path / "fixed") == set()
    assert names(tmp_path / "drop") == {"x"}
    assert names(tmp_path / "open") == {"protected", "protected.1", "writable"}


def test_room_is_guessed_from_the_file_system(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_PATH)
    assert room_for(folder, 0)
    assert room_for(folder, 1)
    assert not room_for(folder, 1 << 62)
    os.close(folder)
    assert room_for(folder, 1 << 62), "what cannot be asked is tried"
    procfs = os.open("/proc", os.O_PATH)
    assert room_for(procfs, 1 << 62), "no blocks at all: the system does not say"
    os.close(procfs)
