"""RFC 2347, tried against clients: what they ask for, and what they make of an OACK.

Each function plays a server for one moment that matters, and leaves the rest to an ordinary one.
"""

from ..catalogue import client_case
from ..client_moves import arrivals, asking, go_on, grant, offered, refuses
from ..client_trial import ClientTrial, Job, Server, ordinary
from ..fixtures import content
from ..verdict import Stop, Verdict
from ..wire import ACK, DATA, ERROR, RRQ, Packet, ack, data, error, oack

FILE = content(1300, 16)
RANGES = {"blksize": (8, 65464), "timeout": (1, 255), "windowsize": (1, 65535)}
EVERYTHING = {"blksize": 1024, "windowsize": 8, "timeout": 3, "tsize": 0}
SOON = 5.0


@client_case("RFC2347-P-05")
def names_in_an_oack_are_read_in_any_case(t: ClientTrial) -> None:
    """A block size granted in capitals, and smaller than any default, so that its use shows."""
    for request in t.ways(FILE, blksize=1024):
        size = min(256, offered(t, request, "blksize"))
        line = t.server(request)
        line.send(oack({"BLKSIZE": str(size)}))
        if request.kind == RRQ:
            line.expect(ACK, 0)
        finish(t, line, request, size)


@client_case("RFC2347-P-09")
def a_request_is_not_over_512_octets(t: ClientTrial) -> None:
    """A name of 490 octets with every option that the client can be made to ask for."""
    if not t.sees_exit:
        t.skip("whoever starts it would have to type a name of 490 octets")
    options = tuple(EVERYTHING.items())
    for put in (False, True):
        job = Job(put, "n" * 490, t.listener.address, FILE, options=options, firm=False)
        try:
            t.launch(job)
        except Stop:
            if not put or t.remarks[-1].verdict is not Verdict.UNSUPPORTED:
                raise
            t.remarks.pop()  # it cannot put; that it can get is enough
            return
        request = t.request()
        if request is None:
            if t.sees_exit:
                t.check(t.exit().status != 0, "no request was sent, and success reported")
            continue
        t.check(len(request.raw) <= 512, f"the request has {len(request.raw)} octets")
        if len(request.name) < 490:
            t.lenient(f"{request.kind} names {len(request.name)} of 490 octets")


@client_case("RFC2347-N-08")
def a_doubled_option_in_an_oack_is_survived(t: ClientTrial) -> None:
    """Two block sizes; blocks of the second are tried first, and then, if refused, of the first.

    A client that goes by the first would find the larger blocks too long.
    """
    for size in (512, 256):
        request = t.get(blksize=1024)
        if offered(t, request, "blksize") < 512:
            t.skip("the client asks for blocks of less than 512 octets")
        line = t.server(request)
        line.send(oack([("blksize", "256"), ("blksize", "512")]))
        packet = line.answer()
        t.check(packet is not None, "an OACK with a doubled option met silence")
        if packet is not None and packet.kind == ERROR:
            if packet.code != 8:
                t.lenient(f"a doubled option was refused by {packet}")
            t.fails(FILE)
            return
        if go_on(line, FILE, size=size, tries=2) and (not t.sees_exit or done(t)):
            t.succeeds(FILE)
            return
    t.fail("with a doubled block size neither of the two works")


@client_case("RFC2347-N-16")
def an_oack_to_a_read_is_answered_by_ack_0(t: ClientTrial) -> None:
    """All that was asked for is granted; ACK 0 has to come, alone, in four octets."""
    request = asking(t, t.get(firm=False, blksize=1024))
    line = t.server(request)
    line.send(oack(ordinary(request, len(FILE))))
    packet = line.expect(ACK, 0)
    t.check(len(packet.raw) == 4, f"ACK 0 has {len(packet.raw)} octets")
    line.quiet(0.4)


@client_case("RFC2347-N-17")
def an_oack_to_a_write_is_answered_by_data_1(t: ClientTrial) -> None:
    """The granted size is smaller than the default, so that its use shows."""
    request = asking(t, t.put(FILE, firm=False, blksize=1024))
    options, size = grant(t, request, 256)
    line = t.server(request)
    line.send(oack(options))
    packet = line.expect(DATA, 1)
    t.check(len(packet.payload) == size, f"{packet} where {size} were granted")
    line.send(ack(1))
    t.check(packet.payload + line.take(2, size=size) == FILE, "the file arrived with other octets")
    t.succeeds()


@client_case("RFC2347-N-18")
def an_option_nobody_requested_is_refused(t: ClientTrial) -> None:
    """A window if none was asked for, since its use would show; else another option."""
    for request in t.ways(FILE, some=True, blksize=1024):
        extras = (("windowsize", "4"), ("timeout", "3"), ("foo", "1"))
        name, value = next(one for one in extras if one[0] not in request.options)
        options, size = grant(t, request)
        line = t.server(request)
        line.send(oack({**options, name: value}))
        packet = line.answer()
        if packet is not None and packet.kind == ERROR and packet.code == 8:
            t.fails(FILE)
            continue
        said = f"in answer to {request.kind}, {name}={value}, which nobody requested,"
        if packet is None or packet.kind == ERROR:
            t.warn(f"{said} met {packet or 'silence'} instead of ERROR 8")
            continue
        t.warn(f"{said} was not refused")
        if name == "windowsize":
            no_window(t, line, request, size)


@client_case("RFC2347-N-19")
def an_unacceptable_value_gets_error_8(t: ClientTrial) -> None:
    """For each option of the request a value above the offer, below the range, or no number."""
    tried, more = 0, True
    while more:
        more = False
        for request in t.ways(FILE, some=True, blksize=1024, windowsize=8):
            bad = unacceptable(t, request)
            if tried < len(bad):
                refuses(t, request, *bad[tried])
                more = more or tried + 1 < len(bad)
        tried += 1


@client_case("RFC2347-N-20")
def an_oack_without_options_is_borne(t: ClientTrial) -> None:
    """An OACK of two octets; whoever takes it as a refusal has to use blocks of 512."""
    request = asking(t, t.get(firm=False, blksize=1024))
    line = t.server(request)
    line.send(oack({}))
    packet = line.answer()
    t.check(packet is not None, "an empty OACK met silence")
    if packet is not None and packet.kind == ERROR:
        if packet.code not in (4, 8):
            t.warn(f"an empty OACK was refused by {packet}")
        t.fails(FILE)
        return
    t.check(str(packet) == "ACK 0", f"an empty OACK was answered by {packet}")
    line.give(FILE)
    t.succeeds(FILE)


@client_case("RFC2347-N-21")
def a_repeated_oack_is_acknowledged_again(t: ClientTrial) -> None:
    """The OACK comes twice, as if ACK 0 had been lost; then the file."""
    request = asking(t, t.get(firm=False, blksize=1024))
    options, size = grant(t, request)
    line = t.server(request)
    line.send(oack(options))
    line.expect(ACK, 0)
    line.send(oack(options))
    for packet in arrivals(line, 0.5):
        t.check(str(packet) == "ACK 0", f"a repeated OACK was answered by {packet}")
    line.give(FILE, size=size)
    t.succeeds(FILE)


@client_case("RFC2347-N-22")
def a_late_oack_resets_nothing(t: ClientTrial) -> None:
    """The OACK comes again after block 1; what it asks for has been settled long ago."""
    request = asking(t, t.get(firm=False, blksize=1024))
    options, size = grant(t, request)
    line = t.server(request)
    line.send(oack(options))
    line.expect(ACK, 0)
    line.give(FILE, 1, 1, size=size)
    line.send(oack(options))
    for packet in arrivals(line, 0.5):
        t.check(packet.kind == ACK and packet.block <= 1, f"a late OACK was answered by {packet}")
    line.give(FILE, 2, size=size)
    t.succeeds(FILE)


@client_case("RFC2347-N-23")
def after_error_8_it_may_ask_again(t: ClientTrial) -> None:
    """The request is refused with code 8; what comes next is the client's choice."""
    for request in t.ways(FILE, some=True, blksize=1024):
        t.server(request).send(error(8, "No options here"))
        again = next_request(t, request)
        if again is None:
            t.fails(FILE)
            t.policy(f"{request.kind}: ERROR 8 ends the transfer")
            continue
        t.check(not again.options, f"after ERROR 8 the client asked again for {again.options}")
        line = t.server(again)
        if again.kind != RRQ:
            line.send(ack(0))
        finish(t, line, again, 512)
        t.policy(f"{request.kind}: after ERROR 8 it is asked again without options")


@client_case("RFC2347-N-24")
def each_option_is_named_once(t: ClientTrial) -> None:
    """Plain requests, and those with all options that the client can be made to ask for."""
    wishes: tuple[dict[str, int], ...] = ({}, *({one: EVERYTHING[one]} for one in EVERYTHING))
    seen = 0
    for options in (*wishes, EVERYTHING):
        for request in t.ways(FILE, firm=False, wanted=options):
            seen += len(request.pairs)
            well_formed(t, request)
            t.server(request).send(error(0, "Only asking"))
        if not t.sees_exit:
            break  # it asks for the same each time; nobody has to start it six times for that
    if not seen:
        t.unsupported("no request carried an option")


@client_case("RFC2347-N-25")
def an_option_left_out_is_not_used(t: ClientTrial) -> None:
    """Once no OACK at all, once one without block size and window: defaults have to rule."""
    for size in (None, len(FILE)):
        request = asking(t, t.get(firm=False, blksize=1024, windowsize=8))
        line = t.server(request)
        if size is not None:
            if "tsize" not in request.options:
                break
            line.send(oack({"tsize": str(size)}))
            line.expect(ACK, 0)
        line.give(FILE)
        t.succeeds(FILE)


def finish(t: ClientTrial, line: Server, request: Packet, size: int) -> None:
    """Plays a transfer from block 1 on, in lock-step; the client must succeed."""
    if request.kind == RRQ:
        line.give(FILE, size=size)
        t.succeeds(FILE)
    else:
        t.check(line.take(size=size) == FILE, "the file arrived with other octets")
        t.succeeds()


def done(t: ClientTrial) -> bool:
    """Tells whether a client that has acknowledged all of a file takes it for all, too."""
    found = t.gone(SOON)
    return found is not None and found.status == 0


def no_window(t: ClientTrial, line: Server, request: Packet, size: int) -> None:
    """FAIL if the client uses a window of four that it never asked for."""
    if request.kind == RRQ:
        for block in range(1, 5):
            line.send(data(block, FILE[(block - 1) * size :][:size]))
            if line.answer(0.7) is not None:
                break
        said = [packet.block for packet in line.heard if packet.kind == ACK]
        t.check(4 not in said or 1 in said, "a window that nobody asked for is put to use")
    else:
        packet = line.answer(0.7)
        t.check(
            packet is None or packet.kind != DATA,
            "a window that nobody asked for is put to use",
        )


def unacceptable(t: ClientTrial, request: Packet) -> list[tuple[str, object]]:
    """Returns grants that no client may accept, for the options of a request."""
    found: list[tuple[str, object]] = []
    for name in sorted(request.options):  # those first that matter most
        if name in ("blksize", "windowsize"):
            found += [(name, offered(t, request, name) + 1), (name, 0), (name, "abc")]
        elif name in ("tsize", "timeout"):
            found.append((name, "abc"))
    return found


def next_request(t: ClientTrial, request: Packet) -> Packet | None:
    """Returns the request that follows a refused one; None: the client ends, or says no more."""
    deadline, copies = t.now() + SOON, 0
    while t.now() < deadline and (copies == 0 or t.gone() is None):
        packet = t.listener.hear(0.25)
        if packet is not None and packet.kind == request.kind and packet.raw != request.raw:
            return packet
        copies += packet is not None and packet.raw == request.raw
        t.check(copies < 4, "after ERROR 8 the client sends the same request again and again")
        if packet is None and t.gone() is not None:
            return None
    return None


def well_formed(t: ClientTrial, request: Packet) -> None:
    """FAIL for a doubled name, half a pair, or a value out of its option's range."""
    t.check(not request.odd, f"{request}")
    names = [name.lower() for name, _ in request.pairs]
    t.check(len(set(names)) == len(names), f"an option is named twice: {request}")
    for name, value in request.options.items():
        if name in RANGES:
            low, high = RANGES[name]
            right = value.isdigit() and low <= int(value) <= high
            t.check(right, f"{name} is offered as {value!r}: {request}")
        elif name == "tsize":
            t.check(value.isdigit(), f"tsize is offered as {value!r}: {request}")
