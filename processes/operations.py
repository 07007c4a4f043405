"""Operations: what people decide about runs and dead letters. Actor and a reason that is not blank, one event each."""

from collections.abc import Callable, Sequence

from redrive.domain.dead_letter import rules
from redrive.domain.dead_letter.events import DeadLetterNoted
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.errors import NotFound
from redrive.domain.event import Event
from redrive.domain.identity import DeadLetterId, RunId
from redrive.domain.ports import Transaction
from redrive.domain.run import control, stateful_waits
from redrive.domain.run.events import NoteAdded
from redrive.domain.run.state import Run, Status
from redrive.domain.run.wait_events import ApprovalGiven
from redrive.domain.values import clean_integer, clean_name, clean_text
from redrive.processes.letters import (
    DEFAULT_REDRIVE_POLICY,
    LetterStanding,
    PolicyOf,
    dead_letter_lost,
    dead_letter_success,
    effect_of,
    standing_of_letter,
)

MAX_OPERATOR_TEXT = 4_096
RunCommand = Callable[[Transaction], Status]
LetterCommand = Callable[[Transaction], LetterStanding]


def reason_given(reason: object) -> str:
    """A reason that is not blank. Raises InvalidValue."""
    return clean_text(reason, "reason", most=MAX_OPERATOR_TEXT, blank=False)


def note_given(text: object) -> str:
    """A note that is not blank. Raises InvalidValue."""
    return clean_text(text, "text", most=MAX_OPERATOR_TEXT, blank=False)


def pausing(id_: RunId) -> RunCommand:
    """Let nothing new start in a run."""
    return _on_run(id_, lambda tx, run: control.pause_run(run, now_ms=tx.now_ms))


def resuming(id_: RunId) -> RunCommand:
    """Lift a pause."""
    return _on_run(id_, lambda tx, run: control.resume_run(run, now_ms=tx.now_ms))


def cancelling(id_: RunId, policy_of: PolicyOf) -> RunCommand:
    """End a run for good. What its attempts were sending at that moment is unknown from now on."""

    def cancel(tx: Transaction) -> Status:
        run = tx.run(id_)
        events = control.cancel_run(run, now_ms=tx.now_ms)
        dead_letter_lost(tx, run, policy_of, "the run was cancelled while it was being sent")
        return tx.append_run(run, *events).status

    return cancel


def recovering(id_: RunId, nodes: Sequence[str] | None) -> RunCommand:
    """Requeue a failed or blocked run from its failed nodes, or from *nodes*."""
    return _on_run(id_, lambda tx, run: control.recover_run(run, nodes, now_ms=tx.now_ms))


def approving(id_: RunId, node: str) -> RunCommand:
    """Say yes to a pending approval; its dead letter, of an earlier expiry, is resolved."""
    node = clean_name(node, "node")

    def command(tx: Transaction) -> Status:
        run = tx.run(id_)
        events = stateful_waits.approve(run, node, by=_by(tx), now_ms=tx.now_ms)
        given = events[0]
        assert isinstance(given, ApprovalGiven)
        tx.append_run(run, *events)
        dead_letter_success(tx, run, given.node, given.lifetime)
        return run.status

    return command


def denying(id_: RunId, node: str) -> RunCommand:
    """Say no to a pending approval: its node fails for good, without a dead letter."""
    node = clean_name(node, "node")
    return _on_run(
        id_,
        lambda tx, run: stateful_waits.deny(run, node, by=_by(tx), reason=tx.caller.reason or "", now_ms=tx.now_ms),
    )


def _by(tx: Transaction) -> str:
    return f"{tx.caller.actor.kind}:{tx.caller.actor.id}"


def noting_run(id_: RunId, text: str) -> RunCommand:
    """Write something down about a run."""
    return _on_run(id_, lambda _tx, _run: [NoteAdded(text=text)])


def requesting_retry(id_: DeadLetterId, policy_of: PolicyOf, run: RunId | None) -> LetterCommand:
    """Ask the sweep to do the work of a dead letter again."""

    def rule(tx: Transaction, dl: DeadLetter, r: Run | None) -> Event:
        policy = DEFAULT_REDRIVE_POLICY if r is None else policy_of(r)
        return rules.request_retry(dl, r, policy, now_ms=tx.now_ms, effect=effect_of(tx, dl))

    return _on_letter(id_, run, rule)


def granting_retries(id_: DeadLetterId, granted: int, run: RunId | None) -> LetterCommand:
    """Allow more dispatches of a dead letter."""
    clean_integer(granted, "n", 1, rules.MAX_GRANT)

    def rule(tx: Transaction, dl: DeadLetter, r: Run | None) -> Event:
        return rules.grant_retries(dl, r, granted, now_ms=tx.now_ms, effect=effect_of(tx, dl))

    return _on_letter(id_, run, rule)


def ignoring(id_: DeadLetterId, run: RunId | None) -> LetterCommand:
    """Decide that a dead letter does not matter."""
    return _on_letter(id_, run, lambda tx, dl, r: rules.ignore(dl, r, effect_of(tx, dl)))


def abandoning(id_: DeadLetterId, run: RunId | None) -> LetterCommand:
    """Give the work of a dead letter up."""
    return _on_letter(id_, run, lambda tx, dl, r: rules.abandon(dl, r, effect_of(tx, dl)))


def resolving(id_: DeadLetterId, run: RunId | None) -> LetterCommand:
    """Say that the work of a dead letter was done otherwise."""
    return _on_letter(id_, run, lambda tx, dl, r: rules.resolve(dl, r, effect_of(tx, dl)))


def reopening(id_: DeadLetterId, run: RunId | None) -> LetterCommand:
    """Put a settled dead letter back."""
    return _on_letter(id_, run, lambda _tx, dl, _r: rules.reopen(dl))


def noting_letter(id_: DeadLetterId, text: str, run: RunId | None) -> LetterCommand:
    """Write something down about a dead letter."""
    note = DeadLetterNoted(text=text)
    return _on_letter(id_, run, lambda _tx, _dl, _r: note)


def _on_run(id_: RunId, rule: Callable[[Transaction, Run], list[Event]]) -> RunCommand:
    def command(tx: Transaction) -> Status:
        run = tx.run(id_)
        return tx.append_run(run, *rule(tx, run)).status

    return command


def _on_letter(
    id_: DeadLetterId, run_id: RunId | None, rule: Callable[[Transaction, DeadLetter, Run | None], Event]
) -> LetterCommand:
    def command(tx: Transaction) -> LetterStanding:
        dl = tx.dead_letter(id_)
        if run_id is not None and dl.run != run_id:
            raise NotFound("dead letter", id_)
        run = tx.find_run(dl.run)
        return standing_of_letter(tx.append_dead_letter(id_, dl, rule(tx, dl, run)))

    return command
