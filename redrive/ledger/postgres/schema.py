"""The log's tables in a schema of a PostgreSQL database, and how their version is checked."""

import uuid

from redrive.domain.errors import StorageError
from redrive.ledger.postgres.connection import PostgresConnection

SCHEMA_VERSION = FIRST_VERSION = 3
UPGRADES: dict[int, str] = {}
"""What brings the version before to this one."""

TABLES = """
CREATE TABLE events (
    position           BIGINT PRIMARY KEY,
    originator_id      TEXT COLLATE "C" NOT NULL,
    originator_version BIGINT NOT NULL,
    topic              TEXT COLLATE "C" NOT NULL,
    state              BYTEA NOT NULL,
    tenant             TEXT COLLATE "C" NOT NULL,
    correlation        TEXT COLLATE "C" NOT NULL,
    recorded_at_ms     BIGINT NOT NULL
);
CREATE UNIQUE INDEX events_stream ON events (originator_id, originator_version);
CREATE INDEX events_correlation ON events (correlation, position);
CREATE FUNCTION instr(BYTEA, BYTEA) RETURNS INTEGER LANGUAGE SQL IMMUTABLE PARALLEL SAFE
    RETURN position($2 IN $1);
CREATE FUNCTION events_append_only() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('redrive.archiving', true) = 'on' THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'the log is append-only';
END $$;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION events_append_only();
CREATE TRIGGER events_no_delete BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION events_append_only();
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events EXECUTE FUNCTION events_append_only();

CREATE TABLE agenda (
    subject       TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    due_ms        BIGINT,
    created       BIGINT NOT NULL,
    tenant        TEXT COLLATE "C" NOT NULL,
    needs         TEXT COLLATE "C" NOT NULL,
    run           TEXT COLLATE "C" NOT NULL,
    not_before_ms BIGINT NOT NULL,
    holder        TEXT COLLATE "C",
    PRIMARY KEY (subject, needs)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX agenda_due ON agenda (kind, due_ms, created) WHERE due_ms IS NOT NULL;
CREATE INDEX agenda_queue ON agenda (tenant, needs, due_ms, created) WHERE kind = 'run';
CREATE INDEX agenda_letters ON agenda (run) WHERE kind = 'dead_letter';

CREATE TABLE capacity (
    limit_key   TEXT COLLATE "C" PRIMARY KEY,
    in_use      BIGINT NOT NULL,
    level       BIGINT NOT NULL,
    refilled_ms BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE waiters (
    run        TEXT COLLATE "C" NOT NULL,
    line       TEXT COLLATE "C" NOT NULL,
    due_ms     BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    blocking   BIGINT NOT NULL,
    reserving  BIGINT NOT NULL,
    PRIMARY KEY (run, line)
);
CREATE INDEX waiters_line ON waiters (line, due_ms, created);

CREATE TABLE expected (
    run      TEXT COLLATE "C" PRIMARY KEY,
    asked_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
);
CREATE INDEX expected_asked ON expected (asked_ms, until_ms);

CREATE TABLE tree_leaves (
    leaf_index BIGINT PRIMARY KEY,
    position   BIGINT NOT NULL
);
CREATE TABLE tree_tiles (
    level  BIGINT NOT NULL,
    tile   BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (level, tile)
);
CREATE TABLE tree_checkpoints (
    size          BIGINT PRIMARY KEY,
    previous_size BIGINT NOT NULL UNIQUE,
    position      BIGINT NOT NULL,
    root          BYTEA NOT NULL,
    note          TEXT COLLATE "C" NOT NULL,
    sealed_at_ms  BIGINT NOT NULL
);

CREATE TABLE archives (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id     TEXT COLLATE "C" NOT NULL UNIQUE,
    path   TEXT COLLATE "C" NOT NULL
);
CREATE TABLE archived (
    position BIGINT PRIMARY KEY,
    archive  BIGINT NOT NULL,
    "offset" BIGINT NOT NULL,
    size     BIGINT NOT NULL,
    digest   BYTEA NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL
);

CREATE TABLE meta (name TEXT COLLATE "C" PRIMARY KEY, value TEXT COLLATE "C" NOT NULL);
"""
_FOUND = "SELECT to_regclass(?)::text, EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = ?)"
META = "SELECT value FROM meta WHERE name = ?"
_ANYTHING = "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(?) AND relkind IN ('r', 'v', 'p', 'm')"
_KEY = 0x72647276  # "rdrv": whoever creates tables holds this lock


def version_of(connection: PostgresConnection, schema: str) -> int:
    """The version of the schema that is there; 0: there is no log."""
    table, _ = connection.execute(_FOUND, (f"{schema}.meta", schema)).fetchone()
    if table is None:
        return 0
    row = connection.execute(META, ("schema_version",)).fetchone()
    return int(row[0]) if row and str(row[0]).isdecimal() else 0


def create(connection: PostgresConnection, schema: str, label: str) -> None:
    """Create the tables where there is no log yet. Raises StorageError for a schema that holds something else."""
    connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_KEY,))
        if not version_of(connection, schema):
            if not connection.execute(_FOUND, ("x", schema)).fetchone()[1]:
                connection.execute(f'CREATE SCHEMA "{schema}"')
            if connection.execute(_ANYTHING, (schema,)).fetchone()[0]:
                raise StorageError(  # noqa: TRY301
                    f"{label}: this schema holds tables that are not redrive's: name another"
                )
            connection.script(TABLES)
            for name, value in (("schema_version", str(SCHEMA_VERSION)), ("ledger_id", str(uuid.uuid4()))):
                connection.execute("INSERT INTO meta VALUES (?, ?)", (name, value))
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def prepare(connection: PostgresConnection, schema: str, label: str) -> str:
    """Create the tables, or check that this version may use what is there; the ledger's id. Raises StorageError."""
    encoding = connection.raw.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StorageError(f"{label}: the database's encoding is {encoding}: redrive needs one with UTF8")
    version = version_of(connection, schema)
    if version == 0:
        create(connection, schema, label)
        version = version_of(connection, schema)
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"{label}: the log has schema {version}, this redrive knows {SCHEMA_VERSION}: install a newer redrive"
        )
    if version < SCHEMA_VERSION:
        raise StorageError(
            f"{label}: the log has schema {version}, this redrive needs {SCHEMA_VERSION}: its owner runs "
            "`redrive db upgrade`"
        )
    return identity_of(connection, label)


def identity_of(connection: PostgresConnection, label: str) -> str:
    """The ledger's id. Raises StorageError."""
    row = connection.execute(META, ("ledger_id",)).fetchone()
    if row is None:
        raise StorageError(f"{label}: the log has lost its identity (table meta); restore a backup")
    return str(row[0])


def upgrade(connection: PostgresConnection, schema: str, label: str) -> int:
    """Bring the tables up to this version; the version that they had, 0 where there is no log. Raises StorageError."""
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_KEY,))
        found = version_of(connection, schema)
        if 0 < found < FIRST_VERSION:
            raise StorageError(  # noqa: TRY301
                f"{label}: no redrive has written schema {found} on PostgreSQL; restore a backup"
            )
        for version in range(found + 1, SCHEMA_VERSION + 1) if found else ():
            connection.script(UPGRADES[version])
            connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(version),))
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return found
