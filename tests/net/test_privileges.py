"""What a process gives up, told by the kernel, and that it does not come back."""

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.children import DROP, open_files, run
from tests.net.fields import AS, BEGINNING, open_field
from tftp.errors import LocalError
from tftp.net import landlock, openat2, privileges
from tftp.net.capabilities import (
    DAC_OVERRIDE,
    DAC_READ_SEARCH,
    FOWNER,
    NET_BIND_SERVICE,
    spelled,
)

ABI = landlock.probe()[0]
CONFINED = ABI > 0
ZONE = Path("/usr/share/zoneinfo/Asia/Kolkata")
NOBODY = pwd.getpwnam("nobody")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has what can be given up")

CODE = (
    BEGINNING
    + """
import json, pwd, time, traceback
from dataclasses import asdict
from tftp.errors import LocalError
from tftp.net import capabilities, landlock, privileges, syscalls
nobody = pwd.getpwnam("nobody")
root = sys.argv[1] + "/root"
status = open("/proc/self/status")

def tell(protection=None, **more):
    status.seek(0)
    found = dict(line.split(":", 1) for line in status)
    measures = protection and asdict(protection)
    print(json.dumps({"status": found, "measures": measures, "more": more}))

def failure(deed):
    try:
        deed()
    except LocalError as error:
        return str(error)
    return "none"
"""
)


class Told:
    """What a child has told about itself, and the kernel about it."""

    def __init__(self, code: str, *arguments: object, under: tuple[str, ...] = ()) -> None:
        said = json.loads(run(CODE + code, *arguments, under=under))
        self.status: dict[str, str] = said["status"]
        self.measures: dict[str, dict[str, object]] = said["measures"]
        self.more: dict[str, object] = said["more"]

    def active(self) -> set[str]:
        return {name for name, measure in self.measures.items() if measure["active"]}

    def text(self, measure: str) -> str:
        return str(self.measures[measure]["text"])

    def capabilities(self) -> set[int]:
        """The sets in which there may be any; they should be the same."""
        assert int(self.status["CapInh"], 16) == int(self.status["CapAmb"], 16) == 0
        return {int(self.status[f"Cap{name}"], 16) for name in ("Eff", "Prm", "Bnd")}

    def check_user(self, account: pwd.struct_passwd) -> None:
        assert self.status["Uid"].split() == [str(account.pw_uid)] * 4
        assert self.status["Gid"].split() == [str(account.pw_gid)] * 4
        wanted = os.getgrouplist(account.pw_name, account.pw_gid)
        assert sorted(map(int, self.status["Groups"].split())) == sorted(wanted)


@pytest.fixture
def field() -> Iterator[Path]:
    with open_field() as field:
        yield field


# Another user


@needs_root
@pytest.mark.root
def test_root_becomes_a_user_and_cannot_go_back(field: Path) -> None:
    code = """
privileges.become(nobody)
ways = [
    lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setresuid(0, 0, 0),
    lambda: os.setgid(0), lambda: os.setresgid(0, 0, 0), lambda: os.setgroups([0]),
    lambda: capabilities.capset(2, 2, 0), lambda: os.open("/etc/shadow", os.O_RDONLY),
]
tell(back=[said(way) for way in ways])
"""
    told = Told(code, field)
    told.check_user(NOBODY)
    assert int(told.status["CapEff"], 16) == int(told.status["CapPrm"], 16) == 0
    back = told.more["back"]
    assert isinstance(back, list)
    assert len(back) == 8
    assert set(back) == {"Operation not permitted", "Permission denied"}


@needs_root
@pytest.mark.root
def test_capabilities_that_outlive_root_are_dropped_with_it(field: Path) -> None:
    """With SECBIT_NO_SETUID_FIXUP a process keeps them when it becomes another user."""
    told = Told("syscalls.prctl(28, 4)\nprivileges.become(nobody)\ntell()", field)
    told.check_user(NOBODY)
    assert int(told.status["CapEff"], 16) == int(told.status["CapPrm"], 16) == 0


@needs_root
@pytest.mark.root
@pytest.mark.parametrize(
    ("sabotage", "complaint"),
    [
        ("os.setresuid = lambda *_: None", "altogether"),
        ("os.setresgid = lambda *_: None", "altogether"),
        ("os.setresuid = lambda *_: os.close(-1)", "Cannot become"),
        ("privileges._can_return = lambda: True", "can become root again"),
        ("os.initgroups = lambda *_: os.close(-1)", "Cannot become"),
    ],
)
def test_a_change_of_user_that_fails_is_never_passed_over(
    field: Path, sabotage: str, complaint: str
) -> None:
    told = Told(sabotage + "\ntell(failure=failure(lambda: privileges.become(nobody)))", field)
    assert complaint in str(told.more["failure"])


@needs_root
@pytest.mark.root
def test_who_is_not_root_stays_who_they_are(field: Path) -> None:
    code = (
        DROP
        + """
tell(
    same=failure(lambda: privileges.become(nobody)),
    other=failure(lambda: privileges.become(pwd.struct_passwd(("x", "", 4711, 4711, "", "", "")))),
    root=failure(lambda: privileges.apply(root, False, pwd.struct_passwd(
        ("root", "", 0, 0, "", "", "")))),
)
"""
    )
    told = Told(code, field)
    assert told.status["Uid"].split() == ["65534"] * 4
    assert told.more["same"] == "none"
    assert told.more["other"] == "Only root can become 'x'"
    assert told.more["root"] == "Only root can become 'root'"


# Everything together

LOOK = """
def look():
    return {
        "inside": said(lambda: os.open(root + "/plain", os.O_RDONLY)),
        "write": said(lambda: os.open(root + "/new", os.O_WRONLY | os.O_CREAT)),
        "outside": said(lambda: os.open(sys.argv[1] + "/secret", os.O_RDONLY)),
    }
"""
DENIED = "Permission denied"


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("uploads", [False, True])
def test_root_that_becomes_a_user_has_nothing_left(field: Path, uploads: bool) -> None:
    code = LOOK + f"tell(privileges.apply(root, {uploads}, nobody), **look())"
    told = Told(code, field)
    told.check_user(NOBODY)
    assert told.capabilities() == {0}
    assert told.status["NoNewPrivs"].strip() == "1"
    assert told.active() >= {"user", "groups", "no_new_privs", "capabilities"}
    assert ("landlock" in told.active()) == CONFINED
    assert told.text("user") == "it is nobody and cannot become root"
    assert told.more == {
        "inside": "may",
        "write": "may" if uploads or not CONFINED else DENIED,
        "outside": DENIED if CONFINED else "may",
    }


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("low_ports", [False, True])
@pytest.mark.parametrize("uploads", [False, True])
def test_root_that_stays_root_keeps_what_opens_files(
    field: Path, uploads: bool, low_ports: bool
) -> None:
    for name in ("plain", "sub"):
        os.chown(field / "root" / name, NOBODY.pw_uid, NOBODY.pw_gid)
        (field / "root" / name).chmod(0o700)
    code = f"""
protection = privileges.apply(root, {uploads}, low_ports={low_ports})
def bind():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 1000))
tell(
    protection,
    read=said(lambda: os.open(root + "/plain", os.O_RDONLY)),
    new=said(lambda: os.open(root + "/sub/new", os.O_WRONLY | os.O_CREAT)),
    chmod=said(lambda: os.chmod(root + "/plain", 0o600)),
    raw=said(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    bind=said(bind),
)
"""
    told = Told(code, field)
    wanted = DAC_READ_SEARCH | (DAC_OVERRIDE | FOWNER if uploads else 0)
    wanted |= NET_BIND_SERVICE if low_ports else 0
    assert told.capabilities() == {wanted}
    assert told.text("capabilities") == f"all are dropped but {spelled(wanted)}"
    assert told.measures["user"] == {"active": False, "text": "it is root"}
    assert told.more.pop("read") == "may"
    assert (told.more.pop("new") == "may") == uploads
    assert (told.more.pop("chmod") == "may") == uploads
    assert told.more.pop("raw") == "Operation not permitted"
    assert told.more["bind"] == "Address already in use" or (
        (told.more["bind"] == "may") == low_ports
    )


@AS
def test_whoever_was_never_root_is_confined_too(field: Path, drop: str) -> None:
    code = drop + LOOK + "tell(privileges.apply(root, False), **look())"
    told = Told(code, field)
    assert told.status["NoNewPrivs"].strip() == "1"
    assert ("landlock" in told.active()) == CONFINED
    assert told.more["inside"] == "may"
    assert told.more["outside"] == (DENIED if CONFINED else "may")
    if drop:
        assert {"user", "groups", "capabilities"} <= told.active()
        assert told.text("groups") == "those it was started with: nogroup"
        assert told.text("capabilities") == "none is left"


def test_who_does_not_want_to_be_confined_is_not(field: Path) -> None:
    told = Told(LOOK + "tell(privileges.apply(root, False, confine=False), **look())", field)
    assert set(told.more.values()) == {"may"}
    assert told.measures["landlock"] == {"active": False, "text": "it is not asked for"}
    assert told.status["NoNewPrivs"].strip() == "1"


@pytest.mark.skipif(not CONFINED, reason="this kernel has no Landlock")
def test_more_can_be_left_readable_and_a_failure_can_be_told(field: Path) -> None:
    (field / "rules").write_bytes(b"rules")
    code = """
protection = privileges.apply(root, True, readable=[sys.argv[1] + "/rules"])
try:
    Path(sys.argv[1], "secret").read_bytes()
except PermissionError:
    trace = traceback.format_exc()
tell(
    protection,
    rules=Path(sys.argv[1], "rules").read_text(),
    write=said(lambda: os.open(sys.argv[1] + "/rules", os.O_WRONLY)),
    null=said(lambda: os.open(os.devnull, os.O_WRONLY)),
    trace=trace.splitlines()[-1],
    zone=time.strftime("%H:%M", time.localtime(0)),
    idna="\\u00e9.example".encode("idna").decode(),
)
"""
    told = Told(code, field, under=("env", f"TZ=:{ZONE}"))
    assert str(told.more.pop("trace")).endswith("/secret'")
    assert told.more == {
        "zone": "05:30" if ZONE.exists() else "00:00",
        "rules": "rules",
        "write": DENIED,
        "null": "may",
        "idna": "xn--9ca.example",
    }


# What is told


@pytest.mark.parametrize(
    ("sabotage", "text"),
    [
        ("landlock.probe = lambda: (0, 'too old')", "too old"),
        ("landlock.enforce = lambda _: None", "forbids nothing"),
    ],
)
def test_landlock_is_not_believed_unseen(field: Path, sabotage: str, text: str) -> None:
    if "enforce" in sabotage and not CONFINED:
        pytest.skip("this kernel has no Landlock")
    told = Told(sabotage + "\ntell(privileges.apply(root, False))", field)
    assert "landlock" not in told.active()
    assert text in told.text("landlock")


def test_a_root_that_is_everything_is_no_protection(field: Path) -> None:
    told = Told("tell(privileges.apply('/', False))", field)
    assert "landlock" not in told.active()


def test_openat2_is_told_as_it_is(field: Path) -> None:
    folder = os.open(field, os.O_PATH)
    works = openat2.find(folder) is not None
    os.close(folder)
    told = Told("tell(privileges.apply(root, False))", field)
    assert ("openat2" in told.active()) == works
    code = "from tftp.net import openat2\nopenat2.find = lambda _: None\n"
    told = Told(code + "tell(privileges.apply(root, False))", field)
    assert "openat2" not in told.active()
    assert "this kernel has none" in told.text("openat2")


@pytest.mark.parametrize("uploads", [False, True])
@pytest.mark.parametrize("name", [None, "nobody"])
def test_a_trial_tells_what_would_be_and_changes_nothing(
    field: Path, uploads: bool, name: str | None
) -> None:
    if name and os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    account = pwd.getpwnam(name) if name else None
    status = Path("/proc/self/status")
    keys = ("Uid", "Gid", "Groups", "NoNewPrivs", "Cap")

    def state() -> list[str]:
        return [line for line in status.read_text().splitlines() if line.startswith(keys)]

    before, files = state(), open_files()
    code = "from tftp.net.privileges import *\nimport pwd, sys\n"
    code += f"account = {name and f'pwd.getpwnam({name!r})'}\n"
    code += f"root = sys.argv[1] + '/root'\nprint(probe(root, {uploads}, account).lines())\n"
    code += f"print(apply(root, {uploads}, account).lines())"
    trial, real = run(code, field).splitlines()
    assert trial == real
    assert len(privileges.probe(field / "root", uploads, account).lines()) == 6
    assert state() == before
    assert open_files() <= files, "those of earlier tests may be closed meanwhile"
    (field / "secret").read_bytes()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_lines_begin_with_what_they_are_about(field: Path) -> None:
    yes, no = privileges.Measure(True, "so it is"), privileges.Measure(False, "so it is not")
    protection = privileges.Protection(yes, yes, yes, yes, no, yes)
    assert protection.lines() == [
        "user: yes, so it is",
        "groups: yes, so it is",
        "no_new_privs: yes, so it is",
        "capabilities: yes, so it is",
        "landlock: no, so it is not",
        "openat2: yes, so it is",
    ]


def test_what_goes_wrong_in_a_trial_is_raised(field: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LocalError, match="nowhere' cannot be opened: No such file"):
        privileges.probe(field / "nowhere", uploads=False)

    def break_off(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(privileges, "apply", break_off)
    with pytest.raises(LocalError, match="ZeroDivisionError"):
        privileges.probe(field, uploads=False)
    monkeypatch.setattr(privileges, "apply", lambda *_, **__: os._exit(9))
    with pytest.raises(LocalError, match="died of it"):
        privileges.probe(field, uploads=False)
