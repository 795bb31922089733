"""`python -m conformance`, from a checkout."""

from .cli import main

main()
