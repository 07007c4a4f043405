"""What must hold of any log, whatever happened: the oracles of the state machine and of the acceptance tests."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from redrive import Engine, Recorded, RunId, StreamUnreadable
from redrive.domain.compensation import events as cp
from redrive.domain.dead_letter import events as dl
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect import events as fx
from redrive.domain.effect.state import Effect
from redrive.domain.identity import DeadLetterId, EffectId
from redrive.domain.ports import Caller
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.attempts import startable
from redrive.domain.run.holding import waits_for_room
from redrive.domain.run.state import FINAL, Status
from redrive.faults import oracles
from redrive.forensics.decided_again.replay_check import replay_check
from redrive.projections.view import View

OF_EVENTS = (
    oracles.one_success, oracles.fenced, oracles.nothing_follows_the_end, oracles.sent_once, oracles.well_ordered
)  # fmt: skip
"""Oracles of simulations that look at nothing but the log."""
NOBODY: Any = None


def check_log(engine: Engine, *, of_other_code: bool = False) -> None:
    """Every invariant that one pass over the log can show. *of_other_code*: its decisions are not those of today."""
    events = [event for batch in engine.ledger.replay() for event in batch]
    assert [said for oracle in OF_EVENTS for said in oracle(NOBODY, events)] == []
    dispatches_stay_within_the_budget(events)
    each_request_ends_once(events)
    stateful_waits_stand_where_they_are_counted(engine, events)
    what_could_start_is_due(engine, events)
    receipts_stay(events)
    compensations_run_one_after_the_other(events)
    effects_are_what_their_letters_say(engine, events)
    if not of_other_code:
        every_decision_would_be_made_again(engine)


def every_decision_would_be_made_again(engine: Engine) -> None:
    """The code decides on the recorded inputs what it decided when they came: nothing else went into it."""
    assert (first := replay_check(engine, 0, engine.ledger.last_position()).first) is None, first


def check_views(engine: Engine) -> None:
    """The agenda and the live views equal those that the log alone gives."""
    assert engine.ledger.agenda_rows() == engine.ledger.agenda_from_log()
    check_capacity(engine)
    engine.views.catch_up()
    fresh = View(engine.ledger, None)
    fresh.catch_up()
    tables = engine.views.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%_fts%'")
    for (name,) in tables:
        if name not in ("view", "sqlite_sequence"):
            live, rebuilt = (sorted(map(repr, view.rows(f"SELECT * FROM [{name}]"))) for view in (engine.views, fresh))
            assert live == rebuilt, name
    fresh.close()


def check_capacity(engine: Engine) -> None:
    """What is in use, and who waits, is what the log says."""
    capacity, by_the_log = engine.ledger.capacity(), engine.ledger.capacity_from_log()
    assert capacity.rows() == by_the_log.rows
    assert capacity.waiters() == by_the_log.waiters


def dispatches_stay_within_the_budget(events: Iterable[Recorded]) -> None:
    """No dead letter is dispatched more often than policy and grants allow."""
    for event in events:
        if isinstance(event.event, dl.DeadLetterRetryDispatched):
            assert event.event.count <= event.event.budget


def each_request_ends_once(events: Iterable[Recorded]) -> None:
    """Lifetimes rise with every attempt, request and wait of a node; what ends was begun, and ends once, in time."""
    last: Counter[tuple[str, str]] = Counter()
    pending: dict[tuple[str, str, int], int | None] = {}
    for recorded in events:
        match recorded.event:
            case e.AttemptStarted() | w.ApprovalRequested() | w.WaitStarted() as begun:
                assert begun.lifetime == last[recorded.stream, begun.node] + 1
                last[recorded.stream, begun.node] = begun.lifetime
                if not isinstance(begun, e.AttemptStarted):
                    until = begun.expires_at_ms if isinstance(begun, w.ApprovalRequested) else begun.due_ms
                    pending[recorded.stream, begun.node, begun.lifetime] = until
            case w.ApprovalGiven() | w.ApprovalDenied() | w.ApprovalExpired() | w.WaitEnded() as ended:
                until = pending.pop((recorded.stream, ended.node, ended.lifetime))
                over = until is not None and until <= recorded.occurred_at_ms
                assert over is isinstance(ended, w.ApprovalExpired | w.WaitEnded)


def stateful_waits_stand_where_they_are_counted(engine: Engine, events: Iterable[Recorded]) -> None:
    """Workers see no node that the engine executes; what is ready has begun, unless a pause or a failure keeps it."""
    for id_ in {event.stream for event in events if isinstance(event.event, e.RunSubmitted)}:
        try:
            run = engine.ledger.run_state(None, RunId(id_))
        except StreamUnreadable:
            continue
        own = {node for node, spec in run.flow.nodes.items() if spec.is_stateful_wait}
        assert not own & {*run.ready, *run.running, *run.waiting}
        assert own >= {*run.approvals, *run.timers, *run.unbegun}
        assert not run.unbegun or run.pause_requested or run.stopped_by is not None
        if run.status not in FINAL:
            waiting = {node for node in own if run.nodes[node].status in ("awaiting_approval", "waiting")}
            assert waiting == {*run.approvals, *run.timers}
        assert run.status != "awaiting_approval" or run.approvals


def what_could_start_is_due(engine: Engine, events: Sequence[Recorded]) -> None:
    """A queued run is looked at as soon as one of its nodes may start, and needs no limit that holds the run back; by
    the latest time that the log knows: the clock may have been set back."""
    now_ms = max([engine.now_ms(), *(event.occurred_at_ms for event in events)])
    for id_ in {event.stream for event in events if isinstance(event.event, e.RunSubmitted)}:
        try:
            run = engine.ledger.run_state(None, RunId(id_))
        except StreamUnreadable:
            continue
        if run.status is not Status.QUEUED:
            continue
        free = [node for node in startable(run, now_ms) if not waits_for_room(run, node)]
        assert not free or (run.due_ms is not None and run.due_ms <= now_ms), (id_, free, run.due_ms, run.held_by)
        assert run.due_ms is not None or run.held_by, (id_, "nobody would ever look at it")


def receipts_stay(events: Iterable[Recorded]) -> None:
    """The same try has one success with one receipt in the log, and each report is there once."""
    seen: set[tuple[str, int, str]] = set()
    for event in events:
        if isinstance(event.event, fx.EffectSucceeded):
            report = (event.stream, event.event.try_number, event.event.receipt_digest)
            assert report not in seen
            seen.add(report)


def compensations_run_one_after_the_other(events: Iterable[Recorded]) -> None:
    """Epochs rise by one; nothing runs without an approval, nor after its end."""
    epochs: Counter[str] = Counter()
    approved: set[str] = set()
    ended: set[str] = set()
    for event in events:
        match event.event:
            case cp.CompensationApproved():
                approved.add(event.stream)
            case cp.CompensationStarted(epoch=epoch):
                approved.remove(event.stream)
                assert epoch == epochs[event.stream] + 1
                epochs[event.stream] = epoch
            case cp.CompensationCompleted() | cp.CompensationCancelled():
                assert event.stream not in ended
                ended.add(event.stream)


def effects_are_what_their_letters_say(engine: Engine, events: Iterable[Recorded]) -> None:
    """An unsettled dead letter of an effect: it was not done, or an operator reopened it. What
    nobody knows of a run that is over: it has one."""
    letters = [event.event for event in events if isinstance(event.event, dl.DeadLetterOpened) and event.event.effect]
    reopened = {str(event.stream) for event in events if isinstance(event.event, dl.DeadLetterReopened)}
    for opened in letters:
        letter, effect = _both(engine, opened.dead_letter, opened.effect)
        assert letter.settled or effect.status != "succeeded" or opened.dead_letter in reopened
        assert opened.dead_letter in effect.dead_letters
    ended = {event.stream for event in events if isinstance(event.event, (e.RunCompleted, e.RunCancelled))}
    for event in events:
        if isinstance(event.event, e.EffectAdmitted) and event.stream in ended:
            if not _readable(engine, event.event.effect):
                continue
            _, effect = _both(engine, None, event.event.effect)
            if str(effect.run) == str(event.stream):
                assert effect.status != "intended", "nobody will tell what became of it"
                tolerated = effect.request is not None and effect.request.tolerate
                assert effect.status != "unknown" or tolerated or effect.dead_letters


def _readable(engine: Engine, effect: EffectId) -> bool:
    return engine.ledger.transact(Caller(None), lambda tx: tx.readable(effect))


def _both(engine: Engine, letter: DeadLetterId | None, effect: EffectId | None) -> tuple[DeadLetter, Effect]:
    return engine.ledger.transact(
        Caller(None), lambda tx: (tx.dead_letter(letter) if letter else DeadLetter(), tx.effect(EffectId(effect or "")))
    )
