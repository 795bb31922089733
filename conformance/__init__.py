"""A conformance suite for TFTP: judges any server and any client, clause by clause.

Stands beside the `tftp` package and imports nothing of it: a codec that both sides shared
could not catch its own mistakes. Installed as `tftp_conformance`; from a checkout it is
`python -m conformance`.
"""
