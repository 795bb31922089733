"""Runs scripts/soak.

Apart from what it runs, since the processes that it starts import that by its name.
Must not know what a world is.
"""

import sys

from scripts.soak_tools.soak import main

if __name__ == "__main__":
    sys.exit(main())
