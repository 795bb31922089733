"""The root folder itself, and the folders in which uploads land."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import DROP, open_files, run
from tests.net.trees import CANARY, LEFTOVER, make_tree, read, text_of
from tftp.errors import AccessDenied, LocalError, NoSuchFile
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


@pytest.fixture(scope="module")
def shared_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tree for all tests that only look."""
    return make_tree(tmp_path_factory.mktemp("shared"))


@pytest.mark.parametrize(
    ("name", "folder", "last"),
    [
        ("new", ".", "new"),
        ("/new", ".", "new"),
        ("plain", ".", "plain"),
        ("sub/new", "sub", "new"),
        ("//sub/./deep//new", "sub/deep", "new"),
        ("dirlink/new", "sub", "new"),
        ("dirlink_abs/new", "sub", "new"),
        ("up_to_root/new", ".", "new"),
        ("out", ".", "out"),
        ("...", ".", "..."),
        ("a\\b", ".", "a\\b"),
        ("\udcff", ".", "\udcff"),
        ("sub/é", "sub", "é"),
        ("sub/.tftp-aaaaaaaaaaaa.part/x", "sub/.tftp-aaaaaaaaaaaa.part", "x"),
    ],
)
def test_the_parent_of_an_upload_is_found(
    shared_tree: Path, name: str, folder: str, last: str
) -> None:
    with Root(shared_tree) as root:
        parent, given = root.open_parent(name)
        try:
            assert given == last
            assert os.path.samestat(os.fstat(parent), (shared_tree / folder).stat())
        finally:
            os.close(parent)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nodir/new", NoSuchFile),
        ("plain/new", NoSuchFile),
        ("dangling/new", NoSuchFile),
        ("sub/" + "x" * 256 + "/new", NoSuchFile),
        ("pipe/new", NoSuchFile),
        ("..", AccessDenied),
        ("../new", AccessDenied),
        ("sub/../new", AccessDenied),
        ("new\0", AccessDenied),
        ("/", AccessDenied),
        (".", AccessDenied),
        ("sub/", AccessDenied),
        ("sub/.", AccessDenied),
        ("new/", AccessDenied),
        (LEFTOVER, AccessDenied),
        ("sub/.tftp-ffffffffffff.part", AccessDenied),
        ("dir_out/new", AccessDenied),
        ("dir_out_abs/new", AccessDenied),
        ("dir_slash/new", AccessDenied),
        ("sibling_dir/new", AccessDenied),
        ("loop/new", AccessDenied),
    ],
)
def test_an_upload_to_nowhere_or_outside_is_refused(
    shared_tree: Path, name: str, kind: type[LocalError]
) -> None:
    with Root(shared_tree) as root, pytest.raises(kind) as caught:
        root.open_parent(name)
    text_of(caught.value)


def test_a_root_that_is_absent_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match=r"^There is no folder '.*nope'$"):
        Root(tmp_path / "nope")


def test_a_root_that_is_a_file_says_so(tree: Path) -> None:
    with pytest.raises(LocalError, match=r"^'.*plain' is not a folder$"):
        Root(tree / "plain")


@pytest.mark.parametrize("name", ["loop", "x\0y"])
def test_a_root_that_cannot_be_opened_says_why(tree: Path, name: str) -> None:
    with pytest.raises(LocalError, match=r"^The folder '.*' cannot be opened: "):
        Root(f"{tree}/{name}")


@pytest.mark.parametrize("which", ["root", "root/sub"])
def test_a_root_that_may_not_be_searched_says_so(tmp_path: Path, which: str) -> None:
    (tmp_path / "root" / "sub").mkdir(parents=True)
    tmp_path.chmod(0o755)
    (tmp_path / which).chmod(0o600 if os.geteuid() == 0 else 0)
    code = f"""
import os, sys
from tftp.errors import AccessDenied
from tftp.net.root import Root
os.chdir(sys.argv[1])
before = len(os.listdir("/proc/self/fd"))
{DROP}
try:
    Root("root/sub")
except AccessDenied as error:
    print(error)
print(len(os.listdir("/proc/self/fd")) - before)
"""
    said = run(code, tmp_path)
    (tmp_path / which).chmod(0o700)
    assert said == "The folder 'root/sub' may not be read by this user\n0\n"


@pytest.mark.parametrize("call", ["open", "stat"])
def test_a_root_that_is_refused_leaves_nothing_open(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(AccessDenied):
        Root(tmp_path)
    monkeypatch.undo()


def test_a_relative_root_is_remembered_by_its_real_path(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree.parent)
    (tree.parent / "alias").symlink_to("root")
    for given in ("root", "./alias", "root/../alias/", "alias/sub/.."):
        with Root(given) as root:
            assert root.path == str(tree)
            assert read(root, "link_abs") == b"inside"


def test_absolute_links_may_spell_the_root_as_the_operator_does(tree: Path) -> None:
    alias = tree.parent / "alias"
    alias.symlink_to(tree)
    (tree / "by_alias").symlink_to(f"{alias}/plain")
    with Root(alias) as root:
        assert read(root, "by_alias") == b"plain"
        assert read(root, "link_abs") == b"inside"
    with Root(tree) as root, pytest.raises(AccessDenied):
        root.open_file("by_alias")


def test_the_root_of_the_file_system_can_be_a_root(tree: Path) -> None:
    with Root("/") as root:
        assert read(root, f"{tree}/plain") == b"plain"
        assert read(root, f"{tree}/link_abs") == b"inside"
        assert read(root, f"{tree}/out_abs") == CANARY
        with pytest.raises(AccessDenied):
            root.open_file("../../etc/passwd")


def test_the_root_stays_the_same_folder_when_it_is_renamed(tree: Path) -> None:
    with Root(tree) as root:
        tree.rename(tree.with_name("elsewhere"))
        tree.mkdir()
        (tree / "plain").write_bytes(CANARY)
        assert read(root, "plain") == b"plain"


def test_descriptors_handed_out_outlive_the_root(tree: Path) -> None:
    with Root(tree) as root:
        file = root.open_file("plain")
    assert os.read(file, 99) == b"plain"
    os.close(file)


def test_a_closed_root_opens_nothing_and_may_be_closed_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    root = Root(tree)
    root.close()
    root.close()
    for ask in (root.open_file, root.open_parent):
        with pytest.raises(LocalError):
            ask("plain")
    assert root.sweep() == []
