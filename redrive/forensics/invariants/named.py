"""Invariants that come with redrive: what its rules promise at every position of any log."""

from redrive.domain.redrive_policy import RedrivePolicy
from redrive.forensics.invariants.invariant import Invariant

NAMED: dict[str, Invariant] = {
    invariant.name or "": invariant
    for invariant in (
        Invariant(
            "SELECT run_id, status, open_letters FROM runs WHERE needs_review = 1",
            "no-stuck-run",
            "no run stands where nothing but an operator will move it",
            settled=True,
        ),
        Invariant(
            "SELECT run_id, succeeded, nodes FROM runs WHERE succeeded > nodes",
            "one-success-per-node",
            "no run counts more successes than it has nodes: none succeeded twice in one generation",
        ),
        Invariant(
            "SELECT id, dispatches, budget_granted FROM dead_letters "
            f"WHERE dispatches > {RedrivePolicy().max_dispatches} + budget_granted",
            "dispatches-within-budget",
            "no dead letter was dispatched more often than the default budget, and what was granted, allow",
        ),
        Invariant(
            "SELECT run_id, worker FROM runs WHERE worker IS NOT NULL AND status <> 'running'",
            "claims-end-with-running",
            "no worker holds a run that is not running",
        ),
        Invariant(
            "SELECT id, run_id FROM dead_letters WHERE settled = 0 AND superseded = 1",
            "no-superseded-work-open",
            "no dead letter waits whose work a later success has done",
        ),
        Invariant(
            "SELECT id, key FROM effects WHERE status = 'unknown'",
            "no-unknown-effect",
            "no effect has an outcome that nobody knows",
        ),
    )
}
