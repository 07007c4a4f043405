"""Approvals and timed waits in a whole engine: operators, tickers, restarts, workers, dead letters, queues."""

import pytest

from redrive import Approval, Flow, InvalidValue, Node, NotAllowed, NotFound, RunId, Tenant, Wait
from redrive.domain.dead_letter import events as dl
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.ledger.committer import Committer
from tests.processes.workshop import (
    ANA,
    FINAL,
    TIMEOUT,
    Shop,
    nothing_written,
    policy,
    running,
)

ASK = Node("ask", approval=Approval("publish?"), retry=policy(mode="dead_letter"))
SOON = Node("ask", approval=Approval("publish?", timeout_ms=500), retry=policy(mode="dead_letter"))
REST = Node("rest", wait=Wait(delay_ms=500))


def before(node: Node, *more: Node) -> Flow:
    """*node*, and b after it."""
    return Flow([node, Node("b", after=node.id), *more])


def test_an_approval_from_request_to_completion(shop: Shop) -> None:
    """Nobody can claim the run before somebody said yes; then it goes on, and its handler can read who did."""
    run = shop.submit(before(ASK))
    assert (shop.run_status(run), shop.acme.claim(worker="w")) == ("awaiting_approval", None)
    assert shop.acme.approve(run, "ask", **ANA) == "queued"
    (attempt,) = shop.claim().attempts
    assert (attempt.node, attempt.outputs) == ("b", {"ask": {"approved_by": "human:ana"}})
    assert shop.acme.complete_attempt(attempt).status == "completed"


def test_the_queue_shows_what_is_asked_and_until_when(shop: Shop) -> None:
    """Every pending approval, the oldest first, wherever its run stands; decided ones are gone."""
    plain, paused = shop.submit(before(ASK)), shop.submit(Flow([SOON, Node("b")]))
    shop.acme.pause(paused, **ANA)
    shop.now += 100
    first, second = shop.acme.queue("awaiting_approval").items
    assert (first.run_id, first.node, first.text, first.due_ms, first.status) == (
        plain, "ask", "publish?", None, "awaiting_approval",
    )  # fmt: skip
    assert (second.run_id, second.remaining_ms, second.status) == (paused, 400, "paused")
    shop.acme.deny(plain, "ask", **ANA)
    assert [entry.run_id for entry in shop.acme.queue("awaiting_approval").items] == [paused]
    assert shop.acme.queue("awaiting_approval", limit=1).cursor is None


def test_show_and_history_say_who_decided_and_why(shop: Shop) -> None:
    """The prompt, the expiry, the actor and the reason."""
    run = shop.submit(before(SOON))
    assert (shop.node(run, "ask").prompt, shop.node(run, "ask").due_ms) == ("publish?", shop.now + 500)
    shop.acme.approve(run, "ask", **ANA)
    assert (shop.node(run, "ask").decided_by, shop.node(run, "ask").due_ms) == ("human:ana", None)
    given = next(entry for entry in shop.acme.history(run).items if entry.topic == "run.approval-given")
    assert (given.actor, given.reason) == ("human:ana", ANA["reason"]) or given.reason == ANA["reason"]
    assert shop.acme.counts().events["run.approval-requested"] == 1


def test_runs_are_found_by_the_status(shop: Shop) -> None:
    """A filter, a count, and the history's words."""
    run = shop.submit(before(ASK))
    assert [found.run_id for found in shop.acme.runs(status="awaiting_approval").items] == [run]
    assert shop.acme.counts().runs == {"awaiting_approval": 1}
    assert shop.acme.history(run, text="publish").items


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_what_cannot_be_decided_is_refused(shop: Shop, verb: str) -> None:
    """Twice, of an unknown node, of another tenant's run: nothing is written."""
    run = shop.submit(before(ASK))
    decide = getattr(shop.acme, verb)
    nothing_written(shop, InvalidValue, lambda: decide(run, "nobody", **ANA))
    nothing_written(shop, NotAllowed, lambda: decide(run, "b", **ANA))
    nothing_written(shop, InvalidValue, lambda: decide(run, "ask", actor="ana", reason=" "))
    stranger = getattr(shop.engine.for_tenant(Tenant("other")), verb)
    nothing_written(shop, NotFound, lambda: stranger(run, "ask", **ANA))
    decide(run, "ask", **ANA)
    nothing_written(shop, NotAllowed, lambda: decide(run, "ask", **ANA))


def test_a_denial_opens_no_dead_letter(shop: Shop) -> None:
    """It is a decision, not an accident; an operator may recover the run and be asked again."""
    run = shop.submit(before(ASK))
    assert shop.acme.deny(run, "ask", **ANA) == "blocked"
    node = shop.node(run, "ask")
    assert (node.status, node.failure_class, node.failure_reason) == ("failed", "approval_denied", ANA["reason"])
    assert shop.node(run, "b").status == "blocked"
    assert not shop.facts(dl.DeadLetterOpened)
    assert shop.acme.run(run).needs_review
    assert shop.acme.recover(run, **ANA) == "awaiting_approval"


def expired(shop: Shop) -> RunId:
    """A run whose approval was not decided in time."""
    run = shop.submit(before(SOON))
    shop.now += 500
    shop.engine.tick()
    return run


def test_an_expiry_opens_a_dead_letter_that_offers_no_retry(shop: Shop) -> None:
    """Source stateful_wait, in the same transaction; a sweep leaves it alone."""
    letter = shop.letter_of(expired(shop), "ask")
    found = shop.acme.dead_letter(letter)
    assert (found.source, found.failure_class, found.status) == ("stateful_wait", "approval_expired", "open")
    with pytest.raises(Exception, match="an expired approval cannot be retried"):
        shop.acme.request_retry(letter, **ANA)
    assert [event.topic for event in shop.log()][-4:] == [
        "run.approval-expired", "run.blocked", "run.dead-letter-linked", "dead-letter.opened",
    ]  # fmt: skip


def test_recover_asks_again_and_a_yes_resolves_the_dead_letter(shop: Shop) -> None:
    """One dead letter: a second expiry recurs in it, a success of the node resolves it."""
    run = expired(shop)
    for _ in range(2):
        assert shop.acme.recover(run, **ANA) == "awaiting_approval"
        shop.now += 500
        shop.engine.tick()
    letter = shop.acme.dead_letter(shop.letter_of(run, "ask"))
    assert (letter.recurrences, letter.status) == (2, "open")
    shop.acme.recover(run, **ANA)
    shop.acme.approve(run, "ask", **ANA)
    assert shop.status(letter.id) == "resolved"


def test_approve_racing_an_expiry(shop: Shop) -> None:
    """At the same millisecond it is over, also when no tick has come yet; a tick later says the same."""
    run = shop.submit(before(SOON))
    shop.now += 500
    nothing_written(shop, NotAllowed, lambda: shop.acme.approve(run, "ask", **ANA))
    assert len(shop.engine.tick().timers.acts) == 1
    nothing_written(shop, NotAllowed, lambda: shop.acme.approve(run, "ask", **ANA))
    assert len(shop.facts(w.ApprovalExpired)) == 1


def test_ticks_are_idempotent_and_harmless_at_once(shop: Shop) -> None:
    """From two engines on one log: each wait ends once, each approval expires once."""
    runs = [shop.submit(Flow([SOON, REST])) for _ in range(40)]
    shop.now += 500
    other = Shop(shop.path)
    other.now = shop.now

    def both() -> None:
        other.engine.tick()

    with running(both):
        shop.engine.tick()
    other.engine.close()
    assert shop.engine.tick().timers.acts == []
    assert len(shop.facts(w.WaitEnded)) == len(shop.facts(w.ApprovalExpired)) == len(runs)


def test_a_tick_ends_many_runs_in_a_commit(shop: Shop) -> None:
    """Pages of runs; what is more than the pages that were asked for is told."""
    with shop.engine.batch() as batch:
        for _ in range(450):
            batch.add(shop.acme.submit, Flow([REST]), automation="a")
    shop.now += 500
    from redrive.processes.timers import end_timers

    first = end_timers(shop.engine.services, None, pages=1)
    assert (len(first.acts), first.more) == (200, True)
    rest = end_timers(shop.engine.services, None)
    assert (len(rest.acts), rest.more) == (250, False)


def test_a_tick_of_one_tenant_leaves_the_others_alone(shop: Shop) -> None:
    """Tenants see and move their own."""
    run = shop.submit(Flow([REST]))
    shop.now += 500
    assert shop.engine.local.tick().timers.acts == []
    assert shop.acme.tick().timers.acts[0].run == run


def test_a_run_that_only_waits_is_no_workers(shop: Shop) -> None:
    """Neither before nor after the wait is over: the end of the wait comes first, by a tick."""
    run = shop.submit(before(REST))
    assert (shop.run_status(run), shop.acme.show(run).queue_reason) == ("queued", "wait")
    shop.now += 500
    assert shop.acme.claim(worker="w") is None
    shop.engine.tick()
    assert shop.claim().attempts[0].node == "b"


def test_an_approval_during_another_nodes_backoff(shop: Shop) -> None:
    """What it makes ready runs now; the backoff holds."""
    run = shop.submit(before(ASK, Node("a", retry=policy(delay_ms=5_000))))
    shop.fail(*shop.claim().attempts, failure=TIMEOUT)
    assert (shop.run_status(run), shop.acme.claim(worker="w")) == ("queued", None)
    shop.acme.approve(run, "ask", **ANA)
    (attempt,) = shop.claim().attempts
    assert attempt.node == "b"
    assert shop.acme.complete_attempt(attempt).next_due_ms == shop.now + 5_000


def test_an_approval_while_another_node_runs(shop: Shop) -> None:
    """The holder of the claim goes on with what it made ready."""
    claim = shop.begin(before(ASK, Node("a")))
    assert shop.acme.approve(claim.run_id, "ask", **ANA) == "running"
    assert [attempt.node for attempt in shop.acme.start_attempts(claim)] == ["b"]


def test_cancel_while_waiting(shop: Shop) -> None:
    """Nothing is left to do, to ask, or on the agenda."""
    run = shop.submit(Flow([SOON, REST]))
    shop.acme.cancel(run, **ANA)
    assert not shop.engine.ledger.agenda_rows()
    assert shop.acme.queue("awaiting_approval").items == ()
    shop.now += 500
    assert shop.engine.tick().timers.acts == []
    nothing_written(shop, NotAllowed, lambda: shop.acme.approve(run, "ask", **ANA))


def test_pause_while_waiting(shop: Shop) -> None:
    """Waits end and approvals expire while paused; nothing begins before the resume."""
    then = Node("then", approval=Approval("and now?"), after="rest")
    run = shop.submit(Flow([REST, then]))
    shop.acme.pause(run, **ANA)
    shop.now += 500
    shop.engine.tick()
    assert (shop.run_status(run), shop.node(run, "then").status) == ("paused", "ready")
    assert shop.acme.resume(run, **ANA) == "awaiting_approval"


def test_an_approval_in_a_failed_run_waits_for_the_next_generation(shop: Shop) -> None:
    """It is kept by the requeue, and its child goes on then."""
    run = shop.submit(before(ASK, Node("a", retry=policy(1))))
    shop.fail(*shop.claim().attempts, failure=FINAL)
    assert shop.acme.approve(run, "ask", **ANA) == "failed"
    assert shop.acme.claim(worker="w") is None
    shop.acme.request_retry(shop.letter_of(run, "a"), **ANA)
    assert {attempt.node for attempt in shop.claim().attempts} == {"a", "b"}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("step", range(1, 7))
def test_a_crash_between_any_two_writes(shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int, *, late: bool) -> None:
    """Before or after each commit: the same work goes on to the end, and nobody is asked twice."""
    left = [step]
    commit = Committer._commit

    def crashing(self: Committer, last: object) -> None:
        left[0] -= 1
        if left[0] == 0 and not late:
            raise KeyboardInterrupt
        commit(self, last)  # type: ignore[arg-type]
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Committer, "_commit", crashing)
    for _ in range(2):
        try:
            _wait_ask_and_work(shop)
        except KeyboardInterrupt:
            shop.reopen()
            shop.check()
    assert [len(shop.facts(cls)) for cls in (w.WaitEnded, w.ApprovalRequested, w.ApprovalGiven)] == [1, 1, 1]
    assert len(shop.facts(e.RunCompleted)) == 1


def _wait_ask_and_work(shop: Shop) -> None:
    flow = Flow([REST, Node("ask", after="rest", approval=Approval("?")), Node("b", after="ask")])
    run = shop.submit(flow, key="k")
    shop.now += 500
    shop.engine.tick()
    if shop.node(run, "ask").status == "awaiting_approval":
        shop.acme.approve(run, "ask", **ANA)
    claim = shop.acme.claim(worker="w", start=True, lease_ms=5_000)
    if claim is None and shop.run_status(run) == "running":
        shop.now += 5_000
        shop.engine.tick()
        claim = shop.claim()
    for attempt in claim.attempts if claim else ():
        shop.acme.complete_attempt(attempt)
