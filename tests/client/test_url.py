"""How a file on a server may be named: RFC 3617 and its neighbours."""

import pytest

from tftp.client.url import Location, is_url, parse_host, parse_url

GOOD = [
    ("tftp://h/f", Location("h", None, "f")),
    ("TFTP://h/f", Location("h", None, "f")),
    ("tftp://h:6969/f", Location("h", 6969, "f")),
    ("tftp://h:/f", Location("h", None, "f")),
    ("tftp://h/a/b/c", Location("h", None, "a/b/c")),
    ("tftp://h//abs/f", Location("h", None, "/abs/f")),
    ("tftp://192.0.2.1/f", Location("192.0.2.1", None, "f")),
    ("tftp://[2001:db8::1]/f", Location("2001:db8::1", None, "f")),
    ("tftp://[2001:db8::1]:70/f", Location("2001:db8::1", 70, "f")),
    ("tftp://[fe80::1%25eth0]/f", Location("fe80::1%eth0", None, "f")),
    ("tftp://[fe80::1%eth0]/f", Location("fe80::1%eth0", None, "f")),
    ("tftp://h/f;mode=netascii", Location("h", None, "f", "netascii")),
    ("tftp://h/f;mode=octet", Location("h", None, "f", "octet")),
    ("tftp://h/f;MODE=NetASCII", Location("h", None, "f", "netascii")),
    ("tftp://h/f%3Bmode=octet", Location("h", None, "f;mode=octet")),
    ("tftp://h/f;x=1;mode=octet", Location("h", None, "f;x=1", "octet")),
    ("tftp://h/a%20b", Location("h", None, "a b")),
    ("tftp://h/%2525", Location("h", None, "%25")),
    ("tftp://h/%2e%2E/f", Location("h", None, "../f")),
    ("tftp://h/%C3%B6", Location("h", None, "ö")),
    ("tftp://h/ö", Location("h", None, "ö")),
    ("tftp://h/%FF", Location("h", None, "\udcff")),
    ("tftp://h/a+b", Location("h", None, "a+b")),
    ("tftp://h/%3F%23", Location("h", None, "?#")),
    ("tftp://h/", Location("h", None, "")),
    ("tftp://h", Location("h", None, "")),
]

BAD = [
    ("http://h/f", "begin with tftp://"),
    ("tftp:/h/f", "begin with tftp://"),
    ("tftp:///f", "names no host"),
    ("tftp://:69/f", "names no host"),
    ("tftp://user@h/f", "no users"),
    ("tftp://u:p@h/f", "no users"),
    ("tftp://h:0/f", "1 to 65535"),
    ("tftp://h:65536/f", "1 to 65535"),
    ("tftp://h:x/f", "1 to 65535"),
    ("tftp://h:-1/f", "1 to 65535"),
    ("tftp://h:٣/f", "1 to 65535"),
    ("tftp://[::1/f", "brackets"),
    ("tftp://[::1]x/f", "brackets"),
    ("tftp://[]/f", "brackets"),
    ("tftp://[h]/f", "brackets"),
    ("tftp://h/f%00", "zero octet"),
    ("tftp://h/f%0d%0aX", "control characters"),
    ("tftp://h/%7f", "control characters"),
    ("tftp://h/f%0", "percent"),
    ("tftp://h/f%zz", "percent"),
    ("tftp://h/f%", "percent"),
    ("tftp://h/f;mode=mail", "octet or netascii"),
    ("tftp://h/f;mode=", "octet or netascii"),
    ("tftp://h/f?x=1", "%3F"),
    ("tftp://h/f#x", "%23"),
    ("tftp://h h/f", "names no host"),
]


@pytest.mark.parametrize(("text", "location"), GOOD)
def test_a_url_names_a_file(text: str, location: Location) -> None:
    assert is_url(text)
    assert parse_url(text) == location


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_a_url_that_is_wrong_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_url(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("h", "h", None),
        ("h.example.", "h.example.", None),
        ("h:6969", "h", 6969),
        ("192.0.2.1:70", "192.0.2.1", 70),
        ("::1", "::1", None),
        ("2001:db8::1", "2001:db8::1", None),
        ("fe80::1%eth0", "fe80::1%eth0", None),
        ("[::1]", "::1", None),
        ("[::1]:70", "::1", 70),
        ("[fe80::1%eth0]:70", "fe80::1%eth0", 70),
    ],
)
def test_a_host_may_have_a_port(text: str, host: str, port: int | None) -> None:
    assert not is_url(text)
    assert parse_host(text) == Location(host, port)


@pytest.mark.parametrize("text", ["", ":69", "h:99999", "h:", "[::1]70", "a b", "h/f", "[h]"])
def test_a_host_that_is_wrong_is_refused(text: str) -> None:
    if text == "h:":
        assert parse_host(text) == Location("h")
        return
    with pytest.raises(ValueError, match=r"host|port|brackets"):
        parse_host(text)
