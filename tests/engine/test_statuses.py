"""Where things stand, by the types that the domain has for it: a match over them can be checked to be complete."""

import json
from typing import Literal, assert_type

from redrive import CompensationStatus, Disposition, EffectStatus, NodeStatus, Status
from redrive.projections.models import Model
from tests.engine.test_effect_queries import outside
from tests.processes.workshop import Shop, chain


def same_in_json(found: Model, status: str) -> None:
    """It is a text there."""
    assert json.loads(found.model_dump_json())["status"] == status == f"{found.model_dump()['status']}"


def test_runs_nodes_and_dead_letters_have_statuses_of_the_domain(shop: Shop) -> None:
    """Also a node that a failed one keeps from beginning, which has no such state of its own."""
    letter = shop.acme.dead_letter(shop.letter(chain("a", "b")))
    run, detail, entry = shop.acme.run(letter.run_id), shop.acme.show(letter.run_id), shop.acme.queue("failed").items[0]
    assert_type(run.status, Status)
    assert_type(detail.nodes[0].status, NodeStatus | Literal["blocked"])
    assert_type(letter.status, Disposition)
    assert run.status is detail.status is entry.status is Status.FAILED
    assert [node.status for node in detail.nodes] == [NodeStatus.FAILED, "blocked"]
    assert letter.status is Disposition.OPEN
    for found, status in ((run, "failed"), (detail, "failed"), (entry, "failed"), (letter, "open")):
        same_in_json(found, status)


def test_effects_and_compensations_too(shop: Shop) -> None:
    """In lists and in full."""
    id_ = outside(shop)
    effect, listed = shop.acme.show_effect(id_), shop.acme.effects().items[0]
    compensation = effect.compensations[0]
    assert_type(effect.status, EffectStatus)
    assert_type(compensation.status, CompensationStatus)
    assert effect.status is listed.status is EffectStatus.UNKNOWN
    assert compensation.status is CompensationStatus.PROPOSED
    same_in_json(effect, "unknown")
    same_in_json(compensation, "proposed")
