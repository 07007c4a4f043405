"""The log lines of redrive: through structlog where the host configured it, else through ``logging`` ("redrive").

An embedded library must not print to its host's standard output, which structlog does until it is configured.
"""

import logging
from typing import Any

import structlog


def _traceback_once(
    _logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """What ``exception`` says is given its traceback by ``logging`` itself."""
    if method == "exception":
        event.pop("exc_info", None)
    return event


_STDLIB = structlog.wrap_logger(
    logging.getLogger("redrive"),
    processors=[
        structlog.stdlib.filter_by_level,
        _traceback_once,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)


class Log:
    """Decides at each line, because the host may configure structlog after redrive was imported."""

    def __getattr__(self, method: str) -> Any:
        return getattr(structlog.get_logger() if structlog.is_configured() else _STDLIB, method)


log = Log()
