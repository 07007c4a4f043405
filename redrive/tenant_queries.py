"""Queries of one tenant. The views catch up first: callers read their own writes."""

from collections.abc import Iterator
from typing import Unpack

from redrive.domain.identity import DeadLetterId, RunId, Tenant
from redrive.history import HistoryEntry, entry_of
from redrive.ledger.ledger import SqliteLedger
from redrive.ledger.limit_status import LimitStatus, runs_are_full, statuses
from redrive.projections.filters import DeadLetterFilters, GroupFilters, PageOf, RunFilters
from redrive.projections.models import (
    Counts,
    DeadLetterGroup,
    DeadLetterSummary,
    Page,
    QueueEntry,
    RunSummary,
)
from redrive.projections.paging import DEFAULT_LIMIT, Selection, checked_limit, decode_cursor, encode_cursor
from redrive.projections.queries import Queries
from redrive.projections.view import View
from redrive.run_detail import RunDetail, detail_of

HISTORY_PAGE = 1_000


class TenantQueries:
    """What can be asked. *limit* is 250 where not given, at most 1,000; *cursor* goes on where a page ended."""

    def __init__(self, ledger: SqliteLedger, views: View, tenant: Tenant | None) -> None:
        self._ledger = ledger
        self._views = views
        self.tenant = tenant or Tenant()
        self._queries = Queries(views, tenant)

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
        """A queue: ready, scheduled, retry_backoff, limited, running, paused, blocked, failed or
        needs_review."""
        page = self._queries.queue(name, now_ms=self._ledger.now_ms(), **filters)
        if not runs_are_full(self._ledger, self.tenant):
            return page
        return page.model_copy(update={"items": tuple(_held_back(entry) for entry in page.items)})

    def dead_letters(self, **filters: Unpack[DeadLetterFilters]) -> Page[DeadLetterSummary]:
        """Dead letters, newest first. Filters: status, source, run, node, automation, failure_class, fingerprint,
        text, since_ms, until_ms, active_only, limit, cursor."""
        return self._queries.dead_letters(**filters)

    def dead_letter(self, dead_letter: DeadLetterId) -> DeadLetterSummary:
        """One dead letter. Raises NotFound."""
        return self._queries.dead_letter(dead_letter)

    def groups(self, **filters: Unpack[GroupFilters]) -> Page[DeadLetterGroup]:
        """Dead letters grouped by the fingerprint of their failure."""
        return self._queries.groups(**filters)

    def limits(self) -> tuple[LimitStatus, ...]:
        """The limit of this tenant, if it has one, with how much of it is in use."""
        return statuses(self._ledger, self.tenant)

    def counts(self) -> Counts:
        """How many runs and dead letters there are, by status, and how many events, by topic."""
        return self._queries.counts()

    def history(
        self, run_id: RunId, *, text: str | None = None, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[HistoryEntry]:
        """Every event of a run and of its dead letters in log order; with *text*, those that say all of its words,
        the newest first. Raises NotFound, and InvalidValue for a cursor of another query."""
        self._queries.run(run_id)
        if text is not None:
            found = self._queries.search(text, run=run_id, limit=limit, cursor=cursor)
            events = self._ledger.at_positions(found.items)
            return Page(items=tuple(entry_of(event) for event in reversed(events)), cursor=found.cursor)
        checked_limit(limit)
        asked = Selection(self._ledger.id, "history").equal("run", run_id)
        (after,) = decode_cursor(asked, cursor, (int,)) or [0]
        events = self._ledger.correlated(run_id, int(after), limit + 1)
        more = encode_cursor(asked, [events[limit - 1].position]) if len(events) > limit else None
        return Page(items=tuple(entry_of(event) for event in events[:limit]), cursor=more)

    def whole_history(self, run_id: RunId) -> Iterator[HistoryEntry]:
        """Every event of a run and of its dead letters in log order, page by page. Raises NotFound."""
        self._queries.run(run_id)
        after = 0
        while found := self._ledger.correlated(run_id, after, HISTORY_PAGE):
            yield from (entry_of(event) for event in found)
            after = found[-1].position


def _held_back(entry: QueueEntry) -> QueueEntry:
    """A due run, where no more runs may be claimed now."""
    due = entry.status == "queued" and entry.remaining_ms == 0 and entry.held_back is None
    return entry.model_copy(update={"held_back": "capacity"}) if due else entry
