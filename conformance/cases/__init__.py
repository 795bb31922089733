"""The cases: one file per document and side, one function per requirement."""
