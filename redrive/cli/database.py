"""``redrive db``: the database that holds the log, for those who look after it."""

from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command, Group
from redrive.cli.times import duration

if TYPE_CHECKING:
    from redrive.ledger.postgres.store import PostgresStore
    from redrive.ledger.stores import DatabaseStatus


@click.group(cls=Group)
def db() -> None:
    """Make a log's tables, upgrade them, see how they are doing."""


@db.command(cls=Command)
@click.option("--role", metavar="NAME", help="Grant this role what an application needs (PostgreSQL).")
@click.option("--archiving", is_flag=True, help="With --role: grant what `redrive archive` needs too.")
@click.option("--print-sql", is_flag=True, help="Print the SQL instead of running it, for a DBA (PostgreSQL).")
@pass_session
def init(session: Session, role: str | None, *, archiving: bool, print_sql: bool) -> None:
    """Make the log's tables where there are none.

    What is there already stays as it is. Opening a log makes its tables too; this command is for roles that may, and
    grants to those that may not.
    """
    if archiving and role is None:
        raise click.UsageError("--archiving says what --role NAME is granted: name a role.")
    store = _server(session, role, archiving=archiving) if role is not None or print_sql else session.store()
    out = session.output
    if print_sql:
        sql = _server(session, role, archiving=archiving).script()
        if out.json:
            out.item("database-sql", {"location": store.location, "sql": sql})
        else:
            out.say(sql.rstrip("\n"))
        return
    made = store.make()
    if out.json:
        out.item("database-made", made)
        return
    out.say(f"{'Made a log' if made.new else 'There is a log already'} at {made.location}.")
    out.facts([("ledger", made.ledger_id), ("schema version", made.schema_version), ("granted to", made.role)])
    out.next((session.command("db", "status"), "how it is doing"))


@db.command(cls=Command)
@pass_session
def upgrade(session: Session) -> None:
    """Bring the log's tables up to this version of redrive.

    Stop older processes first: they refuse tables that are newer than they know.
    """
    store = session.store()
    session.require_log(store)
    done, out = store.upgrade(), session.output
    if out.json:
        out.item("database-upgraded", done)
    elif done.from_version == done.to_version:
        out.say(f"Nothing to do: the log at {done.location} has schema {done.to_version}.")
    else:
        out.say(f"The log at {done.location} went from schema {done.from_version} to {done.to_version}.")


@db.command(cls=Command)
@click.argument("to", metavar="URL")
@pass_session
def copy(session: Session, to: str) -> None:
    """Copy the log to another database, as it is.

    From a file to a server, or back.
    Events keep their places, seals and checkpoints hold, the copy has the same identity. Stop everything that writes
    to the log first, and go on with the copy alone. URL names a log without events, or one that is to be made.
    Archives stay where they are; views are made anew.
    """
    from redrive.ledger.copying import copy_log
    from redrive.ledger.urls import location_of

    session.require_log(session.store())
    target = location_of(to)
    copied = copy_log(location_of(session.url), target, busy_timeout_ms=session.settings.busy_timeout_ms)
    out = session.output
    if out.json:
        out.item("database-copied", copied)
        return
    out.say(f"Copied {copied.events:,} events and {copied.checkpoints:,} checkpoints to {copied.target}.")
    out.facts([("ledger", copied.ledger_id), ("last position", copied.last_position)])


@db.command(cls=Command)
@pass_session
def status(session: Session) -> None:
    """Tell where the log lies, and how its database is doing."""
    store = session.store()
    session.require_log(store)
    found, out = store.status(), session.output
    if out.json:
        out.item("database", found)
        return
    out.facts([*_log(found), *_server_facts(found)])
    for warning in found.warnings:
        out.say(f"Warning: {warning}.")


def _log(found: "DatabaseStatus") -> list[tuple[str, object]]:
    newest = found.newest_schema_version
    behind = "" if found.schema_version == newest else f", this redrive writes {newest}"
    view = f"{found.view_lag:,} behind" if found.view_lag else "up to date" if found.view_path else "none yet"
    held = {True: "held", False: "free", None: None}[found.write_lock_held]
    waiting = f", {found.write_lock_waiting} waiting" if found.write_lock_waiting else ""
    return [
        ("store", found.store),
        ("location", found.location),
        ("server", found.server),
        ("ledger", found.ledger_id),
        ("schema version", f"{found.schema_version}{behind}"),
        ("events", f"{found.events:,}"),
        ("last position", found.last_position),
        ("size", f"{found.size_bytes:,} bytes"),
        ("agenda", f"{found.agenda_rows:,} rows"),
        ("view", view),
        ("write lock", held and f"{held}{waiting}"),
    ]


def _server_facts(found: "DatabaseStatus") -> list[tuple[str, object]]:
    if found.connections is None:
        return []
    oldest = found.oldest_transaction_ms
    return [
        ("connections", f"{found.connections} of {found.max_connections}, {found.redrive_connections} of redrive here"),
        ("synchronous_commit", found.synchronous_commit),
        ("fsync", "on" if found.fsync else "off"),
        ("full_page_writes", "on" if found.full_page_writes else "off"),
        ("oldest transaction", "none" if oldest is None else duration(oldest)),
        ("idle in transaction", found.idle_in_transaction),
    ]


def _server(session: Session, role: str | None, *, archiving: bool) -> "PostgresStore":
    """The server's schema. Raises UsageError for a file: it has no roles, and nobody needs its SQL."""
    if not session.on_server:
        raise click.UsageError("--role and --print-sql are for a log on a server: --db postgresql://…")
    from redrive.ledger.postgres.store import PostgresStore
    from redrive.ledger.urls import location_of

    location, settings = location_of(session.url), session.settings
    return PostgresStore(
        location,
        busy_timeout_ms=settings.busy_timeout_ms,
        connect_timeout_ms=settings.connect_timeout_ms,
        role=role,
        archiving=archiving,
    )
