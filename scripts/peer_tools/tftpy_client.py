"""Fetches or stores one file with tftpy, which comes as a library without commands.

Run by the interop tests and the conformance matrix as a foreign client: one transfer, exit
code 0 if it succeeded. Must not know about `tftp`: what it does on the wire is tftpy's doing
alone.
"""

import argparse
import sys
from importlib.metadata import version

import tftpy


def main() -> int:
    """Does the one transfer that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", action="version", version=version("tftpy"))
    parser.add_argument("-H", "--host", default="127.0.0.1")
    parser.add_argument("-p", "--port", type=int, default=69)
    parser.add_argument("-b", "--blksize", type=int, help="ask for this block size")
    parser.add_argument("-t", "--tsize", action="store_true", help="ask for the size")
    parser.add_argument("-T", "--timeout", type=int, default=5, help="seconds to wait for a packet")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("-D", "--download", metavar="NAME", help="the file to fetch")
    way.add_argument("-u", "--upload", metavar="NAME", help="the name to store under")
    parser.add_argument("-i", "--input", help="the file to send (-u)")
    parser.add_argument("-o", "--output", help="where to put what is fetched (-D)")
    chosen = parser.parse_args()
    if (chosen.download and not chosen.output) or (chosen.upload and not chosen.input):
        parser.error("-D needs -o, and -u needs -i")

    options: dict[str, int] = {}
    if chosen.blksize is not None:
        options["blksize"] = chosen.blksize
    if chosen.tsize:
        options["tsize"] = 0
    client = tftpy.TftpClient(chosen.host, chosen.port, options)
    try:
        if chosen.download:
            client.download(chosen.download, chosen.output, timeout=chosen.timeout)
        else:
            client.upload(chosen.upload, chosen.input, timeout=chosen.timeout)
    except (tftpy.TftpException, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
