"""The options of `tftp-serve`: what each takes, and its line of help.

The defaults stand in the command, and come from `Limits`, `Timing` and `Config`. Must not
know what is done with the values.
"""

from pathlib import Path
from typing import Annotated

import typer

from tftp.cli.parsers import (
    check_number,
    parse_port_list,
    parse_ports,
    parse_size,
    parse_workers,
)
from tftp.protocol.packets import MAX_BLOCK_SIZE
from tftp.server import Limits, Upload

__all__ = [
    "Allow",
    "AllowUpload",
    "BlockSizeMax",
    "BlockSizeMin",
    "Cache",
    "Check",
    "Confine",
    "Deny",
    "DenyUpload",
    "Drain",
    "HostRate",
    "Hosts",
    "KeepFree",
    "LogFormat",
    "LogRate",
    "MaxHostTransfers",
    "MaxHostUnproven",
    "MaxHostUploads",
    "MaxOctets",
    "MaxSeconds",
    "MaxTransfers",
    "MaxUnproven",
    "MaxUpload",
    "MaxUploads",
    "MutedPorts",
    "Port",
    "PortRange",
    "Quiet",
    "Retries",
    "Root",
    "Spin",
    "Timeout",
    "UnprovenRate",
    "UnprovenRepeats",
    "UploadPolicy",
    "UploadRate",
    "User",
    "Verbose",
    "WindowMax",
    "Workers",
]

LIMITS = Limits()

Root = Annotated[Path, typer.Argument(metavar="[ROOT]", help="The folder to serve.")]
Port = Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="UDP port.")]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="Address to listen on; repeatable. Default: all, v4 and v6."),
]
PortRange = Annotated[
    range | None,
    typer.Option(parser=parse_ports, metavar="A-B", help="Ports for the transfers."),
]
Workers = Annotated[
    int,
    typer.Option(
        parser=parse_workers,
        metavar="N|auto",
        help="Processes that serve; auto: one for each processor.",
    ),
]
Spin = Annotated[
    str,
    typer.Option(
        metavar="auto|off",
        help="Look for the next packet before sleeping, while they come fast.",
    ),
]
Drain = Annotated[
    float,
    typer.Option(
        min=0, callback=check_number, help="Seconds for running transfers to end when stopped."
    ),
]

# What is granted, and when it is sent again.
BlockSizeMax = Annotated[
    int, typer.Option(min=8, max=MAX_BLOCK_SIZE, help="Largest block size granted.")
]
BlockSizeMin = Annotated[
    int,
    typer.Option(min=8, max=MAX_BLOCK_SIZE, help="Smaller ones are passed over: 512 holds."),
]
WindowMax = Annotated[
    int, typer.Option(min=1, max=65535, help="Largest window granted, in blocks.")
]
Timeout = Annotated[
    float,
    typer.Option(min=0.1, max=60, callback=check_number, help="Seconds before the first repeat."),
]
Retries = Annotated[
    int, typer.Option(min=1, max=50, help="Repeats before giving up on a silent peer.")
]
Cache = Annotated[
    int,
    typer.Option(
        parser=parse_size, metavar="SIZE", help="Octets of packets shared by transfers of a file."
    ),
]

# Uploads.
UploadPolicy = Annotated[Upload, typer.Option("--upload", help="What becomes of uploads.")]
MaxUpload = Annotated[
    int | None,
    typer.Option(parser=parse_size, metavar="SIZE", help="Most octets of one upload: 10M."),
]
MaxUploads = Annotated[int, typer.Option(min=0, help="Uploads at once.")]
MaxHostUploads = Annotated[int, typer.Option(min=0, help="Uploads at once of one host.")]
UploadRate = Annotated[
    float, typer.Option(min=0, callback=check_number, help="Uploads a second; 0: no limit.")
]
KeepFree = Annotated[
    int,
    typer.Option(parser=parse_size, metavar="SIZE", help="Octets of the disk that stay free."),
]

# Who may ask, and for how much.
Allow = Annotated[
    list[str] | None,
    typer.Option(metavar="CIDR", help="Network that may ask; repeatable."),
]
Deny = Annotated[
    list[str] | None,
    typer.Option(metavar="CIDR", help="Network that may not ask; repeatable."),
]
AllowUpload = Annotated[
    list[str] | None,
    typer.Option(metavar="CIDR", help="Network that may upload; repeatable."),
]
DenyUpload = Annotated[
    list[str] | None,
    typer.Option(metavar="CIDR", help="Network that may not; repeatable."),
]
MutedPorts = Annotated[
    frozenset[int] | None,
    typer.Option(
        parser=parse_port_list,
        metavar="PORTS",
        help="Source ports that are never answered, as 7,19,69, or none. Default: those of "
        "servers that answer anything.",
    ),
]
MaxTransfers = Annotated[
    int | None,
    typer.Option(
        min=1, help=f"Transfers at once; more requests wait.  [default: {LIMITS.transfers}]"
    ),
]
MaxHostTransfers = Annotated[
    int, typer.Option(min=0, help="Transfers at once of one host; 0: no limit.")
]
HostRate = Annotated[
    float,
    typer.Option(min=0, callback=check_number, help="Requests a second of one host; 0: no limit."),
]
MaxUnproven = Annotated[
    int, typer.Option(min=0, help="Transfers at once whose peer has not answered; 0: no limit.")
]
MaxHostUnproven = Annotated[
    int, typer.Option(min=0, help="The same, of one host that has never answered.")
]
UnprovenRepeats = Annotated[
    int, typer.Option(min=0, max=50, help="Repeats of a first answer to a peer that is silent.")
]
UnprovenRate = Annotated[
    float,
    typer.Option(
        min=0,
        callback=check_number,
        help="Requests a second of hosts that have never answered; 0: no limit.",
    ),
]
MaxSeconds = Annotated[
    float,
    typer.Option(min=0, callback=check_number, help="Seconds of one transfer; 0: no limit."),
]
MaxOctets = Annotated[
    int | None,
    typer.Option(parser=parse_size, metavar="SIZE", help="Most octets of one transfer."),
]

# The log, and the rest.
LogFormat = Annotated[str, typer.Option(help="text or json.", metavar="text|json")]
LogRate = Annotated[
    float,
    typer.Option(
        min=0,
        callback=check_number,
        help="Lines a second about refusals and failures; 0: no limit.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log requests too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Log failures only.")]
User = Annotated[str | None, typer.Option(help="User to become once the port is open (as root).")]
Confine = Annotated[
    bool, typer.Option(help="Let the kernel (Landlock) forbid all files but those of ROOT.")
]
Check = Annotated[
    bool, typer.Option("--check", help="Say what protects this machine, and serve nothing.")
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Limits and rules in TOML; SIGHUP rereads it."),
]
Replace = Annotated[
    int | None,
    typer.Option(min=2, metavar="PID", help="Take the port over from that tftp-serve, and end it."),
]
