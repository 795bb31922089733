"""Command lines: translation between a shell and the library, and no logic of their own."""
