"""One call of the client: addresses, attempts, and what to fall back to (RFC 2347).

A server may ignore options, refuse them with an ERROR, choke on them in silence, or
answer and then never send a block. The core copes with the first; each of the others
gets one more try, without options and from a new port, as a new transfer (RFC 1350
section 4). All tries together stay within the patience that the caller granted, until
the file begins to move. Must not know where octets come from or go to.
"""

import errno
import socket
from contextlib import suppress
from typing import Literal, NamedTuple

from tftp.client.dally import Dallying, Keep
from tftp.client.drive import Drive, Metered, Report
from tftp.client.intake import Intake
from tftp.client.settings import PEER_BUFFER, Settings, schedule, wish_for
from tftp.errors import (
    ErrorCode,
    IllegalOperation,
    LocalError,
    OptionRefused,
    PeerError,
    SizeMismatch,
    TftpError,
    TransferTimeout,
    UnknownHost,
    Unreachable,
)
from tftp.net.channel import Channel, Outbound, Scratch
from tftp.net.clock import now
from tftp.net.files import Sink
from tftp.net.udp import Endpoint, bind_transfer, grow_buffer, path_mtu, resolve
from tftp.protocol.options import Terms, Wish, propose
from tftp.protocol.packets import RRQ, WRQ, Options, Request, encode
from tftp.protocol.receiver import Receiver
from tftp.protocol.sender import Sender
from tftp.protocol.states import State
from tftp.protocol.transfer import Address, Ending, Outcome

__all__ = ["Result", "Session"]

MAX_ADDRESSES = 4  # of one name that are tried; they share the patience
RECEIVE_BUFFER = 2 << 20  # asked for; the kernel may grant less

Mode = Literal["octet", "netascii"]
Place = tuple[socket.AddressFamily, Address]

# What servers say to a request whose options they do not like. Errors 1, 2, 3, 6 and 7
# speak of the file, and 5 of the port: no request without options would change those.
_MAY_BE_OPTIONS = {
    ErrorCode.NOT_DEFINED,
    ErrorCode.ILLEGAL_OPERATION,
    ErrorCode.OPTION_REFUSED,
}

# What this host lacks, which says nothing about the way to another.
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Result(NamedTuple):
    """A transfer that went well."""

    size: int
    """Octets of the file as they were on the wire: in netascii, more than in the file."""
    seconds: float
    """From the first request, or the look for its host, to the end, with every try."""
    terms: Terms
    """What was agreed; `terms.options` are the options of the server's answer."""
    resent: int
    """How many blocks (of an upload) or ACKs (of a download) were sent again."""
    timeouts: int
    """How often we waited for an answer in vain."""
    notes: tuple[str, ...] = ()
    """What the client did by itself, such as to go on without options."""
    path: str | None = None
    """Where a download was saved, if that is a path."""

    @property
    def rate(self) -> float:
        """Octets a second."""
        return self.size / max(self.seconds, 1e-9)


class _Attempt(NamedTuple):
    channel: Channel
    outcome: Outcome
    asked: Options
    answered: bool
    underway: bool


class Session:
    """Fetches into a sink, or sends a source. Neither is closed here, and both survive a try."""

    def __init__(
        self,
        host: str,
        port: int,
        settings: Settings,
        filename: str,
        mode: Mode,
        work: Sink | Metered,
        report: Report,
        local: str,
        keep: Keep | None,
    ) -> None:
        """`local` is the local file as the user named it, if that is a path."""
        self._host = host
        self._port = port
        self._settings = settings
        self._filename = filename
        self._mode = mode
        self._work = work
        self._report = report
        self._local = local
        self._keep = keep
        self._notes: list[str] = []

    def run(self) -> Result:
        """Tries until the file is across. Raises TftpError of every kind."""
        self._await_producer()
        started = now()
        until = started + self._settings.timing.patience
        places = self._find_places()
        while True:
            place = places.pop(0)
            share = (until - now()) / (len(places) + 1)
            try:
                attempt = self._converse(place, share, refusals=1 if places else 2)
            except Unreachable:
                if not places:
                    raise
                continue
            if places and attempt.outcome.ending is Ending.TIMEOUT and not attempt.answered:
                continue
            return self._conclude(attempt, now() - started)

    def _await_producer(self) -> None:
        """Waits for the first octets of a slow source: a server that has answered would not."""
        if isinstance(self._work, Metered):
            try:
                self._work.prepare()
            except LocalError as error:
                raise self._name_local(error) from error

    def _find_places(self) -> list[Place]:
        try:
            found = resolve(self._host, self._port)
        except (socket.gaierror, UnicodeError) as error:
            reason = error.strerror if isinstance(error, socket.gaierror) else "it is no host name"
            raise UnknownHost(f"Cannot find the host {self._host!r}: {reason}") from error
        family = self._settings.family
        places = [place for place in dict.fromkeys(found) if family in (socket.AF_UNSPEC, place[0])]
        if not places:
            kind = "IPv4" if family == socket.AF_INET else "IPv6"
            raise UnknownHost(f"The host {self._host!r} has no {kind} address")
        return places[:MAX_ADDRESSES]

    def _converse(self, place: Place, share: float, refusals: int) -> _Attempt:
        """Tries one address, with options and then without, for `share` seconds of silence."""
        family, address = place
        try:
            mtu, peer = path_mtu(family, address)
        except OSError as error:
            if error.errno in _SHORTAGES:
                raise LocalError(f"Cannot use a port of this host: {error.strerror}") from error
            raise Unreachable(f"No way leads to {self._server}: {error.strerror}") from error
        start = now()
        until = start + share
        # Options are given up early enough to leave at least as much time without them.
        early = [time for time in schedule(self._settings.timing) if time <= share / 2]
        limits = (start + early[-1] if early else until, until)
        attempt = self._attempt(family, peer, mtu, self._settings, limits, refusals)
        objection = self._find_objection(attempt)
        if objection is None or now() >= until:
            return attempt
        self._notes.append(f"{objection}; asked again without options")
        bare = self._settings._replace(options=frozenset())
        return self._attempt(family, peer, mtu, bare, limits, refusals)

    def _find_objection(self, attempt: _Attempt) -> str | None:
        """Says why to try again without options; None where that is no use."""
        if not attempt.asked or attempt.underway:
            return None
        outcome = attempt.outcome
        if outcome.ending is Ending.TIMEOUT:
            if attempt.answered:
                return "the server agreed on options and then fell silent"
            return "the server did not answer a request with options"
        if outcome.ending is Ending.PEER_ERROR and outcome.code in _MAY_BE_OPTIONS:
            return f"the server refused the options (error {outcome.code}: {outcome.message})"
        return None

    def _attempt(
        self,
        family: socket.AddressFamily,
        peer: Address,
        mtu: int,
        settings: Settings,
        limits: tuple[float, float],
        refusals: int,
    ) -> _Attempt:
        """Makes one transfer, on a socket of its own, and runs it to its end.

        `limits`: until when to wait for the file to move, if options are asked for and if not.
        """
        endpoint = self._bind(family)
        try:
            buffer = PEER_BUFFER
            if not isinstance(self._work, Metered):
                buffer = grow_buffer(endpoint.socket, RECEIVE_BUFFER)
            request = self._make_request(wish_for(settings, family, mtu, buffer, self._size()))
            channel = self._open(request, peer, endpoint)
            drive = Drive(
                channel,
                self._report,
                self._work,
                exact=self._mode == "octet",
                wary=bool(request.options),
                refusals=refusals,
            )
            outcome = self._drive(drive, channel, limits[0 if request.options else 1])
        except BaseException:
            endpoint.close()
            raise
        self._part(channel)
        return _Attempt(channel, outcome, request.options, drive.answered, drive.underway)

    def _drive(self, drive: Drive, channel: Channel, until: float) -> Outcome:
        try:
            outcome = drive.run(until)
        except Unreachable as error:
            raise Unreachable(f"Nobody answers at {self._server}: {error}") from error
        except BaseException:
            _say_goodbye(channel, "Cancelled")
            raise
        if channel.transfer.outcome is None:
            _say_goodbye(channel, "Gave up waiting")
        return outcome

    def _part(self, channel: Channel) -> None:
        """Closes the socket, unless the server may ask for the last ACK again."""
        transfer = channel.transfer
        channel.endpoint.disconnect()
        if self._keep and isinstance(transfer, Receiver) and transfer.state is State.DALLYING:
            self._keep(Dallying(channel.endpoint, transfer))
        else:
            channel.endpoint.close()

    def _bind(self, family: socket.AddressFamily) -> Endpoint:
        settings = self._settings
        local, scope = "0.0.0.0" if family == socket.AF_INET else "::", 0
        try:
            if settings.local_address:
                found = [a for f, a in resolve(settings.local_address, 0) if f == family]
                if not found:
                    raise LocalError(f"{settings.local_address!r} is no address of that kind")
                local, scope = found[0][0], found[0][3] if len(found[0]) == 4 else 0
            return bind_transfer(family, local, scope, settings.local_ports)
        except OSError as error:
            what = settings.local_address or "a port"
            raise LocalError(f"Cannot use {what} of this host: {error.strerror}") from error

    def _size(self) -> int | None:
        """Returns what to put into tsize: 0 asks for it (RFC 2349); none where it would lie."""
        if self._mode != "octet":
            return None
        return self._work.size if isinstance(self._work, Metered) else 0

    def _make_request(self, wish: Wish) -> Request:
        opcode = WRQ if isinstance(self._work, Metered) else RRQ
        bare = Request(opcode, self._filename, self._mode)
        request = bare._replace(options=propose(wish))
        try:
            encode(request)
        except ValueError:
            self._notes.append("the name is too long to leave room for options")
            return bare
        return request

    def _open(self, request: Request, peer: Address, endpoint: Endpoint) -> Channel:
        timing, scratch, time = self._settings.timing, Scratch(), now()
        if isinstance(self._work, Metered):
            sender = Sender.requesting(request, peer, timing, time)
            return Outbound(sender, endpoint, self._work, scratch)
        if request.options:
            endpoint.group_arrivals()
        receiver = Receiver.requesting(request, peer, timing, time)
        return Intake(receiver, endpoint, self._work, scratch)

    def _conclude(self, attempt: _Attempt, seconds: float) -> Result:
        transfer, outcome = attempt.channel.transfer, attempt.outcome
        if outcome.ending is not Ending.COMPLETE:
            raise self._failure(attempt)
        size = transfer.sent_bytes if isinstance(transfer, Sender) else transfer.received_bytes
        self._report.finish(size)
        notes = tuple(self._notes)
        return Result(size, seconds, transfer.terms, transfer.resent, transfer.timeouts, notes)

    def _failure(self, attempt: _Attempt) -> TftpError:
        outcome = attempt.outcome
        match outcome.ending:
            case Ending.PEER_ERROR:
                return PeerError(outcome.code, outcome.message)
            case Ending.REFUSED:
                return OptionRefused(outcome.message)
            case Ending.ILLEGAL:
                return IllegalOperation(outcome.message)
            case Ending.UNCONFIRMED:
                return TransferTimeout(
                    f"{self._server} did not confirm the last block: "
                    "the file there is probably complete, but not certainly"
                )
            case Ending.TIMEOUT if attempt.answered:
                return TransferTimeout(f"{self._server} stopped answering")
            case Ending.TIMEOUT:
                return TransferTimeout(
                    f"Nobody answers at {self._server}: no server, or a firewall"
                )
            case _:
                failure = attempt.channel.failure
                assert failure is not None, "a transfer that we ended has a reason"
                return self._name_local(failure)

    def _name_local(self, failure: LocalError) -> LocalError:
        """Returns what went wrong here; the peer was not told the path, but the user is."""
        if isinstance(failure, SizeMismatch):
            return failure
        verb = "read" if isinstance(self._work, Metered) else "write"
        file = repr(self._local) if self._local else "the file"
        cause = failure.__cause__
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else failure
        named = type(failure)(f"Cannot {verb} {file}: {reason}")
        named.__cause__ = failure
        return named

    @property
    def _server(self) -> str:
        return f"{self._host} port {self._port}"


def _say_goodbye(channel: Channel, message: str) -> None:
    """Tells a server that has answered not to go on; as ever, nobody waits for a reply."""
    with suppress(Exception):
        channel.transfer.abort(ErrorCode.NOT_DEFINED, message)
        channel.flush(now())
