"""What a PostgreSQL connection says of its durability; for any driver that has psycopg's interface."""

from typing import Any

ASKED = ("fsync", "synchronous_commit", "full_page_writes")


def durable(connection: Any) -> str:
    """The session's durability, asserted: a commit is on the disk when it is acknowledged, as everybody's."""
    found = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in ASKED}
    connection.close()
    assert set(found.values()) == {"on"}, f"{found}: a commit would not be durable"
    return "synchronous_commit=on"
