"""Faults of the line at fixed moments, tried against servers: the rows of the tables.

What is done stands in `fault_rows` and `fault_rows_windows`, how it is played in
`server_scenes`. Faults that take more than a plan stand in the other `server_faults_*`.
"""

from ..catalogue import server_case
from ..scenes import roles
from ..server_scenes import against_server
from . import fault_rows, fault_rows_windows

for row in (*fault_rows.ROWS, *fault_rows_windows.ROWS):
    if roles(row, "server"):
        server_case(row.id)(against_server(row))
