"""Names that try to leave the folder, and files that are none, tried against servers.

Beside the folder of fixtures lie canaries. Whoever gets one of them, or anything that the
system holds elsewhere, has broken out; which ERROR a server answers with is its own choice.
"""

from collections.abc import Iterable

from ..catalogue import server_case
from ..fixtures import CANARY, release_pipe
from ..server_steps import answers_to, judge_refusal
from ..server_trial import ServerTrial
from ..wire import ACK, DATA, Packet, Text, ack, data, rrq, wrq

REFUSALS = (0, 1, 2, 4)
PASSWD = b"root:"


def _stays_inside(t: ServerTrial, names: Iterable[Text], *, served: bool = False) -> None:
    """Asks for each name; `served`: a file of the folder itself may be answered with."""
    requests = {repr(name): rrq(name) for name in names}
    for name, client, answer in answers_to(t, requests):
        if answer is None:
            t.lenient(f"{name}: no answer at all")
        elif answer.kind == DATA:
            _is_no_secret(t, name, answer)
            if not served:
                t.policy(f"{name} was served, with octets from inside the folder")
            client.send(ack(1))
        else:
            judge_refusal(t, answer, REFUSALS, what=name)
    t.alive()


def _is_no_secret(t: ServerTrial, name: str, answer: Packet) -> None:
    t.check(CANARY not in answer.payload, f"{name} led out of the folder, to the canary")
    t.check(not answer.payload.startswith(PASSWD), f"{name} led to /etc/passwd")


@server_case("SEC-PATH-01")
def parent_steps_lead_nowhere(t: ServerTrial) -> None:
    """Parent steps at the front, in the middle, doubled, and many of them up to the top."""
    steps = ["../canary", "../../canary", "/../canary", "subdir/../../canary", "./../canary"]
    steps += ["subdir/.././../canary", "....//canary", "..;/canary", ".../canary"]
    steps += ["../" * level + "etc/passwd" for level in range(1, 13)]
    _stays_inside(t, steps)


@server_case("SEC-PATH-02")
def uploads_lead_nowhere_either(t: ServerTrial) -> None:
    """An upload outside the folder would be worse than a read; DATA is sent if it is taken."""
    tag = t.new_name().replace("/", "-")
    names = [f"../{tag}", f"subdir/../../{tag}", f"/tmp/{tag}"]
    for name, client, answer in answers_to(t, {name: wrq(name) for name in names}):
        if answer is not None and answer.kind == ACK:
            client.send(data(1, b"out"))
            client.hear(1.0)
        else:
            judge_refusal(t, answer, REFUSALS, what=name, silence="no answer at all")
    if t.target.root is not None:
        outside = t.target.root.parent / tag
        t.check(not outside.exists(), "an upload has left the folder")
    t.alive()


@server_case("SEC-PATH-03")
def backslashes_lead_nowhere(t: ServerTrial) -> None:
    """Windows reads them as separators; elsewhere they are letters of a name."""
    _stays_inside(t, ["..\\canary", "subdir\\..\\..\\canary", "..\\/canary", "\\canary"])


@server_case("SEC-PATH-04")
def names_are_not_decoded_a_second_time(t: ServerTrial) -> None:
    """Percent signs, over-long and full-width dots: once decoded they would be steps."""
    names: list[Text] = ["%2e%2e/canary", "%2e%2e%2fcanary", "..%5ccanary", "%252e%252e/canary"]
    names += [b"\xc0\xae\xc0\xae/canary", "\uff0e\uff0e/canary", b"..\xc0\xafcanary"]
    _stays_inside(t, names)


@server_case("SEC-PATH-05")
def absolute_names_stay_inside(t: ServerTrial) -> None:
    """Refused, or taken from the folder: both are found. The canary's own path is asked for."""
    names = ["/etc/passwd", "//etc/passwd", "/b511", "//b511"]
    if t.target.root is not None:
        root = t.target.root.resolve()
        names += [str(root.parent / "canary"), str(root / "b511")]
    _stays_inside(t, names)


@server_case("SEC-PATH-06")
def a_folder_with_a_like_name_is_outside(t: ServerTrial) -> None:
    """A check that compares the beginnings of paths lets the neighbour through."""
    root = t.needs_root().resolve()
    private = f"{root.name}-private/secret"
    _stays_inside(t, [f"../{private}", f"{root.parent}/{private}", f"subdir/../../{private}"])


@server_case("SEC-PATH-07")
def names_of_other_systems_are_just_names(t: ServerTrial) -> None:
    """Drives, shares, devices and streams of Windows; nothing may hang on a device."""
    names = ["C:\\canary", "C:canary", "\\\\host\\share\\c", "//./C:/c", "CON", "NUL"]
    names += ["COM1.txt", "b511::$DATA", "b511.", "b511 "]
    _stays_inside(t, names)


@server_case("SEC-PATH-08")
def a_zero_octet_ends_the_name(t: ServerTrial) -> None:
    """What stands behind it is the mode, and lifts no check of the name's ending."""
    request = b"\0\1../canary\0.img\0octet\0"
    for name, _, answer in answers_to(t, {"../canary NUL .img": request}):
        if answer is not None and answer.kind == DATA:
            _is_no_secret(t, name, answer)
            t.fail("a request with the mode .img was served")
        judge_refusal(t, answer, REFUSALS, silence="no answer at all")
    t.alive()


@server_case("SEC-PATH-09")
def links_inside_the_folder(t: ServerTrial) -> None:
    """A choice of the server's: what it does is reported."""
    if t.target.root is not None and not (t.target.root / "link_in").is_symlink():
        t.skip("the target's folder holds no link")
    found = t.read("link_in")
    t.policy("served" if found.complete else f"not served: {found.trouble}")


@server_case("SEC-PATH-10")
def links_that_lead_outside(t: ServerTrial) -> None:
    """The operator may have laid it on purpose: served is reported, not judged."""
    if t.target.root is None or not (t.target.root / "link_out").is_symlink():
        t.skip("it takes a folder that the suite can see, with a link that leads out of it")
    found = t.read("link_out")
    if CANARY in found.content:
        t.policy("a link that leads out of the folder is followed")


@server_case("SEC-PATH-11")
def a_folder_is_no_file(t: ServerTrial) -> None:
    """Neither a listing nor an empty file: an ERROR, and the server lives on."""
    names = ["subdir", ".", "/", "subdir/"]
    requests = {f"RRQ {name}": rrq(name) for name in names}
    if t.manners.creates:
        requests["WRQ subdir"] = wrq("subdir")
    for what, client, answer in answers_to(t, requests):
        if answer is not None and answer.kind == ACK and answer.block == 0:
            client.send(data(1, b"x"))
            answer = client.anything(2.0)
        judge_refusal(t, answer, REFUSALS, what=what, silence="no answer at all")
    t.alive()


@server_case("SEC-PATH-12", alone=True)
def a_pipe_blocks_nobody(t: ServerTrial) -> None:
    """To open a pipe without a writer waits for one; whoever does so serves nobody else."""
    if t.target.root is None or not (t.target.root / "pipe").is_fifo():
        t.skip("it takes a folder that the suite can see, with a pipe in it")
    client = t.client()
    client.ask(rrq("pipe"))
    answer = client.hear(2.0)
    try:
        t.alive()
    finally:
        _release(t, "pipe")
    judge_refusal(t, answer, REFUSALS, what="a pipe", silence="no answer at all")


def _release(t: ServerTrial, name: str) -> None:
    """Opens the other end for a moment, so that a server that hangs there is free again."""
    if t.target.root is not None:
        release_pipe(t.target.root / name)


@server_case("SEC-PATH-13")
def names_with_a_dot(t: ServerTrial) -> None:
    """A choice of the server's: what it does is reported."""
    for name, client, answer in answers_to(t, {name: rrq(name) for name in (".hidden", "b511~")}):
        served = answer is not None and answer.kind == DATA
        t.policy(f"{name}: {'served' if served else answer or 'no answer'}")
        if served:
            client.send(ack(1))


@server_case("SEC-PATH-14")
def what_may_be_written(t: ServerTrial) -> None:
    """Read-only, or no overwriting, is what most want as a default; reported."""
    if not t.manners.creates:
        t.policy("takes no uploads")
    elif t.manners.overwrites:
        t.policy("takes uploads, and puts them over files that exist")
    else:
        t.policy("takes uploads to new names only")


@server_case("SEC-PATH-15")
def uploads_are_not_executable(t: ServerTrial) -> None:
    """A script that was uploaded must not run by itself."""
    root = t.needs_root()
    name = t.new_name() + ".sh"
    t.check(t.write(name, b"#!/bin/sh\n").complete, f"the upload of {name} failed")
    t.holds(name, b"#!/bin/sh\n")
    mode = (root / name).stat().st_mode
    t.check(not mode & 0o7111, f"an upload got the mode {mode & 0o7777:o}")
