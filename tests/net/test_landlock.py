"""Landlock: what a process may still do, and what it asks of older and newer kernels."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import open_files, run
from tests.net.fields import AS, BEGINNING, open_field
from tftp.errors import LocalError
from tftp.net import landlock

ABI = landlock.probe()[0]
DENIED = os.strerror(errno.EACCES)

needs_landlock = pytest.mark.skipif(ABI == 0, reason="this kernel has no Landlock")
CONFINE = BEGINNING + "from tftp.net import landlock\nroot = sys.argv[1] + '/root'\n"


@pytest.fixture
def field() -> Iterator[Path]:
    with open_field() as field:
        yield field


def spoken(output: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in output.splitlines())


READS = """
assert landlock.confine([root]) == landlock.probe()[0]
for name in ("plain", "sub/in", "program"):
    print(f"{name}:", Path(root, name).read_bytes()[:6])
print("list:", said(lambda: os.listdir(root)))
outside = (
    "/", "/etc/passwd", "/proc/self/status", sys.argv[1], root + "/out", root + "/../secret",
    root + "/sub/../../secret", f"/proc/self/root{root}/../secret", "/dev/null",
)
for number, path in enumerate(outside):
    print(f"outside {number}:", said(lambda: os.close(os.open(path, os.O_RDONLY))))
changes = {
    "write": lambda: os.open(root + "/plain", os.O_WRONLY),
    "append": lambda: os.open(root + "/plain", os.O_WRONLY | os.O_APPEND),
    "create": lambda: os.open(root + "/new", os.O_WRONLY | os.O_CREAT, 0o666),
    "nameless": lambda: os.open(root, os.O_WRONLY | os.O_TMPFILE, 0o666),
    "remove": lambda: os.unlink(root + "/plain"),
    "rename": lambda: os.rename(root + "/plain", root + "/other"),
    "link": lambda: os.link(root + "/plain", root + "/other"),
    "symlink": lambda: os.symlink("plain", root + "/other"),
    "mkdir": lambda: os.mkdir(root + "/folder"),
    "write outside": lambda: os.open(sys.argv[1] + "/secret", os.O_WRONLY),
    "execute": lambda: os.execv(root + "/program", ["program"]),
}
for name, deed in changes.items():
    print(f"{name}:", said(deed))
"""


@needs_landlock
@AS
def test_what_is_for_reading_can_be_read_and_nothing_else_done(field: Path, drop: str) -> None:
    told = spoken(run(CONFINE + drop + READS, field))
    for name in ("plain", "sub/in", "program"):
        assert told.pop(name) == repr((field / "root" / name).read_bytes()[:6])
    assert told.pop("list") == "may"
    assert len(told) == 20
    assert set(told.values()) == {DENIED}, told
    assert sorted(entry.name for entry in (field / "root").iterdir()) == [
        "out",
        "plain",
        "program",
        "sub",
    ]


WRITES = """
landlock.confine([], [root, "/dev/null"])
def upload(name):
    part = root + "/part"
    with open(part, "xb") as file:
        file.write(b"octets")
        file.truncate(3)
        os.fsync(file.fileno())
    return part, root + "/" + name
os.link(*upload("linked"))
os.unlink(root + "/part")
os.rename(*upload("plain"))
os.rename(*upload("sub/in")) if sys.argv[2] == "across" else None
Path("/dev/null").write_bytes(b"away")
changes = {
    "symlink": lambda: os.symlink("plain", root + "/other"),
    "mkdir": lambda: os.mkdir(root + "/folder"),
    "rmdir": lambda: os.rmdir(root + "/sub"),
    "fifo": lambda: os.mkfifo(root + "/pipe"),
    "write outside": lambda: os.open(sys.argv[1] + "/secret", os.O_WRONLY),
    "read outside": lambda: os.open(sys.argv[1] + "/secret", os.O_RDONLY),
    "empty outside": lambda: os.truncate(sys.argv[1] + "/secret", 0),
    "execute": lambda: os.execv(root + "/program", ["program"]),
}
for name, deed in changes.items():
    print(f"{name}:", said(deed))
print("move out:", said(lambda: os.rename(root + "/plain", sys.argv[1] + "/plain")))
print("move across:", said(lambda: os.rename(root + "/plain", root + "/sub/plain")))
"""


@needs_landlock
@AS
def test_what_is_for_writing_takes_uploads_and_nothing_else(field: Path, drop: str) -> None:
    told = spoken(run(CONFINE + drop + WRITES, field, "within"))
    if ABI < 3:
        told.pop("empty outside")  # older kernels let a file be cut by its name
    across = os.strerror(errno.EXDEV)
    assert told.pop("move across") == across
    assert told.pop("move out") in (DENIED, across)
    assert set(told.values()) == {DENIED}, told
    assert (field / "root" / "linked").read_bytes() == b"oct"
    assert (field / "root" / "plain").read_bytes() == b"oct"


@needs_landlock
def test_descriptors_of_before_stay_good_and_can_be_named(field: Path) -> None:
    code = """
secret = os.open(sys.argv[1] + "/secret", os.O_RDONLY)
folder = os.open(sys.argv[1] + "/root/sub", os.O_PATH)
landlock.confine([folder])
print("secret:", os.read(secret, 6))
print("by descriptor:", os.read(os.open("in", os.O_RDONLY, dir_fd=folder), 6))
print("beside:", said(lambda: os.open(root + "/plain", os.O_RDONLY)))
os.fstat(folder)
"""
    told = spoken(run(CONFINE + code, field))
    assert told == {"secret": "b'nobody'", "by descriptor": "b'inside'", "beside": DENIED}


@needs_landlock
@AS
def test_children_and_later_threads_are_bound_too(field: Path, drop: str) -> None:
    code = """
landlock.confine([root])
look = lambda: os.open(sys.argv[1] + "/secret", os.O_RDONLY)
if not os.fork():
    os._exit(0 if said(look) == "Permission denied" else 7)
print("child:", os.waitstatus_to_exitcode(os.wait()[1]))
thread = threading.Thread(target=lambda: print("thread:", said(look)))
thread.start()
thread.join()
"""
    told = spoken(run(CONFINE + drop + code, field))
    assert told == {"child": "0", "thread": DENIED}


@needs_landlock
def test_a_process_with_a_second_thread_is_refused_and_left_free(field: Path) -> None:
    code = """
from tftp.errors import LocalError
end = threading.Event()
thread = threading.Thread(target=end.wait)
thread.start()
try:
    landlock.confine([root])
except LocalError as error:
    print("refused:", error)
print("outside:", said(lambda: os.close(os.open(sys.argv[1] + "/secret", os.O_RDONLY))))
end.set()
"""
    told = spoken(run(CONFINE + code, field))
    assert "before there is a second thread" in told["refused"]
    assert told["outside"] == "may"


@pytest.mark.skipif(ABI < landlock.SCOPE_ABI, reason="this kernel does not forbid TCP and signals")
@AS
def test_tcp_and_signals_to_others_are_forbidden_and_udp_is_not(field: Path, drop: str) -> None:
    code = """
def bind(kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
def connect():
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", 9))
landlock.confine([root])
child = os.fork()
if not child:
    signal.alarm(60)
    signal.pause()
print("udp:", said(lambda: bind(socket.SOCK_DGRAM)))
print("tcp bind:", said(lambda: bind(socket.SOCK_STREAM)))
print("tcp connect:", said(connect))
print("itself:", said(lambda: os.kill(os.getpid(), 0)))
print("its child:", said(lambda: os.kill(child, signal.SIGKILL)))
print("its parent:", said(lambda: os.kill(os.getppid(), 0)))
os.waitpid(child, 0)
"""
    told = spoken(run(CONFINE + drop + code, field))
    free = {"udp", "itself", "its child"}
    assert {name for name, answer in told.items() if answer == "may"} == free
    assert told["tcp bind"] == told["tcp connect"] == DENIED


@pytest.mark.skipif(ABI < landlock.SCOPE_ABI, reason="this kernel does not forbid such sockets")
@pytest.mark.parametrize("scoped", [True, False])
def test_abstract_sockets_of_others_are_forbidden_on_demand(field: Path, scoped: bool) -> None:
    name = f"\0tftp-test-{os.getpid()}-{scoped}"
    code = """
rules = landlock.prepare([root], scope_abstract=sys.argv[2] == "True")
before = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
before.connect("\\0" + sys.argv[3])
landlock.enforce(rules)
after = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
print("after:", said(lambda: after.connect("\\0" + sys.argv[3])))
print("before:", said(lambda: before.send(b"ready")))
"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(20)
        told = spoken(run(CONFINE + code, field, scoped, name[1:]))
        assert manager.recv(10) == b"ready"
    assert told == {"after": os.strerror(errno.EPERM) if scoped else "may", "before": "may"}


# What older kernels are asked for. Each row adds to those before it.
FOLDERS_AND_FILES = 0x1FFF
ASKED = {
    1: (FOLDERS_AND_FILES, 0, 0),
    2: (0x3FFF, 0, 0),
    3: (0x7FFF, 0, 0),
    4: (0x7FFF, 3, 0),
    5: (0xFFFF, 3, 0),
    6: (0xFFFF, 3, 3),
    7: (0xFFFF, 3, 3),
    9: (0xFFFF, 3, 3),
}


class Kernel:
    """Takes calls in the place of a kernel of some ABI, and keeps what it was asked for."""

    def __init__(self, abi: int, failing: int = 0, why: int = errno.EINVAL) -> None:
        self.abi, self.failing, self.why = abi, failing, why
        self.forbidden: tuple[int, ...] = ()
        self.allowed: list[int] = []
        self.enforced = 0

    def call(self, number: int, *arguments: int | bytes | None) -> int:
        if number == self.failing:
            raise OSError(self.why, os.strerror(self.why))
        if number == landlock.CREATE_RULESET and arguments == (None, 0, 1):
            return self.abi
        if number == landlock.CREATE_RULESET:
            assert isinstance(arguments[0], bytes)
            self.forbidden = struct.unpack("=QQQ", arguments[0])
            return os.open("/", os.O_PATH)
        if number == landlock.ADD_RULE:
            assert isinstance(arguments[2], bytes)
            self.allowed.append(struct.unpack("=Qi", arguments[2])[0])
        else:
            assert number == landlock.RESTRICT_SELF
            self.enforced += 1
        return 0


@pytest.mark.parametrize("abi", ASKED)
def test_every_kernel_is_asked_for_all_that_it_knows(
    field: Path, abi: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(abi)
    monkeypatch.setattr(landlock, "call", kernel.call)
    before = open_files()
    os.close(landlock.prepare([field, field / "secret"], [field / "root", os.devnull]))
    assert open_files() == before
    assert kernel.forbidden == ASKED[abi]
    cut = 0x4000 if abi >= 3 else 0
    assert kernel.allowed == [0b1100, 0b100, 0b1_0010_1110 | cut, 0b110 | cut]
    assert kernel.enforced == 0
    os.close(landlock.prepare([], scope_abstract=False))
    assert kernel.forbidden == (*ASKED[abi][:2], 2 if abi >= 6 else 0)


@needs_landlock
@pytest.mark.parametrize("abi", range(1, ABI + 1))
def test_a_process_is_confined_by_every_abi(field: Path, abi: int) -> None:
    code = f"""
landlock.probe = lambda: ({abi}, "")
print("abi:", landlock.confine([root]))
print("inside:", said(lambda: os.open(root + "/plain", os.O_RDONLY)))
print("outside:", said(lambda: os.open(sys.argv[1] + "/secret", os.O_RDONLY)))
"""
    told = spoken(run(CONFINE + code, field))
    assert told == {"abi": str(abi), "inside": "may", "outside": DENIED}


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.ENOSYS, "this kernel has none"),
        (errno.EOPNOTSUPP, "switched off"),
        (errno.EPERM, "may not use it"),
    ],
)
def test_without_landlock_nothing_is_done_and_the_reason_is_told(
    field: Path, number: int, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(0, landlock.CREATE_RULESET, number)
    monkeypatch.setattr(landlock, "call", kernel.call)
    abi, told = landlock.probe()
    assert abi == 0
    assert why in told
    assert landlock.confine([field]) == 0
    with pytest.raises(LocalError, match=r"Landlock is not to be had: .*" + why[:8]):
        landlock.prepare([field])


def test_what_cannot_be_allowed_is_an_error_and_leaves_nothing_open(
    field: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(7)
    monkeypatch.setattr(landlock, "call", kernel.call)
    before = open_files()
    with pytest.raises(LocalError, match="No such file"):
        landlock.confine([field / "nowhere"])
    kernel.failing = landlock.ADD_RULE
    with pytest.raises(LocalError, match="cannot allow"):
        landlock.confine([field])
    assert open_files() == before
    assert kernel.enforced == 0
