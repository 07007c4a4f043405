"""The log lines of a host that configured ``logging``, and not structlog."""

import logging

import pytest

from redrive.projections import logs


def said(caplog: pytest.LogCaptureFixture, method: str, **facts: object) -> logging.LogRecord:
    """What is logged by *method* while an exception is handled."""
    try:
        int("x")
    except ValueError:
        getattr(logs._STDLIB, method)("listener.failed", **facts)
    return caplog.records[0]


def test_a_traceback_is_shown_once(caplog: pytest.LogCaptureFixture) -> None:
    """It follows the line, as tracebacks do there, and is no value within it."""
    record = said(caplog, "exception", events=2)
    assert (record.getMessage(), record.levelname) == ("event='listener.failed' events=2", "ERROR")
    assert logging.Formatter("%(message)s").format(record).count("Traceback") == 1


def test_what_is_no_exception_may_carry_one(caplog: pytest.LogCaptureFixture) -> None:
    """Then it is a value of the line, because ``logging`` is not told of it."""
    record = said(caplog, "warning", exc_info=True)
    assert "ValueError" in record.getMessage()
    assert logging.Formatter("%(message)s").format(record).count("Traceback") == 1
