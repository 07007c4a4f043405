"""What is kept about limits: what is in use of each, and who waits in which line, by the runs' states."""

from collections import Counter
from typing import NamedTuple

from redrive.domain.limits import keys_of_run
from redrive.domain.run.state import Run, Status
from redrive.domain.values import canonical_json
from redrive.ledger.agenda_rows import ANY, MOST_NEEDS


class CapacityRow(NamedTuple):
    """What is in use of a limit, and what was in its bucket at *refilled_ms*."""

    limit_key: str
    in_use: int
    level: int
    refilled_ms: int


class WaiterRow(NamedTuple):
    """A run's place in a line. *blocking*: this limit holds it back; *reserving*: it was passed over, and what is
    free of this limit is kept for it."""

    run: str
    line: str
    due_ms: int
    created: int
    blocking: int
    reserving: int


class Line(NamedTuple):
    """Who waits for one limit: a tenant's runs that one handler (ANY: look at the run) can go on with."""

    limit_key: str
    tenant: str
    needs: str

    @property
    def text(self) -> str:
        """As it stands in the table: lines of one limit lie together."""
        return canonical_json(list(self)).decode()


def usage_of(run: Run) -> Counter[str]:
    """What a run uses: its claim counts for its tenant and in total, its running attempts for what they name."""
    used: Counter[str] = Counter()
    if run.status is Status.RUNNING and run.claim is not None:
        used.update(keys_of_run(run.tenant))
    for node in run.running:
        used.update(run.flow.nodes[node].limit_keys)
    return used


def waiters_of(run: Run, created: int) -> tuple[WaiterRow, ...]:
    """The places of a run that limits hold back, in the lines of every limit that its nodes wait for."""
    if run.status is not Status.QUEUED or not run.held_by:
        return ()
    since = run.held_since_ms or 0
    held, found = set(run.held_by), dict[Line, tuple[int, bool]]()
    dues = {**dict.fromkeys(run.ready, since), **{node: max(since, due) for node, due in run.waiting.items()}}
    for node, due in dues.items():
        spec = run.flow.nodes[node]
        if held.isdisjoint(spec.limit_keys):
            continue
        for key in spec.limit_keys:
            if key in held or run.passed_over:
                line = Line(key, str(run.tenant), spec.handled_by if len(found) < MOST_NEEDS else ANY)
                found[line] = min(found.get(line, (due, False)), (due, False))[0], key in held
    rows = ((line.text, due, blocking) for line, (due, blocking) in found.items())
    return tuple(sorted(WaiterRow(run.id, *row[:2], created, row[2], run.passed_over) for row in rows))
