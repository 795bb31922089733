"""The confined root while a local user swaps files, folders and links under it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import pytest

from tests.net.children import open_files, start
from tests.net.trees import CANARY, make_tree, read
from tftp.errors import AccessDenied, NoSuchFile
from tftp.net.root import Root

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path)


def once_before(
    monkeypatch: pytest.MonkeyPatch, call: str, trigger: bytes, deed: Callable[[], object]
) -> None:
    """Does a deed just before the first `os.call` on a name, as a local user might."""
    real = getattr(os, call)
    done: list[bool] = []

    def swapped(name: object, *args: object, **more: object) -> object:
        if name == trigger and not done:
            done.append(True)
            deed()
        return real(name, *args, **more)

    monkeypatch.setattr(os, call, swapped)


def replace_by_link(path: Path, target: str) -> None:
    path.rename(path.with_name("moved away"))
    path.symlink_to(target)


def test_a_file_that_becomes_a_link_out_after_the_look_is_denied(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Root(tree) as root:
        once_before(
            monkeypatch, "open", b"plain", lambda: replace_by_link(tree / "plain", "../secret")
        )
        with pytest.raises(AccessDenied):
            root.open_file("plain")


def test_a_file_that_becomes_a_link_inside_after_the_look_is_followed(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Root(tree) as root:
        once_before(
            monkeypatch, "open", b"plain", lambda: replace_by_link(tree / "plain", "sub/in")
        )
        assert read(root, "plain") == b"inside"


def test_a_link_that_becomes_a_file_after_the_look_is_served(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Root(tree) as root:
        once_before(
            monkeypatch, "readlink", b"link_in", lambda: (tree / "plain").rename(tree / "link_in")
        )
        assert read(root, "link_in") == b"plain"


def test_a_file_that_becomes_a_pipe_after_the_look_is_denied_without_waiting(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Root(tree) as root:
        once_before(monkeypatch, "open", b"plain", lambda: (tree / "pipe").rename(tree / "plain"))
        with pytest.raises(AccessDenied):
            root.open_file("plain")


def test_a_link_that_vanishes_after_the_look_is_not_found(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Root(tree) as root:
        once_before(monkeypatch, "readlink", b"link_in", (tree / "link_in").unlink)
        with pytest.raises(NoSuchFile):
            root.open_file("link_in")


def test_a_folder_that_moves_out_while_it_is_walked_leads_nowhere_else(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classic: `sub/deep` goes up by `..`; from its new place that would be outside."""
    with Root(tree) as root:
        once_before(
            monkeypatch,
            "readlink",
            b"upup",
            lambda: (tree / "sub/deep").rename(tree.parent / "deep"),
        )
        (tree.parent / "plain").write_bytes(CANARY)
        assert read(root, "sub/deep/upup") == b"plain"


SWAP = """
import os, sys, threading
path, target = sys.argv[1:]
away, link = path + " away", path + " link"
asked_to_stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), asked_to_stop.set()), daemon=True).start()
print("ready", flush=True)
while not asked_to_stop.is_set():
    os.symlink(target, link)
    os.rename(path, away)
    os.rename(link, path)
    os.unlink(path)
    os.rename(away, path)
"""


@contextmanager
def swapping(path: Path, target: Path) -> Iterator[None]:
    """Swaps a path between what it is and a link, in another process, as fast as that can."""
    with start(SWAP, path, target) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            child.communicate(timeout=20)
    assert child.returncode == 0


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: renames on a busy disk are too slow to race."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    with TemporaryDirectory(dir=memory if usable else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.parametrize("what", ["folder", "inner folder", "file"])
def test_no_swap_by_a_local_user_leads_out(quick_path: Path, what: str) -> None:
    outside = quick_path / "outside"
    inside = quick_path / "root" / "a" / "b"
    for folder, content in ((outside, CANARY), (outside / "b", CANARY), (inside, b"good")):
        folder.mkdir(parents=True)
        (folder / "x").write_bytes(content)
    path, target = {
        "folder": (inside.parent, outside),
        "inner folder": (inside, outside),
        "file": (inside / "x", outside / "x"),
    }[what]
    answers: list[object] = [b"good"]
    turns = rounds = 0
    deadline = monotonic() + 60
    with Root(quick_path / "root") as root, swapping(path, target):
        while rounds < 2000 or turns < 20:
            assert monotonic() < deadline, (rounds, turns)
            rounds += 1
            try:
                answer: object = read(root, "a/b/x")
            except (AccessDenied, NoSuchFile) as error:
                answer = type(error)
            assert answer != CANARY
            if answer != answers[-1]:
                turns += 1
                answers.append(answer)
    assert set(answers) <= {b"good", AccessDenied, NoSuchFile}
