"""A server that just suffices to be started and asked, and that some requests are too much for.

    toy_server.py HOST PORT       on a port that it is told
    toy_server.py -               on the socket that is its standard input
    toy_server.py cannot|dumb     says that it cannot run here; runs, but never listens

A read of `die` ends it, one of `hang` stops it for good; any other gets an ERROR with the number
of its process. Must not need anything of the suite.
"""

import os
import signal
import socket
import sys


def main() -> None:
    if sys.argv[1] == "cannot":
        print("there is no engine for it")
        sys.exit(127)
    if sys.argv[1] == "dumb":
        signal.pause()
    if sys.argv[1] == "-":
        sock = socket.socket(fileno=0)
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((sys.argv[1], int(sys.argv[2])))
    while True:
        request, client = sock.recvfrom(1000)
        name = request[2:].split(b"\0")[0]
        if name == b"die":
            sys.exit("what was that?")
        if name == b"hang":
            signal.pause()
        sock.sendto(b"\0\5\0\1%d\0" % os.getpid(), client)


if __name__ == "__main__":
    main()
