"""The files that a target should serve, and the traps around them.

`write_fixtures` lays them out in a folder; a target that cannot hold some of them just has
their cases skipped. Contents are made by arithmetic: a block in the wrong place is seen.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["CANARY", "FIXTURES", "content", "release_pipe", "write_fixtures"]

CANARY = b"This must never leave the server.\n"
"""What lies outside the folder that is served."""


def content(size: int, seed: int = 0) -> bytes:
    """Returns octets that differ from block to block, whatever the block size."""
    words = range(seed, seed + size // 4 + 1)
    return b"".join((number * 2654435761 & 0xFFFFFFFF).to_bytes(4, "big") for number in words)[
        :size
    ]


FIXTURES: dict[str, bytes] = {
    "empty": b"",
    "b1": content(1),
    "b511": content(511, 11),
    "b512": content(512, 22),
    "b513": content(513, 33),
    "b1024": content(1024, 44),
    "b3000": content(3000, 55),
    "b10k": content(10240, 66),
    "b100k": content(102400, 77),
    "all256": bytes(range(256)),
    "roll": content(524_803, 88),  # with blocks of 8 octets its numbers wrap
    "text": b"foo\nbar\rbaz\n\r\nqux",
    # As netascii, a pair of octets stands across the border of blocks of 512.
    "textb": b"x" * 511 + b"\n" + b"y" * 509 + b"\r" + b"z" * 100,
    "na512": b"\n" * 256,
    "UPPER": b"UPPER\n",
    "caf\u00e9": b"caf\xc3\xa9 au t",
    "sp ace": b"a space\n",
    "a%20b": b"a per cent sign\n",
    "a+b": b"a plus sign\n",
    "a;b": b"a semicolon\n",
    "it's": b"a quote\n",
    "subdir/in": b"one folder down\n",
    ".hidden": b"a name with a dot\n",
    "exists": content(700, 99),
    "link_in": content(3000, 55),  # leads to b3000
}
"""What a read of each name must give, in octet mode."""


def write_fixtures(folder: Path, *, big: bool = False) -> list[str]:
    """Lays all of it out; returns what could not be made, with the reason. Raises OSError.

    Beside the folder come a canary and a folder whose name begins like it. `big` adds a
    sparse file of more than 4 GiB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    troubles = []
    for name, octets in FIXTURES.items():
        if name == "link_in":
            continue
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(octets)
        path.chmod(0o666)
    private = folder.with_name(folder.name + "-private")
    private.mkdir(exist_ok=True)
    for canary in (folder.with_name("canary"), private / "secret"):
        canary.write_bytes(CANARY)
    specials: dict[str, Callable[[Path], None]] = {
        "link_in": lambda path: path.symlink_to("b3000"),
        "link_out": lambda path: path.symlink_to(folder.with_name("canary").resolve()),
        "pipe": os.mkfifo,
        "noperm": _unreadable,
    }
    for name, make in specials.items():
        with suppress(FileNotFoundError):
            (folder / name).unlink()
        try:
            make(folder / name)
        except OSError as error:
            troubles.append(f"{name}: {error.strerror}")
    if big:
        with (folder / "big").open("wb") as file:
            file.truncate(4 * 2**30 + 1000)
    with suppress(OSError):
        folder.chmod(0o777)  # a server that drops its rights still has to take uploads
    return troubles


def _unreadable(path: Path) -> None:
    path.write_bytes(CANARY)
    path.chmod(0)


def release_pipe(path: Path) -> None:
    """Opens and closes a pipe for writing, so that whoever waits for a writer is free."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
