"""What an engine answers: everything that can be asked of a tenant, as one value, and the views step by step."""

from collections.abc import Iterator
from typing import Any

import redrive
from redrive.domain.identity import EffectId, RunId
from redrive.forensics.positions import position_of
from redrive.forensics.prefix import LogPrefix
from redrive.projections.queue_queries import QUEUES
from redrive.projections.view import View
from redrive.tenant_queries import TenantQueries


def answers(asked: TenantQueries) -> dict[str, Any]:
    """What every query of a tenant answers."""
    runs, letters = asked.runs().items, asked.dead_letters().items
    effects, compensations = asked.effects().items, asked.compensations().items
    found: dict[str, Any] = {"runs": runs, "letters": letters, "effects": effects, "compensations": compensations}
    found["queues"] = {name: asked.queue(name).items for name in QUEUES}
    found["show"] = [(asked.run(run.run_id), asked.show(run.run_id)) for run in runs]
    found["letter"] = [asked.dead_letter(letter.id) for letter in letters]
    found["effect"] = [asked.show_effect(effect.id) for effect in effects]
    found["compensation"] = [asked.show_compensation(one.id) for one in compensations]
    ids: list[RunId | EffectId] = [*(run.run_id for run in runs), *(effect.id for effect in effects)]
    found["history"] = [list(asked.whole_history(id_)) for id_ in ids]
    found["page"] = [asked.history(id_, limit=3).items for id_ in ids]
    found["search"] = [asked.history(run.run_id, text="boom").items for run in runs[:2]]
    found |= {"groups": asked.groups().items, "counts": asked.counts(), "limits": asked.limits()}
    return found


def single_steps(engine: redrive.Engine) -> Iterator[View]:
    """One view, as it stands at every position from 0 on: folded event by event."""
    prefix = LogPrefix(engine.ledger, position_of(engine.ledger, "now"))
    prefix.until = 0
    with View(prefix, None) as view:
        for position in range(prefix.end.position + 1):
            prefix.until = position
            view.catch_up()
            yield view
