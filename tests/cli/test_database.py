"""The database that holds the log: made, upgraded, looked at, on both stores."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

import redrive
from redrive.cli.root import cli
from redrive.ledger.postgres import schema
from redrive.ledger.postgres.names import lock_key
from tests.stores import SERVER, in_postgres, log_url, outside

FLOW = redrive.Flow([redrive.Node("fetch")])
HELLO = str(Path(__file__).parents[2] / "examples" / "hello.yaml")
APPLICATION = "t_application"


def ran(url: str, *args: str) -> Result:
    """A command on a log."""
    return CliRunner().invoke(cli, ["--db", url, *args])


def told(url: str, *args: str) -> dict[str, Any]:
    """The item that a command prints as JSON; it must succeed."""
    result = ran(url, "--json", *args)
    assert result.exit_code == 0, result.output
    item: dict[str, Any] = json.loads(result.stdout)["item"]
    return item


@pytest.fixture
def url(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a log may be made."""
    monkeypatch.chdir(tmp_path)
    assert store
    return log_url(tmp_path / "ops.db")


def schemas() -> set[str]:
    """The schemas of the server."""
    with psycopg.connect(os.environ[SERVER]) as connection:
        return {row[0] for row in connection.execute("SELECT nspname FROM pg_namespace")}


def test_a_log_is_made_once(url: str) -> None:
    """The second time it is there already, and stays as it is."""
    first, second = told(url, "db", "init"), told(url, "db", "init")
    assert (first["new"], second["new"]) == (True, False)
    assert first["ledger_id"] == second["ledger_id"]
    assert "There is a log already" in ran(url, "db", "init").stdout
    with redrive.open(url) as engine:
        assert engine.ledger.id == first["ledger_id"]


@pytest.mark.parametrize("command", ["db status", "db upgrade", "runs", "tick", "verify"])
def test_what_only_asks_makes_no_log(url: str, tmp_path: Path, command: str) -> None:
    """On a server neither: there is no log, and afterwards there is none."""
    before = schemas() if in_postgres() else set()
    result = ran(url, *command.split())
    assert result.exit_code == 4
    assert "there is no log at" in result.stderr
    assert not (tmp_path / "ops.db").exists()
    assert not in_postgres() or schemas() - before == set()


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
            connection.execute("SELECT pg_advisory_xact_lock(?)", (lock_key(told(url, "db", "init")["ledger_id"]),))
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


def set_version(url: str, version: int) -> None:
    """Have the log at *url* say that its tables have this version."""
    ran(url, "db", "init")
    with outside(Path.cwd() / "ops.db") as connection:
        if in_postgres():
            connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(version),))
        else:
            connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("command", ["db init", "db upgrade", "db status", "runs"])
def test_a_newer_log_is_refused(url: str, command: str) -> None:
    """By every command, with the way out."""
    set_version(url, 4)
    result = ran(url, *command.split())
    assert result.exit_code == 5
    assert "the log has schema 4, this redrive knows 3: install a newer redrive" in result.stderr


def test_an_older_file_is_upgraded(url: str) -> None:
    """And said so: from which version to which."""
    if in_postgres():
        pytest.skip("3 is the first version on a server")
    set_version(url, 2)
    assert "went from schema 2 to 3" in ran(url, "db", "upgrade").stdout
    assert told(url, "db", "status")["schema_version"] == 3


@pytest.fixture
def server(url: str, store: str) -> str:
    """The URL of a log on a server; the test does not run on files."""
    if store != "postgresql":
        pytest.skip("about servers")
    return url


def test_an_older_schema_waits_for_its_owner(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening changes no tables: who opens is often not who owns them. All steps are one transaction."""
    ran(server, "db", "init")
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 5)
    monkeypatch.setattr(schema, "UPGRADES", {4: "CREATE TABLE later (n BIGINT)", 5: "CREATE TABLE later (n BIGINT)"})
    assert "`redrive db upgrade`" in ran(server, "runs").stderr
    assert ran(server, "db", "upgrade").exit_code == 5
    monkeypatch.setitem(schema.UPGRADES, 5, "ALTER TABLE later ADD COLUMN m BIGINT")
    done = told(server, "db", "upgrade")
    assert (done["from_version"], done["to_version"]) == (3, 5)
    assert ran(server, "runs").exit_code == 0


def test_a_version_that_never_was_is_refused(server: str) -> None:
    """Nobody wrote schema 2 on a server."""
    set_version(server, 2)
    result = ran(server, "db", "upgrade")
    assert (result.exit_code, "no redrive has written schema 2" in result.stderr) == (5, True)


def test_tables_of_somebody_else_are_left_alone(server: str) -> None:
    """A schema in which other tables are is no place for a log."""
    name = server.rpartition("schema=")[2]
    with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name} CREATE TABLE theirs (n BIGINT)".encode())
    result = ran(server, "db", "init")
    assert (result.exit_code, "tables that are not redrive's" in result.stderr) == (5, True)


def test_settings_that_risk_the_log_are_named(server: str) -> None:
    """The server of the tests does not flush; another may."""
    ran(server, "db", "init")
    found = told(server, "db", "status")
    risks = [warning.split()[0] for warning in found["warnings"]]
    assert ("fsync" in risks, "full_page_writes" in risks) == (not found["fsync"], not found["full_page_writes"])
    assert found["max_connections"] >= found["connections"] >= 1
    assert ran(server, "db", "status").stdout.count("Warning: ") == len(found["warnings"])


@pytest.fixture
def application(server: str) -> Iterator[str]:
    """The log's URL as a role that owns nothing."""
    with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {APPLICATION}".encode())
        connection.execute(f"CREATE ROLE {APPLICATION} LOGIN".encode())
        yield f"{server}&user={APPLICATION}"
        connection.execute(f"DROP OWNED BY {APPLICATION}".encode())
        connection.execute(f"DROP ROLE {APPLICATION}".encode())


def test_a_role_that_was_granted_nothing_may_nothing(server: str, application: str) -> None:
    """It can neither make a log nor look at one, and is told so."""
    made = ran(application, "db", "init")
    ran(server, "db", "init")
    looked = [ran(application, *words) for words in (["runs"], ["db", "status"], ["run", HELLO])]
    for result in (made, *looked):
        assert result.exit_code == 5
        assert "this role may not do that" in result.stderr


def test_a_role_is_granted_what_the_engine_needs(server: str, application: str) -> None:
    """Runs, limits, views, the tree: all of a day's work. Not to archive, and not to change what was written."""
    assert told(server, "db", "init", "--role", APPLICATION)["role"] == APPLICATION
    day = ["limits set total --concurrency 9 --reason x", f"run {HELLO}", "views rebuild", "seal", "tick", "db status"]
    for command in day:
        result = ran(application, *command.split())
        assert result.exit_code == 0, result.output
    refused = ran(application, "archive", "--older-than", "0s", "--to", "old.archive", "--reason", "x")
    assert (refused.exit_code, "permission denied" in refused.stderr) == (5, True)


def test_archiving_is_granted_when_it_is_asked_for(server: str, application: str) -> None:
    """Then what is settled can be moved, and still only that."""
    ran(server, "db", "init", "--role", APPLICATION, "--archiving")
    ran(application, "run", HELLO)
    done = told(application, "archive", "--older-than", "0s", "--to", "old.archive", "--reason", "x")
    assert done["runs"] == 1
    with psycopg.connect(f"{os.environ[SERVER]}&user={APPLICATION}") as connection:
        table = f"{server.rpartition('schema=')[2]}.events"
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(f"UPDATE {table} SET state = ''".encode())


def test_who_cannot_grant_is_told(server: str, application: str) -> None:
    """The server itself only warns of it."""
    ran(server, "db", "init", "--role", APPLICATION)
    with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
        connection.execute(b"DROP ROLE IF EXISTS t_other")
        connection.execute(b"CREATE ROLE t_other")
        result = ran(application, "db", "init", "--role", "t_other")
        connection.execute(b"DROP ROLE t_other")
    assert (result.exit_code, "t_other still lacks SELECT on events" in result.stderr) == (5, True)


def test_a_role_that_is_not_there(server: str) -> None:
    """Bad input: nothing is made."""
    for name in ("t_nobody", "x" * 64, ""):
        result = ran(server, "db", "init", "--role", name)
        assert (result.exit_code, "--role" in result.stderr) == (2, True)
    assert ran(server, "db", "status").exit_code == 4


def test_the_sql_is_for_a_dba(server: str, application: str) -> None:
    """What is printed makes the same log, and grants the same; printing touches nothing."""
    sql = told(server, "db", "init", "--role", APPLICATION, "--print-sql")["sql"]
    assert ran(server, "db", "status").exit_code == 4
    with psycopg.connect(os.environ[SERVER], autocommit=True) as connection:
        connection.execute(sql.encode())
    assert told(server, "db", "init")["new"] is False
    assert ran(application, "run", HELLO).exit_code == 0


def test_files_have_no_roles(url: str) -> None:
    """What is only for servers says so."""
    if in_postgres():
        pytest.skip("about files")
    for words in (["--role", "ana"], ["--print-sql"], ["--archiving"]):
        assert ran(url, "db", "init", *words).exit_code == 2
    assert not Path("ops.db").exists()


def test_a_file_that_is_no_log(url: str) -> None:
    """An empty one, and one of another program."""
    if in_postgres():
        pytest.skip("about files")
    Path("ops.db").touch()
    assert "holds no log yet" in ran(url, "db", "status").stderr
    assert ran(url, "db", "init").exit_code == 0
    Path("ops.db").write_bytes(b"not a database at all" * 100)
    assert [ran(url, "db", verb).exit_code for verb in ("init", "upgrade", "status")] == [5, 5, 5]
