"""What a role needs that uses a log and does not own it, as SQL: for redrive to run, or for a DBA to read first."""

from redrive.domain.errors import InvalidValue
from redrive.ledger.postgres.schema import SCHEMA_VERSION, TABLES

NEEDED = {
    "events": ("SELECT", "INSERT"),
    "agenda": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "capacity": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "waiters": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "expected": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "tree_leaves": ("SELECT", "INSERT"),
    "tree_tiles": ("SELECT", "INSERT", "UPDATE"),
    "tree_checkpoints": ("SELECT", "INSERT"),
    "archives": ("SELECT",),
    "archived": ("SELECT",),
    "meta": ("SELECT", "INSERT", "UPDATE"),
}
"""By table."""

TO_ARCHIVE = {"events": ("UPDATE (state)",), "archives": ("INSERT", "UPDATE"), "archived": ("INSERT",)}
"""What moving old records to an archive needs besides."""

MOST_NAME_BYTES = 63


def clean_role(name: str) -> str:
    """*name*, if a role can have it. Raises InvalidValue."""
    if not name or "\0" in name or len(name.encode("utf-8", "replace")) > MOST_NAME_BYTES:
        raise InvalidValue("--role", name, f"a role's name, 1 to {MOST_NAME_BYTES} bytes")
    return name


def quoted(name: str) -> str:
    """*name* as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def privileges(*, archiving: bool) -> list[tuple[str, str]]:
    """Tables, each with one privilege."""
    given = [NEEDED, TO_ARCHIVE] if archiving else [NEEDED]
    return [(table, one) for tables in given for table, some in tables.items() for one in some]


def grants(schema: str, role: str, *, archiving: bool) -> str:
    """The GRANTs."""
    where, whom = quoted(schema), quoted(role)
    lines = [f"GRANT USAGE ON SCHEMA {where} TO {whom};"]
    lines += [f"GRANT {', '.join(some)} ON {where}.{table} TO {whom};" for table, some in NEEDED.items()]
    if archiving:
        lines += [f"GRANT {', '.join(some)} ON {where}.{table} TO {whom};" for table, some in TO_ARCHIVE.items()]
    lines.append(f"GRANT EXECUTE ON FUNCTION {where}.instr(BYTEA, BYTEA) TO {whom};")
    return "\n".join(lines) + "\n"


def script(schema: str, role: str | None, *, archiving: bool) -> str:
    """All that makes a log in a new schema, in one transaction."""
    identity = (
        f"INSERT INTO meta VALUES ('schema_version', '{SCHEMA_VERSION}'), ('ledger_id', gen_random_uuid()::text);"
    )
    granted = "" if role is None else f"\n{grants(schema, role, archiving=archiving)}"
    where = quoted(schema)
    return f"BEGIN;\nCREATE SCHEMA {where};\nSET LOCAL search_path = {where};\n{TABLES}\n{identity}\n{granted}COMMIT;\n"
