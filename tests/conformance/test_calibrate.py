"""What calibration finds out, tried on sorts of our server whose manners are known."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.calibrate import calibrate
from conformance.fixtures import CANARY, FIXTURES, content, write_fixtures
from conformance.server_trial import Manners, ServerTarget, ServerTrial
from tests.conformance.endpoint import Quirk, Said
from tests.conformance.kinds import ONE_PORT, OPTIONLESS
from tests.conformance.selfrun import HOST
from tests.conformance.server_actor import ServerActor, ServerKind
from tests.conformance.world import Address, World
from tftp.protocol.pace import Timing
from tftp.server.config import Upload


class Mute(Quirk):
    """Says nothing."""

    def says(self, datagram: bytes, to: Address) -> Said:
        return ()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrate") / "root"
    write_fixtures(folder)
    return folder


def found(root: Path, kind: ServerKind, **target: object) -> tuple[str, ServerTarget]:
    """Calibrates against that sort of server; returns what is the trouble, and the target."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        server = ServerActor(world, root, kind, patch)
        described = replace(ServerTarget(server.address), **target)  # type: ignore[arg-type]
        try:
            return calibrate(world, HOST, described), described
        finally:
            server.close()


def manners(root: Path, kind: ServerKind, **target: object) -> Manners:
    trouble, described = found(root, kind, **target)
    assert trouble == ""
    return described.manners


def test_an_ordinary_server(root: Path) -> None:
    seen = manners(root, ServerKind())
    assert seen.missing == set()
    assert {"blksize", "timeout", "tsize", "windowsize"} <= seen.options
    assert "multicast" not in seen.options
    assert (seen.creates, seen.overwrites, seen.single_port) == (True, True, False)


def test_the_timer_is_measured(root: Path) -> None:
    slow = Timing(first=2.0, floor=0.5, least=0.5)
    seen = manners(root, ServerKind(timing=slow))
    assert seen.first_interval == pytest.approx(0.5, abs=0.01)
    assert seen.flow_interval == pytest.approx(0.5, abs=0.01)


def test_a_timer_that_does_not_adapt(root: Path) -> None:
    fixed = Timing(first=3.0, floor=3.0, least=3.0)
    seen = manners(root, ServerKind(timing=fixed))
    assert seen.first_interval == pytest.approx(3.0, abs=0.01)
    assert seen.flow_interval == pytest.approx(3.0, abs=0.01)


def test_a_server_that_never_repeats(root: Path) -> None:
    patient = Timing(first=60.0, floor=60.0, least=60.0, ceiling=60.0)
    seen = manners(root, ServerKind(timing=patient))
    assert seen.first_interval is None
    assert seen.flow_interval is None


def test_a_server_without_options(root: Path) -> None:
    assert manners(root, OPTIONLESS).options == set()


@pytest.mark.parametrize(
    ("upload", "creates", "overwrites"),
    [
        (Upload.DENY, False, False),
        (Upload.CREATE, True, False),
        (Upload.OVERWRITE, True, True),
    ],
)
def test_uploads(tmp_path: Path, upload: Upload, creates: bool, overwrites: bool) -> None:
    folder = tmp_path / "root"
    write_fixtures(folder)
    seen = manners(folder, ServerKind(upload=upload))
    assert (seen.creates, seen.overwrites) == (creates, overwrites)


def test_uploads_are_not_tried_unasked(root: Path) -> None:
    before = set(root.iterdir())
    seen = manners(root, ServerKind(), writes=False)
    assert (seen.creates, seen.overwrites) == (False, False)
    assert set(root.iterdir()) == before


def test_one_port_for_all(root: Path) -> None:
    assert manners(root, ONE_PORT).single_port


def test_what_is_missing_is_known_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "root"
    write_fixtures(folder)
    (folder / "b1024").unlink()
    (folder / "UPPER").unlink()
    assert manners(folder, ServerKind()).missing == {"b1024", "UPPER"}


def test_nobody_answers(root: Path) -> None:
    trouble, _ = found(root, ServerKind(quirk=Mute))
    assert "nothing answers at 127.0.0.1 port 69" in trouble


def test_no_fixtures_at_all(tmp_path: Path) -> None:
    trouble, _ = found(tmp_path, ServerKind())
    assert "lay the fixtures out" in trouble


def test_a_file_of_the_operators_own(tmp_path: Path) -> None:
    octets = content(20_000, 5)
    digest = hashlib.sha256(octets).hexdigest()
    (tmp_path / "mine").write_bytes(octets)
    _, target = found(tmp_path, ServerKind(), known=("mine", digest))
    assert target.stand_in == octets
    for known, words in {
        ("mine", digest[::-1]): "another SHA-256",
        ("yours", digest): "could not be fetched",
    }.items():
        trouble, _ = found(tmp_path, ServerKind(), known=known)
        assert words in trouble


def test_a_moment_is_shorter_than_half_of_any_interval() -> None:
    target = ServerTarget(("127.0.0.1", 69))
    trial = ServerTrial(World(), HOST, target)
    for first, flow, moment in [(1.0, 0.1, 0.05), (1.0, None, 0.5), (None, None, 1.5)]:
        target.manners.first_interval, target.manners.flow_interval = first, flow
        assert trial.moment == pytest.approx(moment)
        assert trial.resend > (first or 8.0) * 2


def test_the_fixtures_are_as_said(root: Path) -> None:
    for name, octets in FIXTURES.items():
        assert (root / name).read_bytes() == octets
    assert (root.parent / "canary").read_bytes() == CANARY
    assert len(FIXTURES["roll"]) // 8 > 65_536, "with small blocks its numbers wrap"
    blocks = [FIXTURES["b10k"][start : start + 512] for start in range(0, 10240, 512)]
    assert len(set(blocks)) == len(blocks), "a block in the wrong place is seen"
