"""The engine, deliberately broken: each of these is what one of its promises rests on, taken away."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import pytest

from redrive.domain import limits
from redrive.domain.dead_letter import judge
from redrive.domain.effect.state import EffectStatus
from redrive.domain.errors import StorageError
from redrive.domain.limits import UNLIMITED
from redrive.domain.run import attempts
from redrive.ledger.capacity import Capacity
from redrive.ledger.committer import Committer
from redrive.ledger.recorder import LogRecorder
from redrive.ledger.states import States
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes import effects, ticker
from redrive.processes.effects import EffectStanding
from redrive.projections.view import View

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]
INSERT = "INSERT INTO events (originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms) "


def version_check_off(patch: Patch) -> None:
    """What is in memory is never compared with the log, and an append takes whatever version comes next."""

    def get(states: States, stream: str) -> Any:
        return states._entries.get(stream) or states._load(stream)

    def insert(recorder: LogRecorder, rows: Sequence[Any], unchanged: Iterable[Any], **_: Any) -> int:
        cursor = cast(sqlite3.Connection, recorder.writer).cursor()
        for row in rows:
            recorder.heads.clear()
            cursor.execute(f"{INSERT} VALUES (?, ?, ?, ?, ?, ?, ?)", (row[0], recorder.head(row[0]) + 1, *row[2:]))
        return cursor.lastrowid or 0

    patch.setattr(States, "get", get)
    patch.setattr(LogRecorder, "insert", insert)


def gate_off(patch: Patch) -> None:
    """Whoever wants to send may send, also what is under way, unknown, or done."""
    original = effects.beginning

    def beginning(wanted: Any, holder: str, *more: Any) -> Callable[[Any], EffectStanding]:
        ask = original(wanted, holder, *more)

        def begin(tx: Any) -> EffectStanding:
            effect = tx.find_effect(wanted.id)
            if effect is None or effect.status is EffectStatus.FAILED:
                return ask(tx)
            return EffectStanding(effect.id, EffectStatus.INTENDED, effect.tries, holder=holder, run_id=effect.run)

        return begin

    patch.setattr(effects, "beginning", beginning)


def blind_retry(patch: Patch) -> None:
    """A COMMIT that reported an error is done again, without looking whether it took place."""
    once = Committer.transact

    def transact(committer: Committer, caller: Any, command: Any) -> Any:
        try:
            return once(committer, caller, command)
        except StorageError:
            return once(committer, caller, command)

    patch.setattr(Committer, "_durable_at", lambda committer, last: None)
    patch.setattr(Committer, "transact", transact)


def epoch_fence_off(patch: Patch) -> None:
    """Reports are accepted from whoever ever had the run."""

    def require_current(run: Any, attempt: Any) -> Any:
        return run.nodes[attempt.node]

    patch.setattr(attempts, "require_current", require_current)
    patch.setattr(effects, "require_current", require_current)


def budget_off(patch: Patch) -> None:
    """The sweep dispatches for ever."""
    patch.setattr(judge, "budget_of", lambda letter, policy: 1_000_000)


def limit_check_off(patch: Patch) -> None:
    """There is always room."""
    patch.setattr(Capacity, "room", lambda capacity, keys, first=None: UNLIMITED)


def tokens_for_ever(patch: Patch) -> None:
    """A rate is written down, and never waited for."""
    patch.setattr(limits, "tokens_in", lambda rate, bucket, now_ms: rate.burst)


def told_before_it_is_durable(patch: Patch) -> None:
    """A COMMIT that failed is taken for one that did not."""

    def commit(committer: Committer, last: Any) -> None:
        try:
            committer._connection.execute("COMMIT")
        except sqlite3.Error:
            if committer._connection.in_transaction:
                committer._connection.execute("ROLLBACK")

    patch.setattr(Committer, "_commit", commit)


def agenda_forgotten(patch: Patch) -> None:
    """What is due is not written down."""
    patch.setattr(LedgerTransaction, "_bring_agenda", lambda transaction, stream, entry: None)


def view_forgets(patch: Patch) -> None:
    """A view that goes on in small steps leaves out an event that one which is folded at once has."""
    fold_from = View._fold_from

    def fold(view: View, connection: Any, position: int, target: int, most: int, **more: Any) -> int:
        return fold_from(view, connection, position + (0 < position < target - 1), target, most, **more)

    patch.setattr(View, "_fold_from", fold)


def never_reclaimed(patch: Patch) -> None:
    """Nobody takes a run from a holder that is gone."""
    patch.setattr(ticker, "reclaim_expired", lambda *_: [])
    patch.setattr(ticker, "reclaim_from_the_dead", lambda *_: [])


MUTANTS: dict[Mutant, str] = {
    version_check_off: "fenced|one_success|well_ordered|acknowledged|the engine raised",
    gate_off: "sent after its success|came 2 times|was done 2 times",
    blind_retry: "took place 2 times",
    epoch_fence_off: "which was not running",
    budget_off: "was dispatched",
    limit_check_off: " use ",
    tokens_for_ever: "has no token left",
    told_before_it_is_durable: "acknowledged",
    agenda_forgotten: "the agenda differs",
    view_forgets: "of the live view differs",
    never_reclaimed: "is running for ever",
}
"""Each with what is found, as a regular expression."""
