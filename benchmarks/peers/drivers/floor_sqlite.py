"""The floor on SQLite: the bare ``sqlite3`` module, write-ahead log, ``synchronous=FULL``."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from benchmarks.peers.drivers.crew import Together, alone, phases
from benchmarks.peers.drivers.floor import FACTS, Change, Fact, Floor, Taken, now_ms
from benchmarks.peers.drivers.lifecycles import Provider, arguments, prove, sqlite_path, sqlite_settings, tell

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY, status TEXT NOT NULL, due_ms INTEGER NOT NULL, attempt INTEGER NOT NULL, worker TEXT,
    input TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS job_due ON job (due_ms, id) WHERE status = 'ready';
CREATE TABLE IF NOT EXISTS history (
    position INTEGER PRIMARY KEY, job INTEGER NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, what TEXT NOT NULL
);
"""
TAKE = """
UPDATE job SET status = 'running', attempt = attempt + 1, worker = ? WHERE id IN (
    SELECT id FROM job WHERE status = 'ready' AND due_ms <= ? ORDER BY due_ms, id LIMIT ?
) RETURNING id, attempt, input
"""
BATCH = 100


class SqliteFloor(Floor):
    """By hand on SQLite; *ahead*: an outcome and the next claim share a commit."""

    def __init__(self, path: str, provider: Provider, name: str, size: int, *, ahead: bool) -> None:
        super().__init__(provider, name, size)
        self.ahead = ahead
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(SCHEMA)

    @contextmanager
    def commit(self) -> Iterator[None]:
        """One commit."""
        self.connection.execute("BEGIN IMMEDIATE")
        yield
        self.connection.execute("COMMIT")

    def add(self, jobs: Sequence[tuple[int, str]], facts: Sequence[Fact]) -> None:
        """Insert jobs and facts."""
        rows = [(job, now_ms(), given) for job, given in jobs]
        with self.commit():
            self.connection.executemany("INSERT INTO job VALUES (?, 'ready', ?, 0, NULL, ?)", rows)
            self._remember(facts)

    def take(self) -> list[Taken]:
        """Take what is due."""
        with self.commit():
            return self._take()

    def change(self, changes: Sequence[Change], facts: Sequence[Fact]) -> None:
        """Set states, insert facts."""
        with self.commit():
            self._change(changes, facts)

    def work(self) -> None:
        """Work until nothing is due."""
        if not self.ahead:
            super().work()
            return
        taken = self.take()
        while taken:
            changes, facts = self.outcomes(taken)
            with self.commit():
                self._change(changes, facts)
                taken = self._take()

    def _take(self) -> list[Taken]:
        taken: list[Taken] = self.connection.execute(TAKE, (self.name, now_ms(), self.size)).fetchall()
        self._remember([(job, "started", now_ms(), self.name) for job, _, _ in taken])
        return taken

    def _change(self, changes: Sequence[Change], facts: Sequence[Fact]) -> None:
        rows = [(status, due, job) for job, status, due in changes]
        self.connection.executemany("UPDATE job SET status = ?, due_ms = ?, worker = NULL WHERE id = ?", rows)
        self._remember(facts)

    def _remember(self, facts: Sequence[Fact]) -> None:
        self.connection.executemany("INSERT INTO history (job, kind, at_ms, what) VALUES (?, ?, ?, ?)", facts)


def run(url: str, lifecycles: int, *, size: int = 1, ahead: bool = False) -> None:
    """Measure, prove and tell."""
    path = str(sqlite_path(url))

    def shift(_url: str, share: range, provider: Provider, together: Together) -> None:
        phases(SqliteFloor(path, provider, "w1", size, ahead=ahead), share, provider, together)

    measured, calls = alone(shift, url, lifecycles)
    connection = sqlite3.connect(path)
    ((facts,),) = connection.execute("SELECT count(*) FROM history")
    ((finished,),) = connection.execute("SELECT count(*) FROM job WHERE status = 'succeeded'")
    settings = sqlite_settings(connection)
    connection.close()
    prove(lifecycles, calls, finished=finished)
    assert facts == FACTS * lifecycles, f"{facts} facts of {lifecycles} lifecycles"
    tell(lifecycles, measured, version=f"SQLite {sqlite3.sqlite_version}", settings=settings)


if __name__ == "__main__":
    arguments({"one": run, "ahead": partial(run, ahead=True), "batch": partial(run, size=BATCH)})
