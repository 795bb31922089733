"""All planted mutants: implementations with one wrong behaviour each, of servers and clients.

They are the suite's own test: a case that lets its mutant pass proves nothing when it lets
an implementation pass.
"""

from tests.conformance.client_mutants import CLIENT_MUTANTS
from tests.conformance.error_mutants import ERROR_MUTANTS
from tests.conformance.mutant import Mutant
from tests.conformance.option_mutants import OPTION_MUTANTS
from tests.conformance.reading_mutants import READING_MUTANTS
from tests.conformance.writing_mutants import WRITING_MUTANTS

__all__ = ["CLIENT_MUTANTS", "MUTANTS", "SERVER_MUTANTS"]

SERVER_MUTANTS: list[Mutant] = [*READING_MUTANTS, *ERROR_MUTANTS, *WRITING_MUTANTS, *OPTION_MUTANTS]
MUTANTS: list[Mutant] = [*SERVER_MUTANTS, *CLIENT_MUTANTS]
