"""Faults of the line at fixed moments, tried against clients: the rows of the tables.

What is done stands in `fault_rows` and `fault_rows_windows`, how it is played in
`client_scenes`. Faults that take more than a plan stand in the other `client_faults_*`.
"""

from ..catalogue import client_case
from ..client_scenes import against_client
from ..scenes import roles
from . import fault_rows, fault_rows_windows

for row in (*fault_rows.ROWS, *fault_rows_windows.ROWS):
    if roles(row, "client"):
        client_case(row.id)(against_client(row))
