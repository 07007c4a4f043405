"""The database that holds the log: made, upgraded, looked at, on both stores."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

import redrive
from redrive.ledger.postgres.address import address_of
from redrive.ledger.postgres.names import lock_key
from tests.cli.databases import HELLO, ran, set_version, told
from tests.stores import SERVER, in_postgres, log_url, outside

FLOW = redrive.Flow([redrive.Node("fetch")])


@pytest.fixture
def url(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a log may be made."""
    monkeypatch.chdir(tmp_path)
    assert store
    return log_url(tmp_path / "ops.db")


def is_made(url: str) -> bool:
    """Whether anything is where the log at *url* would be."""
    if not in_postgres():
        return Path("ops.db").exists()
    with psycopg.connect(os.environ[SERVER]) as connection:
        row = connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", (url.rpartition("schema=")[2],)).fetchone()
    return bool(row and row[0])


def test_a_log_is_made_once(url: str) -> None:
    """The second time it is there already, and stays as it is."""
    first, second = told(url, "db", "init"), told(url, "db", "init")
    assert (first["new"], second["new"]) == (True, False)
    assert first["ledger_id"] == second["ledger_id"]
    assert "There is a log already" in ran(url, "db", "init").stdout
    with redrive.open(url) as engine:
        assert engine.ledger.id == first["ledger_id"]


@pytest.mark.parametrize("command", ["db status", "db upgrade", "runs", "tick", "why pos:1"])
def test_what_only_asks_makes_no_log(url: str, command: str) -> None:
    """On a server neither: there is no log, and afterwards there is none."""
    result = ran(url, *command.split())
    assert result.exit_code == 4
    assert "there is no log at" in result.stderr
    assert not is_made(url)


def test_status_tells_what_the_log_holds(url: str) -> None:
    """Events, what is due, how large it is, how far the view is behind."""
    with redrive.open(url) as engine:
        engine.local.submit(FLOW, automation="demo", key="1")
        assert engine.local.counts()
        engine.local.submit(FLOW, automation="demo", key="2")
        last = engine.ledger.last_position()
    found = told(url, "db", "status")
    assert found["events"] == found["last_position"] == last
    assert (found["agenda_rows"], found["schema_version"], found["write_lock_held"]) == (2, 3, False)
    assert found["size_bytes"] > 0
    assert found["view_lag"] == last - found["view_position"] > 0


def test_status_for_people(url: str) -> None:
    """One fact to a line."""
    ran(url, "db", "init")
    lines = dict(line.split("  ", 1) for line in ran(url, "db", "status").stdout.splitlines() if "  " in line)
    assert lines["view"].strip() == "none yet"
    assert lines["write lock"].strip() == "free"
    assert ("fsync" in lines) == in_postgres()


@contextmanager
def held(url: str) -> Iterator[None]:
    """Somebody holds the write lock."""
    path = Path.cwd() / "ops.db"
    with outside(path) as connection:
        if in_postgres():
            connection.execute("SELECT pg_advisory_xact_lock(?)", (lock_key(address_of(url).schema),))
        else:
            connection.execute("BEGIN IMMEDIATE")
        yield


def test_status_tells_who_writes(url: str) -> None:
    """Without waiting for them."""
    ran(url, "db", "init")
    with held(url):
        assert told(url, "db", "status")["write_lock_held"] is True
        assert ran(url, "db", "status").stdout.count("held") == 1
    assert told(url, "db", "status")["write_lock_held"] is False


def test_there_is_nothing_to_upgrade(url: str) -> None:
    """A log of this version stays as it is."""
    id_ = told(url, "db", "init")["ledger_id"]
    done = told(url, "db", "upgrade")
    assert (done["from_version"], done["to_version"], done["ledger_id"]) == (3, 3, id_)
    assert "Nothing to do" in ran(url, "db", "upgrade").stdout


@pytest.mark.parametrize("command", ["db init", "db upgrade", "db status", "runs"])
def test_a_newer_log_is_refused(url: str, command: str) -> None:
    """By every command, with the way out."""
    set_version(url, 4)
    result = ran(url, *command.split())
    assert result.exit_code == 5
    assert "the log has schema 4, this redrive knows 3: install a newer redrive" in result.stderr


@pytest.mark.sqlite_only
def test_an_older_file_is_upgraded(url: str) -> None:
    """And said so: from which version to which."""
    set_version(url, 2)
    assert "went from schema 2 to 3" in ran(url, "db", "upgrade").stdout
    assert told(url, "db", "status")["schema_version"] == 3


@pytest.mark.sqlite_only
def test_files_have_no_roles(url: str) -> None:
    """What is only for servers says so."""
    for words in (["--role", "ana"], ["--print-sql"], ["--archiving"]):
        assert ran(url, "db", "init", *words).exit_code == 2
    assert not Path("ops.db").exists()


@pytest.mark.sqlite_only
def test_a_file_that_is_no_log(url: str) -> None:
    """An empty one, and one of another program."""
    Path("ops.db").touch()
    assert "there is no log at" in ran(url, "db", "status").stderr
    assert ran(url, "db", "init").exit_code == 0
    Path("ops.db").write_bytes(b"not a database at all" * 100)
    assert [ran(url, "db", verb).exit_code for verb in ("init", "upgrade", "status")] == [5, 5, 5]


def test_a_flow_file_is_run(url: str) -> None:
    """From nothing: the log is made, the commands run, and every question is answered."""
    assert ran(url, "run", HELLO).exit_code == 0
    run = json.loads(ran(url, "--json", "runs").stdout)["items"][0]
    assert (run["status"], run["succeeded"]) == ("completed", 5)
    for command in (
        "show {}",
        "history {}",
        "timeline {}",
        "queues",
        "dead-letters list",
        "log tail",
        "replay --check",
    ):
        result = ran(url, *command.format(run["run_id"]).split())
        assert result.exit_code == 0, result.output
