"""Writes the tables of `docs/protocol.md`: `python -m tests.server.protocol_page`.

They are made from the table that `test_bad_input` plays and from the defaults of the
server, and stand between marks in the page; all else there is written by hand. A test fails
when the page is stale.
"""

import re
from pathlib import Path

from tests.server.bad_input import ASKED, UNDERWAY
from tftp.protocol.options import MAX_WINDOW, MIN_BLOCK_SIZE, MIN_UTIMEOUT, SAFE_WINDOW
from tftp.protocol.pace import Timing
from tftp.protocol.packets import MAX_BLOCK_SIZE
from tftp.protocol.transfer import MAX_STRANGER_REPLIES
from tftp.server import Config, Limits

__all__ = ["PAGE", "fresh"]

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


def _listening_table() -> str:
    lines = ["| To the listening port | It gets |", "|---|---|"]
    lines += [f"| {row.what} | {row.answer} |" for row in ASKED]
    return "\n".join(lines)


def _underway_table() -> str:
    lines = ["| To the port of a transfer | In a read | In a write | From a stranger |"]
    lines.append("|---|---|---|---|")
    lines += [f"| {row.what} | {row.read} | {row.write} | {row.stranger} |" for row in UNDERWAY]
    return "\n".join(lines)


def _options_table() -> str:
    limits = Limits()
    held = "and in an upload what the receive buffer can hold"
    rows = [
        (
            "`blksize`",
            f"{MIN_BLOCK_SIZE} to {MAX_BLOCK_SIZE:,}",
            "RFC 2348",
            f"the smaller of it and `--block-size-max` ({limits.block_size:,})",
        ),
        (
            "`windowsize`",
            f"1 to {MAX_WINDOW:,}",
            "RFC 7440",
            f"the smallest of it, `--window-max` ({limits.window}), {SAFE_WINDOW:,}, {held}",
        ),
        ("`timeout`", "1 to 255 seconds", "RFC 2349", "the same number"),
        (
            "`tsize`",
            "0 and up",
            "RFC 2349",
            "to a reader the size of the file, in octet mode; to a writer the same number",
        ),
        (
            "`utimeout`",
            f"{MIN_UTIMEOUT:,} to 255,000,000 microseconds",
            "tftp-hpa",
            "the same number",
        ),
        ("`rollover`", "0 or 1", "tftp-hpa", "the same number: what follows block 65,535"),
    ]
    lines = ["| Option | Values | From | The OACK says |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def _times_table() -> str:
    timing, config, limits = Timing(), Config(), Limits()
    rows = [
        (
            "first interval, while no round trip has been measured",
            f"{timing.first:g} s",
            "`--timeout`",
        ),
        ("shortest interval of a sender", f"{timing.floor:g} s", ""),
        ("the same for a peer that has never been slow of late", f"{timing.least:g} s", ""),
        ("longest interval", f"{timing.ceiling:g} s", ""),
        ("repeats of the first flight", f"{timing.retries}", "`--retries`"),
        ("patience without progress, as long as those take", f"{timing.patience:g} s", ""),
        ("dallying after the last ACK", f"{timing.dally:g} s", ""),
        (
            "the same request again is a copy, after the last progress",
            f"{limits.quiet_repeat:g} s",
            "",
        ),
        ("ERROR 5 to strangers, for one transfer", f"{MAX_STRANGER_REPLIES}", ""),
        ("transfers at once", f"{limits.transfers:,}", "`--max-transfers`"),
        (
            "repeats of a first answer to a silent peer",
            f"{limits.unproven_repeats}",
            "`--unproven-repeats`",
        ),
        ("octets of a request", f"{limits.request:,}", ""),
        ("requests taken in and not answered yet", f"{limits.waiting:,}", ""),
        ("octets kept of a netascii read", f"{limits.text:,}", ""),
        ("octets of packets shared by transfers of one file", f"{limits.cache:,}", "`--cache`"),
        ("connected sockets beside the first ones of transfers", f"{limits.connected:,}", ""),
        ("hosts whose round trips are remembered", f"{limits.acquaintances:,}", ""),
        ("time for running transfers to end, when stopped", f"{config.drain:g} s", "`--drain`"),
    ]
    lines = ["| | By default | Set with |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


PARTS = {
    "listening port": _listening_table,
    "transfer": _underway_table,
    "options": _options_table,
    "times": _times_table,
}


def fresh(page: str) -> str:
    """Returns the page with its generated parts made anew."""
    for name, make in PARTS.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        part = f"{begin}\n\n{make()}\n\n{end}"
        page, count = pattern.subn(part.replace("\\", r"\\"), page)
        assert count == 1, f"the page has {count} places for {name!r}"
    return page


if __name__ == "__main__":
    PAGE.write_text(fresh(PAGE.read_text("utf-8")), "utf-8")
