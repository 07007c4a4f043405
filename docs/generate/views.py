"""The tables of a view."""

from docs.generate.markdown import code, is_moment, table
from redrive.projections.fold import TABLES

MEANINGS = {
    "runs": "A run: where it stands, counts, and its last failure.",
    "backoffs": "A node that waits: a backoff, or a snooze.",
    "approvals": "An approval that is pending.",
    "flows": "The graph of a flow.",
    "dead_letters": "A dead letter: its latest failure and the latest decision.",
    "effects": "An effect: where it stands, its last try, and why it failed.",
    "compensations": "A compensation: where it stands, and the latest decision about it.",
    "texts": "A text that was said somewhere, each once; `texts_fts` is its full-text index.",
    "mentions": "Where a text was said: the position in the log, the run, the subject.",
    "counts": "How many events by topic, runs, dead letters, effects and compensations by status, and totals, for each "
    "tenant.",
    "unknown_events": "Events of a version that this code does not know.",
}


def tables() -> str:
    """Every table with its columns."""
    parts = []
    for one in TABLES:
        columns = ", ".join(_column(name, value) for name, value in one.columns.items())
        parts.append((code(one.name), MEANINGS[one.name], ", ".join(map(code, one.key)), columns))
    return table(("table", "a row is", "key", "columns"), parts)


def _column(name: str, _value: object) -> str:
    return f"{code(name)}{' (UTC ms)' if is_moment(name) else ''}"
