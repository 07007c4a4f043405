"""The faults that the simulator knows."""

from docs.generate.markdown import code, table
from redrive.faults.kinds import AT_STATEMENTS, MEANINGS


def kinds() -> str:
    """Each with its name, where it strikes, and what happens."""
    rows = [
        (code(kind.value), "at a statement" if kind in AT_STATEMENTS else "in what actors do", f"{meaning}.")
        for kind, meaning in MEANINGS.items()
    ]
    return table(("fault", "where", "what happens"), rows)
