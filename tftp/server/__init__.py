"""The server: requests to transfers, one loop, one line for each."""

from tftp.server.config import Config, Limits, Upload
from tftp.server.journal import Journal, Totals
from tftp.server.report import Report
from tftp.server.server import EVERYWHERE, Server

__all__ = ["EVERYWHERE", "Config", "Journal", "Limits", "Report", "Server", "Totals", "Upload"]
