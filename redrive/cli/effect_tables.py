"""Effects and compensations in tables, as lists and as parts of what they belong to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redrive.cli.context import Session
from redrive.cli.ids import shortener
from redrive.cli.tables import Column
from redrive.cli.times import absolute, relative

if TYPE_CHECKING:
    from redrive.projections.models import CompensationSummary, EffectSummary
    from redrive.tenant_queries import TenantQueries

EFFECTS = (
    Column("effect", whole=True),
    Column("status", whole=True),
    Column("run", wide=True, whole=True),
    Column("automation", wide=True, elastic=True),
    Column("node", elastic=True, ends=True),
    Column("key", elastic=True, ends=True),
    Column("operation", wide=True, elastic=True),
    Column("tries", right=True),
    Column("began"),
    Column("began at", wide=True),
    Column("class", wide=True),
    Column("why", elastic=True),
)
COMPENSATIONS = (
    Column("compensation", whole=True),
    Column("status"),
    Column("run", wide=True, whole=True),
    Column("effect", whole=True),
    Column("key", elastic=True, ends=True),
    Column("operation", elastic=True),
    Column("runs", right=True),
    Column("proposed"),
    Column("decided by", wide=True, elastic=True),
    Column("why", elastic=True),
)


def print_effects(session: Session, acme: "TenantQueries", effects: "Sequence[EffectSummary]") -> None:
    """A table of effects."""
    out, now = session.output, acme.engine.now_ms()
    short = shortener(acme, [id_ for one in effects for id_ in (one.id, one.run_id)], whole=not out.terminal)
    out.table(
        EFFECTS,
        (
            (
                short(one.id),
                one.status,
                short(one.run_id),
                one.automation,
                one.node,
                one.key,
                one.operation,
                one.tries,
                relative(one.began_at_ms, now),
                absolute(one.began_at_ms),
                one.failure_class,
                "it did not happen" if one.did_not_happen else one.reason or one.failure_class,
            )
            for one in effects
        ),
    )


def print_compensations(session: Session, acme: "TenantQueries", found: "Sequence[CompensationSummary]") -> None:
    """A table of compensations."""
    out, now = session.output, acme.engine.now_ms()
    ids = [id_ for one in found for id_ in (one.id, one.run_id, one.effect_id)]
    short = shortener(acme, ids, whole=not out.terminal)
    out.table(
        COMPENSATIONS,
        (
            (
                short(one.id),
                one.status,
                short(one.run_id),
                short(one.effect_id),
                one.effect_key,
                one.operation,
                one.tries,
                relative(one.proposed_at_ms, now),
                one.decided_by,
                one.reason or one.decided_reason,
            )
            for one in found
        ),
    )
