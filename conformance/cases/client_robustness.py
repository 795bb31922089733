"""Robustness and security, tried against clients: timers, ends, nonsense, names.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

import random
import re

from ..catalogue import client_case
from ..client_moves import go_on
from ..client_trial import ClientTrial, Exit, Job, Server
from ..fixtures import content
from ..line import Line
from ..play import receive_file
from ..wire import DATA, RRQ, Packet, ack, data, error, oack

FILE = content(2300, 22)
SANE = (0.3, 10.0)
LONGEST = 40.0  # seconds that scattered losses may take
SAME_EXPIRY = 0.01  # seconds: what comes so soon behind another packet has the same cause
MARK = b"What stood here before. "


@client_case("ROB-TIMER-01")
def the_first_interval_is_sane(t: ClientTrial) -> None:
    """The first repeat of a request, for both ways; nobody has measured a round trip yet."""
    for request in t.ways(FILE):
        copy = t.listener.hear(SANE[1] + 2.0)
        if copy is None:
            t.policy(f"{request.kind} was not repeated within {SANE[1] + 2:.0f} s")
        elif not SANE[0] <= copy.at - request.at <= SANE[1]:
            t.policy(f"{request.kind} was repeated after {copy.at - request.at:.2f} s")


@client_case("ROB-TIMER-03")
def progress_resets_the_count(t: ClientTrial) -> None:
    """Twelve blocks are lost twice each, more than most clients repeat anything.

    Between them blocks get through, so that a timer that follows the path can recover.
    """
    octets = content(26 * 512 - 9, 23)
    line = t.server(t.put(octets))
    line.send(ack(0))
    deadline = t.now() + LONGEST
    for block in range(1, 27):
        line.expect(DATA, block)
        for _ in range(2 if block % 2 == 0 and block < 26 else 0):
            copy = line.hear(max(0.0, deadline - t.now()))
            if copy is None and t.gone() is None:
                t.skip(f"in {LONGEST:.0f} s no more than {block // 2} of 12 blocks could be lost")
            t.check(
                copy is not None and copy.kind == DATA and copy.block == block,
                f"block {block}, lost once or twice, was followed by {copy or 'the end'}",
            )
        line.send(ack(block))
    t.succeeds()


@client_case("ROB-TIMER-05")
def it_gives_up_and_says_so(t: ClientTrial) -> None:
    """Silence from the start, after block 3 of a read, and after ACK 3 of a write, all at once."""
    t.needs_exit()
    t.get()
    t.server(t.get(beside=True)).give(FILE, 1, 3)
    job = Job(True, "file", t.listener.address, FILE)
    t.launch(job, beside=True)
    request = t.request()
    if request is not None:
        line = t.server(request)
        line.send(ack(0))
        line.take(1, 3)
    for found in t.exits():
        t.check(found.status != 0, "without an answer the client reports success")
        t.check(found.content != FILE, "a file that looks whole is there")
        if found.content is not None:
            t.lenient(f"a part of {len(found.content)} octets is left under the file's name")


@client_case("ROB-TIMER-06")
def a_closed_port_harms_nobody(t: ClientTrial) -> None:
    """The server's port closes after block 1; and in another run nobody listens at all."""
    t.needs_exit()
    line = t.server(t.get())
    line.give(FILE, 1, 1)
    hang_up(line)
    nobody = t.line()
    hang_up(nobody)
    t.launch(Job(False, "file", nobody.address), beside=True)
    for found in t.exits():
        unharmed(t, found, "a closed port")
        t.check(found.status != 0, "the port was closed, and the client reports success")
        t.check(found.content != FILE, "a file that looks whole is there")


@client_case("ROB-TIMER-07")
def an_expiry_sends_one_packet(t: ClientTrial) -> None:
    """Block 1 stays without its ACK; copies must come one by one, and windows window by window."""
    for window in (1, 4):
        request = t.put(FILE, firm=False, windowsize=window) if window > 1 else t.put(FILE)
        if window > 1 and "windowsize" not in request.options:
            return
        window = min(window, int(request.options.get("windowsize", window)))
        line = t.server(request)
        line.send(oack({"windowsize": str(window)}) if window > 1 else ack(0))
        times: list[float] = []
        deadline = t.now() + 8.0
        while len(times) < 6 * window and (packet := line.hear(max(0.0, deadline - t.now()))):
            times.append(packet.at)
        largest = biggest_group(times)
        t.check(
            largest <= window, f"an expiry brought {largest} packets, where {window} are in flight"
        )


@client_case("ROB-ERR-01")
def a_hostile_error_text_is_harmless(t: ClientTrial) -> None:
    """Control octets, format signs, a huge text, and none that ends, behind a block that does."""
    t.needs_exit()
    texts = (b"\x1b[31mred\x07\r\n\x1b]0;title\x07", b"%s%n%s%n%x %1000000d", b"long " * 12000, b"")
    for text in texts:
        line = t.server(t.get())
        line.send(data(1, (MARK * 30)[:512]))
        line.hear()
        form = error(1, text) if text else error(1, "unended")[:-1]
        try:
            line.send(form)
        except OSError:
            continue  # too long for this path
        found = t.exit()
        unharmed(t, found, f"the text {text[:20]!r}")
        t.check(found.status != 0, f"after an ERROR with {text[:20]!r} success is reported")
        t.check(MARK.decode() not in found.text, "the message holds octets of an older packet")
        if re.search(r"[\x00-\x08\x0e-\x1f]", found.text):
            t.policy("control octets of the text reach the terminal")


@client_case("ROB-LOAD-12")
def random_replies_are_survived(t: ClientTrial) -> None:
    """Nonsense as the first answer, in mid-transfer, from strangers; the right packets follow.

    All clients are left at work until the last one has had its share, to save their timers.
    """
    wholes: list[tuple[str, bool]] = []
    for moment in ("first", "amid", "stranger"):
        chaos = random.Random(moment)
        for request in t.ways(FILE, beside=True):
            line, first = t.server(request), None
            if moment == "first":
                nonsense(line, chaos)
            elif request.kind == RRQ:
                line.give(FILE, 1, 1)
            else:
                line.send(ack(0))
                first = line.expect(DATA, 1)
            if moment != "first":
                nonsense(line if moment == "amid" else t.server(request), chaos)
            base = int(moment != "first" and request.kind == RRQ)
            wholes.append((request.kind, conclude(line, request, base, first)))
    for (kind, whole), found in zip(wholes, t.exits() if t.sees_exit else (), strict=False):
        unharmed(t, found, "nonsense")
        if found.status == 0:
            t.check(whole, f"after nonsense an incomplete {kind} is called a success")
            held = found.content if kind == RRQ else FILE
            t.check(held == FILE, "after nonsense a wrong file is called a success")


@client_case("SEC-PATH-16")
def it_writes_where_its_user_said(t: ClientTrial) -> None:
    """Remote names that step out of the folder, and one in it; the local one is given."""
    t.needs_exit()
    for name in ("../../evil", "sub/../../evil", "evil"):
        request = t.get(name)
        line = t.server(request)
        if not go_on(line, FILE[:700]):
            t.note(f"the client does not fetch {name}")
            continue
        t.succeeds(FILE[:700])
        others = t.exit().others
        t.check(not others, f"a read of {name} made {', '.join(others)}")


def hang_up(line: Line) -> None:
    """Closes a port without a word, so that the kernel refuses what comes."""
    line.ended = True
    line.port.close()


def unharmed(t: ClientTrial, found: Exit, what: str) -> None:
    """FAIL if the client was ended by a signal."""
    crashed = found.status is not None and (
        found.status < 0 or found.status in (132, 134, 136, 139)
    )
    t.check(not crashed, f"{what} crashed the client: status {found.status}")


def biggest_group(times: list[float]) -> int:
    """Returns how many packets came at once, at most."""
    largest = count = 0
    before = -1.0
    for time in times:
        count = count + 1 if time - before < SAME_EXPIRY else 1
        largest, before = max(largest, count), time
    return largest


def nonsense(line: Server, chaos: random.Random) -> None:
    """Sends forty datagrams that no transfer holds, with numbers far from any that is due."""
    for _ in range(40):
        rest = chaos.randbytes(chaos.choice((0, 1, 3, 40, 600)))
        head = chaos.choice(
            (b"", b"\0", b"\0\0", b"\0\3", b"\0\3\0", b"\0\4", b"\0\7", b"\xff\xff", b"\1\0")
        )
        far = chaos.randrange(20000, 40000)
        forms = (head + rest, data(far, rest), ack(far) + rest)
        kept = [form for form in forms if form[:3] not in (b"\0\3\0", b"\0\4\0")]
        line.send(chaos.choice(kept or [b"\0\0"]))


def conclude(line: Server, request: Packet, base: int, first: Packet | None) -> bool:
    """Plays the transfer to its end, as well as the client lets us; tells whether it got there.

    A read goes on behind block `base`; of a write `first` is what came already.
    """
    if request.kind == RRQ:
        return go_on(line, FILE, base, tries=3)
    played = receive_file(line, opening=None if first else ack(0), first=first, tries=3)
    return played.complete and played.content == FILE
