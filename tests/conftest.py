"""What all tests share."""

import logging
import os

import pytest
import structlog

os.environ["XDG_CONFIG_HOME"] = "/nonexistent"  # whoever runs the tests may have a key: it signs nothing here


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    """Log lines of the engine are no output of a test."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
