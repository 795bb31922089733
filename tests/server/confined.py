"""A server that has given up its privileges, in a process of its own, to be talked to.

It is put together as the command does it: sockets and folder are opened, privileges given
up, and only then it serves. What it opens and loads from then on is written down.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.net.children import start
from tests.server.wire import PATIENCE
from tftp.client import Client

__all__ = ["BROKEN", "Confined"]

SERVE = """
import json, logging, os, pwd, signal, sys, threading, time
from tftp.net import privileges
from tftp.net.root import Root
from tftp.server import Config, Server, Upload
from tftp.server.workers import Workers
from tftp.server.journal import say_swept

root, upload, workers, confine, user, broken = json.loads(sys.argv[1])
exec(broken)
logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", level=logging.DEBUG)
config = Config(upload=Upload(upload), drain=5.0)
server = Workers(root, workers, config=config) if workers else Server(root, config=config)
server.open()
touched = []
signal.signal(signal.SIGTERM, lambda *_: server.stop())
account = pwd.getpwnam(user) if user else None
protection = privileges.apply(root, upload != "deny", account, confine)
sys.addaudithook(lambda event, args: event in ("open", "import") and touched.append(
    (event, os.fsdecode(args[0]) if isinstance(args[0], (str, bytes)) else args[0])))
print(json.dumps([server.port, protection.landlock.active]), flush=True)
server.serve()
print(json.dumps(touched))
"""

_OPEN_FILE = """
from tftp.net.refusal import refusal
def open_file(self, name):
    try:
        return os.open({path}, os.O_RDONLY)
    except OSError as error:
        raise refusal(error) from error
Root.open_file = open_file
"""

BROKEN = {
    "the name as it is": _OPEN_FILE.format(path='"/" + name'),
    "below the root": _OPEN_FILE.format(path='self.path + "/" + name'),
}
"""What a careless hand might make of the way in which a name is opened."""


class Confined:
    """The server, from its start to its end; `touched` is known after that."""

    def __init__(
        self,
        root: Path,
        *,
        upload: str = "deny",
        workers: int = 0,
        confine: bool = True,
        user: str | None = None,
        broken: str = "",
    ) -> None:
        arguments = json.dumps([str(root), upload, workers, confine, user, broken])
        self.process = start(SERVE, arguments)
        self.touched: list[tuple[str, str | int]] = []
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "it did not start"
        self._port, self.by_landlock = json.loads(line)

    def client(self) -> Client:
        return Client("127.0.0.1", self._port)

    def stop(self) -> None:
        """Ends it in good order."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0
        self.touched = [(event, what) for event, what in json.loads(out)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=PATIENCE)
