"""Claims and leases: who gets a run, how long it is kept, and how it changes hands."""

import os
from dataclasses import replace
from typing import Any

import pytest

from redrive import AttemptsRunning, Claim, InvalidValue, NodeNotReady, NotFound, NotRunning, StaleEpoch
from redrive.domain.run import events as e
from tests.processes.workshop import ANA, ONE, TIMEOUT, Shop, beside, chain, nothing_written, policy

LEASE = 60_000


def test_the_oldest_due_run_is_claimed_first(shop: Shop) -> None:
    """By due time, then by the order of submission; never one that is not due."""
    first = shop.begin(beside("a", retry=policy(delay_ms=50)))
    shop.acme.fail_attempt(first.attempts[0], TIMEOUT)
    second, third = shop.submit(), shop.submit()
    shop.now += 100
    claims = [shop.acme.claim(worker="w") for _ in range(4)]
    assert [claim and claim.run_id for claim in claims] == [second, third, first.run_id, None]


def test_a_claim_records_who_holds_it(shop: Shop) -> None:
    """Epoch, worker, lease, and the process: enough to tell that it is gone."""
    shop.submit()
    claim = shop.acme.claim(worker="w7", lease_ms=LEASE)
    assert claim is not None
    (claimed,) = shop.facts(e.RunClaimed)
    assert (claim.epoch, claimed.worker, claimed.expires_at_ms) == (1, "w7", shop.now + LEASE)
    assert claimed.holder is not None
    assert claimed.holder.pid == os.getpid()


def test_a_run_is_claimed_only_for_a_handler_that_is_there(shop: Shop) -> None:
    """Without one it is not touched: no claim, no release, no event."""
    shop.submit(beside("a", "b"))
    before = shop.engine.ledger.last_position()
    assert shop.acme.claim_many(5, worker="w", handlers={}) == []
    assert shop.engine.ledger.last_position() == before
    claim = shop.acme.claim(worker="w", handlers={"b": None}, start=True)
    assert claim is not None
    assert [attempt.node for attempt in claim.attempts] == ["b"]


def test_many_are_claimed_in_one_commit(shop: Shop) -> None:
    """Of all tenants by the engine, of its own by a tenant."""
    runs = [shop.submit() for _ in range(3)] + [shop.engine.local.submit(ONE, automation="x")]
    commits = shop.engine.ledger.committer.commits
    assert len(shop.acme.claim_many(2, worker="w")) == 2
    assert shop.engine.ledger.committer.commits == commits + 1
    assert {claim.run_id for claim in shop.engine.claim_many(1_000, worker="w")} == set(runs[2:])


@pytest.mark.parametrize("bad", [{"lease_ms": 4_999}, {"lease_ms": 21_600_001}, {"lease_ms": True}, {"worker": " "}])
def test_a_bad_claim_is_refused(shop: Shop, bad: dict[str, Any]) -> None:
    """A lease of 5 s to 6 h, and a name."""
    shop.submit()
    nothing_written(shop, InvalidValue, lambda: shop.acme.claim(**{"worker": "w", **bad}))


@pytest.mark.parametrize("n", [0, 1_001, True, 1.5])
def test_a_bad_number_of_claims_is_refused(shop: Shop, n: Any) -> None:
    """1 to 1,000."""
    nothing_written(shop, InvalidValue, lambda: shop.acme.claim_many(n, worker="w"))


def test_a_heartbeat_extends_the_lease_and_never_shortens_it(shop: Shop) -> None:
    """What is no extension is no event."""
    claim = shop.begin()
    expires = claim.expires_at_ms
    assert shop.acme.heartbeat(claim, 5_000).expires_at_ms == expires
    shop.now += 1_000
    assert shop.acme.heartbeat(claim).expires_at_ms == expires + 1_000
    shop.now -= 10_000
    assert shop.acme.heartbeat(claim).expires_at_ms == expires + 1_000
    assert len(shop.facts(e.LeaseRenewed)) == 1


def test_a_heartbeat_tells_of_cancel_and_pause(shop: Shop) -> None:
    """The handlers of the claim see it, too."""
    claim = shop.begin()
    shop.acme.pause(claim.run_id, **ANA)
    assert (shop.acme.heartbeat(claim).pausing, claim.attempts[0].cancelled) == (True, False)
    shop.acme.cancel(claim.run_id, **ANA)
    assert (shop.acme.heartbeat(claim).cancelled, claim.attempts[0].cancelled) == (True, True)


def test_a_heartbeat_of_a_zombie_is_refused(shop: Shop) -> None:
    """Once the run was taken, and once somebody else has it."""
    claim = shop.begin()
    expire(shop, claim)
    nothing_written(shop, NotRunning, lambda: shop.acme.heartbeat(claim))
    shop.claim()
    nothing_written(shop, StaleEpoch, lambda: shop.acme.heartbeat(claim))


def expire(shop: Shop, claim: Claim) -> None:
    """Let a lease run out and be noticed."""
    shop.now = max(shop.now, claim.expires_at_ms)
    assert shop.engine.tick().reclaimed == [claim.run_id]


def test_a_lease_expires_at_its_time_and_not_before(shop: Shop) -> None:
    """Expired when expiry ≤ now; a clock that goes back reclaims nothing that is alive."""
    claim = shop.begin()
    for now in (claim.expires_at_ms - 1, 5):
        shop.now = now
        assert shop.engine.tick().reclaimed == []
    expire(shop, claim)


def test_a_reclaim_interrupts_judges_and_settles_in_one_transaction(shop: Shop) -> None:
    """The attempt counts and backs off as any other; the epoch stays."""
    claim = shop.begin(beside("a", retry=policy(3, delay_ms=50)))
    commits = shop.engine.ledger.committer.commits
    expire(shop, claim)
    assert shop.engine.ledger.committer.commits == commits + 1
    assert shop.topics(claim.run_id)[-4:] == [
        "claim-abandoned",
        "attempt-interrupted",
        "retry-backoff-scheduled",
        "queued",
    ]
    run = shop.acme.show(claim.run_id)
    assert (run.epoch, run.due_ms, run.nodes[0].number) == (1, shop.now + 50, 1)


def test_a_reclaim_of_the_last_attempt_opens_a_dead_letter(shop: Shop) -> None:
    """Whatever classes the policy lists, an interrupted attempt is retryable until they are used up."""
    flow = beside("a", retry=policy(2, retryable_failure_classes=("provider_transient",)))
    expire(shop, shop.begin(flow))
    claim = shop.claim()
    expire(shop, claim)
    letter = shop.acme.dead_letter(shop.letter_of(claim.run_id))
    assert (letter.failure_class, letter.verdict, shop.run_status(claim.run_id)) == (
        "interrupted",
        "attempts_exhausted",
        "failed",
    )


def test_nodes_that_waited_are_kept_by_a_reclaim(shop: Shop) -> None:
    """Only what ran is interrupted."""
    claim = shop.begin(beside("a", "b", "c", retry=policy(delay_ms=LEASE * 100)))
    a, b, _ = claim.attempts
    shop.acme.complete_attempt(a, 1)
    shop.acme.fail_attempt(b, TIMEOUT)
    due = shop.node(claim.run_id, "b").due_ms
    expire(shop, claim)
    assert [node.status for node in shop.acme.show(claim.run_id).nodes] == ["succeeded", "waiting", "waiting"]
    assert shop.node(claim.run_id, "b").due_ms == due


def test_a_release_is_refused_while_attempts_run(shop: Shop) -> None:
    """They would report to nobody."""
    claim = shop.begin(chain("a", "b"))
    nothing_written(shop, AttemptsRunning, lambda: shop.acme.release(claim))
    shop.acme.complete_attempt(claim.attempts[0])
    assert shop.acme.release(claim) == "queued"
    nothing_written(shop, NotRunning, lambda: shop.acme.release(claim))
    assert [attempt.node for attempt in shop.claim().attempts] == ["b"]


@pytest.mark.parametrize("node", ["b", "x", ""])
def test_a_node_that_cannot_start_is_refused(shop: Shop, node: str) -> None:
    """Its parent is open, or there is no such node."""
    claim = shop.begin(chain("a", "b"))
    nothing_written(shop, NodeNotReady, lambda: shop.acme.start_attempt(claim, node))


def test_a_node_in_backoff_starts_at_its_time(shop: Shop) -> None:
    """Within a claim that goes on with its other nodes; each honours its own due time."""
    claim = shop.begin(beside("a", "b", retry=policy(delay_ms=50)))
    shop.acme.fail_attempt(claim.attempts[0], TIMEOUT)
    shop.now += 49
    nothing_written(shop, NodeNotReady, lambda: shop.acme.start_attempt(claim, "a"))
    assert shop.acme.start_attempts(claim) == []
    shop.now += 1
    assert [attempt.number for attempt in shop.acme.start_attempts(claim)] == [2]


def test_a_forged_claim_of_another_tenant_finds_nothing(shop: Shop) -> None:
    """The tenant is the caller's, whatever the claim says."""
    claim = shop.begin()
    stranger = shop.engine.local
    for forged in (claim, replace(claim, tenant=stranger.tenant)):
        for command in (stranger.heartbeat, stranger.release, stranger.start_attempts):
            nothing_written(shop, NotFound, lambda command=command, forged=forged: command(forged))  # type: ignore[misc]


def test_handlers_may_do_to_their_inputs_what_they_like(shop: Shop) -> None:
    """Neither the states in memory, nor the next attempt, nor another tenant's run of the same flow changes."""
    flow = chain("a", "b", input={"items": [1]}, params={"deep": [{}]})
    claim = shop.begin(flow, input={"q": [1]})
    spoil(claim.attempts[0].input, claim.attempts[0].run_input, claim.attempts[0].params)
    output: Any = {"o": [1]}
    shop.acme.complete_attempt(claim.attempts[0], output)
    b = shop.acme.start_attempt(claim, "b")
    spoil(b.outputs["a"], output)
    other = shop.engine.local
    other.submit(flow, automation="x")
    (theirs,) = other.claim_many(1, worker="w", start=True)
    assert (theirs.attempts[0].input, theirs.attempts[0].params) == ({"items": [1]}, {"deep": [{}]})
    assert shop.node(claim.run_id).output == {"o": [1]}
    in_memory = shop.engine.ledger.committer.states.get(claim.run_id)
    assert in_memory is not None
    assert in_memory.state == shop.engine.ledger.run_state(None, claim.run_id)


def spoil(*documents: Any) -> None:
    """Change every list within."""
    for document in documents:
        for item in document.values():
            item.append("spoiled")
