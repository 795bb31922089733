"""The page about security says what the code does: limits, flags, counters."""

from dataclasses import fields

import pytest
from typer.main import get_command

from tests.server.security_page import COUNTED, FLAGS, PAGE, fresh, reasons
from tftp.cli.serve import app
from tftp.server import Limits, Totals, journal
from tftp.server.guard import Verdict


def test_the_page_is_fresh() -> None:
    page = PAGE.read_text("utf-8")
    assert page == fresh(page), "python -m tests.server.security_page"


@pytest.mark.parametrize("name", [one.name for one in fields(Limits)])
def test_each_limit_has_its_reason(name: str) -> None:
    assert reasons()[name].endswith(".")


def test_the_flags_exist() -> None:
    known = {name for param in get_command(app).params for name in param.opts}
    assert set(FLAGS.values()) <= known
    assert set(FLAGS) <= {one.name for one in fields(Limits)}


def test_the_counters_exist() -> None:
    assert set(COUNTED.values()) <= {one.name for one in fields(Totals)}
    assert set(COUNTED) <= {one.name for one in fields(Limits)}


def test_each_reason_for_silence_is_counted() -> None:
    names = {journal.COUNTED.get(verdict, verdict.name.lower()) for verdict in Verdict}
    uncounted = {"no_request", "repeated"}  # noise of the network, and no limit
    assert names - uncounted <= {one.name for one in fields(Totals)}
