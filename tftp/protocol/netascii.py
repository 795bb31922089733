"""Netascii both ways, piece by piece (RFC 1350 section 1; RFC 764, the NVT's CR rules).

A line feed of the local file is CR LF on the wire and a bare carriage return is CR NUL;
every other octet, NUL and those above 127 included, is itself. The pieces may be cut
anywhere: both converters give the same bytes for any cut. RFC 764 leaves CR before any
other octet undefined; here it is kept, so that nothing is lost and nothing is invented.
Must not know about blocks, files or the direction of a transfer.
"""

__all__ = ["Decoder", "Encoder", "decode", "encode"]


class Encoder:
    """Turns local text into netascii. It keeps nothing between two pieces."""

    __slots__ = ()

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Returns the wire form of `data`; it is one to two times as long."""
        # CR first: the CRs that the second step adds must not be seen by the first.
        return bytes(data).replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")

    def finish(self) -> bytes:
        """Returns what is still owed at the end of the file: nothing, ever."""
        return b""


class Decoder:
    """Turns netascii into local text. It holds back a CR until it has seen the next octet."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Returns the local form of all octets that are decided by now."""
        text = self._held + data
        if text.endswith(b"\r"):
            self._held = b"\r"
            text = text[:-1]
        else:
            self._held = b""
        # No replacement makes a new pair: the octet that it removes stood before one that stays.
        return text.replace(b"\r\n", b"\n").replace(b"\r\0", b"\r")

    def finish(self) -> bytes:
        """Returns a CR that ended the file, kept as it came, and starts anew."""
        held, self._held = self._held, b""
        return held


def encode(data: bytes | bytearray | memoryview) -> bytes:
    """Returns the netascii form of a whole text."""
    return Encoder().feed(data)


def decode(data: bytes | bytearray | memoryview) -> bytes:
    """Returns the local form of a whole netascii text."""
    decoder = Decoder()
    return decoder.feed(data) + decoder.finish()
