"""A resume plan: what can be done about a run now, and why the rest cannot. Asked of the very commands that decide."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect.rules import OUTCOMES
from redrive.domain.effect.state import Effect, EffectStatus
from redrive.domain.identity import EffectId, NodeId, RunId, compensation_id_of
from redrive.domain.ports import Transaction
from redrive.domain.run.state import Run, Status
from redrive.processes import compensations, operations
from redrive.processes.letters import PolicyOf
from redrive.processes.reconciliation import reconciling
from redrive.processes.rehearsal import why_refused

_WHY = "WHY"
Command = Callable[[Transaction], object]


@dataclass(frozen=True, slots=True)
class ResumeOption:
    """Something an operator could do. *subject* is what *id* names: run, dead_letter, effect or compensation; an
    approval is named by its run and *node*.

    *why_not* is what the command would be refused with now; None when it is *possible*. *command* is the line to
    type, with a reason in place of WHY; to name the log and the tenant (``--db``, ``--tenant``) is left to the reader.
    """

    subject: str
    id: str
    node: str | None
    status: str
    action: str
    possible: bool
    why_not: str | None
    command: str


@dataclass(frozen=True, slots=True)
class ResumePlan:
    """What can be done about a run, as it stands at this moment."""

    run_id: RunId
    status: Status
    pause_requested: bool
    options: tuple[ResumeOption, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """A way on: the *command* that decides whether there is one, and the words that give it. *dashed* are names that
    could be taken for options."""

    action: str
    command: Command
    words: tuple[str, ...]
    dashed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Subject:
    kind: str
    id: str
    node: str | None
    status: str


def planning(id_: RunId, policy_of: PolicyOf) -> Callable[[Transaction], ResumePlan]:
    """A command that writes nothing: the plan of a run. Raises NotFound."""

    def plan(tx: Transaction) -> ResumePlan:
        run = tx.run(id_)
        letters = [tx.dead_letter(letter) for letter in (*run.dead_letters.values(), *run.effect_letters.values())]
        effects = _effects_of(tx, run)
        found = [*_of_run(run, policy_of), *_of_approvals(run)]
        for letter in letters:
            found += _of_letter(letter, policy_of)
        for effect in effects:
            found += _of_effect(effect)
            found += _of_compensation(tx, effect)
        options = tuple(_option(tx, subject, choice) for subject, choice in found)
        return ResumePlan(run.id, run.status, run.pause_requested, options)

    return plan


Found = Iterator[tuple[_Subject, _Choice]]


def _of_run(run: Run, policy_of: PolicyOf) -> Found:
    subject = _Subject("run", run.id, None, run.status)
    for action, command in (
        ("pause", operations.pausing(run.id)),
        ("resume", operations.resuming(run.id)),
        ("recover", operations.recovering(run.id, None)),
        ("cancel", operations.cancelling(run.id, policy_of)),
    ):
        yield subject, _Choice(action, command, (action, run.id))


def _of_approvals(run: Run) -> Found:
    """What is asked, or was and expired unnoticed; an approval that was decided is no question any more."""
    for node in run.approvals:
        subject = _Subject("approval", run.id, node, run.nodes[node].status)
        for action, command in (
            ("approve", operations.approving(run.id, node)),
            ("deny", operations.denying(run.id, node)),
        ):
            dashed = (run.id, node) if node.startswith("-") else ()
            yield subject, _Choice(action, command, (action,) if dashed else (action, run.id, node), dashed)


def _of_letter(dl: DeadLetter, policy_of: PolicyOf) -> Found:
    subject = _Subject("dead_letter", dl.id, dl.node or None, dl.status)
    choices: list[tuple[str, Command]] = [
        ("retry", operations.requesting_retry(dl.id, policy_of, None)),
        ("grant", operations.granting_retries(dl.id, 1, None)),
        ("compensate", compensations.choosing(dl.id, None)),
        ("resolve", operations.resolving(dl.id, None)),
        ("ignore", operations.ignoring(dl.id, None)),
        ("abandon", operations.abandoning(dl.id, None)),
        ("reopen", operations.reopening(dl.id, None)),
    ]
    for action, command in choices:
        more = ("1",) if action == "grant" else ()
        yield subject, _Choice(action, command, ("dead-letters", action, dl.id, *more))


def _of_effect(effect: Effect) -> Found:
    """Either answer that ends the doubt, or that it goes on; each leads to a different place."""
    subject = _Subject("effect", effect.id, effect.node or None, effect.status)
    for outcome in OUTCOMES:
        words = ("reconcile", effect.id, "--outcome", outcome.replace("_", "-"))
        command = reconciling(effect.id, outcome, None, _WHY, by_operator=True)
        yield subject, _Choice(f"reconcile_{outcome}", command, words)


def _of_compensation(tx: Transaction, effect: Effect) -> Found:
    found = tx.find_compensation(compensation_id_of(effect.tenant, effect.id))
    if found is None:
        return
    subject = _Subject("compensation", found.id, found.node or None, found.status)
    for action, command in (
        ("approve", compensations.approving(found.id)),
        ("rerun", compensations.running_again(found.id)),
        ("cancel", compensations.cancelling(found.id, _WHY)),
    ):
        yield subject, _Choice(action, command, ("compensations", action, found.id))


def _effects_of(tx: Transaction, run: Run) -> list[Effect]:
    """Those that somebody may have to decide about: they have a dead letter here, or nobody knows their outcome."""
    admitted: dict[EffectId, NodeId] = {}
    for node, state in run.nodes.items():
        admitted |= dict.fromkeys(state.effects or (), node)
    found = [tx.effect(id_) for id_ in dict.fromkeys((*run.effect_letters, *admitted))]
    return [effect for effect in found if effect.id in run.effect_letters or effect.status is EffectStatus.UNKNOWN]


def _option(tx: Transaction, subject: _Subject, choice: _Choice) -> ResumeOption:
    why_not = why_refused(tx, choice.command)
    last = ("--", *choice.dashed) if choice.dashed else ()
    line = shlex.join(["redrive", *choice.words, "--reason", _WHY, *last])
    return ResumeOption(
        subject.kind, subject.id, subject.node, str(subject.status), choice.action, why_not is None, why_not, line
    )
