"""Who may ask: networks for reads and for writes, of which the longest prefix decides."""

import pytest

from tftp.server.access import LOOP_PORTS, Access, parse_network


def rules(**words: str) -> Access:
    return Access(**{name: tuple(map(parse_network, text.split())) for name, text in words.items()})


@pytest.mark.parametrize(
    ("access", "host", "reads", "writes"),
    [
        (rules(), "192.0.2.1", True, True),
        (rules(), "2001:db8::1", True, True),
        (rules(allow="192.0.2.0/24"), "192.0.2.255", True, True),
        (rules(allow="192.0.2.0/24"), "192.0.3.0", False, False),
        (rules(allow="192.0.2.0/24"), "2001:db8::1", False, False),
        (rules(deny="192.0.2.0/24"), "192.0.2.7", False, False),
        (rules(deny="192.0.2.0/24"), "192.0.3.7", True, True),
        (rules(deny="0.0.0.0/0", allow="192.0.2.7"), "192.0.2.7", True, True),
        (rules(deny="192.0.2.7", allow="192.0.2.0/24"), "192.0.2.7", False, False),
        (rules(deny="192.0.2.7", allow="192.0.2.0/24"), "192.0.2.8", True, True),
        (rules(deny="192.0.2.0/24", allow="192.0.2.0/24"), "192.0.2.8", False, False),
        (rules(allow_upload="192.0.2.7"), "192.0.2.7", True, True),
        (rules(allow_upload="192.0.2.7"), "192.0.2.8", True, False),
        (rules(deny_upload="::/0"), "2001:db8::1", True, False),
        (rules(deny_upload="::/0"), "192.0.2.1", True, True),
        (rules(allow_upload="0.0.0.0/0", deny="192.0.2.1"), "192.0.2.1", False, False),
        (rules(deny="fe80::/10"), "fe80::1%eth0", False, False),
    ],
)
def test_the_longest_prefix_decides(access: Access, host: str, reads: bool, writes: bool) -> None:
    assert access.permits(host, writing=False) is reads
    assert access.permits(host, writing=True) is writes


@pytest.mark.parametrize("text", ["", "x", "192.0.2.0/33", "192.0.2.1/24", "192.0.2", "::/129"])
def test_what_is_no_network(text: str) -> None:
    """Bits behind the prefix are a mistake of the operator's, not something to be rounded."""
    with pytest.raises(ValueError, match=r".+"):
        parse_network(text)


def test_the_ports_of_those_who_answer_anything() -> None:
    """Echo, chargen and the server's own: what is sent from there is a loop, or forged."""
    assert {7, 19, 69, 53, 123} <= LOOP_PORTS
    assert max(LOOP_PORTS) < 20_000, "no port that a client gets from its system"
