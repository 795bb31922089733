"""What odd datagrams get: the table, as data.

`test_bad_input` plays it against a server, and `protocol_page` makes a page of it. The
datagrams are made by `wire`: nothing here uses the codec under test.
"""

from typing import NamedTuple

from tests.server.wire import ack, data, error, oack, rrq, wrq

__all__ = ["ASKED", "ENDS", "NOTHING", "SILENCE", "UNDERWAY", "Asked", "Underway"]

SILENCE = "silence"
SERVED = "DATA 1"
TAKEN = "ACK 0"
NO_NAME_END = "ERROR 4, File name without its ending zero octet"
NO_MODE_END = "ERROR 4, Mode without its ending zero octet"
NO_MODE = "ERROR 4, Unknown mode"
NO_NAME = "ERROR 4, The file name is empty"
TOO_LONG = "ERROR 4, Request too long"
NOT_FOUND = "ERROR 1, File not found"
NAME_TOO_LONG = "ERROR 1, File not found: the name is too long"
DENIED = "ERROR 2, Access violation"
DIRECTORY = "ERROR 2, Access violation: it is a directory"
NO_PLAIN_FILE = "ERROR 2, Access violation: it is not a plain file"
LEADS_OUT = "ERROR 2, Access violation: the link leads out"
EXISTS = "ERROR 6, File already exists"


class Asked(NamedTuple):
    """Datagrams to the listening port, each of which gets the same answer.

    `f` is a file of 3,000 octets, `dir` a directory, `pipe` a FIFO, `socket` a socket,
    `zero` a link to a device and `up` one to the folder above; new names may be uploaded.
    """

    what: str
    answer: str
    datagrams: tuple[bytes, ...]


def _asked(what: str, answer: str, *datagrams: bytes) -> Asked:
    return Asked(what, answer, datagrams)


def _each(option: str, *values: str) -> tuple[bytes, ...]:
    return tuple(rrq("f", **{option: value}) for value in values)


BAD_NUMBERS = ("", "abc", "512x", " 512", "+512", "0x200", "-1", "1e3", "5.0", "\u0665\u0661\u0662")
WRAPPING = (str(2**32 + 512), str(2**64 + 512), "9" * 200)

ASKED = (
    # What is no request at all.
    _asked("0 octets", SILENCE, b""),
    _asked("1 octet", SILENCE, b"\0", b"\1", b"\xff"),
    _asked("2 octets: the opcode of a request", NO_NAME_END, b"\0\1", b"\0\2"),
    _asked("3 octets: an empty name, and no mode", NO_MODE_END, b"\0\1\0", b"\0\2\0"),
    _asked(
        "opcode 0, 7, 99, 256 (RRQ with its octets swapped) or 65,535",
        SILENCE,
        *(opcode + b"f\0octet\0" for opcode in (b"\0\0", b"\0\7", b"\0\x63", b"\1\0", b"\xff\xff")),
    ),
    _asked(
        "DATA, ACK, OACK",
        SILENCE,
        *(data(1, bytes(512)), data(0), ack(0), ack(1), oack(blksize=512), b"\0\6", b"\0\4"),
    ),
    _asked(
        "ERROR, whole or not",
        SILENCE,
        *(error(0, "x"), error(4), error(5, "x"), b"\0\5", b"\0\5\0", b"\0\5\0\4no end"),
    ),
    _asked(
        "zeros: 511 to 514, 600, 2,047 to 2,049, 9,000 or 65,507 octets",
        SILENCE,
        *map(bytes, (511, 512, 513, 514, 600, 2047, 2048, 2049, 9000, 65507)),
    ),
    # Requests that have no end, no mode, no name.
    _asked(
        "a name without its zero octet", NO_NAME_END, b"\0\1f", b"\0\2new", b"\0\1" + b"\xff" * 600
    ),
    _asked("a name, and no mode", NO_MODE_END, b"\0\1f\0", b"\0\2new\0"),
    _asked("a mode without its zero octet", NO_MODE_END, b"\0\1f\0octet", b"\0\2new\0octet"),
    _asked("an empty name", NO_NAME, rrq(""), wrq("")),
    _asked(
        "a mode that is neither `octet` nor `netascii`, in whatever case",
        NO_MODE,
        *(
            rrq("f", mode)
            for mode in ("", "foo", "binary", "octe", "octet ", "x" * 300, b"\xff\xfe")
        ),
        wrq("new", "image"),
    ),
    _asked(
        "mode `mail`",
        "ERROR 4, Mail mode is obsolete and not supported",
        *(rrq("f", "mail"), wrq("root", "MAIL")),
    ),
    _asked("a zero octet in the name: what follows is the mode", NO_MODE, b"\0\1f\0.img\0octet\0"),
    # Lengths.
    _asked(
        "a request padded with zeros to 512, 600, 2,047 or 2,048 octets",
        SERVED,
        *(rrq("f").ljust(size, b"\0") for size in (512, 600, 2047, 2048)),
    ),
    _asked(
        "a request of more than 2,048 octets",
        TOO_LONG,
        *(rrq("f").ljust(size, b"\0") for size in (2049, 9000, 65507)),
        *(wrq("new", x="y" * size) for size in (2049, 9000)),
        b"\0\1" + b"\xff" * 65505,
    ),
    # What follows a complete mode.
    _asked(
        "octets behind the mode that form no option", SERVED, rrq("f") + b"junk", rrq("f") + b"\xff"
    ),
    _asked(
        "octets behind the last option that form none",
        "OACK blksize=1024",
        *(
            rrq("f", blksize=1024) + rest
            for rest in (b"junk", b"\0\0\0", b"tsize\0", b"\xff" * 300)
        ),
    ),
    _asked("an option without a value", SERVED, rrq("f") + b"blksize\0", rrq("f") + b"tsize\0000"),
    _asked(
        "an empty value of an unknown option, and another option behind it",
        "OACK blksize=1024",
        rrq("f", xyzzy="", blksize=1024),
    ),
    _asked("an option with an empty name", SERVED, rrq("f") + b"\0x\0blksize\0001024\0"),
    _asked("100 unknown options", SERVED, rrq("f", **{f"o{n}": n for n in range(100)})),
    _asked(
        "100 options, the last one known",
        "OACK blksize=1024",
        rrq("f", **{f"o{n}": n for n in range(99)}, blksize=1024),
    ),
    _asked(
        "an option twice: the first one counts",
        "OACK blksize=1024",
        rrq("f", blksize=1024) + b"blksize\0002048\0BLKSIZE\000600\0",
    ),
    _asked(
        "`timeout` and `utimeout`: the first one counts",
        "OACK timeout=3",
        rrq("f", timeout=3, utimeout=500000),
    ),
    _asked("an option whose name is not ASCII", SERVED, rrq("f") + b"bl\xe2\x84\xaasize\0001024\0"),
    # Values.
    _asked("`blksize` that is no number", SERVED, *_each("blksize", *BAD_NUMBERS)),
    _asked("`blksize` 0 to 7", SERVED, *_each("blksize", "0", "1", "7")),
    _asked(
        "`blksize` above 65,464, also where 32 or 64 bits would make it small",
        SERVED,
        *_each("blksize", "65465", "65536", "100000", *WRAPPING),
    ),
    _asked(
        "`blksize` 0512: zeros in front mean nothing", "OACK blksize=512", rrq("f", blksize="0512")
    ),
    _asked(
        "`windowsize` that is no number, 0, or above 65,535",
        SERVED,
        *_each("windowsize", "0", "65536", *BAD_NUMBERS, *WRAPPING),
    ),
    _asked(
        "`timeout` that is no number, 0, or above 255",
        SERVED,
        *_each("timeout", "0", "256", "65536", *BAD_NUMBERS, *WRAPPING),
    ),
    _asked(
        "`utimeout` below 10,000 or above 255,000,000",
        SERVED,
        *_each("utimeout", "0", "9999", "255000001", "abc"),
    ),
    _asked("`rollover` other than 0 and 1", SERVED, *_each("rollover", "2", "-1", "")),
    _asked("`tsize` that is no number", SERVED, *_each("tsize", "", "abc", "-1", "+0", "9" * 21)),
    _asked(
        "`tsize` 5 of a reader: the size it is told is the file's",
        "OACK tsize=3000",
        rrq("f", tsize=5),
    ),
    _asked(
        "`tsize` of a reader in netascii: only the end tells", SERVED, rrq("f", "netascii", tsize=0)
    ),
    _asked(
        "`tsize` of a writer beyond the disk",
        "ERROR 3, Disk full: no room for the size announced",
        *(wrq("new", tsize=10**18), wrq("new", tsize=10**19)),
    ),
    _asked(
        "bad values of a writer", TAKEN, wrq("new", blksize=7, windowsize=0, timeout=256, tsize="x")
    ),
    _asked(
        "`multicast`, `mstfwindow`, `blksize2`",
        SERVED,
        rrq("f", multicast="", mstfwindow=9, blksize2=512),
    ),
    # Names.
    _asked(
        "names that are no UTF-8",
        NOT_FOUND,
        *(rrq(n) for n in (b"\xff\xfe", b"caf\xe9", b"\xc0\xae\xc0\xae/f")),
    ),
    _asked(
        "control characters in a name",
        NOT_FOUND,
        rrq("x\n1.2.3.4 forged"),
        rrq("\x1b[2J"),
        rrq("$(id)"),
    ),
    _asked(
        "a name of more than 255 octets",
        NAME_TOO_LONG,
        *(make("n" * size) for make in (rrq, wrq) for size in (256, 400, 2000)),
    ),
    _asked("a name in 200 folders", NOT_FOUND, rrq("a/" * 200 + "f"), wrq("a/" * 200 + "f")),
    _asked(
        "a directory",
        DIRECTORY,
        *(rrq(n) for n in ("dir", "dir/", ".", "/", "//", "./.")),
        wrq("dir/"),
    ),
    _asked("a FIFO, a socket", NO_PLAIN_FILE, rrq("pipe"), rrq("socket")),
    _asked("a link that leads out, to a device for one", LEADS_OUT, rrq("zero"), rrq("up/f")),
    _asked(
        "`..` anywhere in the name",
        DENIED,
        *(m(n) for m in (rrq, wrq) for n in ("../f", "dir/../f", "/..")),
    ),
    _asked(
        "backslashes and drives: a name like any other",
        NOT_FOUND,
        rrq("..\\f"),
        rrq("C:\\f"),
        rrq("C:f"),
    ),
    _asked("a file below a file", NOT_FOUND, rrq("f/f"), wrq("f/f")),
    _asked("the temporary file of an upload", NOT_FOUND, rrq(".tftp-0123456789ab.part")),
    _asked("an upload under a name of that form", DENIED, wrq(".tftp-0123456789ab.part")),
    _asked(
        "an upload of a name that exists", EXISTS, wrq("f"), wrq("pipe"), wrq("dir"), wrq("zero")
    ),
)


class Underway(NamedTuple):
    """Datagrams to the port of a transfer: what each causes, and what a stranger gets for it.

    The read has sent DATA 1 of several, the write has acknowledged DATA 1.
    """

    what: str
    read: str
    write: str
    stranger: str
    datagrams: tuple[bytes, ...]


def _underway(what: str, read: str, write: str, stranger: str, *datagrams: bytes) -> Underway:
    return Underway(what, read, write, stranger, datagrams)


NOTHING = "nothing"
ENDS = "it ends, in silence"
ILLEGAL = "ERROR 4, DATA larger than the block size"
STRANGE = "ERROR 5, Unknown transfer ID"

UNDERWAY = (
    _underway(
        "0 to 3 octets",
        *(NOTHING, NOTHING, SILENCE),
        *(b"", b"\0", b"\4", b"\0\3", b"\0\4", b"\0\4\0", b"\0\3\0", b"\0\6", b"\xff\xff\xff"),
    ),
    _underway(
        "zeros: 511 to 514, 600, 2,047 to 2,049, 9,000 or 65,507 octets",
        *(NOTHING, NOTHING, STRANGE),
        *map(bytes, (511, 512, 513, 514, 600, 2047, 2048, 2049, 9000, 65507)),
    ),
    _underway(
        "opcode 0, 7, 9, 99, 256 or 65,535",
        *(NOTHING, NOTHING, STRANGE),
        *(
            opcode + b"\0\1"
            for opcode in (b"\0\0", b"\0\7", b"\0\x09", b"\0\x63", b"\1\0", b"\xff\xff")
        ),
    ),
    _underway(
        "RRQ, WRQ",
        NOTHING,
        NOTHING,
        STRANGE,
        rrq("f"),
        wrq("new"),
        b"\0\1f\0octet",
        rrq("f", blksize=8),
    ),
    _underway("OACK", NOTHING, NOTHING, STRANGE, oack(blksize=8), b"\0\6\0\0", b"\0\6x\0"),
    _underway(
        "ACK of a block that was not sent",
        NOTHING,
        NOTHING,
        STRANGE,
        ack(2),
        ack(100),
        ack(65535),
        ack(0),
    ),
    _underway("ACK 1", "DATA 2", NOTHING, STRANGE, ack(1)),
    _underway(
        "ACK 1 with octets behind it",
        *("DATA 2", NOTHING, STRANGE),
        *(ack(1) + b"abcdef", ack(1) + bytes(65503)),
    ),
    _underway(
        "DATA 1 again, whatever is in it", NOTHING, "ACK 1", STRANGE, data(1), data(1, b"x" * 512)
    ),
    _underway(
        "DATA of a block too far",
        NOTHING,
        "ACK 1",
        STRANGE,
        *(data(n, b"x" * 512) for n in (0, 3, 65535)),
    ),
    _underway(
        "DATA larger than the block size",
        *(NOTHING, ILLEGAL, STRANGE),
        *(data(2, bytes(size)) for size in (513, 600, 1024, 9000, 65503)),
    ),
    _underway(
        "ERROR, whatever its code and text, whole or not",
        *(ENDS, ENDS, SILENCE),
        *(
            error(0, "stop"),
            error(5, "x"),
            error(99, "x"),
            error(0),
            b"\0\5\0\0",
            b"\0\5\0\0no end",
        ),
        *(error(0, b"\xff\n\x1b"), error(0, "x" * 60_000)),
    ),
)
