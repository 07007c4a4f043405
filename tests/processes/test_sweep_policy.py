"""The redrive policy that the host configures, and what the sweep tells about itself."""

from redrive import RedrivePolicy, SweepReport, Tenant
from redrive.domain.dead_letter import events as dl
from redrive.domain.dead_letter.judge import Act
from redrive.domain.run import events as e
from redrive.processes.sweep import TOPICS
from tests.processes.redrives import ONCE, acts, exhaust, request, retrying
from tests.processes.workshop import ACME, ANA, FINAL, Shop, logged


def test_a_policy_that_does_not_go_on_after_a_recurrence(shop: Shop) -> None:
    """The dead letter is open again, and waits for an operator."""
    shop.options["redrive_policy"] = RedrivePolicy(continue_after_recurrence=False)
    shop.reopen()
    letter = retrying(shop)
    shop.now += 300_000
    assert (shop.status(letter), shop.engine.sweep()) == ("open", SweepReport())


def test_a_failure_that_is_not_retryable_ends_retrying(shop: Shop) -> None:
    """Whatever budget is left."""
    letter = shop.letter(ONCE)
    shop.acme.request_retry(letter, **ANA)
    shop.fail_again(FINAL)
    shop.now += 300_000
    assert (shop.status(letter), shop.engine.sweep()) == ("open", SweepReport())


def test_the_policy_is_that_of_the_tenant_and_the_automation(shop: Shop) -> None:
    """Its budget, its delays and its id are in the dispatch; its body is logged once."""
    special = RedrivePolicy(max_dispatches=1, base_delay_ms=10)
    shop.options["redrive_policy"] = lambda tenant, automation: (
        special if (tenant, automation) == (ACME, "special") else RedrivePolicy()
    )
    shop.reopen()
    ours, theirs = retrying(shop, automation="special"), retrying(shop)
    shop.now += 20
    assert [(act.act, act.dead_letter) for act in shop.engine.sweep().acted] == [(Act.PARK, ours)]
    sent = [event.policy for event in shop.facts(dl.DeadLetterRetryDispatched)]
    assert (sent, shop.status(theirs)) == ([special.id, RedrivePolicy().id], "retrying")
    logged = [event for event in shop.log() if event.topic == "policy.registered" and "redrive-policy" in str(event)]
    assert len(logged) == 2


def test_a_policy_function_that_fails_holds_up_nobody_else(shop: Shop) -> None:
    """It is logged; the other automation is swept."""
    request(shop, shop.letter(ONCE, automation="cursed"), shop.letter(ONCE))

    def policy_of(_tenant: Tenant, automation: str) -> RedrivePolicy:
        if automation == "cursed":
            raise KeyError(automation)
        return RedrivePolicy()

    shop.options["redrive_policy"] = policy_of
    shop.reopen()
    with logged() as lines:
        assert acts(shop.engine.sweep()) == [Act.DISPATCH]
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["sweep.failed"]


ACTS = (TOPICS[Act.DISPATCH], TOPICS[Act.PARK])


def test_each_act_is_one_line_with_its_facts(shop: Shop) -> None:
    """Dispatch and park alike, named like the event's topic; no line when nothing was done."""
    with logged() as lines:
        letter = exhaust(shop, 5)
        shop.engine.sweep()
        shop.engine.sweep()
    ours = [line for line in lines if line.get("dead_letter") == letter and line["event"] in ACTS]
    assert [line["event"] for line in ours] == ["dead_letter.retry_dispatched"] * 5 + ["dead_letter.retry_exhausted"]
    assert {(line["node"], line["run"]) for line in ours} == {("a", shop.acme.dead_letter(letter).run_id)}


def test_each_action_is_the_systems(shop: Shop) -> None:
    """The requeue and the dispatch name the engine as their actor, and the request as their cause."""
    letter = shop.letter(ONCE)
    request(shop, letter)
    asked = shop.engine.ledger.stream(letter)[-1]
    shop.engine.sweep()
    requeued = next(event for event in shop.log() if isinstance(event.event, e.RunRequeued))
    assert (requeued.actor.kind, requeued.actor.id) == ("system", "redrive")
    assert requeued.causation is not None
    assert requeued.causation.id == asked.event_id
