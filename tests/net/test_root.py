"""The confined root: which names lead to which file, and that none leads out."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import DROP, open_files, run
from tests.net.trees import LEFTOVER, make_tree, read, text_of
from tftp.errors import AccessDenied, IllegalOperation, LocalError, NoSuchFile, TftpError
from tftp.net.root import Root

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() <= before


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path)


@pytest.fixture(scope="module")
def shared_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tree for all tests that only look."""
    return make_tree(tmp_path_factory.mktemp("shared"))


SERVED = {
    "plain": b"plain",
    "/plain": b"plain",
    "//plain": b"plain",
    "./plain": b"plain",
    "/.//./plain": b"plain",
    "sub/in": b"inside",
    "/sub//in": b"inside",
    "sub/./in": b"inside",
    "sub/deep/er/x": b"deep",
    "empty": b"",
    "sp ace": b"space",
    "a%20b": b"percent",
    "café": b"utf-8",
    "\udcff\udcfe": b"octets",
    ".hidden": b"hidden",
    "...": b"dots",
    "..x": b"dots and x",
    "C:": b"no drive",
    "back\\slash": b"literal",
    ".tftp-0123456789AB.part": b"not ours",
    "sub/.tftp-aaaaaaaaaaaa.part/x": b"in a folder of such a name",
    "link_in": b"inside",
    "link_dots": b"inside",
    "link_abs": b"inside",
    "link_abs_odd": b"inside",
    "dirlink/in": b"inside",
    "dirlink_slash/in": b"inside",
    "dirlink_abs/in": b"inside",
    "dirlink/deep/upup": b"plain",
    "root_abs/plain": b"plain",
    "here/here/here/plain": b"plain",
    "chain": b"inside",
    "sub/up": b"plain",
    "sub/deep/upup": b"plain",
    "round": b"plain",
    "via_dirlink": b"inside",
    "up_to_root/plain": b"plain",
}


@pytest.mark.parametrize("name", SERVED)
def test_a_name_inside_leads_to_its_file(shared_tree: Path, name: str) -> None:
    with Root(shared_tree) as root:
        assert read(root, name) == SERVED[name]


MISSING = [
    "nope",
    "nodir/x",
    "plain/x",
    "sub/in/",
    "plain/",
    "plain/.",
    "upper",
    "..\\secret",
    "sub\\..\\..\\secret",
    "\\secret",
    "C:\\secret",
    "C:/secret",
    "//./C:/secret",
    "CON",
    "plain.",
    "plain ",
    "plain::$DATA",
    "%2e%2e/secret",
    "..%2fsecret",
    "..;/secret",
    "....//secret",
    ".../secret",
    "\udcc0\udcae\udcc0\udcae/secret",
    "\uff0e\uff0e/secret",
    "\ud800",
    "x" * 256,
    "sub/" + "x" * 256 + "/y",
    "x/" * 2100 + "y",
    "/etc/passwd",
    "caf\udce9",
    LEFTOVER,
    "/" + LEFTOVER,
    "sub/" + LEFTOVER,
    "to_leftover",
    "dangling",
    "dangling_dir",
    "through_file",
    "link_in/",
    "link_in/x",
]


@pytest.mark.parametrize("name", MISSING)
def test_a_name_of_no_file_is_not_found(shared_tree: Path, name: str) -> None:
    with Root(shared_tree) as root, pytest.raises(NoSuchFile) as caught:
        root.open_file(name)
    assert text_of(caught.value).startswith("File not found")
    assert caught.value.code == 1


DENIED = [
    *("../" * count + "etc/passwd" for count in range(1, 13)),
    *("/" + "../" * count + "secret" for count in range(1, 4)),
    "..",
    "../",
    "/..",
    "../secret",
    "./../secret",
    "sub/..",
    "sub/../plain",
    "sub/../../secret",
    "sub/.././../secret",
    "../root/plain",
    "../root-private/x",
    "..\0/secret",
    "plain\0",
    "\0",
    "../secret\0.img",
    # what stands there, but is no plain file
    "/",
    "//",
    ".",
    "./",
    "/.",
    "sub",
    "sub/",
    "sub/.",
    "/sub/deep/",
    "dirlink",
    "dirlink/",
    "here",
    "root_abs",
    "to_folder",
    "up_to_root",
    "pipe",
    "/pipe",
    "pipe/",
    "to_pipe",
    "socket",
    "to_device",
    # links that lead out
    "out",
    "out_abs",
    "out_dots",
    "out_abs_dots",
    "out_and_back",
    "out_chain",
    "dir_out",
    "dir_out/secret",
    "dir_out/root/plain",
    "dir_out_abs/secret",
    "dir_slash",
    "dir_slash/etc/passwd",
    "sibling",
    "sibling_dir/x",
    "sub/out2",
    "dirlink/out2",
    "passwords",
    "proc/etc/passwd",
    # links that lead nowhere
    "loop",
    "loop/x",
    "loop_a",
    "loop_dir",
]


@pytest.mark.parametrize("name", DENIED)
def test_a_name_that_leads_out_or_to_no_plain_file_is_denied(shared_tree: Path, name: str) -> None:
    with Root(shared_tree) as root, pytest.raises(AccessDenied) as caught:
        root.open_file(name)
    assert text_of(caught.value).startswith("Access violation")
    assert caught.value.code == 2


def test_an_empty_name_is_an_illegal_operation(shared_tree: Path) -> None:
    with Root(shared_tree) as root:
        for ask in (root.open_file, root.open_parent):
            with pytest.raises(IllegalOperation) as caught:
                ask("")
            assert caught.value.code == 4
            text_of(caught.value)


def test_the_absolute_path_of_the_root_has_no_meaning_on_the_wire(shared_tree: Path) -> None:
    with Root(shared_tree) as root, pytest.raises(NoSuchFile):
        root.open_file(f"{shared_tree}/plain")


@pytest.mark.parametrize("name", ["pipe", "to_pipe", "socket", "sub", "to_device"])
def test_what_is_no_plain_file_is_not_even_opened(
    shared_tree: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Root(shared_tree) as root:
        opened: list[object] = []
        monkeypatch.setattr(os, "open", lambda *args, **_: opened.append(args))
        with pytest.raises(AccessDenied):
            root.open_file(name)
        assert opened == []


@needs_root
@pytest.mark.root
def test_a_device_below_the_root_is_not_even_opened(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mknod(tree / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    with Root(tree) as root:
        opened: list[object] = []
        monkeypatch.setattr(os, "open", lambda *args, **_: opened.append(args))
        with pytest.raises(AccessDenied):
            root.open_file("zero")
        assert opened == []


def test_forty_links_are_followed_and_not_one_more(tree: Path) -> None:
    (tree / "link1").symlink_to("plain")
    for number in range(2, 42):
        (tree / f"link{number}").symlink_to(f"link{number - 1}")
    with Root(tree) as root:
        assert read(root, "link40") == b"plain"
        with pytest.raises(AccessDenied):
            root.open_file("link41")


def test_a_name_through_hundreds_of_folders_is_served_and_bounded(tree: Path) -> None:
    folder = os.open(tree, os.O_RDONLY)
    for _ in range(260):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
        os.close(os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    with Root(tree) as root:
        assert read(root, "d/" * 250 + "x") == b""
        with pytest.raises(AccessDenied):
            root.open_file("d/" * 260 + "x")


def test_a_file_without_permission_is_denied_and_a_folder_to_search_suffices(tree: Path) -> None:
    for path, mode in {"noperm": 0o000, "listless/x": 0o644, "closed/x": 0o644}.items():
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_bytes(b"it")
        (tree / path).chmod(mode)
    (tree / "listless").chmod(0o711 if os.geteuid() == 0 else 0o311)
    (tree / "closed").chmod(0o600 if os.geteuid() == 0 else 0o000)
    code = f"""
import sys
from tftp.errors import TftpError
from tftp.net.root import Root
root = Root(sys.argv[1])
{DROP}
for name in ("noperm", "closed/x", "listless/x", "plain"):
    try:
        print(name, os.read(root.open_file(name), 9).decode())
    except TftpError as error:
        print(name, error)
"""
    said = run(code, tree)
    (tree / "closed").chmod(0o700)
    assert said.splitlines() == [
        "noperm Access violation",
        "closed/x Access violation",
        "listless/x it",
        "plain plain",
    ]


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (errno.EMFILE, LocalError, "Local error (EMFILE)"),
        (errno.ENFILE, LocalError, "Local error (ENFILE)"),
        (errno.EIO, LocalError, "Local error (EIO)"),
        (errno.EACCES, AccessDenied, "Access violation"),
        (errno.ENOENT, NoSuchFile, "File not found"),
        (errno.ENXIO, AccessDenied, "Access violation"),
    ],
)
def test_the_kernels_refusals_become_errors_of_the_wire(
    shared_tree: Path,
    number: int,
    kind: type[TftpError],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number), str(shared_tree))

    with Root(shared_tree) as root:
        monkeypatch.setattr(os, "open", refuse)
        for name in ("plain", "sub/in"):
            with pytest.raises(kind) as caught:
                root.open_file(name)
            assert text_of(caught.value) == text
            assert type(caught.value) is kind
