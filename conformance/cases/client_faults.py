"""Faults of the line at fixed moments, tried against clients: the rows of the tables.

What is done stands in `fault_rows` and `fault_rows_windows`, how it is played in
`client_scenes`. Some rows are for clients only: an OACK is never sent to a server, and a
client knows nobody before the first answer.
"""

from ..catalogue import client_case
from ..client_scenes import against_client
from ..faults import MOMENT, Fault
from ..mishaps import becomes, cut, damage, forge
from ..scenes import BOTH, Row, one_of, roles
from ..wire import ACK, OACK, oack
from . import fault_rows, fault_rows_windows

CLIENTS_ONLY = (
    Row(
        "F-OA-09",
        "The OACK cut to 2 and to 3 octets, inside its value, and before its last NUL; the whole"
        " one follows a little later.",
        one_of(*(Fault(OACK, None, damage(cut(size), mended=MOMENT)) for size in (2, 3, -2, -1))),
        oack=BOTH,
        may_end=True,
        codes=(4, 8),
    ),
    Row(
        "F-OA-10",
        "Behind the OACK one of a stranger's with blocks of eight octets.",
        one_of(Fault(OACK, None, forge(becomes(oack({"blksize": 8})), before=False))),
        oack=BOTH,
    ),
    Row(
        "F-A0-08",
        "Behind the server's ACK 0 a stranger's; before it nobody could tell the two apart.",
        one_of(Fault(ACK, 0, forge(before=False))),
        without=("server-read",),
    ),
)

for row in (*fault_rows.ROWS, *fault_rows_windows.ROWS, *CLIENTS_ONLY):
    if roles(row, "client"):
        client_case(row.id)(against_client(row))
