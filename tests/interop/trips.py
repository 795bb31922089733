"""Which transfers go through the chaos: who with whom, how large, and on what terms.

Peers whose own timers are seconds long get smaller files or larger blocks: each lost
datagram costs them one timer. What a pair cannot do right even on a good network has no trip.
"""

from collections.abc import Iterator, Mapping

from tests.interop.chaos import Trip
from tests.interop.clients import OUR_CLIENT
from tests.interop.peers import WAYS, Way
from tests.interop.servers import OUR_SERVER

Terms = Mapping[str, int] | None

USUAL: Terms = None
PLAIN: Terms = {}
BLOCKS: Terms = {"blksize": 1428}
LOCKSTEP: Terms = {"blksize": 1428, "windowsize": 1}
"""For our client, which asks for a window unless it is told not to."""
WINDOW: Terms = {"blksize": 1428, "tsize": 0, "windowsize": 8}
LARGE: Terms = {"blksize": 8192}

SMALL = (0, 1, 1024)
QUICK = (*SMALL, 100_000, 300_000)
SLOW = (*SMALL, 30_000)
"""In blocks of 512, with timers of some seconds."""
LONG = (*SMALL, 300_000, 1_000_000)

# Not here: a window that py3tftp sends. It sends other bytes after a loss than the file has,
# which our client notices by tsize; protocols.py, datagram_received_windowsize.
PLANS: tuple[tuple[str, str, tuple[Way, ...], Terms, tuple[int, ...]], ...] = (
    (OUR_CLIENT, OUR_SERVER, WAYS, PLAIN, QUICK),
    (OUR_CLIENT, OUR_SERVER, WAYS, USUAL, LONG),
    (OUR_CLIENT, OUR_SERVER, WAYS, WINDOW, LONG),
    (OUR_CLIENT, "in.tftpd", WAYS, PLAIN, (*SMALL, 50_000)),
    (OUR_CLIENT, "in.tftpd", WAYS, LOCKSTEP, (*SMALL, 100_000)),
    (OUR_CLIENT, "atftpd", WAYS, PLAIN, (*SMALL, 50_000)),
    (OUR_CLIENT, "atftpd", WAYS, WINDOW, LONG),
    (OUR_CLIENT, "dnsmasq", ("get",), PLAIN, SLOW),
    (OUR_CLIENT, "dnsmasq", ("get",), LOCKSTEP, (*SMALL, 100_000)),
    (OUR_CLIENT, "tftpy", WAYS, PLAIN, SLOW),
    (OUR_CLIENT, "tftpy", WAYS, LARGE, QUICK),
    (OUR_CLIENT, "py3tftp", WAYS, LOCKSTEP, (*SMALL, 100_000)),
    ("tftp-hpa", OUR_SERVER, ("get",), PLAIN, QUICK),
    ("tftp-hpa", OUR_SERVER, ("put",), PLAIN, SLOW),
    ("atftp", OUR_SERVER, WAYS, PLAIN, (*SMALL, 50_000)),
    ("atftp", OUR_SERVER, WAYS, WINDOW, LONG),
    ("curl", OUR_SERVER, WAYS, PLAIN, SLOW),
    ("curl", OUR_SERVER, WAYS, LARGE, (1, 1024, 100_000, 300_000)),
    ("busybox", OUR_SERVER, WAYS, USUAL, QUICK),
    ("busybox", OUR_SERVER, WAYS, BLOCKS, QUICK),
    ("tftpy", OUR_SERVER, ("get",), PLAIN, QUICK),
    ("tftpy", OUR_SERVER, ("put",), PLAIN, SLOW),
    ("tftpy", OUR_SERVER, WAYS, BLOCKS, (*SMALL, 50_000)),
)


def trips() -> Iterator[Trip]:
    """Yields them all."""
    for client, server, ways, terms, sizes in PLANS:
        for way in ways:
            for size in sizes:
                yield Trip(client, server, way, size, terms)


SLICE = (
    Trip(OUR_CLIENT, OUR_SERVER, "get", 100_000, PLAIN),
    Trip(OUR_CLIENT, OUR_SERVER, "put", 100_000, PLAIN),
    Trip(OUR_CLIENT, OUR_SERVER, "get", 300_000, WINDOW),
    Trip(OUR_CLIENT, OUR_SERVER, "put", 300_000, WINDOW),
    Trip(OUR_CLIENT, "in.tftpd", "get", 100_000, LOCKSTEP),
    Trip(OUR_CLIENT, "in.tftpd", "put", 100_000, LOCKSTEP),
    Trip(OUR_CLIENT, "atftpd", "get", 300_000, WINDOW),
    Trip(OUR_CLIENT, "atftpd", "put", 300_000, WINDOW),
    Trip(OUR_CLIENT, "dnsmasq", "get", 50_000, LOCKSTEP),
    Trip(OUR_CLIENT, "tftpy", "get", 100_000, LARGE),
    Trip(OUR_CLIENT, "tftpy", "put", 100_000, LARGE),
    Trip("tftp-hpa", OUR_SERVER, "get", 100_000, PLAIN),
    Trip("tftp-hpa", OUR_SERVER, "put", 10_000, PLAIN),
    Trip("atftp", OUR_SERVER, "get", 300_000, WINDOW),
    Trip("atftp", OUR_SERVER, "put", 300_000, WINDOW),
    Trip("curl", OUR_SERVER, "get", 100_000, LARGE),
    Trip("curl", OUR_SERVER, "put", 100_000, LARGE),
    Trip("busybox", OUR_SERVER, "get", 100_000, BLOCKS),
    Trip("busybox", OUR_SERVER, "put", 100_000, BLOCKS),
    Trip("tftpy", OUR_SERVER, "get", 100_000, BLOCKS),
    Trip("tftpy", OUR_SERVER, "put", 30_000, BLOCKS),
)
"""One or two of each pair, for every run of the tests."""
