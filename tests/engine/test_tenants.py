"""Tenants: whatever one asks, it sees a log on which nobody else has ever written."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from redrive import (
    Compensation,
    CompensationTry,
    Failure,
    InvalidValue,
    Principal,
    RedriveError,
    Tenant,
    TenantEngine,
)
from redrive.domain.identity import compensation_id_of
from tests.forensics.answers import answers
from tests.processes.driven import AsyncShop
from tests.processes.workshop import ACME, ANA, ONE, TIMEOUT, Shop, beside, policy

STRANGERS = (Tenant("other", "billing", "prod"), Tenant("acme", "other", "prod"), Tenant("acme", "billing", "other"))
QUEUES = (
    "ready",
    "scheduled",
    "retry_backoff",
    "awaiting_approval",
    "running",
    "paused",
    "blocked",
    "failed",
    "needs_review",
)
SHARED: set[str] = set()
"""A place in the log is the same for everybody: it is no record of anybody."""


class Ours:
    """What a tenant has: runs in every standing, a claim with an attempt that runs, a dead letter that is due."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.letter = shop.letter(beside("a", retry=policy(1)))
        with shop.engine.batch() as batch:
            batch.add(shop.acme.request_retry, self.letter, **ANA)
        shop.fail(*shop.begin(beside("w", retry=policy(delay_ms=50))).attempts, failure=TIMEOUT)
        shop.acme.pause(shop.submit(), **ANA)
        shop.submit(beside("x", "y"), key="k", input="theirs")
        self.claim = shop.claim(lease_ms=5_000)
        self.attempt = self.claim.attempts[0]
        self.run = self.claim.run_id
        self.queued = shop.submit()
        self.standing = shop.acme.begin_effect(self.attempt, "mail", operation="send")
        plan = Compensation("undo", requires_approval=False)
        self.unknown = shop.acme.begin_effect(None, "k", operation="pay", compensation=plan)
        shop.acme.effect_unknown(self.unknown, "lost")
        self.effect = self.unknown.id
        self.effect_letter = shop.acme.dead_letters(text="lost").items[0].id
        self.compensation = compensation_id_of(ACME, self.unknown.id)
        self.handed = CompensationTry(
            ACME, self.compensation, self.unknown.id, "k", "undo", "", None, 1, "w", 1, None, ""
        )
        shop.now += 10_000
        self.cursor = shop.acme.runs(limit=1).cursor


@pytest.fixture(params=[Shop, AsyncShop], ids=["threads", "asyncio"])
def ours(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ours]:
    """A log on which one tenant has been busy; its records are whole at the end."""
    shop: Shop = request.param(tmp_path / "log.db")
    yield Ours(shop)
    shop.check()
    shop.engine.close()


CALLS: dict[str, Callable[[TenantEngine, Ours], Any]] = {
    # queries
    "runs": lambda t, o: [t.runs(), t.runs(text="theirs"), t.runs(automation="nightly"), t.runs(cursor=o.cursor)],
    "run": lambda t, o: t.run(o.run),
    "show": lambda t, o: t.show(o.run),
    "queue": lambda t, o: [t.queue(name) for name in QUEUES],
    "queue_counts": lambda t, o: t.queue_counts(),
    "dead_letters": lambda t, o: [t.dead_letters(), t.dead_letters(run=o.run), t.dead_letters(text="broke")],
    "dead_letter": lambda t, o: t.dead_letter(o.letter),
    "groups": lambda t, o: t.groups(),
    "effects": lambda t, o: [t.effects(), t.effects(run=o.run), t.effects(text="pay")],
    "show_effect": lambda t, o: t.show_effect(o.effect),
    "compensations": lambda t, o: [t.compensations(), t.compensations(effect=o.effect)],
    "show_compensation": lambda t, o: t.show_compensation(o.compensation),
    "resume_plan": lambda t, o: [t.resume_plan(o.run)],
    "counts": lambda t, o: t.counts(),
    "limits": lambda t, o: t.limits(),
    "at": lambda t, o: answers(t.at("now")),
    "history": lambda t, o: t.history(o.run),
    "whole_history": lambda t, o: list(t.whole_history(o.run)),
    "timeline": lambda t, o: t.timeline(o.run),
    "why": lambda t, o: t.why(f"{o.run}.status"),
    "blast": lambda t, o: t.blast("pos:1"),
    "annotate": lambda t, o: t.annotate(o.run, "theirs", actor="eve", reason="x"),
    # what workers do
    "submit": lambda t, o: t.submit(ONE, automation="nightly", key="k", input="ours"),
    "claim": lambda t, o: t.claim(worker="w", start=True),
    "claim_many": lambda t, o: t.claim_many(1_000, worker="w", start=True),
    "start_attempt": lambda t, o: t.start_attempt(o.claim, "x"),
    "start_attempts": lambda t, o: t.start_attempts(o.claim),
    "complete_attempt": lambda t, o: t.complete_attempt(o.attempt, "forged"),
    "fail_attempt": lambda t, o: t.fail_attempt(o.attempt, Failure("execution_error", "forged")),
    "snooze_attempt": lambda t, o: t.snooze_attempt(o.attempt, 5),
    "effect": lambda t, o: t.effect("k", operation="pay", send=lambda: "theirs"),
    "begin_effect": lambda t, o: t.begin_effect(o.attempt, "k", operation="pay"),
    "effect_succeeded": lambda t, o: t.effect_succeeded(o.standing, "forged"),
    "effect_failed": lambda t, o: t.effect_failed(o.standing, Failure("execution_error", "forged")),
    "effect_unknown": lambda t, o: t.effect_unknown(o.standing, "forged"),
    "claim_compensation": lambda t, o: t.claim_compensation(worker="w", operations={"undo"}),
    "complete_compensation": lambda t, o: t.complete_compensation(o.handed, "forged"),
    "fail_compensation": lambda t, o: t.fail_compensation(o.handed, Failure("execution_error", "forged")),
    "heartbeat": lambda t, o: t.heartbeat(o.claim),
    "release": lambda t, o: t.release(o.claim),
    # what operators do
    "pause": lambda t, o: t.pause(o.run, **ANA),
    "resume": lambda t, o: t.resume(o.run, **ANA),
    "cancel": lambda t, o: t.cancel(o.run, **ANA),
    "recover": lambda t, o: t.recover(o.run, **ANA),
    "approve": lambda t, o: t.approve(o.run, "x", **ANA),
    "deny": lambda t, o: t.deny(o.run, "x", **ANA),
    "note": lambda t, o: t.note(o.run, "forged", actor="ana"),
    "request_retry": lambda t, o: t.request_retry(o.letter, **ANA),
    "grant_retries": lambda t, o: t.grant_retries(o.letter, 1, **ANA),
    "ignore": lambda t, o: t.ignore(o.letter, **ANA),
    "abandon": lambda t, o: t.abandon(o.letter, run_id=o.run, **ANA),
    "resolve": lambda t, o: t.resolve(o.letter, **ANA),
    "reopen": lambda t, o: t.reopen(o.letter, **ANA),
    "reconcile_effect": lambda t, o: [
        said_by(partial(t.reconcile_effect, o.unknown.id, outcome, **ANA))
        for outcome in ("succeeded", "did_not_happen", None)
    ],
    "compensate": lambda t, o: t.compensate(o.effect_letter, **ANA),
    "approve_compensation": lambda t, o: t.approve_compensation(o.compensation, **ANA),
    "cancel_compensation": lambda t, o: t.cancel_compensation(o.compensation, **ANA),
    "rerun_compensation": lambda t, o: t.rerun_compensation(o.compensation, **ANA),
    "note_dead_letter": lambda t, o: t.note_dead_letter(o.letter, "forged", actor="ana"),
    "tick": lambda t, o: t.tick(),
    "sweep": lambda t, o: t.sweep(),
}


def said(tenant: TenantEngine, ours: Ours, name: str) -> Any:
    """What a call answers, or refuses."""
    return said_by(lambda: CALLS[name](tenant, ours))


def said_by(call: Callable[[], Any]) -> Any:
    """What *call* answers, or refuses."""
    try:
        return call()
    except RedriveError as error:
        return type(error), str(error)


def public_methods() -> set[str]:
    """Every method that a tenant may call."""
    return {name for name in dir(TenantEngine) if not name.startswith("_") and callable(getattr(TenantEngine, name))}


def test_every_public_method_is_asked() -> None:
    """A new one is added to the table above, or this fails."""
    assert set(CALLS) == public_methods()


@pytest.mark.parametrize("name", sorted(set(CALLS) - SHARED))
def test_a_stranger_sees_an_empty_log(ours: Ours, tmp_path: Path, name: str) -> None:
    """For each of three tenants that differ in one value: the very answer that an empty log gives."""
    empty = Shop(tmp_path / "empty.db")
    empty.now = ours.shop.now
    before = [event for event in ours.shop.log() if event.tenant == ACME]
    for stranger in STRANGERS:
        answer = said(ours.shop.engine.for_tenant(stranger), ours, name)
        assert answer == said(empty.engine.for_tenant(stranger), ours, name)
    assert [event for event in ours.shop.log() if event.tenant == ACME] == before
    empty.engine.close()


def test_an_actor_does_not_widen_what_is_seen(ours: Ours) -> None:
    """Not even one that the host authenticated as the owner's, or as the system."""
    stranger = ours.shop.engine.for_tenant(STRANGERS[0])
    for actor in (Principal("system", "redrive"), Principal("human", "ana", on_behalf_of=str(ACME))):
        with pytest.raises(RedriveError, match="was not found"):
            stranger.cancel(ours.run, actor=actor, reason="x")


@pytest.mark.parametrize("part", ["a/b", "", " ", "a\n", "\0", 7])
def test_no_two_tenants_are_written_alike(part: Any) -> None:
    """Parts without a slash, and printable: org/workspace/deployment names one tenant."""
    with pytest.raises(InvalidValue):
        Tenant(part, "b", "c")
