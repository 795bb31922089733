"""From requests to transfers: who is answered, with what, and who is not (sans-I/O).

RFC 1350 section 4 (a transfer for each request), RFC 2347 (the OACK), RFC 1123 4.2.3.5.
Nothing but an RRQ or a WRQ is answered here, so that two servers can never be set to
answering each other. Must not know about sockets or clocks: it is told who asks and when,
and what a name leads to is the content's business.
"""

import errno
from dataclasses import dataclass

from tftp.errors import AccessDenied, ErrorCode, LocalError, MalformedPacket, ProtocolError
from tftp.net.files import Sink, Source
from tftp.net.udp import UPLOAD_BUFFER, buffer_for
from tftp.protocol.options import Ceiling, Terms, grant
from tftp.protocol.pace import Timing
from tftp.protocol.packets import RRQ, WRQ, Request, decode_request, encode_error, peek
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.transfer import Address, Ending
from tftp.server.access import Access
from tftp.server.acquaintances import Acquaintances
from tftp.server.config import Limits
from tftp.server.content import Content
from tftp.server.guard import Guard, Verdict

__all__ = ["SHORTAGES", "Admitted", "Reading", "Refused", "Service", "Verdict", "Writing"]

_MODES = ("octet", "netascii")

# Of a host that hears from us without having asked.
_COMPLAINTS = (ErrorCode.ILLEGAL_OPERATION, ErrorCode.UNKNOWN_TID)

# Of our own, and soon over: silence, so that the client asks again.
SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


@dataclass(slots=True, eq=False)
class Reading:
    """An RRQ that became a transfer, and the file to send."""

    peer: Address
    request: Request
    datagram: bytes
    started: float
    transfer: Sender
    file: Source

    @property
    def writes(self) -> bool:
        """Whether it is an upload."""
        return False

    def drop(self) -> None:
        """Gives the file back, for a transfer that never began."""
        self.file.close()


@dataclass(slots=True, eq=False)
class Writing:
    """A WRQ that became a transfer, and the place for its file."""

    peer: Address
    request: Request
    datagram: bytes
    started: float
    transfer: Receiver
    file: Sink

    @property
    def writes(self) -> bool:
        """Whether it is an upload."""
        return True

    def drop(self) -> None:
        """Leaves no trace of the file, for a transfer that never began."""
        self.file.discard()


Admitted = Reading | Writing


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that gets an ERROR; `request` is None where it could not be read."""

    request: Request | None
    code: int
    message: str

    @property
    def datagram(self) -> bytes:
        """Returns the ERROR packet."""
        return encode_error(self.code, self.message)


class Service:
    """Decides on requests, and knows the newest transfer of each peer."""

    def __init__(
        self, content: Content, limits: Limits, timing: Timing, access: Access | None = None
    ) -> None:
        """Starts without transfers."""
        self._content = content
        self._timing = timing
        self.guard = Guard(limits, access)
        """What hosts have and may have."""
        self.receive_budget = UPLOAD_BUFFER
        """The receive buffer, in octets, that a socket may get: it bounds windows of uploads."""
        self._newest: dict[Address, Admitted] = {}
        self._acquaintances = Acquaintances(limits.acquaintances)
        self._count = 0
        self._set(limits)

    def set(self, limits: Limits, access: Access) -> None:
        """Takes other limits and rules; transfers that run are left alone."""
        self.guard.set(limits, access)
        self._acquaintances.limit = limits.acquaintances
        self._set(limits)

    def _set(self, limits: Limits) -> None:
        self._limits = limits
        # The peer may be nobody who asked, until it answers.
        self._cautious = self._timing._replace(answers=limits.unproven_repeats)

    @property
    def count(self) -> int:
        """Returns how many transfers live."""
        return self._count

    def decide(self, datagram: bytes, source: Address, now: float) -> Admitted | Refused | Verdict:
        """Takes a datagram from the listening port."""
        if len(datagram) < 2 or peek(datagram) not in (RRQ, WRQ):
            return Verdict.NO_REQUEST
        known = self._newest.get(source)
        if known is not None and known.datagram == datagram and self._is_copy(known, now):
            return Verdict.REPEATED
        if self._count >= self._limits.transfers:
            return Verdict.BUSY
        if len(datagram) > self._limits.request:
            return Refused(None, ErrorCode.ILLEGAL_OPERATION, "Request too long")
        try:
            request = decode_request(datagram)
        except MalformedPacket as error:
            return Refused(None, ErrorCode.ILLEGAL_OPERATION, str(error))
        verdict = self.guard.admit(source, now, writes=request.opcode == WRQ)
        if verdict is not None:
            return verdict
        try:
            admitted = self._admit(request, datagram, source, now)
        except (LocalError, ProtocolError) as error:
            if _is_shortage(error):
                return Verdict.SHORT
            return Refused(request, error.code, str(error))
        if known is not None:
            known.transfer.hush()
        self._newest[source] = admitted
        self._count += 1
        self.guard.begin(admitted)
        return admitted

    def newest(self, source: Address) -> Admitted | None:
        """Returns the transfer that a peer began last, if it lives."""
        return self._newest.get(source)

    def release(self, admitted: Admitted) -> None:
        """Forgets a transfer that is over, but not how fast its peer was."""
        self._count -= 1
        transfer, peer = admitted.transfer, admitted.peer
        self.prove(admitted)
        self.guard.end(admitted)
        self._acquaintances.remember(peer, transfer.terms, transfer.pace, transfer.heard_at)
        if self._newest.get(admitted.peer) is admitted:
            del self._newest[admitted.peer]

    def prove(self, admitted: Admitted) -> bool:
        """Looks whether the peer has answered; returns whether its host never had before.

        An ERROR is an answer too, unless it says that nobody asked: UEFI asks for a size,
        and declines it.
        """
        outcome = admitted.transfer.outcome
        if outcome is None:
            heard = not admitted.transfer.opening
        elif outcome.ending is Ending.PEER_ERROR:
            heard = outcome.code not in _COMPLAINTS
        else:
            heard = outcome.ok
        return heard and self.guard.prove(admitted)

    def surplus(self) -> Admitted | None:
        """Returns a transfer that must give way, since too many have not been answered."""
        surplus = self.guard.surplus()
        assert surplus is None or isinstance(surplus, Admitted)
        return surplus

    def _is_copy(self, known: Admitted, now: float) -> bool:
        """Tells whether the same octets from the same port mean the transfer that is running.

        They do while it opens, and shortly after: the request that the client repeated
        crossed our answer. Later they are a board that was reset and began anew.
        """
        transfer = known.transfer
        recently = now - transfer.heard_at < self._limits.quiet_repeat
        return transfer.deadline is not None and (transfer.opening or recently)

    def _admit(self, request: Request, datagram: bytes, source: Address, now: float) -> Admitted:
        if request.mode == "mail":
            raise ProtocolError("Mail mode is obsolete and not supported")
        if request.mode not in _MODES:
            raise ProtocolError("Unknown mode")
        if not request.filename:
            raise ProtocolError("The file name is empty")
        if request.opcode == RRQ:
            return self._admit_read(request, datagram, source, now)
        return self._admit_write(request, datagram, source, now)

    def _admit_read(
        self, request: Request, datagram: bytes, source: Address, now: float
    ) -> Reading:
        netascii = request.mode == "netascii"
        terms = self._grant(request, None)
        if netascii:  # its wire form is made on the way, and a window of it has to be kept
            room = max(1, self._limits.text // terms.block_size)
            terms = self._grant(request, None, window=min(room, self._limits.window))
        # A sender goes back by a window at most, from the furthest block it has read.
        keep = (terms.window + 1) * terms.block_size
        file = self._content.read(request.filename, netascii=netascii, keep=keep)
        if file.size is not None:
            self._check_size(file)
            terms = self._grant(request, file.size)
        pace = self._acquaintances.recall(source, terms, now)
        transfer = Sender.answering(source, terms, self._cautious, now, pace)
        return Reading(source, request, datagram, now, transfer, file)

    def _admit_write(
        self, request: Request, datagram: bytes, source: Address, now: float
    ) -> Writing:
        terms = self._grant(request, None)
        if terms.window > 1:
            room = max(1, self.receive_budget // buffer_for(1, terms.block_size))
            terms = self._grant(request, None, window=min(room, self._limits.window))
        netascii = request.mode == "netascii"
        file = self._content.write(request.filename, netascii=netascii, size=terms.size)
        pace = self._acquaintances.recall(source, terms, now)
        transfer = Receiver.answering(source, terms, self._cautious, now, pace)
        return Writing(source, request, datagram, now, transfer, file)

    def _check_size(self, file: Source) -> None:
        """Gives back a file that is larger than may be sent. Raises AccessDenied."""
        most = self._limits.transfer_octets
        if most is not None and file.size is not None and file.size > most:
            file.close()
            raise AccessDenied("Access violation: the file is larger than the limit")

    def _grant(self, request: Request, size: int | None, window: int | None = None) -> Terms:
        limits = self._limits
        ceiling = Ceiling(limits.block_size, window or limits.window, size, limits.block_size_least)
        return grant(request.options, ceiling, reading=request.opcode == RRQ)


def _is_shortage(error: Exception) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in SHORTAGES
