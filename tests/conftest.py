"""What all tests share."""

import logging
import os
import tempfile
from collections.abc import Iterator

import pytest
import structlog

from tests.stores import SERVER, STORES, server

os.environ["XDG_CONFIG_HOME"] = "/nonexistent"  # whoever runs the tests may have a key: it signs nothing here
_STATE = tempfile.TemporaryDirectory(prefix="redrive-state-")
os.environ["XDG_STATE_HOME"] = _STATE.name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a store on each, unless it is about files."""
    if "store" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("sqlite_only")
        metafunc.parametrize("store", STORES[:1] if only else STORES, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    if SERVER in os.environ:
        yield os.environ[SERVER]
        return
    with server() as url:
        yield url


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    """Log lines of the engine are no output of a test."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
