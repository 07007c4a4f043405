"""The floor on PostgreSQL: bare psycopg, one statement and so one commit per change, arrays as binary parameters."""

from collections.abc import Sequence
from functools import partial

import psycopg

from benchmarks.peers.drivers.crew import Together, alone, crew, phases
from benchmarks.peers.drivers.floor import FACTS, Change, Fact, Floor, Taken, now_ms
from benchmarks.peers.drivers.lifecycles import Provider, arguments, prove, tell, version_of
from benchmarks.peers.drivers.postgres_settings import ASK, durable

SCHEMA = """
CREATE TABLE job (
    id bigint PRIMARY KEY, status text NOT NULL, due_ms bigint NOT NULL, attempt int NOT NULL, worker text,
    input text NOT NULL
);
CREATE INDEX job_due ON job (due_ms, id) WHERE status = 'ready';
CREATE TABLE history (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job bigint NOT NULL, kind text NOT NULL,
    at_ms bigint NOT NULL, what text NOT NULL
);
"""
REMEMBER = """
WITH facts AS (
    INSERT INTO history (job, kind, at_ms, what)
    SELECT * FROM unnest(%b::bigint[], %b::text[], %b::bigint[], %b::text[])
)
"""
ADD = f"""{REMEMBER}
INSERT INTO job SELECT job, 'ready', %b::bigint, 0, NULL, given FROM unnest(%b::bigint[], %b::text[]) AS j (job, given)
"""
CHANGE = f"""{REMEMBER}
UPDATE job SET status = c.status, due_ms = c.due_ms, worker = NULL
FROM unnest(%b::bigint[], %b::text[], %b::bigint[]) AS c (id, status, due_ms) WHERE job.id = c.id
"""
TAKE = """
WITH due AS (
    SELECT id FROM job WHERE status = 'ready' AND due_ms <= %b::bigint ORDER BY due_ms, id LIMIT %b::bigint
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE job SET status = 'running', attempt = attempt + 1, worker = %b::text FROM due WHERE job.id = due.id
    RETURNING job.id, job.attempt, job.input
), facts AS (
    INSERT INTO history (job, kind, at_ms, what) SELECT id, 'started', %b::bigint, %b::text FROM taken
)
SELECT id, attempt, input FROM taken
"""
BATCH = 100


class PostgresFloor(Floor):
    """By hand on PostgreSQL."""

    def __init__(self, connection: psycopg.Connection[Taken], provider: Provider, name: str, size: int) -> None:
        super().__init__(provider, name, size)
        self.cursor = connection.cursor(binary=True)

    def add(self, jobs: Sequence[tuple[int, str]], facts: Sequence[Fact]) -> None:
        """Insert jobs and facts."""
        self.cursor.execute(ADD, [*_columns(facts), now_ms(), *_columns(jobs)])

    def take(self) -> list[Taken]:
        """Take what is due."""
        now = now_ms()
        return self.cursor.execute(TAKE, [now, self.size, self.name, now, self.name]).fetchall()

    def change(self, changes: Sequence[Change], facts: Sequence[Fact]) -> None:
        """Set states, insert facts."""
        self.cursor.execute(CHANGE, [*_columns(facts), *_columns(changes)])


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def shift(size: int, url: str, share: range, provider: Provider, together: Together) -> None:
    """One process."""
    with psycopg.connect(url, autocommit=True) as connection:
        phases(PostgresFloor(connection, provider, f"w{share.start}", size), share, provider, together)


def run(url: str, lifecycles: int, *, size: int = 1, processes: int = 1) -> None:
    """Measure, prove and tell."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    work = partial(shift, size)
    measured, calls = alone(work, url, lifecycles) if processes == 1 else crew(work, url, lifecycles, processes)
    with psycopg.connect(url) as connection:
        ((facts, finished),) = connection.execute(
            "SELECT (SELECT count(*) FROM history), (SELECT count(*) FROM job WHERE status = 'succeeded')"
        )
        settings = durable(connection.execute(ASK).fetchone())
    prove(lifecycles, calls, finished=finished)
    assert facts == FACTS * lifecycles, f"{facts} facts of {lifecycles} lifecycles"
    tell(lifecycles, measured, version=version_of("psycopg"), settings=settings)


if __name__ == "__main__":
    ways = {"8-processes": partial(run, processes=8), "batch": partial(run, size=BATCH)}
    arguments({"one": run, **ways, "batch-4-processes": partial(run, size=BATCH, processes=4)})
