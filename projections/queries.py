"""Queries: what operators ask of the views. They catch up first, so that callers read their own writes."""

import json
from collections.abc import Sequence
from typing import Any, get_args

from redrive.domain.dead_letter.events import Source as LetterSource
from redrive.domain.dead_letter.state import Disposition
from redrive.domain.errors import NotFound
from redrive.domain.failure import failure_class_named
from redrive.domain.identity import Tenant
from redrive.domain.run.state import Status
from redrive.domain.values import clean_text
from redrive.projections.dead_letters import DEAD_LETTERS
from redrive.projections.lifecycle import match
from redrive.projections.models import (
    Counts,
    DeadLetterGroup,
    DeadLetterSummary,
    Page,
    QueueEntry,
    RunSummary,
)
from redrive.projections.paging import Selection, checked_limit, decode_cursor, page_of, words
from redrive.projections.queue_queries import entries, lengths
from redrive.projections.queues import RUNS
from redrive.projections.view import View

Words = str | Sequence[str] | None

_RUN_NAMES = tuple(name for name in RUNS.columns if name != "succeeded_bits")
_RUN_COLUMNS = ", ".join(_RUN_NAMES)
_LETTER_NAMES = (*DEAD_LETTERS.columns, "needs_review")
_LETTER_COLUMNS = ", ".join(f"d.{name}" for name in DEAD_LETTERS.columns)
_NEEDS_REVIEW = (
    "d.settled = 0 AND "
    "EXISTS (SELECT 1 FROM runs r WHERE r.run_id = d.run_id AND r.status IN ('completed', 'cancelled'))"
)
TEXTS_SAYING = "text_id IN (SELECT rowid FROM texts_fts WHERE texts_fts MATCH ?)"


class Queries:
    """The questions of one tenant, or of all of them (None). The newest come first.

    A *limit* is 250 unless given, 1,000 at most. Raises InvalidValue for words, cursors and limits that make no
    sense; NotFound looks the same for what is unknown and for what is another tenant's.
    """

    def __init__(self, view: View, tenant: Tenant | None) -> None:
        self._view = view
        self._tenant = None if tenant is None else str(tenant)

    def runs(
        self,
        *,
        status: Words = None,
        automation: str | None = None,
        flow: str | None = None,
        key: str | None = None,
        needs_review: bool | None = None,
        text: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[RunSummary]:
        """Runs, by when they were submitted (*since_ms* included, *until_ms* not)."""
        chosen = self._select("runs").equal("status", words(status, "status", Status))
        chosen.equal("automation", automation).equal("flow", flow).equal("key", key)
        if needs_review is not None:
            chosen.where(f"needs_review = {int(needs_review)}")
        if text is not None:
            chosen.where(f"run_id IN (SELECT run_id FROM mentions WHERE {TEXTS_SAYING})", match(text))
        chosen.between("submitted_at_ms", since_ms, until_ms)
        rows, after = self._newest(f"SELECT {_RUN_COLUMNS} FROM runs", "created", _RUN_NAMES, chosen, limit, cursor)
        return Page(items=tuple(RunSummary(**row) for row in rows), cursor=after)

    def run(self, id_: str) -> RunSummary:
        """One run. Raises NotFound."""
        chosen = self._select("run").where("run_id = ?", clean_text(id_, "run_id"))
        found = self._ask(f"SELECT {_RUN_COLUMNS} FROM runs{chosen.sql()}", chosen.values)
        if not found:
            raise NotFound("run", id_)
        return RunSummary(**dict(zip(_RUN_NAMES, found[0], strict=True)))

    def queue(
        self,
        name: str,
        *,
        now_ms: int,
        automation: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[QueueEntry]:
        """A queue as of *now_ms*: ready, scheduled and retry_backoff by when they are due, the others newest first."""
        self._view.catch_up()
        return entries(
            self._view,
            name,
            tenant=self._tenant,
            automation=automation,
            now_ms=now_ms,
            limit=checked_limit(limit),
            cursor=cursor,
        )

    def queue_counts(self, *, now_ms: int, automation: str | None = None) -> dict[str, int]:
        """How many are in each queue as of *now_ms*."""
        self._view.catch_up()
        return lengths(self._view, tenant=self._tenant, automation=automation, now_ms=now_ms)

    def dead_letters(  # noqa: PLR0913 - one for each filter
        self,
        *,
        status: Words = None,
        source: Words = None,
        run: str | None = None,
        node: str | None = None,
        automation: str | None = None,
        failure_class: str | None = None,
        fingerprint: str | None = None,
        effect: str | None = None,
        text: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        active_only: bool = False,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[DeadLetterSummary]:
        """Dead letters, by when they were opened. *active_only* hides superseded and settled ones."""
        chosen = self._select("dead_letters", "d.tenant", of=run or effect)
        _filter_letters(chosen, status, source, failure_class, active_only=active_only)
        chosen.equal("d.run_id", run).equal("d.node", node).equal("d.automation", automation)
        chosen.equal("d.effect_id", effect)
        chosen.equal("d.fingerprint", fingerprint).between("d.opened_at_ms", since_ms, until_ms)
        if text is not None:
            chosen.where(f"d.id IN (SELECT subject FROM mentions WHERE {TEXTS_SAYING})", match(text))
        select = f"SELECT {_LETTER_COLUMNS}, {_NEEDS_REVIEW} FROM dead_letters d"
        rows, after = self._newest(select, "d.created", _LETTER_NAMES, chosen, limit, cursor)
        return Page(items=tuple(DeadLetterSummary(**row) for row in rows), cursor=after)

    def dead_letter(self, id_: str) -> DeadLetterSummary:
        """One dead letter. Raises NotFound."""
        chosen = self._select("dead_letter", "d.tenant").where("d.id = ?", clean_text(id_, "dead_letter"))
        query = f"SELECT {_LETTER_COLUMNS}, {_NEEDS_REVIEW} FROM dead_letters d{chosen.sql()}"
        found = self._ask(query, chosen.values)
        if not found:
            raise NotFound("dead letter", id_)
        return DeadLetterSummary(**dict(zip(_LETTER_NAMES, found[0], strict=True)))

    def groups(
        self,
        *,
        status: Words = None,
        source: Words = None,
        automation: str | None = None,
        failure_class: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        active_only: bool = False,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[DeadLetterGroup]:
        """Dead letters by fingerprint, those that were seen last first."""
        chosen = self._select("groups", "d.tenant").equal("d.automation", automation)
        _filter_letters(chosen, status, source, failure_class, active_only=active_only)
        chosen.between("d.opened_at_ms", since_ms, until_ms)
        most, key = checked_limit(limit), decode_cursor(chosen, cursor, (int, int))
        having = "" if key is None else " HAVING (max(d.last_failure_at_ms), max(d.created)) < (?, ?)"
        query = (
            "SELECT d.fingerprint, d.tenant, count(*), sum(d.settled = 0), sum(d.recurrences), min(d.opened_at_ms), "
            "max(d.last_failure_at_ms), max(d.created), json_group_array(DISTINCT d.failure_class), "
            f"json_group_array(DISTINCT d.automation) FROM dead_letters d{chosen.sql()} "
            f"GROUP BY d.tenant, d.fingerprint{having} ORDER BY 7 DESC, 8 DESC LIMIT ?"
        )
        found, after = page_of(
            self._ask(query, [*chosen.values, *(key or ()), most + 1]), most, chosen, lambda row: (row[6], row[7])
        )
        return Page(items=tuple(self._group(row) for row in found), cursor=after)

    def search(
        self,
        text: str,
        *,
        run: str | None = None,
        effect: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[int]:
        """The positions of events that say *text*: all of its words, each also as the beginning of a longer one. Of a
        *run*, or of an *effect* and of what belongs to it."""
        chosen = self._select("search").equal("run_id", run).where(TEXTS_SAYING, match(text))
        if effect is not None:
            chosen.where("(run_id = ? OR subject = ?)", effect, effect)
        rows, after = self._newest("SELECT position FROM mentions", "position", ("position",), chosen, limit, cursor)
        return Page(items=tuple(row["position"] for row in rows), cursor=after)

    def counts(self) -> Counts:
        """How many runs, dead letters, events, attempts, retries and takeovers there are."""
        chosen = self._select("counts")
        query = f"SELECT kind, name, sum(n) FROM counts{chosen.sql()} GROUP BY kind, name ORDER BY kind, name"
        found: dict[str, dict[str, int]] = {}
        for kind, name, n in self._ask(query, chosen.values):
            found.setdefault(kind, {})[name] = n
        totals = found.get("total", {})
        return Counts(
            runs=found.get("run", {}),
            dead_letters=found.get("dead_letter", {}),
            effects=found.get("effect", {}),
            compensations=found.get("compensation", {}),
            events=found.get("event", {}),
            unknown=found.get("unknown", {}),
            attempts=totals.get("attempts", 0),
            retries=totals.get("retries", 0),
            takeovers=totals.get("takeovers", 0),
        )

    def _select(self, kind: str, tenant: str = "tenant", *, of: str | None = None) -> Selection:
        """Records of the tenant; where a run or effect is named (*of*), SQLite is to find them by that, and not to go
        through all that the tenant has."""
        return Selection(self._view.id, kind).equal(f"+{tenant}" if of else tenant, self._tenant)

    def _ask(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        self._view.catch_up()
        return self._view.rows(query, values)

    def _newest(
        self, select: str, order: str, names: Sequence[str], chosen: Selection, limit: int | None, cursor: str | None
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        """A page of rows, those created last first."""
        most, key = checked_limit(limit), decode_cursor(chosen, cursor, (int,))
        where = chosen.sql(None if key is None else f"{order} < ?")
        values = [*chosen.values, *(key or ()), most + 1]
        found = self._ask(f"{select}{where} ORDER BY {order} DESC LIMIT ?", values)
        rows = [dict(zip(names, row, strict=True)) for row in found]
        return page_of(rows, most, chosen, lambda row: (row[order.rpartition(".")[2]],))

    def _group(self, row: tuple[Any, ...]) -> DeadLetterGroup:
        newest = self._view.rows("SELECT reason FROM dead_letters WHERE created = ?", (row[7],))
        return DeadLetterGroup(
            fingerprint=row[0],
            tenant=row[1],
            count=row[2],
            unsettled=row[3],
            recurrences=row[4],
            first_seen_ms=row[5],
            last_seen_ms=row[6],
            reason=newest[0][0] if newest else "",
            failure_classes=tuple(sorted(json.loads(row[8]))),
            automations=tuple(sorted(json.loads(row[9]))),
        )


def _filter_letters(
    chosen: Selection, status: Words, source: Words, failure_class: str | None, *, active_only: bool
) -> None:
    chosen.equal("d.status", words(status, "status", Disposition))
    chosen.equal("d.source", words(source, "source", get_args(LetterSource)))
    if failure_class is not None:
        chosen.equal("d.failure_class", failure_class_named(failure_class))
    if active_only:
        chosen.where("d.settled = 0 AND d.superseded = 0")
