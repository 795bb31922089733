"""A bounded flood, as one who forges addresses sends it: a program of its own.

    python -m tests.hostile.flood PORT [--rate 20000] [--seconds 20] [--raw]

Each datagram comes from another address of 127.128.0.0/9, and none comes from one address
twice: an ordinary socket may choose its source for each packet among the machine's own
(IP_PKTINFO), and all of 127.0.0.0/8 is its own. `--raw` forges the ports as well, and takes
root. It goes on for so many seconds or until its stdin ends, stays a second longer to see what
still comes back, and prints its figures as JSON. Nothing leaves the loopback.
"""

import argparse
import json
import random
import select
import socket
import struct
import sys
import time
from typing import NamedTuple, Protocol

from tests.server.wire import ack, data, error, oack, rrq, wrq

__all__ = ["AFTERMATH", "HOST", "POOL", "Figures", "forged", "make_datagrams"]

HOST = "127.0.0.1"
PRESENT = ("loader", "kernel", "default.cfg")  # what the boards fetch too
MISSING = ("pxelinux.0", "boot/x86/initrd.img", "a" * 60)
AFTERMATH = 1.0  # seconds
POOL = 4096  # datagrams made beforehand
SOCKETS = 64  # ports, of which the replies of one in SAMPLE are read
SAMPLE = 8
TICK = 1  # millisecond
LATE = 0.1  # seconds behind that are not made up for: a burst is not the rate asked for
IP_PKTINFO = 8  # Linux's number, which not every Python names
STRIDE = 0x5D2B35  # odd: so every address of the range has its turn before one comes again


class Figures(NamedTuple):
    """What a flood was."""

    sent: int
    seconds: float
    rate: float
    octets_sent: int
    octets_back: int | None
    """An estimate from a sample; None: nobody listened."""
    unsent: int
    """Datagrams that the kernel did not take."""
    cpu: float
    """Seconds of processor time that it cost."""


class Sender(Protocol):
    """Sends from forged addresses, and counts the octets that come back."""

    def send(self, number: int, datagram: bytes) -> None:
        """Sends one; OSError where the kernel has no room."""

    def drain(self) -> None:
        """Takes in what came back."""

    def octets_back(self) -> int | None:
        """Returns how much came back in all, or None."""

    def close(self) -> None:
        """Gives the sockets back."""


def forged(number: int) -> int:
    """Returns the source address of a datagram: 127.128.0.0/9."""
    return 0x7F800000 | (number * STRIDE & 0x7FFFFF)


class FromSockets:
    """A few ports, and a source address for each packet: what any user may do."""

    def __init__(self, port: int) -> None:
        self._to = (HOST, port)
        self._pack = struct.Struct("=I4s4s").pack
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
        self._buffer = bytearray(65536)
        self._octets = 0
        for index, sock in enumerate(self._sockets):
            sock.setblocking(False)
            # Who is not read keeps next to nothing.
            size = 1 << 21 if index % SAMPLE == 0 else 2048
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            sock.bind(("", 0))  # or it would not hear what comes to forged addresses

    def send(self, number: int, datagram: bytes) -> None:
        source = forged(number).to_bytes(4, "big")
        control = ((socket.IPPROTO_IP, IP_PKTINFO, self._pack(0, source, b"")),)
        self._sockets[number % SOCKETS].sendmsg((datagram,), control, 0, self._to)

    def drain(self) -> None:
        for sock in self._sockets[::SAMPLE]:
            try:
                while True:
                    self._octets += sock.recv_into(self._buffer)
            except OSError:
                pass

    def octets_back(self) -> int:
        return self._octets * SAMPLE

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


class FromNowhere:
    """IP packets made by hand: forged addresses and ports. Needs root."""

    def __init__(self, port: int) -> None:
        self._to = (HOST, 0)
        self._port = port
        self._host = socket.inet_aton(HOST)
        self._head = struct.Struct("!BBHHHBBHI4sHHHH").pack
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, number: int, datagram: bytes) -> None:
        size = len(datagram)
        source_port = 1024 + number * 7919 % 60000
        head = self._head(
            *(0x45, 0, 28 + size, 0, 0, 64, socket.IPPROTO_UDP, 0, forged(number), self._host),
            *(source_port, self._port, 8 + size, 0),
        )
        self._socket.sendto(head + datagram, self._to)

    def drain(self) -> None:
        pass

    def octets_back(self) -> None:
        return None

    def close(self) -> None:
        self._socket.close()


def make_datagrams(seed: int = 1) -> list[bytes]:
    """Returns the mixture: 70 % reads, 10 % writes, 20 % of what is no request."""
    chance = random.Random(seed)
    wishes: list[dict[str, int | str]] = [
        {},
        {"tsize": 0, "blksize": 1408},
        {"blksize": 65464, "windowsize": 65535},
        {"blksize": 1428, "windowsize": 64, "timeout": 1, "tsize": 0},
        {"blksize": 8},
    ]
    names = PRESENT + MISSING
    reads = [rrq(chance.choice(names), **chance.choice(wishes)) for _ in range(POOL * 7 // 10)]
    writes = [
        wrq(f"up{chance.getrandbits(32):08x}", **chance.choice(wishes)) for _ in range(POOL // 10)
    ]
    rest = [_no_request(chance) for _ in range(POOL - len(reads) - len(writes))]
    mixture = reads + writes + rest
    chance.shuffle(mixture)
    return mixture


def _no_request(chance: random.Random) -> bytes:
    return chance.choice(
        (
            ack(chance.getrandbits(16)),
            data(chance.getrandbits(16), chance.randbytes(512)),
            error(chance.randrange(9), "go away"),
            oack(blksize=512),
            chance.randbytes(chance.randrange(64)),
            b"\0\1" + chance.randbytes(40).replace(b"\0", b"x"),
            b"\0\1kernel\0",
            rrq("kernel", "image"),
            bytes(chance.randrange(600)),
        )
    )


def flood(sender: Sender, rate: int, seconds: float) -> Figures:
    """Sends at that rate until the time is up or stdin ends."""
    datagrams = make_datagrams()
    told = select.poll()
    told.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    cpu = time.process_time()
    number = octets = unsent = 0
    began = last = time.monotonic()
    credit = 0.0
    while (now := time.monotonic()) - began < seconds:
        credit += min(now - last, LATE) * rate
        last = now
        for _ in range(int(credit)):
            datagram = datagrams[number % POOL]
            try:
                sender.send(number, datagram)
                octets += len(datagram)
            except OSError:
                unsent += 1
            number += 1
            credit -= 1
        sender.drain()
        if told.poll(TICK):
            break
    took = time.monotonic() - began
    cpu = time.process_time() - cpu
    until = time.monotonic() + AFTERMATH
    while (left := until - time.monotonic()) > 0:
        sender.drain()
        select.select((), (), (), min(left, 0.01))
    sent = number - unsent
    return Figures(sent, took, sent / took, octets, sender.octets_back(), unsent, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description="A bounded flood of a server on this machine.")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--raw", action="store_true", help="forge the ports too; needs root")
    given = parser.parse_args()
    sender = FromNowhere(given.port) if given.raw else FromSockets(given.port)
    print("flooding", flush=True)
    try:
        figures = flood(sender, given.rate, given.seconds)
    finally:
        sender.close()
    print(json.dumps(figures._asdict()), flush=True)


if __name__ == "__main__":
    main()
