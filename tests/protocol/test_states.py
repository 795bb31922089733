"""The machine: every state x stimulus x role, driven by real datagrams and real time.

The table is written out a second time here, so that a slip in the product's table shows
as a difference, and every pair of it is reached with real `Sender`s and `Receiver`s. What
is not in the table is tried as well: it must change nothing.
"""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.ladder import ADDRESSES, PEER, Stage, octets_of, terms
from tests.protocol.stages import client_read, client_write, server_read, server_write
from tftp.protocol.__main__ import page
from tftp.protocol.options import Wish
from tftp.protocol.sender import Sender
from tftp.protocol.states import MACHINE, State, Stimulus

ROOT = Path(__file__).parents[2]

O, S, D, DONE, FAILED = State  # noqa: E741 - one letter, so that the table below is a table

# stimulus: what follows from OPENING, STREAMING, DALLYING; None: cannot happen there
TABLE: dict[Stimulus, tuple[State | None, State | None, State | None]] = {
    Stimulus.ANSWER: (S, None, None),
    Stimulus.PROGRESS: (None, S, None),
    Stimulus.STALE: (O, S, D),
    Stimulus.LAST_ACK: (DONE, DONE, None),
    Stimulus.LAST_DATA: (D, D, None),
    Stimulus.REFUSED: (FAILED, None, None),
    Stimulus.ILLEGAL: (FAILED, FAILED, None),
    Stimulus.EXPIRED: (O, S, DONE),
    Stimulus.GIVEN_UP: (FAILED, FAILED, None),
    Stimulus.UNCONFIRMED: (None, DONE, None),
    Stimulus.PEER_ERROR: (FAILED, FAILED, DONE),
    Stimulus.STRANGER: (O, S, D),
    Stimulus.ABORTED: (FAILED, FAILED, FAILED),
}

Make = Callable[[], Stage]
Act = Callable[[Stage], None]


def test_the_machine_is_the_table() -> None:
    expected = {
        state: {stimulus: row[i] for stimulus, row in TABLE.items() if row[i] is not None}
        for i, state in enumerate((O, S, D))
    }
    assert {**expected, DONE: {}, FAILED: {}} == MACHINE


def test_every_state_and_stimulus_is_explained() -> None:
    for member in (*State, *Stimulus):
        assert len(member.value.split()) >= 3
    assert set(TABLE) == set(Stimulus)


# Real transfers in every state

WISH = Wish(block_size=8)
ONE_AND_A_HALF = 12  # octets: a full block and a short one


def hears(words: str, source: str = "peer") -> Act:
    def act(stage: Stage) -> None:
        for datagram in octets_of(words):
            stage.hear(datagram, ADDRESSES[source])

    return act


def waits(stage: Stage) -> None:
    """Lets one deadline pass."""
    assert stage.transfer.deadline is not None
    stage.advance(stage.transfer.deadline)


def waits_in_vain(stage: Stage) -> None:
    """Lets all patience pass: one step before the end, the state is still what it was."""
    before = stage.transfer.state
    while stage.transfer.outcome is None:
        assert stage.transfer.state is before
        waits(stage)


def aborts(stage: Stage) -> None:
    stage.transfer.abort(0, "Stopped")
    stage.listen()


def after(make: Make, *acts: Act) -> Make:
    def made() -> Stage:
        stage = make()
        for act in acts:
            act(stage)
        return stage

    return made


def plain_read() -> Stage:
    return server_read(600)


def read_8() -> Stage:
    return server_read(ONE_AND_A_HALF, terms(8))


def write_8() -> Stage:
    return server_write(terms(8))


def get_8() -> Stage:
    return client_read(WISH)


def put_8() -> Stage:
    return client_write(ONE_AND_A_HALF, WISH)


READS = after(read_8, hears("ACK 0"))
WRITES = after(write_8, hears("DATA 1 8"))
GETS = after(get_8, hears("OACK blksize=8"))
PUTS = after(put_8, hears("OACK blksize=8"))

STAGES: dict[tuple[State, str], Make] = {
    (O, "server, plain read"): plain_read,
    (O, "server, read"): read_8,
    (O, "server, write"): write_8,
    (O, "client, read"): get_8,
    (O, "client, write"): put_8,
    (S, "server, plain read"): after(plain_read, hears("ACK 1")),
    (S, "server, read"): READS,
    (S, "server, write"): WRITES,
    (S, "client, read"): GETS,
    (S, "client, write"): PUTS,
    (D, "server, write"): after(WRITES, hears("DATA 2 0")),
    (D, "client, read"): after(GETS, hears("DATA 1 3")),
    (DONE, "server, read"): after(READS, hears("ACK 1"), hears("ACK 2")),
    (DONE, "client, write"): after(PUTS, hears("ACK 1"), hears("ACK 2")),
    (DONE, "server, write"): after(WRITES, hears("DATA 2 0"), waits),
    (DONE, "client, read"): after(GETS, hears("DATA 1 3"), waits),
    (FAILED, "server, read"): after(READS, hears("ERROR 0 stop")),
    (FAILED, "server, write"): after(WRITES, aborts),
    (FAILED, "client, read"): after(GETS, hears("DATA 1 9")),
    (FAILED, "client, write"): after(put_8, hears("OACK blksize=9")),
}

# How each stimulus comes about, where it can: (state, role, stimulus) -> what is done.
ACTS: dict[tuple[State, str, Stimulus], Act] = {
    (O, "server, plain read", Stimulus.ANSWER): hears("ACK 1"),
    (O, "server, read", Stimulus.ANSWER): hears("ACK 0"),
    (O, "server, write", Stimulus.ANSWER): hears("DATA 1 8"),
    (O, "client, read", Stimulus.ANSWER): hears("OACK blksize=8"),
    (O, "client, write", Stimulus.ANSWER): hears("OACK"),
    (S, "server, plain read", Stimulus.PROGRESS): hears("ACK 2"),
    (S, "server, read", Stimulus.PROGRESS): hears("ACK 1"),
    (S, "server, write", Stimulus.PROGRESS): hears("DATA 2 8"),
    (S, "client, read", Stimulus.PROGRESS): hears("DATA 1 8"),
    (S, "client, write", Stimulus.PROGRESS): hears("ACK 1"),
    (O, "server, plain read", Stimulus.STALE): hears("ACK 0"),
    (O, "server, read", Stimulus.STALE): hears("ACK 1"),
    (O, "server, write", Stimulus.STALE): hears("DATA 2 8"),
    (O, "client, read", Stimulus.STALE): hears("DATA 2 8"),
    (O, "client, write", Stimulus.STALE): hears("ACK 1"),
    (S, "server, plain read", Stimulus.STALE): hears("ACK 0"),
    (S, "server, read", Stimulus.STALE): hears("ACK 0"),
    (S, "server, write", Stimulus.STALE): hears("DATA 1 8"),
    (S, "client, read", Stimulus.STALE): hears("OACK blksize=8"),
    (S, "client, write", Stimulus.STALE): hears("ACK 9"),
    (D, "server, write", Stimulus.STALE): hears("DATA 2 0"),
    (D, "client, read", Stimulus.STALE): hears("DATA 1 3"),
    (O, "server, plain read", Stimulus.LAST_ACK): hears("ACK 1"),
    (S, "server, plain read", Stimulus.LAST_ACK): hears("ACK 2"),
    (S, "server, read", Stimulus.LAST_ACK): hears("ACK 2"),
    (S, "client, write", Stimulus.LAST_ACK): hears("ACK 2"),
    (O, "server, write", Stimulus.LAST_DATA): hears("DATA 1 7"),
    (O, "client, read", Stimulus.LAST_DATA): hears("DATA 1 511"),
    (S, "server, write", Stimulus.LAST_DATA): hears("DATA 2 7"),
    (S, "client, read", Stimulus.LAST_DATA): hears("DATA 1 0"),
    (O, "client, read", Stimulus.REFUSED): hears("OACK blksize=9"),
    (O, "client, write", Stimulus.REFUSED): hears("OACK foo=1"),
    (O, "server, write", Stimulus.ILLEGAL): hears("DATA 1 9"),
    (O, "client, read", Stimulus.ILLEGAL): hears("DATA 1 513"),
    (S, "server, write", Stimulus.ILLEGAL): hears("DATA 2 9"),
    (S, "client, read", Stimulus.ILLEGAL): hears("DATA 1 9"),
    (S, "server, plain read", Stimulus.UNCONFIRMED): waits_in_vain,
    (S, "server, read", Stimulus.UNCONFIRMED): waits_in_vain,
    (S, "client, write", Stimulus.UNCONFIRMED): waits_in_vain,
}

# The stages that some stimulus needs instead: a file of another length, a block further on.
BEFORE: dict[tuple[State, str, Stimulus], Make] = {
    (O, "server, plain read", Stimulus.LAST_ACK): lambda: server_read(511),
    (S, "server, plain read", Stimulus.PROGRESS): after(lambda: server_read(2000), hears("ACK 1")),
    (S, "server, read", Stimulus.LAST_ACK): after(READS, hears("ACK 1")),
    (S, "client, write", Stimulus.LAST_ACK): after(PUTS, hears("ACK 1")),
    (S, "server, read", Stimulus.UNCONFIRMED): after(READS, hears("ACK 1")),
    (S, "client, write", Stimulus.UNCONFIRMED): after(PUTS, hears("ACK 1")),
    (S, "server, plain read", Stimulus.GIVEN_UP): after(lambda: server_read(2000), hears("ACK 1")),
}

for _state, _role in STAGES:
    if MACHINE[_state]:
        ACTS[_state, _role, Stimulus.EXPIRED] = waits
        ACTS[_state, _role, Stimulus.PEER_ERROR] = hears("ERROR 0 stop")
        ACTS[_state, _role, Stimulus.STRANGER] = hears("DATA 1 8", "stranger")
        ACTS[_state, _role, Stimulus.ABORTED] = aborts
    if _state in (O, S):
        ACTS[_state, _role, Stimulus.GIVEN_UP] = waits_in_vain


def named(case: tuple[State, str, Stimulus]) -> str:
    return f"{case[0].name}-{case[1]}-{case[2].name}"


@pytest.mark.parametrize(("state", "role"), STAGES, ids=lambda value: getattr(value, "name", value))
def test_stages_stand_where_they_say(state: State, role: str) -> None:
    transfer = STAGES[state, role]().transfer
    assert transfer.state is state
    assert transfer.opening == (state is O)


@pytest.mark.parametrize("case", ACTS, ids=named)
def test_a_stimulus_leads_to_the_next_state(case: tuple[State, str, Stimulus]) -> None:
    state, role, stimulus = case
    stage = BEFORE.get(case, STAGES[state, role])()
    assert stage.transfer.state is state
    ACTS[case](stage)
    assert stage.transfer.state is MACHINE[state][stimulus]
    over = stage.transfer.state in (DONE, FAILED)
    assert (stage.transfer.deadline is None) == over
    assert (stage.transfer.outcome is not None) == (over or stage.transfer.state is D)
    if stage.transfer.outcome is not None and stimulus is not Stimulus.ABORTED:
        assert stage.transfer.outcome.ok == (stage.transfer.state is not FAILED)


def test_every_pair_of_the_table_is_reached() -> None:
    reached = {(state, stimulus) for state, _, stimulus in ACTS}
    assert reached == {(state, stimulus) for state in MACHINE for stimulus in MACHINE[state]}


def test_every_role_meets_every_stimulus_that_it_can() -> None:
    """Senders get ACKs, receivers get DATA, and only a client is answered by an OACK."""
    for state, role in STAGES:
        if not MACHINE[state]:
            continue
        met = {stimulus for s, r, stimulus in ACTS if (s, r) == (state, role)}
        missing = set(MACHINE[state]) - met
        sends = role in ("server, plain read", "server, read", "client, write")
        allowed = {Stimulus.LAST_DATA, Stimulus.ILLEGAL} if sends else {Stimulus.LAST_ACK}
        allowed |= set() if sends else {Stimulus.UNCONFIRMED}
        allowed |= {Stimulus.REFUSED} if role.startswith("server") else set()
        if state is O and role in ("server, read", "client, write"):
            allowed |= {Stimulus.LAST_ACK}  # no DATA has gone out that could be acknowledged
        assert missing <= allowed, (state, role)


# What is not in the table, or comes when all is over

ANYTHING = [
    *(f"ACK {n}" for n in (0, 1, 2, 3, 65535)),
    *(f"DATA {n} {size}" for n in (0, 1, 2, 3, 65535) for size in (0, 7, 8)),
    "DATA 1 9",
    "OACK",
    "OACK blksize=8",
    "OACK blksize=9",
    "OACK foo=1",
    "ERROR 0 stop",
    "ERROR 5 Unknown transfer ID",
    "RRQ f octet",
    "WRQ f octet blksize=8",
    *("HEX", "HEX 00", "HEX 0003", "HEX 000400", "HEX 0007", "HEX 00630001", "HEX ffff"),
]
OVER = [key for key in STAGES if not MACHINE[key[0]]]


@pytest.mark.parametrize(("state", "role"), OVER, ids=lambda value: getattr(value, "name", value))
def test_what_is_over_swallows_everything(state: State, role: str) -> None:
    """RFC1350-6-11, RFC1350-7-02: no answer, no change, no deadline."""
    stage = STAGES[state, role]()
    stage.said.clear()
    before = (stage.transfer.outcome, stage.transfer.resent, stage.transfer.timeouts)
    stored, blocks = list(stage.stored), list(stage.blocks)
    for words in ANYTHING:
        for source in ADDRESSES:
            hears(words, source)(stage)
    stage.transfer.expire(1e6)
    stage.transfer.abort(3, "Disk full")
    stage.transfer.ask_again(1e6)
    stage.transfer.hush()
    stage.listen()
    assert stage.said == []
    assert stage.transfer.state is state
    assert (stage.stored, stage.blocks) == (stored, blocks)
    assert before == (stage.transfer.outcome, stage.transfer.resent, stage.transfer.timeouts)
    assert stage.transfer.deadline is None


LIVE = [key for key in STAGES if MACHINE[key[0]]]


@pytest.mark.parametrize(("state", "role"), LIVE, ids=lambda value: getattr(value, "name", value))
@pytest.mark.parametrize("words", ANYTHING)
def test_whatever_comes_leads_along_an_edge_of_the_table(
    state: State, role: str, words: str
) -> None:
    """ROB-LOAD-09: no packet of any kind leads anywhere else, or raises."""
    edges = {state, *MACHINE[state].values()}
    for source in ADDRESSES:
        stage = STAGES[state, role]()
        hears(words, source)(stage)
        assert stage.transfer.state in edges
        if source == "stranger":
            assert stage.transfer.state is state


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(ANYTHING), st.sampled_from([*ADDRESSES, "peer", "peer"])),
        st.floats(0.0, 9.0),
    ),
    max_size=25,
)


@given(st.sampled_from(LIVE), steps)
def test_any_walk_stays_on_the_edges_of_the_table(
    start: tuple[State, str], walk: list[tuple[str, str] | float]
) -> None:
    """ROB-LOAD-09, ROB-LOAD-12: datagrams and time in any order."""
    stage = STAGES[start]()
    for step in walk:
        before = stage.transfer.state
        if isinstance(step, float):
            transfer = stage.transfer
            if transfer.deadline is not None:
                stage.now = max(stage.now, min(transfer.deadline, stage.now + step))
                transfer.expire(stage.now)
                stage.listen()
        else:
            hears(*step)(stage)
        now = stage.transfer.state
        assert now is before or now in MACHINE[before].values()
        if isinstance(stage.transfer, Sender) and now is DONE:
            assert stage.blocks, "nothing was sent, yet all is done"


# The drawing


def test_the_drawing_in_the_docs_is_fresh() -> None:
    """`python -m tftp.protocol > docs/states.md` makes it so."""
    assert (ROOT / "docs" / "states.md").read_text("utf-8") == page()


def test_the_drawing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    module = ROOT / "tftp" / "protocol" / "__main__.py"
    runpy.run_path(str(module), run_name="__main__")
    assert capsys.readouterr().out == page()


def test_the_drawing_shows_every_pair() -> None:
    text = page()
    for state, moves in MACHINE.items():
        for stimulus, target in moves.items():
            (edge,) = (
                line for line in text.splitlines() if f"{state.name} --> {target.name}:" in line
            )
            assert stimulus.name in edge
    for member in (*State, *Stimulus):
        assert f"| {member.name} | {member.value} |" in text


def test_peers_of_the_stages_are_what_the_ladders_say() -> None:
    for (state, _), make in STAGES.items():
        if state is S:
            assert make().transfer.peer == PEER
