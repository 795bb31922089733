"""A whole server that has given up its privileges: it serves on, and nothing gets out.

Also one whose check of names is broken on purpose: the kernel still says no.
"""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.net.fields import open_field
from tests.net.trees import CANARY, names
from tests.server.confined import BROKEN, Confined
from tests.server.lab import CONTENT
from tests.server.wire import PATIENCE
from tftp.errors import PeerError
from tftp.net import landlock

LANDLOCK = landlock.probe()[0] > 0

USERS = pytest.mark.parametrize(
    "user",
    [
        pytest.param(None, id="same user"),
        pytest.param(
            "nobody",
            marks=[
                pytest.mark.root,
                pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody"),
            ],
        ),
    ],
)


@pytest.fixture
def field() -> Iterator[Path]:
    with open_field() as field:
        path = field / "root" / "image"
        path.write_bytes(CONTENT)
        path.chmod(0o644)
        yield field


def check_untouched(server: Confined) -> None:
    """Looks at what was opened and loaded since: names below open folders, and nothing more."""
    assert server.touched
    for event, what in server.touched:
        assert event == "open", (event, what)
        assert isinstance(what, str)
        assert "/" not in what


@USERS
def test_files_are_served_as_ever(field: Path, user: str | None) -> None:
    with Confined(field / "root", user=user) as server:
        assert server.by_landlock == LANDLOCK
        client = server.client()
        assert client.get("image") == CONTENT
        assert client.get("/sub/in") == b"inside"
        assert client.get("plain", mode="netascii") == b"plain"
        for name, code in {"nope": 1, "sub/nope": 1, "out": 2, "../secret": 2, "sub": 2}.items():
            with pytest.raises(PeerError) as caught:
                client.get(name)
            assert caught.value.code == code
        with pytest.raises(PeerError):
            client.put("new", b"x")
        server.stop()
    check_untouched(server)
    assert names(field / "root") == {"image", "out", "plain", "program", "sub"}


@USERS
@pytest.mark.parametrize("upload", ["create", "overwrite", "rename"])
def test_uploads_land_as_ever(field: Path, upload: str, user: str | None) -> None:
    with Confined(field / "root", upload=upload, user=user) as server:
        client = server.client()
        for content in (b"first", CONTENT):
            for name in ("new", "sub/new"):
                if upload == "create" and content == CONTENT:
                    with pytest.raises(PeerError):
                        client.put(name, content)
                else:
                    client.put(name, content)
        client.put("lines", b"a\nb\n", mode="netascii")
        assert client.get("new") == (CONTENT if upload == "overwrite" else b"first")
        if upload == "rename":
            assert client.get("sub/new.1") == CONTENT
        with pytest.raises(PeerError):
            client.put("../new", b"x")
        server.stop()
    check_untouched(server)
    assert names(field) == {"root", "secret"}
    assert not [name for name in names(field / "root") if name.endswith(".part")]


@USERS
def test_a_crowd_and_files_that_are_on_the_disk_only(field: Path, user: str | None) -> None:
    """Reads that have to wait are done by threads, which begin later than the confinement."""
    large = field / "root" / "large"
    large.write_bytes(CONTENT * 40)
    large.chmod(0o644)
    file = os.open(large, os.O_RDONLY)
    os.fsync(file)
    with Confined(field / "root", user=user) as server, ThreadPoolExecutor(8) as crowd:

        def fetch(number: int) -> bool:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            return server.client().get("large") == CONTENT * 40

        assert all(crowd.map(fetch, range(16)))
        server.stop()
    os.close(file)
    check_untouched(server)


@USERS
@pytest.mark.parametrize("upload", ["deny", "overwrite"])
def test_workers_are_confined_each_and_replaced_under_it(
    field: Path, upload: str, user: str | None
) -> None:
    with Confined(field / "root", upload=upload, workers=2, user=user) as server:

        def fetch(_: int) -> bool:
            return server.client().get("image") == CONTENT

        assert all(map(fetch, range(4)))
        parent = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        workers = parent.read_text().split()
        assert len(workers) == 2
        for worker in workers:
            assert "\nNoNewPrivs:\t1\n" in Path(f"/proc/{worker}/status").read_text()
            os.kill(int(worker), signal.SIGKILL)
        assert all(map(fetch, range(4)))
        if upload != "deny":
            server.client().put("new", CONTENT)
            assert server.client().get("new") == CONTENT
        server.stop()


@USERS
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("confine", [True, False], ids=["confined", "free"])
def test_a_broken_check_of_names_leads_nowhere(
    field: Path, broken: str, workers: int, user: str | None, confine: bool
) -> None:
    """The same requests, without Landlock, bring the secret: so they are the right ones."""
    if confine and not LANDLOCK:
        pytest.skip("this kernel has no Landlock")
    root, secret = field / "root", field / "secret"
    if broken == "below the root":
        outside = ["../secret", "sub/../../secret", "out", f"{'../' * 40}{secret}"]
        inside = {"image": CONTENT, "sub/in": b"inside", "sub/../plain": b"plain"}
    else:
        outside = [str(secret), f"{root}/out", f"{root}/../secret", f"proc/self/root{secret}"]
        inside = {f"{root}/image": CONTENT, f"{root}/sub/in": b"inside"}
    with Confined(
        root, workers=workers, confine=confine, user=user, broken=BROKEN[broken]
    ) as server:
        assert server.by_landlock == confine
        for name in outside:
            if not confine:
                assert server.client().get(name) == CANARY
                continue
            with pytest.raises(PeerError) as caught:
                server.client().get(name)
            assert caught.value.code == 2
        for name, content in inside.items():
            assert server.client().get(name) == content
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
