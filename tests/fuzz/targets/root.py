"""The confined root: whatever name is asked for, what is opened lies below the root.

The tree holds every kind of link, also such as lead out, with canaries around it
(RFC 1123 section 4.2.3.4). Nothing but the documented errors may come of a name, and no
descriptor may be left. Must not know how names are walked.
"""

import os
import stat
from functools import cache
from pathlib import Path

from tests.fuzz.feed import Feed
from tests.fuzz.place import descriptors, make_place, opened_since
from tests.net.trees import CANARY, LEFTOVER, make_tree
from tftp.errors import AccessDenied, IllegalOperation, LocalError, NoSuchFile
from tftp.net.root import Root

__all__ = ["target"]

PARTS = (
    *(b"", b".", b"..", b"...", b"plain", b"sub", b"in", b"deep", b"er", b"x", b"empty"),
    *(b"link_in", b"link_abs", b"dirlink", b"dirlink_abs", b"root_abs", b"here", b"chain"),
    *(b"up", b"upup", b"round", b"via_dirlink", b"to_leftover", b"to_folder", b"up_to_root"),
    *(b"to_device", b"to_pipe", b"out", b"out_abs", b"out_dots", b"out_abs_dots", b"out_chain"),
    *(b"out_and_back", b"dir_out", b"dir_out_abs", b"dir_slash", b"sibling", b"sibling_dir"),
    *(b"out2", b"passwords", b"proc", b"loop", b"loop_a", b"loop_dir", b"dangling"),
    *(b"through_file", b"etc", b"passwd", b"root", b"secret", b"root-private", b"self"),
    *(b"pipe", b"socket", b"\xff\xfe", LEFTOVER.encode(), b"C:", b"back\\slash", b"tmp"),
)


@cache
def _tree() -> tuple[Root, Root]:
    """Makes a tree; returns its root twice: as it is, and on a kernel that cannot help."""
    path = make_tree(make_place())
    root, alone = Root(path), Root(path)
    alone._open_below = None
    return root, alone


def target(data: bytes) -> None:
    """Opens the file that the input names, and its folder, with the kernel's help and without."""
    root, alone = _tree()
    before = descriptors()
    name = _name(Feed(data)).decode("utf-8", "surrogateescape")
    assert _open_file(root, name) == _open_file(alone, name), "a matter of the kernel"
    assert _open_parent(root, name) == _open_parent(alone, name), "a matter of the kernel"
    assert not opened_since(before), "a descriptor was left"


def _open_file(root: Root, name: str) -> str:
    """Returns what a name leads to, or why it leads to nothing."""
    path = os.fsencode(root.path)
    try:
        file = root.open_file(name)
    except (IllegalOperation, LocalError) as error:
        _check_error(error, path)
        return repr(error)
    try:
        _check_file(file, path)
        return str(_path_of(file))
    finally:
        os.close(file)


def _open_parent(root: Root, name: str) -> str:
    """Returns which folder a name is in, or why it is in none."""
    path = os.fsencode(root.path)
    try:
        folder, last = root.open_parent(name)
    except (IllegalOperation, LocalError) as error:
        _check_error(error, path)
        return repr(error)
    try:
        assert stat.S_ISDIR(os.fstat(folder).st_mode)
        assert (_path_of(folder) + b"/").startswith(path + b"/"), "a folder outside"
        assert "/" not in last
        assert last not in ("", ".", "..")
        return f"{_path_of(folder)!r} {last!r}"
    finally:
        os.close(folder)


def _name(feed: Feed) -> bytes:
    """Reads a name: octets as they are, or parts that exist in the tree."""
    if feed.octet() % 4 == 0:
        return feed.rest()
    slash = feed.pick((b"", b"/", b"//", b"./"))
    parts: list[bytes] = []
    while feed.left and len(parts) < 300:
        kind = feed.octet()
        parts.append(PARTS[kind % len(PARTS)] if kind < 250 else feed.piece())
    return slash + b"/".join(parts)


def _check_file(file: int, path: bytes) -> None:
    assert stat.S_ISREG(os.fstat(file).st_mode)
    assert _path_of(file).startswith(path + b"/"), "a file outside"
    assert not _path_of(file).endswith(b"/" + LEFTOVER.encode())
    assert os.read(file, 100) != CANARY
    assert not os.get_inheritable(file)


def _check_error(error: IllegalOperation | LocalError, path: bytes) -> None:
    text = str(error)
    assert isinstance(error, IllegalOperation | NoSuchFile | AccessDenied) or "(" in text, text
    assert text.isascii()
    assert text.isprintable()
    assert "/" not in text
    assert os.fsdecode(path) not in text


def _path_of(file: int) -> bytes:
    return os.fsencode(Path(f"/proc/self/fd/{file}").readlink())
