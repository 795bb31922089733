"""Plays a conversation, written as a time-stamped ladder, against one `Transfer`.

Each line is `SECONDS SYMBOL WORDS`; without SECONDS it happens at the time of the line
before. `<` arrives, `>` must leave at that very time and in that order, `!` calls the
transfer, `=` claims a state and, behind it, an ending; `#` begins a comment. What leaves
without a line of its own fails the play, so a ladder says when there is silence, too.

    0.0  > OACK blksize=8
    0.2  < ACK 0
         > DATA 1 8
    0.3  < ACK 1 from stranger
         > ERROR 5 Unknown transfer ID to stranger

The wire code here is naive and its own: a shared codec could not catch its own bug.
"""

import re
from typing import NamedTuple

from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address, Burst, Transfer

TIMING = Timing(first=1.0, floor=0.1, least=0.1, ceiling=8.0, retries=5, dally=6.0)
"""Spelled out, so that no ladder depends on a default."""

PEER: Address = ("192.0.2.1", 2000)
ADDRESSES: dict[str, Address] = {
    "peer": PEER,
    "listener": ("192.0.2.1", 69),
    "other port": ("192.0.2.1", 2001),
    "stranger": ("192.0.2.9", 2000),
}
NAMES = {address: name for name, address in ADDRESSES.items()}
NUMBERS = {"RRQ": 1, "WRQ": 2, "DATA": 3, "ACK": 4, "ERROR": 5, "OACK": 6}
LINE = re.compile(r"(?:(?P<time>[\d.]+)\s+)?(?P<symbol>[<>!=])\s+(?P<words>.+)")
TICK = 5e-4


def payload_of(number: int, length: int) -> bytes:
    """Returns what the scripted sender puts into the block with this wire number."""
    return (number.to_bytes(2, "big") * (length // 2 + 1))[:length]


def octets_of(words: str) -> list[bytes]:
    """Builds the datagrams of one line; `DATA 2-5 512` are four."""
    kind, _, rest = words.partition(" ")
    if kind == "HEX":
        return [bytes.fromhex(rest)]
    head = NUMBERS[kind].to_bytes(2, "big")
    match kind:
        case "DATA":
            numbers, _, length = rest.partition(" ")
            return [head + _two(n) + payload_of(n, int(length)) for n in _range(numbers)]
        case "ACK":
            return [head + _two(int(rest))]
        case "ERROR":
            code, _, text = rest.partition(" ")
            return [head + _two(int(code)) + text.encode() + b"\0"]
        case "OACK":
            return [head + _pairs(rest.split())]
        case _:
            name, mode, *options = rest.split()
            return [head + f"{name}\0{mode}\0".encode() + _pairs(options)]


def words_of(datagram: bytes) -> str:
    """Puts a datagram into the words of a line."""
    number, rest = int.from_bytes(datagram[2:4], "big"), datagram[4:]
    match int.from_bytes(datagram[:2], "big"):
        case 3:
            return f"DATA {number} {len(rest)}"
        case 4:
            assert not rest, "an ACK is four octets"
            return f"ACK {number}"
        case 5:
            assert rest.endswith(b"\0"), "an ERROR ends with a zero octet"
            return f"ERROR {number} {rest[:-1].decode('ascii')}"
        case 6:
            strings = datagram[2:-1].decode("ascii").split("\0")
            pairs = zip(strings[::2], strings[1::2], strict=True)
            return "OACK " + " ".join(f"{name}={value}" for name, value in pairs)
        case opcode:
            name, mode, *strings = datagram[2:-1].decode("ascii").split("\0")
            pairs = zip(strings[::2], strings[1::2], strict=True)
            kind = {1: "RRQ", 2: "WRQ"}[opcode]
            return " ".join([kind, name, mode, *(f"{n}={v}" for n, v in pairs)])


def _two(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _range(numbers: str) -> range:
    first, _, last = numbers.partition("-")
    return range(int(first), int(last or first) + 1)


def _pairs(options: list[str]) -> bytes:
    return b"".join(option.replace("=", "\0").encode() + b"\0" for option in options)


class Said(NamedTuple):
    """Something that left the transfer."""

    time: float
    words: str


class Stage:
    """One transfer, its clock, and what it said and stored."""

    def __init__(self, transfer: Transfer, content: bytes = b"", room: int = 64) -> None:
        """`content` is the file of a sender; `room` is what its driver takes at once."""
        self.transfer = transfer
        self.now = 0.0
        self.stored: list[int] = []
        """The wire numbers of the blocks that a receiver handed out, in order."""
        self.said: list[Said] = []
        """What left and no line has claimed yet."""
        self.blocks: list[int] = []
        """The absolute numbers of all blocks that a sender sent, in order."""
        self._content = content
        self._room = room
        self.listen()

    def play(self, ladder: str) -> "Stage":
        """Plays the lines. Raises AssertionError at the first one that does not hold."""
        for line in ladder.splitlines():
            line = line.partition("#")[0].strip()
            if not line:
                continue
            found = LINE.fullmatch(line)
            assert found, f"no line of a ladder: {line!r}"
            self.advance(self.now if found["time"] is None else float(found["time"]))
            try:
                self._line(found["symbol"], found["words"].strip())
            except AssertionError as error:
                error.add_note(f"at the line: {line}; unclaimed: {self.said[:8]}")
                raise
        assert not self.said, f"left without a line: {self.said[:8]}"
        return self

    def advance(self, time: float) -> None:
        """Lets time pass, deadline by deadline."""
        while self.transfer.deadline is not None and self.transfer.deadline <= time + 1e-9:
            self.now = max(self.now, self.transfer.deadline)
            self.transfer.expire(self.now)
            self.listen()
        assert time >= self.now - 1e-9, "a ladder goes down"
        self.now = max(self.now, time)

    def hear(self, datagram: bytes, source: Address = PEER) -> None:
        """Brings one datagram."""
        transfer = self.transfer
        if isinstance(transfer, Receiver):
            payload = transfer.receive(datagram, source, self.now)
            if payload is not None:
                assert payload == datagram[4:]
                self.stored.append(int.from_bytes(datagram[2:4], "big"))
        else:
            assert isinstance(transfer, Sender)
            transfer.receive(datagram, source, self.now)
        self.listen()

    def listen(self) -> None:
        """Polls until there is nothing more, as the contract wants."""
        transfer = self.transfer
        while (word := transfer.poll(self._room)) is not None:
            if isinstance(word, Burst):
                assert isinstance(transfer, Sender)
                self._send_burst(transfer, word)
                continue
            suffix = "" if word.to == PEER else f" to {NAMES[word.to]}"
            self.said.append(Said(self.now, words_of(word.data) + suffix))
        live = transfer.state not in (State.DONE, State.FAILED)
        assert (transfer.deadline is not None) == live, "a living transfer has a deadline"
        assert (transfer.outcome is None) or transfer.state is not State.STREAMING

    def _send_burst(self, sender: Sender, burst: Burst) -> None:
        size, rollover = sender.terms.block_size, sender.terms.rollover
        assert 1 <= burst.count <= self._room
        assert burst.offset == (burst.first - 1) * size
        octets = self._content[burst.offset : burst.offset + burst.count * size]
        for block in range(burst.first, burst.first + burst.count):
            start = (block - burst.first) * size
            payload = octets[start : start + size]
            wire = (block - 1) % 65535 + 1 if rollover else block % 65536
            self.said.append(Said(self.now, f"DATA {wire} {len(payload)}"))
            self.blocks.append(block)
            if len(payload) < size:
                break
        sender.sent(burst, len(octets), self.now)

    def _line(self, symbol: str, words: str) -> None:
        if symbol == ">":
            self._expect(words)
            return
        assert not self.said, "left before this line"
        if symbol == "<":
            words, _, source = words.partition(" from ")
            for datagram in octets_of(words):
                self.hear(datagram, ADDRESSES[source or "peer"])
        elif symbol == "!":
            self._call(words)
        else:
            state, _, ending = words.partition(" ")
            outcome = self.transfer.outcome
            assert self.transfer.state.name == state
            assert ending == (outcome.ending.name if outcome else "")

    def _expect(self, words: str) -> None:
        words, _, target = words.partition(" to ")
        suffix = f" to {target}" if target else ""
        found = re.fullmatch(r"DATA (\d+-\d+) (\d+)", words)
        each = [f"DATA {n} {found[2]}" for n in _range(found[1])] if found else [words]
        for one in each:
            assert self.said, "silence"
            said = self.said.pop(0)
            assert said.words == one + suffix
            assert abs(said.time - self.now) < TICK, f"left at {said.time:.3f}"

    def _call(self, words: str) -> None:
        call, _, rest = words.partition(" ")
        match call:
            case "abort":
                code, _, message = rest.partition(" ")
                self.transfer.abort(int(code), message)
            case "ask_again":
                self.transfer.ask_again(self.now)
            case "hush":
                self.transfer.hush()
            case _:
                raise AssertionError(f"no such call: {call}")
        self.listen()


def terms(
    block_size: int = 512,
    window: int = 1,
    timeout: float | None = None,
    rollover: int = 0,
) -> Terms:
    """Returns the terms a server would have granted, with the options that say so."""
    options: list[tuple[str, str]] = []
    if block_size != 512:
        options.append(("blksize", str(block_size)))
    if window != 1:
        options.append(("windowsize", str(window)))
    if timeout is not None:
        options.append(("timeout", f"{timeout:g}"))
    if rollover:
        options.append(("rollover", str(rollover)))
    return Terms(block_size, window, timeout, None, rollover, tuple(options))
