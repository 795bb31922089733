"""A root with everything that a lab folder may hold, and helpers that look at it."""

import os
import socket
from pathlib import Path

from tftp.net.root import Root

CANARY = b"nobody may read this"
LEFTOVER = ".tftp-0123456789ab.part"


def make_tree(tmp_path: Path) -> Path:
    """A root with everything that a lab folder may hold, and canaries around it."""
    root = tmp_path / "root"
    files = {
        "plain": b"plain",
        "sub/in": b"inside",
        "sub/deep/er/x": b"deep",
        "empty": b"",
        "sp ace": b"space",
        "a%20b": b"percent",
        "café": b"utf-8",
        ".hidden": b"hidden",
        "...": b"dots",
        "..x": b"dots and x",
        "UPPER": b"upper",
        "C:": b"no drive",
        "back\\slash": b"literal",
        ".tftp-0123456789AB.part": b"not ours",
        LEFTOVER: b"half of an upload",
        "sub/" + LEFTOVER: b"half of another",
        "sub/.tftp-aaaaaaaaaaaa.part/x": b"in a folder of such a name",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe")).write_bytes(b"octets")
    (tmp_path / "secret").write_bytes(CANARY)
    (tmp_path / "root-private").mkdir()
    (tmp_path / "root-private" / "x").write_bytes(CANARY)
    _make_links(root, tmp_path)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "socket"))
    return root


def _make_links(root: Path, outside: Path) -> None:
    links = {
        "link_in": "sub/in",
        "link_dots": "./sub/.//in",
        "link_abs": f"{root}/sub/in",
        "link_abs_odd": f"//{str(root)[1:]}/./sub//in",
        "dirlink": "sub",
        "dirlink_slash": "sub/",
        "dirlink_abs": f"{root}/sub",
        "root_abs": f"{root}",
        "here": ".",
        "chain": "link_in",
        "sub/up": "../plain",
        "sub/deep/upup": "../../plain",
        "round": "sub/deep/../../plain",
        "via_dirlink": "dirlink/deep/../in",
        "to_leftover": LEFTOVER,
        "to_folder": "sub/deep",
        "up_to_root": "sub/..",
        "to_device": "/dev/zero",
        "to_pipe": "pipe",
        "out": "../secret",
        "out_abs": f"{outside}/secret",
        "out_dots": "sub/../../secret",
        "out_abs_dots": f"{root}/../secret",
        "out_and_back": "../root/plain",
        "out_chain": "out",
        "dir_out": "..",
        "dir_out_abs": f"{outside}",
        "dir_slash": "/",
        "sibling": f"{root}-private/x",
        "sibling_dir": "../root-private",
        "sub/out2": "../../secret",
        "passwords": "/etc/passwd",
        "proc": "/proc/self/root",
        "loop": "loop",
        "loop_a": "loop_b",
        "loop_b": "sub/../loop_a",
        "loop_dir": "loop_dir/x",
        "dangling": "nowhere",
        "dangling_dir": "nowhere/x",
        "through_file": "plain/x",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)


def read(root: Root, name: str) -> bytes:
    """Opens a file, reads it and closes it."""
    file = root.open_file(name)
    try:
        assert not os.get_inheritable(file)
        return os.read(file, 1000)
    finally:
        os.close(file)


def text_of(error: BaseException) -> str:
    """Returns an error's text after checking that it may go to a stranger."""
    text = str(error)
    assert text.isascii()
    assert text.isprintable()
    assert 0 < len(text) < 80
    assert "/" not in text
    return text


def names(folder: Path) -> set[str]:
    """What stands in a folder."""
    return {entry.name for entry in folder.iterdir()}
