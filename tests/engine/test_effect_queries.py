"""An effect in full, and the history of one outside runs."""

from pathlib import Path

import pytest

from redrive import AttemptError, Compensation, EffectId, InvalidValue, NotFound, Rejected
from tests.processes.workshop import ANA, Shop, beside, policy

PLAN = Compensation("refund", "bank", {"why": "twice", "password": "hunter2"})


def declined() -> None:
    """A send that was refused by the other side."""
    raise Rejected("card declined", {"code": 402})


def hung_up() -> None:
    """A send of which nobody knows the outcome."""
    raise TimeoutError("the bank hung up")


def outside(shop: Shop, key: str = "k") -> EffectId:
    """An effect outside runs whose outcome is unknown."""
    with pytest.raises(AttemptError):
        shop.acme.effect(key, operation="POST /pay", request={"token": "x"}, send=hung_up, compensation=PLAN)
    return shop.acme.effects(key=key).items[0].id


def test_every_try_is_told_with_what_was_said_of_it(shop: Shop) -> None:
    """Rejected, then done: two sendings; request and receipt are shown as they are kept, redacted."""
    with pytest.raises(Rejected):
        shop.acme.effect("k", operation="POST /pay", request={"n": 1, "token": "x"}, send=declined)
    shop.acme.effect("k", operation="POST /pay", request={"n": 2, "token": "x"}, send=lambda: {"id": 7, "api_key": "s"})
    found = shop.acme.show_effect(shop.acme.effects().items[0].id)
    assert (found.status, found.tries, found.request) == ("succeeded", 2, {"n": 2, "token": "[redacted]"})
    assert found.receipt == {"id": 7, "api_key": "[redacted]"}
    first, second = found.sendings
    assert [(one.outcome, one.reason, one.receipt) for one in first.outcomes] == [
        ("failed", "card declined", {"code": 402})
    ]
    assert [one.outcome for one in second.outcomes] == ["succeeded"]
    assert [(letter.status, letter.disposition) for letter in found.letters] == [("resolved", "retry_succeeded")]


def test_what_an_operator_found_out_is_told_with_the_try(shop: Shop) -> None:
    """Who said it, and why."""
    id_ = outside(shop)
    shop.acme.reconcile_effect(id_, "still-unknown", **ANA)
    shop.acme.reconcile_effect(id_, "succeeded", receipt={"id": 9}, **ANA)
    found = shop.acme.show_effect(id_)
    said = [(one.outcome, one.by) for one in found.sendings[0].outcomes]
    assert said == [("unknown", "sender"), ("still_unknown", "operator"), ("succeeded", "operator")]
    assert (found.receipt, found.reconciled_by) == ({"id": 9}, "human:ana")
    assert [one.status for one in found.compensations] == ["cancelled"]


def test_a_withheld_effect_was_no_sending(tmp_path: Path) -> None:
    """The gate's reason is told, and the try has no number."""
    from redrive import Withhold

    shop = Shop(tmp_path / "log.db", gate=lambda _call: Withhold("not on Sundays"))
    with pytest.raises(AttemptError):
        shop.acme.effect("k", operation="POST /pay", send=hung_up)
    found = shop.acme.show_effect(shop.acme.effects(status="withheld").items[0].id)
    assert [(one.number, one.outcomes[0].reason) for one in found.sendings] == [(None, "not on Sundays")]
    assert found.tries == 0


def test_a_compensation_is_shown_with_what_came_back(shop: Shop) -> None:
    """Its request is redacted."""
    id_ = outside(shop)
    (letter,) = shop.acme.dead_letters(effect=id_).items
    shop.acme.compensate(letter.id, **ANA)
    (found,) = shop.acme.compensations(status="awaiting approval").items
    shop.acme.approve_compensation(found.id, **ANA)
    handed = shop.acme.claim_compensation(worker="w", operations={"refund"})
    assert handed is not None
    shop.acme.complete_compensation(handed, {"refunded": True})
    shown = shop.acme.show_compensation(found.id)
    assert (shown.status, shown.receipt) == ("completed", {"refunded": True})
    assert shown.request == {"why": "twice", "password": "[redacted]"}


def test_an_effect_outside_runs_has_a_history(shop: Shop) -> None:
    """With its dead letter and compensation, in log order; searched, and page by page."""
    id_, other = outside(shop), outside(shop, "other")
    told = shop.acme.history(id_).items
    topics = [entry.topic for entry in told]
    assert topics[:2] == ["effect.intended", "effect.outcome-unknown"]
    assert topics[-2:] == ["dead-letter.opened", "compensation.proposed"]
    assert list(shop.acme.whole_history(id_)) == list(told)
    first = shop.acme.history(id_, limit=2)
    assert (*first.items, *shop.acme.history(id_, cursor=first.cursor).items) == told
    found = shop.acme.history(id_, text="hung").items
    assert {entry.topic for entry in found} == {"effect.outcome-unknown", "dead-letter.opened"}
    assert not {entry.position for entry in told} & {entry.position for entry in shop.acme.history(other).items}
    with pytest.raises(InvalidValue):
        shop.acme.history(other, cursor=first.cursor)


def test_an_effect_of_a_run_stands_in_that_runs_history(shop: Shop) -> None:
    """By its own id it tells its own stream."""
    claim = shop.begin(beside("a", retry=policy(1)))
    claim.attempts[0].effect("k", operation="POST /pay", send=lambda: 1)
    id_ = shop.acme.effects(run=claim.run_id).items[0].id
    own = [entry.topic for entry in shop.acme.history(id_).items]
    assert own == ["effect.intended", "effect.succeeded"]
    assert {"run.effect-admitted", *own} <= {entry.topic for entry in shop.acme.whole_history(claim.run_id)}


def test_what_does_not_exist_has_no_detail(shop: Shop) -> None:
    """The same for another tenant's."""
    id_ = outside(shop)
    stranger = shop.engine.local
    for ask in (stranger.show_effect, stranger.history, stranger.show_compensation, shop.acme.show_compensation):
        with pytest.raises(NotFound):
            ask(id_)  # type: ignore[arg-type]  # an effect's id is no compensation's
