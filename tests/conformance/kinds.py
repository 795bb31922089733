"""Sorts of servers that are right, most of them not like ours: the suite must let them be.

They lack options or uploads, keep other timers, grant little, or serve all from one port.
"""

from tests.conformance.server_actor import ServerKind
from tftp.protocol.options import Terms
from tftp.protocol.pace import Timing
from tftp.protocol.packets import Request
from tftp.server.config import Limits, Upload
from tftp.server.service import Service

__all__ = ["ONE_PORT", "OPTIONLESS", "SOUND_KINDS"]


class _Optionless(Service):
    def _grant(self, request: Request, size: int | None, window: int | None = None) -> Terms:
        return Terms()


OPTIONLESS = ServerKind(service=_Optionless)
ONE_PORT = ServerKind(one_port=True)

SOUND_KINDS = {
    "as ours is": ServerKind(),
    "without options": OPTIONLESS,
    "for reading only": ServerKind(upload=Upload.DENY),
    "without overwriting": ServerKind(upload=Upload.CREATE),
    "with a slow timer": ServerKind(timing=Timing(first=3.0, floor=3.0, least=3.0, ceiling=12.0)),
    "that does not adapt": ServerKind(timing=Timing(first=1.0, floor=1.0, least=1.0)),
    "that grants little": ServerKind(limits=Limits(block_size=512, window=1)),
    "with one port": ONE_PORT,
}
