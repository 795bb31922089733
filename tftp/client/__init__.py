"""The client: fetch and send files, with an outcome or an exception (RFC 1350, RFC 7440).

`Client` and the four functions of the same names are all that a user needs. What goes
wrong on the wire becomes an exception here and nowhere below: the core ends a transfer
with a value. Must not know about the server, the simulator or terminals.
"""

from tftp.client.api import Client, download, get, put, upload
from tftp.client.drive import Progress
from tftp.client.session import Result

__all__ = ["Client", "Progress", "Result", "download", "get", "put", "upload"]
