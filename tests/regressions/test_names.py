"""Names that led out of the root of other servers, or told where it is."""

import os
from pathlib import Path

import pytest

from tests.regressions.check import GOOD, SECRET, answers, check_good, check_neighbours
from tests.server.lab import Lab, open_lab
from tests.server.wire import Peer, ack, data, oack, parse_error, rrq, wrq
from tftp.server import Upload

pytestmark = pytest.mark.regression


def check_kept_in(lab: Lab, *names: str | bytes) -> None:
    """Neither do these names give away what lies outside, nor put anything there."""
    for name in names:
        for mode in ("octet", "netascii"):
            answer = answers(lab, rrq(name, mode))
            assert answer[:3] == b"\0\5\0", (name, answer)
            assert answer[3] in (1, 2)
            assert SECRET not in answer
        answer = answers(lab, rrq(name, tsize=0, blksize=1024))
        assert answer[:3] == b"\0\5\0", (name, answer)
        try_to_write(lab, name)
    check_neighbours(lab.root)
    check_good(lab)


def try_to_write(lab: Lab, name: str | bytes) -> None:
    """Uploads under that name, if it may: some names are plain ones here."""
    peer = lab.peer()
    peer.ask(wrq(name))
    answer = peer.receive()
    if answer == ack(0):
        peer.say(data(1, b"planted"))
        peer.expect(ack(1))
    else:
        assert parse_error(answer)[0] in (1, 2, 6)


def up(name: str) -> tuple[str, ...]:
    """Ways to say that a file lies above."""
    return (
        *("../" * n + name for n in (1, 2, 3, 8)),
        *("..\\" * n + name for n in (1, 2, 8)),
        *(f"incoming/{'../' * n}{name}" for n in (1, 2, 3)),
        *(f"/../{name}", f"//../{name}", f"./../{name}", f".././{name}", f"good/../../{name}"),
        *(f"....//{name}", f".../{name}", f"..%2f{name}", f"%2e%2e/{name}", f"..;/{name}"),
        *(f"incoming\\..\\..\\{name}", f"missing/../../{name}", f"..//{name}", f"/.././{name}"),
    )


def test_cve_2012_6664_dots_and_backslashes_upwards(lab: Lab) -> None:
    """Distinct TFTP 3.10 read and wrote anywhere below the drive."""
    names = [name for name in up("secret") if name != "incoming/../secret"]
    check_kept_in(lab, *names, *up("outside/secret"), *up("outside/planted"))


def test_cve_2026_21620_names_joined_to_the_root_as_text(lab: Lab) -> None:
    """Erlang's tftp put the root before the name, and so `-sibling/x` was the neighbour's."""
    root = lab.root
    check_kept_in(
        lab,
        *("-sibling/secret", "../root-sibling/secret", "/-sibling/secret"),
        *(f"{root}-sibling/secret", f"{root}/../secret", f"{root}/secret"),
        *(f"{root.parent}/secret", f"/{root.parent}/secret"),
    )


def test_tftpy_110_a_neighbour_that_begins_like_the_root(lab: Lab) -> None:
    """tftpy before 0.8.1 compared the beginnings of two strings."""
    evil = lab.root.parent / "root-evil"
    check_kept_in(lab, "../root-evil/secret", f"{evil}/secret", f"{lab.root}/../root-evil/secret")


def test_ptftpd_4_a_name_that_begins_like_the_root_and_goes_up(lab: Lab) -> None:
    """ptftpd looked at the beginning only, and opened the rest as it stood."""
    check_kept_in(lab, f"{lab.root}/../outside/secret", f"{lab.root}/incoming/../../secret")


def test_tftpx_7_dots_behind_the_root(lab: Lab) -> None:
    """tftpx glued the two together and opened the result."""
    check_kept_in(lab, *("/.." * n + "/etc/passwd" for n in (1, 4, 12)), "../../../../etc/hostname")


def test_py3tftp_head_a_folder_that_is_there_and_then_upwards(lab: Lab) -> None:
    """py3tftp 1.3.0 takes the dots for harmless behind a folder that exists."""
    check_kept_in(lab, "incoming/../../outside/secret", "incoming/../../secret")


def test_fbtftp_example_an_absolute_name(lab: Lab) -> None:
    """os.path.join forgets the root where the name is absolute; here it lies below the root."""
    check_kept_in(lab, "/etc/passwd", "//etc/passwd", f"{lab.root.parent}/outside/secret")
    assert lab.peer().fetch("/good") == GOOD
    assert lab.peer().fetch("//good") == GOOD


def test_jumpstarter_346_and_jumpstarter_348_what_the_files_library_resolves(lab: Lab) -> None:
    """jumpstarter asked its files whether a name exists, and did not ask where."""
    check_kept_in(lab, "..", "../secret", "good/../../secret", "good/..", "/etc/passwd")
    assert answers(lab, rrq(".."))[:4] == b"\0\5\0\2"
    for name in ("good.", "..good", "good..img"):  # dots are no crime
        (lab.root / name).write_bytes(GOOD)
        assert lab.peer().fetch(name) == GOOD


def test_jumpstarter_348_and_tftpx_7_links_out_of_the_root(lab: Lab) -> None:
    """The same by a link, of a file, of a folder, or in steps."""
    (lab.root / "file").symlink_to(lab.root.parent / "secret")
    (lab.root / "folder").symlink_to("../outside")
    (lab.root / "incoming" / "step").symlink_to("../folder")
    (lab.root / "proc").symlink_to("/proc/self/root")
    check_kept_in(lab, "file", "folder/secret", "incoming/step/secret", "proc/etc/passwd")
    check_kept_in(lab, "folder/planted", "incoming/step/planted")


def test_tqftpserv_44_an_upload_upwards(root: Path) -> None:
    """Names of WRQs went unchecked; here in each way of taking uploads."""
    for policy in (Upload.CREATE, Upload.OVERWRITE, Upload.RENAME):
        with open_lab(root, upload=policy) as lab:
            for name in ("../planted", "../outside/secret", "incoming/../../planted", "/../secret"):
                peer = lab.peer()
                peer.ask(wrq(name))
                peer.expect_error(2)
            check_neighbours(root)
            check_good(lab)


def test_tqftpserv_50_zero_is_a_value_and_an_absolute_rest_a_name(lab: Lab) -> None:
    """A tsize of 0 was taken for no tsize, and what was left of a name could be absolute."""
    assert answers(lab, rrq("empty", tsize=0)) == oack(tsize=0)
    assert answers(lab, rrq("good", tsize=0)) == oack(tsize=len(GOOD))
    assert answers(lab, rrq("good")) == data(1, GOOD[:512])
    peer = lab.peer()
    peer.store("incoming/none", b"", tsize=0)
    assert (lab.root / "incoming" / "none").read_bytes() == b""
    lab.peer().store("/incoming//planted", b"planted")
    assert (lab.root / "incoming" / "planted").read_bytes() == b"planted"
    check_neighbours(lab.root)
    check_good(lab)


# What an ERROR tells


def test_dnsmasq_changelog_2_77_an_error_is_as_long_as_its_text(lab: Lab) -> None:
    """Of a name of over 500 octets dnsmasq sent what lay behind its message in the buffer."""
    for length in (1, 100, 255, 256, 480, 500, 512, 600, 1200, 2000):
        for datagram in (
            rrq("n" * length),
            rrq("n" * length, blksize=1024),
            rrq("n", "m" * length),
        ):
            answer = answers(lab, datagram)
            _, text = parse_error(answer)
            assert len(answer) == 4 + len(text) + 1 <= 516
            assert "nn" not in text
            assert "mmm" not in text
    check_good(lab)


def check_tells_no_place(lab: Lab, datagrams: tuple[bytes, ...]) -> None:
    parts = {part for part in lab.root.parts if len(part) > 1}
    for datagram in datagrams:
        _, text = parse_error(answers(lab, datagram))
        assert not any(part in text for part in parts), text
        assert "/" not in text


def test_dnsmasq_path_leak_reads(lab: Lab) -> None:
    """dnsmasq says in its ERROR which file of the machine it did not find."""
    (lab.root / "out").symlink_to("/etc/passwd")
    (lab.root / "loop").symlink_to("loop")
    os.mkfifo(lab.root / "pipe")
    names = ("x", "incoming/x", "good/x", "incoming", "out", "loop", "pipe", "../x", "n" * 300)
    check_tells_no_place(lab, tuple(rrq(name) for name in names))
    check_good(lab)


def test_rs_tftpd_path_leak_writes(lab: Lab) -> None:
    """rs-tftpd does so too; of uploads there is more to tell."""
    names = (
        "good",
        "incoming",
        "good/x",
        "nowhere/x",
        "../x",
        "n" * 300,
        ".tftp-0123456789ab.part",
    )
    check_tells_no_place(lab, tuple(wrq(name) for name in names))
    check_good(lab)


def test_rs_tftpd_path_leak_under_way(lab: Lab) -> None:
    """A file that is cut off while it is sent: the ERROR in the middle tells no place either."""
    (lab.root / "shrinks").write_bytes(GOOD * 100)
    peer: Peer = lab.peer()
    peer.ask(rrq("shrinks"))
    peer.receive()
    os.truncate(lab.root / "shrinks", 0)
    packet = b""
    for number in range(1, 2000):  # what was read ahead still comes
        peer.say(ack(number))
        packet = peer.receive()
        if packet[:2] == b"\0\5":
            break
    _, text = parse_error(packet)
    assert "/" not in text
    assert "shrinks" not in text
    check_good(lab)
