"""The one place where the version of tftpkit stands; the build reads it from here.

Must not import anything: build tools read this file without running the package.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
