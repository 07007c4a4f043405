"""Tenants: whatever one asks, it sees a log on which nobody else has ever written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redrive import (
    AttemptError,
    Compensation,
    CompensationId,
    EffectId,
    Failure,
    InvalidValue,
    Principal,
    RedriveError,
    Tenant,
    TenantEngine,
)
from tests.processes.workshop import ACME, ANA, ONE, TIMEOUT, Shop, beside, policy

STRANGERS = (Tenant("other", "billing", "prod"), Tenant("acme", "other", "prod"), Tenant("acme", "billing", "other"))
QUEUES = ("ready", "scheduled", "retry_backoff", "running", "paused", "blocked", "failed", "needs_review")
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
        self.effect, self.compensation = self.doubt()
        shop.now += 10_000
        self.cursor = shop.acme.runs(limit=1).cursor

    def doubt(self) -> tuple[EffectId, CompensationId]:
        """An effect outside runs whose outcome is unknown, and what would make good for it."""
        with pytest.raises(AttemptError):
            self.shop.acme.effect("k", operation="pay", send=lambda: 1 / 0, compensation=Compensation("undo"))
        return self.shop.acme.effects().items[0].id, self.shop.acme.compensations().items[0].id


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Ours]:
    """A log on which one tenant has been busy; its records are whole at the end."""
    shop = Shop(tmp_path / "log.db")
    yield Ours(shop)
    shop.check()
    shop.engine.close()


CALLS: dict[str, Callable[[TenantEngine, Ours], Any]] = {
    # queries
    "runs": lambda t, o: [t.runs(), t.runs(text="theirs"), t.runs(automation="nightly"), t.runs(cursor=o.cursor)],
    "run": lambda t, o: t.run(o.run),
    "show": lambda t, o: t.show(o.run),
    "queue": lambda t, o: [t.queue(name) for name in QUEUES],
    "dead_letters": lambda t, o: [t.dead_letters(), t.dead_letters(run=o.run), t.dead_letters(text="broke")],
    "dead_letter": lambda t, o: t.dead_letter(o.letter),
    "groups": lambda t, o: t.groups(),
    "effects": lambda t, o: [t.effects(), t.effects(run=o.run), t.effects(text="pay")],
    "show_effect": lambda t, o: t.show_effect(o.effect),
    "compensations": lambda t, o: [t.compensations(), t.compensations(effect=o.effect)],
    "show_compensation": lambda t, o: t.show_compensation(o.compensation),
    "resume_plan": lambda t, o: [t.resume_plan(o.run)],
    "counts": lambda t, o: t.counts(),
    "history": lambda t, o: t.history(o.run),
    "whole_history": lambda t, o: list(t.whole_history(o.effect)),
    # what workers do
    "submit": lambda t, o: t.submit(ONE, automation="nightly", key="k", input="ours"),
    "claim": lambda t, o: t.claim(worker="w", start=True),
    "claim_many": lambda t, o: t.claim_many(1_000, worker="w", start=True),
    "start_attempt": lambda t, o: t.start_attempt(o.claim, "x"),
    "start_attempts": lambda t, o: t.start_attempts(o.claim),
    "complete_attempt": lambda t, o: t.complete_attempt(o.attempt, "forged"),
    "fail_attempt": lambda t, o: t.fail_attempt(o.attempt, Failure("execution_error", "forged")),
    "snooze_attempt": lambda t, o: t.snooze_attempt(o.attempt, 5),
    "heartbeat": lambda t, o: t.heartbeat(o.claim),
    "release": lambda t, o: t.release(o.claim),
    # what operators do
    "pause": lambda t, o: t.pause(o.run, **ANA),
    "resume": lambda t, o: t.resume(o.run, **ANA),
    "cancel": lambda t, o: t.cancel(o.run, **ANA),
    "recover": lambda t, o: t.recover(o.run, **ANA),
    "note": lambda t, o: t.note(o.run, "forged", actor="ana"),
    "request_retry": lambda t, o: t.request_retry(o.letter, **ANA),
    "grant_retries": lambda t, o: t.grant_retries(o.letter, 1, **ANA),
    "ignore": lambda t, o: t.ignore(o.letter, **ANA),
    "abandon": lambda t, o: t.abandon(o.letter, run_id=o.run, **ANA),
    "resolve": lambda t, o: t.resolve(o.letter, **ANA),
    "reopen": lambda t, o: t.reopen(o.letter, **ANA),
    "note_dead_letter": lambda t, o: t.note_dead_letter(o.letter, "forged", actor="ana"),
    "tick": lambda t, o: t.tick(),
    "sweep": lambda t, o: t.sweep(),
}


def said(tenant: TenantEngine, ours: Ours, name: str) -> Any:
    """What a call answers, or refuses."""
    try:
        return CALLS[name](tenant, ours)
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
