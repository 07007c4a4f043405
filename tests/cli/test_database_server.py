"""A log on a server: roles, grants, upgrades, what the server itself risks."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from redrive.ledger.postgres import schema
from tests.cli.databases import HELLO, ran, set_version, told
from tests.stores import SERVER, STORE, log_url

APPLICATION = "t_application"


@pytest.fixture
def server(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a log may be made on a server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(STORE, "postgresql")
    monkeypatch.setenv(SERVER, postgres)
    return log_url(tmp_path / "ops.db")


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


def test_options_of_the_url_hold_here_too(server: str) -> None:
    """As they do for who writes to the log: a role or a setting that the URL asks for."""
    ran(server, "db", "init")
    url = f"{server}&options=-c%20synchronous_commit%3Dlocal"
    assert told(url, "db", "status")["synchronous_commit"] == "local"
    assert told(server, "db", "status")["synchronous_commit"] == "on"


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
    assert (refused.exit_code, "permission denied" in refused.stderr) == (5, True), refused.stderr


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
