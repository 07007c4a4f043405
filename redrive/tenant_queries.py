"""Queries of one tenant. The views catch up first: callers read their own writes."""

import contextlib
from collections.abc import Iterator
from typing import Protocol, Unpack

from redrive.domain.errors import NotFound
from redrive.domain.event import Recorded
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, RunId, Tenant
from redrive.effect_detail import CompensationDetail, EffectDetail, compensation_detail_of, effect_detail_of
from redrive.history import HistoryEntry, entry_of
from redrive.ledger.limit_status import LimitStatus, full_for_runs, statuses
from redrive.ledger.readable import ReadableLog
from redrive.processes.services import Services
from redrive.projections.effect_queries import EffectQueries
from redrive.projections.filters import (
    CompensationFilters,
    DeadLetterFilters,
    EffectFilters,
    GroupFilters,
    PageOf,
    RunFilters,
)
from redrive.projections.models import (
    CompensationSummary,
    Counts,
    DeadLetterGroup,
    DeadLetterSummary,
    EffectSummary,
    Page,
    QueueEntry,
    RunSummary,
)
from redrive.projections.paging import DEFAULT_LIMIT, Selection, checked_limit, decode_cursor, encode_cursor
from redrive.projections.view import View
from redrive.run_detail import RunDetail, detail_of

HISTORY_PAGE = 1_000


class Queried(Protocol):
    """Whom the queries belong to: an engine, or an engine as it stood at a moment of the past."""

    @property
    def ledger(self) -> ReadableLog:
        """The log, or a prefix of it."""

    @property
    def views(self) -> View:
        """The views that are folded from it."""

    def now_ms(self) -> int:
        """The moment that is asked about."""


class TenantQueries:
    """What can be asked. *limit* is 250 where not given, at most 1,000; *cursor* goes on where a page ended."""

    engine: Queried
    services: Services

    def __init__(self, ledger: ReadableLog, views: View, tenant: Tenant | None) -> None:
        self._ledger = ledger
        self._views = views
        self.tenant = tenant or Tenant()
        self._queries = EffectQueries(views, tenant)

    def runs(self, **filters: Unpack[RunFilters]) -> Page[RunSummary]:
        """Runs, newest first. Filters: status, automation, flow, key, needs_review, text, since_ms, until_ms; limit,
        cursor."""
        return self._queries.runs(**filters)

    def run(self, run_id: RunId) -> RunSummary:
        """One run as the views have it. Raises NotFound."""
        return self._queries.run(run_id)

    def show(self, run_id: RunId) -> RunDetail:
        """One run in full, with every node, folded from the log. Raises NotFound."""
        return detail_of(self._ledger.run_state(self.tenant, run_id))

    def queue(self, name: str, **filters: Unpack[PageOf]) -> Page[QueueEntry]:
        """A queue: ready, scheduled, retry_backoff, limited, awaiting_approval (every approval that is pending,
        wherever its run stands), running, paused, blocked, failed or needs_review. Filters: automation, limit,
        cursor."""
        page = self._queries.queue(name, now_ms=self._ledger.now_ms(), **filters)
        if not (full := full_for_runs(self._ledger, self.tenant)):
            return page
        return page.model_copy(update={"items": tuple(_held_back(entry, full) for entry in page.items)})

    def queue_counts(self, *, automation: str | None = None) -> dict[str, int]:
        """How many are in each queue now, by its name."""
        return self._queries.queue_counts(now_ms=self._ledger.now_ms(), automation=automation)

    def dead_letters(self, **filters: Unpack[DeadLetterFilters]) -> Page[DeadLetterSummary]:
        """Dead letters, newest first. Filters: status, source, run, node, automation, failure_class, fingerprint,
        effect, text, since_ms, until_ms, active_only, limit, cursor."""
        return self._queries.dead_letters(**filters)

    def dead_letter(self, dead_letter: DeadLetterId) -> DeadLetterSummary:
        """One dead letter. Raises NotFound."""
        return self._queries.dead_letter(dead_letter)

    def effects(self, **filters: Unpack[EffectFilters]) -> Page[EffectSummary]:
        """Effects, newest first. Filters: status, run, node, automation, key, operation, target, failure_class, text,
        since_ms, until_ms, limit, cursor."""
        return self._queries.effects(**filters)

    def show_effect(self, effect_id: EffectId) -> EffectDetail:
        """One effect in full: request and receipt, every try and what was said of it, its dead letters and
        compensations. Raises NotFound."""
        summary = self._queries.effect(effect_id)
        letters = self._queries.dead_letters(effect=effect_id).items
        compensations = self._queries.compensations(effect=effect_id).items
        return effect_detail_of(summary, self._ledger.stream(effect_id), letters, compensations)

    def compensations(self, **filters: Unpack[CompensationFilters]) -> Page[CompensationSummary]:
        """Compensations, newest first. Filters: status, run, node, automation, effect, operation, text, since_ms,
        until_ms, limit, cursor."""
        return self._queries.compensations(**filters)

    def show_compensation(self, compensation_id: CompensationId) -> CompensationDetail:
        """One compensation in full. Raises NotFound."""
        summary = self._queries.compensation(compensation_id)
        return compensation_detail_of(summary, self._ledger.stream(compensation_id))

    def groups(self, **filters: Unpack[GroupFilters]) -> Page[DeadLetterGroup]:
        """Dead letters grouped by the fingerprint of their failure. Filters: status, source, automation, failure_class,
        since_ms, until_ms, active_only, limit, cursor."""
        return self._queries.groups(**filters)

    def limits(self) -> tuple[LimitStatus, ...]:
        """The limit of this tenant, if it has one, with how much of it is in use."""
        return statuses(self._ledger, self.tenant)

    def counts(self) -> Counts:
        """How many runs, dead letters, effects and compensations there are, by status; events by topic."""
        return self._queries.counts()

    def history(
        self,
        run_id: RunId | EffectId,
        *,
        text: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[HistoryEntry]:
        """Every event of a run, of its effects, dead letters and compensations in log order; or of one effect, given
        its id. With *text*, those whose texts have all of its words, the newest first: automation
        and key, failures with their nodes, prompts, notes, requests of effects, reasons; not names of nodes elsewhere.

        Raises NotFound, and InvalidValue for a cursor of another query.
        """
        of_effect = self._is_effect(run_id)
        if text is not None:
            whose = {"effect": run_id} if of_effect else {"run": run_id}
            found = self._queries.search(text, **whose, limit=limit, cursor=cursor)
            events = self._ledger.at_positions(found.items)
            return Page(items=tuple(entry_of(event) for event in reversed(events)), cursor=found.cursor)
        checked_limit(limit)
        asked = Selection(self._ledger.id, "history").equal("run", run_id)
        (after,) = decode_cursor(asked, cursor, (int,)) or [0]
        events = self._told(run_id, int(after), limit + 1, of_effect=of_effect)
        more = encode_cursor(asked, [events[limit - 1].position]) if len(events) > limit else None
        return Page(items=tuple(entry_of(event) for event in events[:limit]), cursor=more)

    def whole_history(self, run_id: RunId | EffectId) -> Iterator[HistoryEntry]:
        """As ``history``, page by page to the end. Raises NotFound."""
        of_effect, after = self._is_effect(run_id), 0
        while found := self._told(run_id, after, HISTORY_PAGE, of_effect=of_effect):
            yield from (entry_of(event) for event in found)
            after = found[-1].position

    def _is_effect(self, id_: str) -> bool:
        """Whether *id_* is an effect, not a run. Raises NotFound when it is neither."""
        try:
            self._queries.run(id_)
        except NotFound:
            with contextlib.suppress(NotFound):
                self._queries.effect(id_)
                return True
            raise
        return False

    def _told(self, id_: str, after: int, most: int, *, of_effect: bool) -> list[Recorded]:
        """At most *most* events beyond *after*. What an effect within a run did belongs to that run; its own stream,
        which is short, is told all the same."""
        found = self._ledger.correlated(id_, after, most)
        if of_effect:
            own = [event for event in self._ledger.stream(id_) if event.position > after]
            found = sorted({event.position: event for event in (*found, *own)}.values(), key=lambda one: one.position)
        return found[:most]


def _held_back(entry: QueueEntry, full: tuple[str, ...]) -> QueueEntry:
    """A due run, where no more runs may be claimed now under the limits that are *full*."""
    due = entry.status == "queued" and entry.remaining_ms == 0 and entry.held_back is None
    return entry.model_copy(update={"held_back": "capacity", "held_by": full}) if due else entry
