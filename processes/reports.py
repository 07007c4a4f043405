"""Reports: what executors say about their attempts. The identical report again is a no-op."""

from collections.abc import Callable

from redrive.domain.failure import MAX_DELAY_MS, Failure
from redrive.domain.ports import Policy, Transaction
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run.attempts import AttemptId, complete_attempt, fail_attempt, snooze_attempt
from redrive.domain.run.events import AttemptFailed
from redrive.domain.values import JsonValue, clean_integer, clean_json
from redrive.processes.admitted import lose_intents, require_outcomes
from redrive.processes.handout import Progress, progress_of
from redrive.processes.letters import (
    PolicyOf,
    dead_letter_beside_success,
    dead_letter_final_failures,
    dead_letter_success,
    dead_letter_unknown,
)


def completing(attempt: AttemptId, output: JsonValue, policy_of: PolicyOf) -> Callable[[Transaction], Progress]:
    """A command that records a success. Raises InvalidValue here; NotRunning, StaleEpoch, StaleAttempt."""
    return completing_with(attempt, clean_json(output, "output"), policy_of)


def completing_with(attempt: AttemptId, output: JsonValue, policy_of: PolicyOf) -> Callable[[Transaction], Progress]:
    """As ``completing``, with what ``clean_json`` returned."""

    def complete(tx: Transaction) -> Progress:
        run = tx.run(attempt.run_id)
        events = complete_attempt(run, attempt, output, now_ms=tx.now_ms)
        if events:
            tx.append_run(run, events[0])
            dead_letter_success(tx, run, attempt.node, attempt.lifetime)
            if run.nodes[attempt.node].effects:
                lose_intents(tx, run, attempt.node, attempt.lifetime, "its attempt ended without an outcome of it")
                dead_letter_beside_success(tx, run, attempt.node, attempt.number, attempt.lifetime, policy_of)
            tx.append_run(run, *events[1:])  # at last: nothing follows the completion of a run
            dead_letter_unknown(tx, run, policy_of)
        return progress_of(run)

    return complete


def failing(
    attempt: AttemptId, failure: Failure, policy_of: PolicyOf, classifier: Policy
) -> Callable[[Transaction], RetryDecision]:
    """A command that records a failure and returns what the policy decided, with every input it used.

    Raises NotRunning, StaleEpoch, StaleAttempt.
    """

    def fail(tx: Transaction) -> RetryDecision:
        run = tx.run(attempt.run_id)
        events = fail_attempt(run, attempt, failure, now_ms=tx.now_ms, draw=tx.draw())
        if not events:
            return _decided_before(run.nodes[attempt.node].reports, attempt.lifetime)
        failed = events[0]
        assert isinstance(failed, AttemptFailed)
        if failure.classifier is not None and failure.classifier == classifier.id:
            tx.register_policy(run, "classifier", classifier)
        tx.append_run(run, *events)
        if run.nodes[attempt.node].effects:
            lose_intents(tx, run, attempt.node, attempt.lifetime, "its attempt ended without an outcome of it")
        if failed.decision.terminal:
            dead_letter_final_failures(tx, run, {attempt.node: failed.decision}, policy_of)
        else:
            dead_letter_unknown(tx, run, policy_of)
        return failed.decision

    return fail


def snoozing(attempt: AttemptId, delay_ms: int) -> Callable[[Transaction], Progress]:
    """A command that ends a try without an outcome, to be called again after *delay_ms*.

    Raises OutcomePending while an effect of it has none.
    """
    clean_integer(delay_ms, "delay_ms", 0, MAX_DELAY_MS)

    def snooze(tx: Transaction) -> Progress:
        run = tx.run(attempt.run_id)
        events = snooze_attempt(run, attempt, delay_ms, now_ms=tx.now_ms)
        require_outcomes(tx, run, attempt.node, attempt.lifetime)
        tx.append_run(run, *events)
        return progress_of(run)

    return snooze


def _decided_before(reports: dict[int, tuple[str, RetryDecision | None]] | None, lifetime: int) -> RetryDecision:
    decision = (reports or {})[lifetime][1]
    assert decision is not None
    return decision
