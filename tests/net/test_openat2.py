"""Folders opened by the kernel in one step, and the root that asks for it."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import open_files
from tests.net.trees import make_tree, read
from tftp.errors import AccessDenied, NoSuchFile
from tftp.net import openat2
from tftp.net.root import Root


def works() -> bool:
    folder = os.open("/", os.O_PATH)
    try:
        return openat2.find(folder) is not None
    finally:
        os.close(folder)


needs_openat2 = pytest.mark.skipif(not works(), reason="this kernel has no openat2")


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path)


@pytest.fixture
def folder(tree: Path) -> Iterator[int]:
    file = os.open(tree, os.O_PATH)
    yield file
    os.close(file)


@needs_openat2
@pytest.mark.parametrize(
    ("name", "leads_to"),
    [
        (b".", "."),
        (b"sub", "sub"),
        (b"sub//./deep/", "sub/deep"),
        (b"dirlink/deep", "sub/deep"),
        (b"up_to_root", "."),
        (b"sub/..", "."),
    ],
)
def test_a_folder_inside_is_opened_links_and_all(
    tree: Path, folder: int, name: bytes, leads_to: str
) -> None:
    file = openat2.folder_below(folder, name)
    try:
        assert os.path.samestat(os.fstat(file), (tree / leads_to).stat())
        assert not os.get_inheritable(file)
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            os.read(file, 1)  # it serves as `dir_fd` only
    finally:
        os.close(file)


@needs_openat2
@pytest.mark.parametrize(
    ("name", "number"),
    [
        (b"..", errno.EXDEV),
        (b"sub/../..", errno.EXDEV),
        (b"/", errno.EXDEV),
        (b"/etc", errno.EXDEV),
        (b"dir_out", errno.EXDEV),
        (b"dir_out/root", errno.EXDEV),
        (b"sibling_dir", errno.EXDEV),
        (b"dir_slash", errno.EXDEV),
        (b"dirlink_abs", errno.EXDEV),
        (b"loop", errno.ELOOP),
        (b"nowhere", errno.ENOENT),
        (b"dangling", errno.ENOENT),
        (b"plain", errno.ENOTDIR),
        (b"pipe", errno.ENOTDIR),
        (b"x" * 5000, errno.ENAMETOOLONG),
    ],
)
def test_whatever_leads_out_or_to_no_folder_is_refused(
    folder: int, name: bytes, number: int
) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        openat2.folder_below(folder, name)
    assert caught.value.errno == number


@needs_openat2
def test_links_that_know_no_path_are_refused(tree: Path) -> None:
    process = os.open("/proc/self", os.O_PATH)
    try:
        for name in (b"cwd", b"root", b"fd/%d" % process):
            with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
                openat2.folder_below(process, name)
    finally:
        os.close(process)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.EINVAL])
def test_a_kernel_without_the_call_is_found_out(
    folder: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(openat2, "folder_below", refuse)
    assert openat2.find(folder) is None


@needs_openat2
def test_a_folder_without_permission_says_nothing_about_the_kernel(
    folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(openat2, "folder_below", refuse)
    assert openat2.find(folder) is refuse


class Counted:
    """Stands between a root and the kernel, and keeps what the kernel was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[bytes] = []
        self.refusal = 0
        monkeypatch.setattr(openat2, "find", lambda _: self.open)

    def open(self, folder: int, name: bytes) -> int:
        self.asked.append(name)
        if self.refusal:
            raise OSError(self.refusal, os.strerror(self.refusal))
        return openat2.folder_below(folder, name)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@needs_openat2
def test_a_root_asks_once_for_folders_however_deep_and_never_for_its_own(
    tree: Path, counted: Counted
) -> None:
    with Root(tree) as root:
        for name in ("plain", "/plain", "//plain"):
            assert read(root, name) == b"plain"
        with pytest.raises(NoSuchFile):
            root.open_file("nope")
        assert counted.asked == []
        assert read(root, "/sub/deep/er/x") == b"deep"
        assert read(root, "dirlink/deep/er/x") == b"deep"
        assert counted.asked == [b"sub/deep/er/.", b"dirlink/deep/er/."]
        with pytest.raises(NoSuchFile):
            root.open_file("sub/nowhere/x")
        assert len(counted.asked) == 3
        for upload in ("new", "/sub/deep/new"):
            os.close(root.open_parent(upload)[0])
        assert counted.asked[3:] == [b"./.", b"sub/deep/."]


@needs_openat2
def test_what_the_kernel_refuses_but_stays_inside_is_walked(tree: Path, counted: Counted) -> None:
    with Root(tree) as root:
        assert read(root, "dirlink_abs/in") == b"inside"
        assert read(root, "root_abs/sub/in") == b"inside"
        assert len(counted.asked) == 2
        with pytest.raises(AccessDenied):
            root.open_file("dir_out_abs/secret")
        assert len(counted.asked) == 3


@pytest.mark.parametrize(
    "number", [errno.EAGAIN, errno.EXDEV, errno.ELOOP, errno.EMFILE, errno.EACCES, errno.ENOSYS]
)
def test_no_refusal_of_the_kernel_is_the_last_word(
    tree: Path, counted: Counted, number: int
) -> None:
    counted.refusal = number
    with Root(tree) as root:
        assert read(root, "sub/in") == b"inside"
        os.close(root.open_parent("sub/new")[0])
    assert len(counted.asked) == 2


@needs_openat2
def test_names_of_hundreds_of_folders_are_left_to_the_walk(tree: Path, counted: Counted) -> None:
    with Root(tree) as root:
        assert read(root, "./" * 300 + "plain") == b"plain"
        os.close(root.open_parent("./" * 300 + "new")[0])
    assert counted.asked == []
