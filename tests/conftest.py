"""What all tests share."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.stores import SERVER, STORES, memory, server

SOON = ("engine", "ledger", "postgres")
if "TMPDIR" not in os.environ and (in_memory := memory()):  # a disk makes ten thousand small logs wait for it
    _FILES = tempfile.TemporaryDirectory(prefix="redrive-tests-", dir=in_memory, ignore_cleanup_errors=True)
    Path(_FILES.name).chmod(0o711)  # a server that a test starts may run as another user
    os.environ["TMPDIR"], tempfile.tempdir = _FILES.name, None
_STATE = tempfile.TemporaryDirectory(prefix="redrive-state-")
os.environ["XDG_STATE_HOME"] = _STATE.name
os.environ["XDG_CONFIG_HOME"] = f"{_STATE.name}/settings"  # a key of who runs the tests signs nothing
os.environ.pop("PYTHONUNBUFFERED", None)  # what tests start writes as it does for everybody
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background of a script: so would all that tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are processors: tests wait for disks, leases and other processes."""
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return processors + processors // 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a store on each, unless it is about files. What takes many minutes on a server runs apart."""
    if "store" not in metafunc.fixturenames:
        return
    stores: list[Any] = [STORES[0]]
    if metafunc.definition.get_closest_marker("sqlite_only") is None:
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        soon = metafunc.definition.path.parent.name in SOON and ("slow" not in marks or "long" in marks)
        stores.append(pytest.param(STORES[1], marks=() if soon else pytest.mark.both_stores))
    metafunc.parametrize("store", stores, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Loops and stores know nothing of each other: each is tested with all of the other's tests, not both at once."""
    twice = [item for item in items if "asyncio" in item.name and STORES[1] in item.name]
    config.hook.pytest_deselected(items=twice)
    left_out = set(twice)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    if SERVER in os.environ:
        yield os.environ[SERVER]
        return
    with server() as url:
        yield url


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Who lets Python leave no bytecode beside the sources need not wait for each process that a test starts to compile
    redrive anew: they share a folder of the session's own."""
    own = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as environment:
        if sys.dont_write_bytecode:
            environment.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            of_all = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
            environment.setenv("PYTHONPYCACHEPREFIX", str(of_all / "bytecode"))
        yield


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    """Log lines of the engine are no output of a test."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
