"""What is measured: every engine in one way that takes a job at a time, and in the fastest that was found for it."""

from dataclasses import dataclass

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Way:
    """One row. *driver* and *way* name the program and its argument, *environment* the requirements it is installed
    from (None: it runs where redrive runs), *beside* the row of redrive that it is compared with."""

    engine: str
    how: str
    store: str
    driver: str
    way: str
    lifecycles: int
    environment: str | None = None
    beside: str = ""

    @property
    def key(self) -> str:
        """``dbos-sqlite-one``."""
        return f"{self.engine}-{self.store}-{self.way}".lower()


def _redrive(how: str, store: str, way: str, lifecycles: int) -> Way:
    return Way("redrive", how, store, "redrive_engine", way, lifecycles)


ONE_SQLITE, BEST_SQLITE = "redrive-sqlite-one", "redrive-sqlite-batch"
AHEAD_SQLITE = "redrive-sqlite-merged"
ONE_POSTGRESQL, BEST_POSTGRESQL = "redrive-postgresql-one", "redrive-postgresql-batch"
MANY_POSTGRESQL, SHARED_POSTGRESQL = "redrive-postgresql-8-processes", "redrive-postgresql-batch-4-processes"

WAYS = (
    _redrive("one worker", SQLITE, "one", 200),
    _redrive("one worker, outcome and next claim in one commit", SQLITE, "merged", 200),
    _redrive("its best: batches of 100", SQLITE, "batch", 1_000),
    Way("DBOS", "one worker", SQLITE, "dbos", "one", 60, "dbos", ONE_SQLITE),
    Way("DBOS", "its best: no limit", SQLITE, "dbos", "best", 100, "dbos", BEST_SQLITE),
    Way("Huey", "one worker, its best", SQLITE, "huey", "one", 200, "huey", ONE_SQLITE),
    Way("persist-queue", "one worker, its best", SQLITE, "persist_queue", "one", 200, "persist-queue", ONE_SQLITE),
    Way("floor", "one commit per change", SQLITE, "floor_sqlite", "one", 200, None, ONE_SQLITE),
    Way("floor", "outcome and next claim in one commit", SQLITE, "floor_sqlite", "ahead", 200, None, AHEAD_SQLITE),
    Way("floor", "batches of 100", SQLITE, "floor_sqlite", "batch", 2_000, None, BEST_SQLITE),
    _redrive("one worker", POSTGRESQL, "one", 100),
    _redrive("8 processes", POSTGRESQL, "8-processes", 400),
    _redrive("its best: batches of 100", POSTGRESQL, "batch", 1_000),
    _redrive("batches of 100, 4 processes", POSTGRESQL, "batch-4-processes", 2_000),
    Way("DBOS", "one worker", POSTGRESQL, "dbos", "one", 60, "dbos", ONE_POSTGRESQL),
    Way("DBOS", "its best: no limit", POSTGRESQL, "dbos", "best", 100, "dbos", BEST_POSTGRESQL),
    Way("Procrastinate", "one worker", POSTGRESQL, "procrastinate", "one", 100, "procrastinate", ONE_POSTGRESQL),
    Way(
        "Procrastinate",
        "its best: 20 at a time, 2 processes",
        POSTGRESQL,
        "procrastinate",
        "side-by-side-2-processes",
        200,
        "procrastinate",
        BEST_POSTGRESQL,
    ),
    Way("PgQueuer", "one worker", POSTGRESQL, "pgqueuer", "one", 100, "pgqueuer", ONE_POSTGRESQL),
    Way(
        "PgQueuer",
        "its best: batches of 100, 2 processes",
        POSTGRESQL,
        "pgqueuer",
        "batch-2-processes",
        1_000,
        "pgqueuer",
        BEST_POSTGRESQL,
    ),
    Way("floor", "one process", POSTGRESQL, "floor_postgres", "one", 100, "floor", ONE_POSTGRESQL),
    Way("floor", "8 processes", POSTGRESQL, "floor_postgres", "8-processes", 400, "floor", MANY_POSTGRESQL),
    Way("floor", "batches of 100", POSTGRESQL, "floor_postgres", "batch", 2_000, "floor", BEST_POSTGRESQL),
    Way(
        "floor",
        "batches of 100, 4 processes",
        POSTGRESQL,
        "floor_postgres",
        "batch-4-processes",
        4_000,
        "floor",
        SHARED_POSTGRESQL,
    ),
)
