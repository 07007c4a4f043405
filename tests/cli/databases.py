"""Commands on a log of either store, and what they print."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from redrive.cli.root import cli
from tests.stores import in_postgres, outside

HELLO = str(Path(__file__).parents[2] / "examples" / "hello.yaml")


def ran(url: str, *args: str) -> Result:
    """A command on a log."""
    return CliRunner().invoke(cli, ["--db", url, *args])


def told(url: str, *args: str) -> dict[str, Any]:
    """The item that a command prints as JSON; it must succeed."""
    result = ran(url, "--json", *args)
    assert result.exit_code == 0, result.output
    item: dict[str, Any] = json.loads(result.stdout)["item"]
    return item


def set_version(url: str, version: int) -> None:
    """Have the log at *url* say that its tables have this version."""
    ran(url, "db", "init")
    with outside(Path.cwd() / "ops.db") as connection:
        if in_postgres():
            connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(version),))
        else:
            connection.execute(f"PRAGMA user_version = {version}")
