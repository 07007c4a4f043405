"""What operators ask about effects and compensations."""

from typing import Any

from redrive.domain.compensation.state import CompensationStatus
from redrive.domain.effect.state import EffectStatus
from redrive.domain.errors import NotFound
from redrive.domain.failure import failure_class_named
from redrive.domain.values import clean_text
from redrive.projections.compensations import COMPENSATIONS
from redrive.projections.effects import EFFECTS
from redrive.projections.lifecycle import match
from redrive.projections.models import CompensationSummary, EffectSummary, Page
from redrive.projections.paging import Selection, words
from redrive.projections.queries import TEXTS_SAYING, Queries, Words
from redrive.projections.tables import Table

_EFFECTS = f"SELECT {', '.join(EFFECTS.columns)} FROM effects"
_COMPENSATIONS = f"SELECT {', '.join(COMPENSATIONS.columns)} FROM compensations"


class EffectQueries(Queries):
    """The questions of ``Queries``, and those about effects and compensations."""

    def effects(  # noqa: PLR0913 - one for each filter
        self,
        *,
        status: Words = None,
        run: str | None = None,
        node: str | None = None,
        automation: str | None = None,
        key: str | None = None,
        operation: str | None = None,
        target: str | None = None,
        failure_class: str | None = None,
        text: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[EffectSummary]:
        """Effects, by when they began. *run* and *node* are those of the last try."""
        chosen = self._select("effects", of=run).equal("status", words(status, "status", EffectStatus))
        chosen.equal("run_id", run).equal("node", node).equal("automation", automation).equal("key", key)
        chosen.equal("operation", operation).equal("target", target)
        if failure_class is not None:
            chosen.equal("failure_class", failure_class_named(failure_class))
        _saying(chosen, text).between("began_at_ms", since_ms, until_ms)
        rows, after = self._newest(_EFFECTS, "created", tuple(EFFECTS.columns), chosen, limit, cursor)
        return Page(items=tuple(EffectSummary(**row) for row in rows), cursor=after)

    def effect(self, id_: str) -> EffectSummary:
        """One effect. Raises NotFound."""
        return EffectSummary(**self._one(EFFECTS, _EFFECTS, "effect", id_))

    def compensations(  # noqa: PLR0913
        self,
        *,
        status: Words = None,
        run: str | None = None,
        node: str | None = None,
        automation: str | None = None,
        effect: str | None = None,
        operation: str | None = None,
        text: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[CompensationSummary]:
        """Compensations, by when they were proposed."""
        chosen = self._select("compensations", of=run or effect).equal(
            "status", words(status, "status", CompensationStatus)
        )
        chosen.equal("run_id", run).equal("node", node).equal("automation", automation)
        chosen.equal("effect_id", effect).equal("operation", operation)
        _saying(chosen, text).between("proposed_at_ms", since_ms, until_ms)
        rows, after = self._newest(_COMPENSATIONS, "created", tuple(COMPENSATIONS.columns), chosen, limit, cursor)
        return Page(items=tuple(CompensationSummary(**row) for row in rows), cursor=after)

    def compensation(self, id_: str) -> CompensationSummary:
        """One compensation. Raises NotFound."""
        return CompensationSummary(**self._one(COMPENSATIONS, _COMPENSATIONS, "compensation", id_))

    def _one(self, table: Table, select: str, kind: str, id_: str) -> dict[str, Any]:
        chosen = self._select(kind).where("id = ?", clean_text(id_, f"{kind}_id"))
        found = self._ask(f"{select}{chosen.sql()}", chosen.values)
        if not found:
            raise NotFound(kind, id_)
        return dict(zip(table.columns, found[0], strict=True))


def _saying(chosen: Selection, text: str | None) -> Selection:
    """In whose own history these words stand."""
    if text is None:
        return chosen
    return chosen.where(f"id IN (SELECT subject FROM mentions WHERE {TEXTS_SAYING})", match(text))
