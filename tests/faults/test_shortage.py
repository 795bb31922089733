"""Descriptors that run out on the client's side; on the server's, see `test_limits`.

Whatever the call that finds none, it is a trouble of this host and told as one: no file is
left, and nobody is said not to answer.
"""

from pathlib import Path

import pytest

from tests.net.children import run
from tests.net.trees import names
from tests.server.lab import CONTENT, Lab

pytestmark = pytest.mark.fault

SCARCE = """
import os, resource, sys
from pathlib import Path
import tftp

def fill():
    '''Leaves no hole among the descriptors, and returns those that fill them.'''
    most = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    made = [os.dup(0)]
    while made[-1] < most:
        made.append(os.dup(0))
    return made

host, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
client = tftp.Client(host, port, block_size=512, window=1, linger=0)
calls = {
    "get": lambda: client.get("f"),
    "download": lambda: client.download("f", folder / "dest"),
    "upload": lambda: client.upload("new", folder / "source"),
}
calls["get"]()  # what is imported late, is by now
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
for left in range(12):
    made = fill()
    resource.setrlimit(resource.RLIMIT_NOFILE, (made[-1] + 1 + left, hard))
    try:
        calls[sys.argv[4]]()
        said = "done"
    except tftp.TftpError as error:
        said = f"{type(error).__name__}: {error}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for file in made:
        os.close(file)
    print(said)
    if said == "done":
        break
"""


@pytest.mark.parametrize("call", ["get", "download", "upload"])
def test_a_client_without_descriptors_says_so(lab: Lab, tmp_path: Path, call: str) -> None:
    lab.put_file("f", CONTENT)
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "source").write_bytes(CONTENT)
    (folder / "dest").write_bytes(b"old")
    said = run(SCARCE, lab.server.host, lab.server.port, folder, call).splitlines()
    assert len(said) > 1
    for line in said[:-1]:
        assert line.startswith("LocalError: Cannot "), line
        assert line.endswith("Too many open files"), line
    assert said[-1] == "done"
    assert names(folder) == {"dest", "source"}
    whole = {"get": b"old", "download": CONTENT, "upload": b"old"}
    assert (folder / "dest").read_bytes() == whole[call]
    if call == "upload":
        assert (lab.root / "new").read_bytes() == CONTENT
