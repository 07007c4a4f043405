"""Dead letters that open, recur and resolve in the transaction of the report that causes it."""

from collections.abc import Callable, Mapping

from redrive.domain.dead_letter.rules import open_dead_letter, recur, succeed
from redrive.domain.identity import NodeId, dead_letter_id_of
from redrive.domain.ports import Transaction
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run.events import DeadLetterLinked
from redrive.domain.run.state import Run
from redrive.projections.logs import log

DEFAULT_REDRIVE_POLICY = RedrivePolicy()
PolicyOf = Callable[[Run], RedrivePolicy]


def dead_letter_final_failures(
    tx: Transaction, run: Run, final: Mapping[NodeId, RetryDecision], policy_of: PolicyOf
) -> None:
    """Open a dead letter for each final failure, or record its recurrence."""
    for node, decision in final.items():
        id_ = run.dead_letters.get(node)
        if id_ is None:
            id_ = dead_letter_id_of(run.tenant, run.id, node)
            tx.append_run(run, DeadLetterLinked(node=node, dead_letter=id_))
            tx.append_dead_letter(id_, run, open_dead_letter(run, node, id_, decision))
        else:
            tx.append_dead_letter(id_, run, recur(tx.dead_letter(id_), run, decision, _policy(policy_of, run)))


def _policy(policy_of: PolicyOf, run: Run) -> RedrivePolicy:
    """The host's policy; a report is recorded also when the host's function fails (the sweep then waits)."""
    try:
        return policy_of(run)
    except Exception:  # noqa: BLE001 - the host's function may raise anything
        log.exception("redrive_policy.failed", run=run.id, automation=run.automation)
        return DEFAULT_REDRIVE_POLICY


def dead_letter_success(tx: Transaction, run: Run, node: NodeId, lifetime: int) -> None:
    """A node's success resolves its dead letter, or is noted on a settled one."""
    id_ = run.dead_letters.get(node)
    if id_ is not None:
        tx.append_dead_letter(id_, run, *succeed(tx.dead_letter(id_), lifetime))
