"""What the cases on options have in common: asking for terms, opening, going on.

Transfers with a window ask for a slow timer as well, where the target takes that wish: then
an answer and a repeat by timer cannot be taken for one another. Must not hold any case.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..server_trial import Client, ServerTrial, granted
from ..wire import ACK, DATA, ERROR, Packet, ack, data, error, rrq, wrq

__all__ = [
    "ORDINARY",
    "Windowed",
    "answers",
    "granted_to_writes",
    "hang_up",
    "known",
    "refused",
    "window_of_reads",
    "window_of_writes",
]

ORDINARY = {"blksize": "1024", "timeout": "3", "windowsize": "4", "tsize": "0"}
"""The options of RFC 2348, 2349 and 7440 with a value that each server may well grant."""

AT_A_TIME = 8  # requests: some servers have a small number of places
ANSWER = 4.0  # seconds
NOTHING: Mapping[str, int] = {}
SLOW = 3  # seconds of the timer that is asked for


def known(t: ServerTrial) -> dict[str, str]:
    """Returns the ordinary options that the target grants; UNSUPPORTED if there is none."""
    found = {name: value for name, value in ORDINARY.items() if name in t.manners.options}
    if not found:
        t.unsupported("the target grants no option")
    return found


def granted_to_writes(t: ServerTrial) -> dict[str, str]:
    """Returns the ordinary options but tsize that a write is granted; may be empty."""
    asked = {name: value for name, value in known(t).items() if name != "tsize"}
    if not t.manners.creates or not asked:
        return {}
    (answer,) = answers(t, [wrq(t.new_name(), options=asked)])
    return {name: asked[name] for name in asked if answer and name in answer.options}


def answers(t: ServerTrial, requests: Iterable[bytes]) -> list[Packet | None]:
    """Sends each request from a port of its own; returns what came first, and ends it.

    Where nothing at all comes the target must at least be alive.
    """
    left, found = list(requests), list[Packet | None]()
    while left:
        clients = []
        for request in left[:AT_A_TIME]:
            clients.append(t.client())
            clients[-1].ask(request)
        deadline = t.now() + ANSWER
        found += [client.hear(max(0.0, deadline - t.now())) for client in clients]
        for client in clients:
            hang_up(client)
        del left[:AT_A_TIME]
    if not any(found):
        t.alive()
    return found


def hang_up(client: Client) -> None:
    """Ends the transfer of that client by an ERROR, if there is one."""
    if client.peer is not None and not client.ended:
        client.send(error(0, "Only asking"))
        client.ended = True


def refused(packet: Packet | None) -> bool:
    """Tells whether a request was refused in the way that RFC 2347 names for options."""
    return packet is not None and packet.kind == ERROR and packet.code == 8


@dataclass(slots=True)
class Windowed:
    """A transfer with a window, just opened by an OACK."""

    t: ServerTrial
    client: Client
    size: int
    window: int
    content: bytes
    moment: float
    """Seconds within which an answer comes, and no repeat by timer does."""
    name: str = ""

    @property
    def last(self) -> int:
        """Returns the number of the final block."""
        return len(self.content) // self.size + 1

    def block(self, number: int) -> bytes:
        """Returns what that block holds."""
        return self.content[(number - 1) * self.size : number * self.size]

    def answers(self) -> list[Packet]:
        """Returns what the last datagram has brought about: not what a timer may repeat."""
        times = {packet.raw: packet.at for packet in self.client.heard}
        found = []
        while (packet := self.client.anything(self.moment)) is not None:
            before = times.get(packet.raw)
            if before is None or packet.at - before < 1.8 * self.moment:
                found.append(packet)
            times[packet.raw] = packet.at
        return found

    # A read

    def begin(self) -> None:
        """Acknowledges the OACK, and takes the first window."""
        self.client.send(ack(0))
        self.take(1, self.window)

    def take(self, first: int, last: int) -> None:
        """Expects these blocks, in order and with the right octets."""
        for number in range(first, min(last, self.last) + 1):
            self.client.expect_data(number, self.block(number))

    def caused(self) -> list[int]:
        """Returns the numbers of all DATA that the last datagram has brought about."""
        return self._numbers(self.answers(), DATA)

    # A write

    def put(self, *numbers: int) -> None:
        """Sends these blocks back to back."""
        for number in numbers:
            self.client.send(data(number, self.block(number)))

    def said(self) -> list[int]:
        """Returns the numbers of all ACKs that the last datagrams have brought about."""
        return self._numbers(self.answers(), ACK)

    def until(self, number: int) -> list[int]:
        """Waits for the ACK of that block; returns the numbers of all that came till then."""
        found: list[int] = []
        deadline = self.t.now() + self.t.patience + self.t.resend
        while not found or found[-1] != number:
            packet = self.client.hear(max(0.0, deadline - self.t.now()))
            if packet is None:
                self.t.fail(f"ACK {number} was due, and nothing came")
            found += self._numbers([packet], ACK)
            if found and found[-1] > number:
                self.t.fail(f"ACK {number} was due, and ACK {found[-1]} came")
        return found

    def finish(self, base: int) -> None:
        """Sends the rest from behind block `base` as a client does; then looks at the file."""
        silences = 0
        while base < self.last:
            top = min(base + self.window, self.last)
            self.put(*range(base + 1, top + 1))
            told = base
            wait = 1.0
            while (packet := self.client.hear(wait)) is not None:
                for number in self._numbers([packet], ACK):
                    told = max(told, number if number <= top else base)
                wait = 0.05 if told > base else wait
                if told == top:
                    break
            silences = 0 if told > base else silences + 1
            base = told
            if silences > 5:
                self.t.fail(f"the upload came to a stop behind block {base}")
        self.t.holds(self.name, self.content)

    def _numbers(self, packets: Sequence[Packet], kind: str) -> list[int]:
        for packet in packets:
            if packet.kind == ERROR:
                self.t.fail(f"the transfer was broken off by {packet}")
        return [packet.block for packet in packets if packet.kind == kind]


def window_of_reads(
    t: ServerTrial,
    name: str,
    window: int,
    options: Mapping[str, int] = NOTHING,
    mode: str = "octet",
) -> Windowed:
    """Opens a read with just that window; UNSUPPORTED or skipped where it is not granted."""
    return _open(t, name, mode, t.fixture(name), {**options, "windowsize": window})


def window_of_writes(
    t: ServerTrial, content: bytes, window: int, options: Mapping[str, int] = NOTHING
) -> Windowed:
    """Opens a write of a new file with just that window, as `window_of_reads` does."""
    return _open(t, None, "octet", content, {**options, "windowsize": window})


def _open(
    t: ServerTrial, fixture: str | None, mode: str, content: bytes, options: dict[str, int]
) -> Windowed:
    t.needs_option("windowsize")
    wishes = options
    if "timeout" in t.manners.options and "timeout" not in options:
        wishes = {**options, "timeout": SLOW}
    client, name, terms = _ask(t, fixture, mode, wishes)
    if terms.get("timeout") != (str(wishes["timeout"]) if "timeout" in wishes else None):
        hang_up(client)  # it does not take the timer to the letter: then without
        client, name, terms = _ask(t, fixture, mode, options)
    for option in options:
        if option not in terms:
            t.unsupported(f"the target does not grant {option} here")
    size, window = granted(client.heard[-1])
    if window != options["windowsize"]:
        t.skip(f"the target grants a window of {window} here")
    timer = terms.get("timeout", "")
    moment = 0.4 * int(timer) if timer.isdigit() else t.moment
    return Windowed(t, client, size, window, content, moment, name)


def _ask(
    t: ServerTrial, fixture: str | None, mode: str, options: dict[str, int]
) -> tuple[Client, str, dict[str, str]]:
    name = fixture or t.new_name()
    client = t.client()
    client.ask((rrq if fixture else wrq)(name, mode, options))
    first = client.hear()
    return client, name, first.options if first is not None else {}
