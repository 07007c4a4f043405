"""POSIX takes a process's locks away when any part of it closes the log's file: nothing is acknowledged then that is
lost."""

import subprocess
import sys
from pathlib import Path

import pytest

import redrive
from redrive import StorageError
from tests.processes.workshop import ACME, ONE, Shop

pytestmark = pytest.mark.sqlite_only

CHILD = """
import sys, redrive
with redrive.open(sys.argv[1], seal=False) as engine:
    engine.local.submit(redrive.Flow([redrive.Node("a")]), automation="x")
"""


def another_process(path: Path) -> None:
    """Have another process write to the log, and close it."""
    subprocess.run(
        [sys.executable, "-c", CHILD, f"sqlite:///{path}"], cwd=Path(__file__).parents[2], timeout=120, check=True
    )


def test_what_would_be_lost_is_not_acknowledged(tmp_path: Path) -> None:
    """The log is opened anew, and has what was acknowledged before."""
    shop = Shop(tmp_path / "log.db")
    first = shop.submit(ONE, key="1")
    shop.path.read_bytes()  # as in a copy that somebody makes
    another_process(shop.path)
    for _ in range(2):
        with pytest.raises(StorageError, match="open the log anew"):
            shop.submit(ONE, key="2")
    shop.engine.close()
    with redrive.open(f"sqlite:///{shop.path}") as engine:
        assert [run.run_id for run in engine.for_tenant(ACME).runs().items] == [first]
        engine.for_tenant(ACME).submit(ONE, automation="nightly", key="2")
        assert engine.verify().views.state == "equal"


def test_locks_that_are_lost_alone_harm_nobody(tmp_path: Path) -> None:
    """As long as no other process was the last to close the log."""
    shop = Shop(tmp_path / "log.db")
    shop.path.read_bytes()
    shop.submit(ONE)
    shop.reopen()
    assert len(shop.acme.runs().items) == 1
    shop.engine.close()
