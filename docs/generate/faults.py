"""The faults that the simulator knows."""

from docs.generate.markdown import code, table
from redrive.faults.kinds import AT_STATEMENTS, IN_FILES, MEANINGS, ON_SERVERS


def kinds() -> str:
    """Each with its name, where it strikes, on which store, and what happens."""
    rows = [
        (
            code(kind.value),
            "at a statement" if kind in AT_STATEMENTS else "in what actors do",
            "both" if kind in IN_FILES and kind in ON_SERVERS else "SQLite" if kind in IN_FILES else "PostgreSQL",
            f"{meaning}.",
        )
        for kind, meaning in MEANINGS.items()
    ]
    return table(("fault", "where", "store", "what happens"), rows)
