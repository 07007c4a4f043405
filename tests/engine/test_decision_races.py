"""Decisions of people, claims and sweeps that rest on a stream which they do not write: both orders, as effects' races.

What keeps them right is the lock (SQLite) or the comparison of all that was read (PostgreSQL), and nothing else:
test_write_skew.py shows what the log would hold without.
"""

from typing import Any

import pytest

from redrive import Attempt, Compensated, Compensation, DeadLetterId, InFlight, Limit, NotAllowed, RetryUnavailable
from redrive.domain.run import events as runs
from tests.engine.outworld import Till
from tests.engine.turns import Turn, orders
from tests.processes.workshop import ACME, ANA, TIMEOUT, beside, chain, policy

AT_ONCE = Compensation("undo", requires_approval=False)
ONCE = policy(1, mode="dead_letter")


@pytest.fixture
def opened_with() -> dict[str, Any]:
    """Neither gate nor reconciler."""
    return {}


def asked(till: Till, letter: str, command: str = "request_retry", *more: Any) -> None:
    """A retry is asked for, and nobody sweeps."""
    with till.engine.batch() as batch:
        pending = batch.add(getattr(till.acme, command), letter, *more, **ANA)
    pending.result()


def rejected(till: Till, plan: Compensation) -> tuple[DeadLetterId, Attempt]:
    """An effect that was rejected and has a dead letter, and the attempt that may send it again."""
    attempt = till.paying()
    till.fail_in(attempt, till.world.reject, compensation=plan)
    letter = till.the_letter()
    till.acme.recover(attempt.run_id, **ANA)
    return letter, till.again()


@orders("begin", "compensate")
def test_an_intent_and_a_compensation(till: Till, other: Till, turn: Turn) -> None:
    """One of both: what is made good for is not sent, what is being sent is not made good for."""
    letter, attempt = rejected(till, AT_ONCE)
    told = turn(
        begin=lambda: till.begun(attempt, compensation=AT_ONCE),
        compensate=lambda: other.acme.compensate(letter, **ANA),
    )
    refused = {"begin": InFlight, "compensate": Compensated}[turn.first]
    assert (told[turn.first], type(told[turn.went[1]])) == (None, refused)


@orders("begin", "approve")
def test_an_intent_and_the_approval_of_its_compensation(till: Till, other: Till, turn: Turn) -> None:
    """The same, where somebody has to approve."""
    letter, attempt = rejected(till, Compensation("undo"))
    till.acme.compensate(letter, **ANA)
    id_: Any = till.proposed()
    told = turn(
        begin=lambda: till.begun(attempt, compensation=Compensation("undo")),
        approve=lambda: other.acme.approve_compensation(id_, **ANA),
    )
    refused = {"begin": InFlight, "approve": Compensated}[turn.first]
    assert (told[turn.first], type(told[turn.went[1]])) == (None, refused)


@orders("success", "approve")
def test_a_late_success_and_the_approval_of_its_compensation(till: Till, other: Till, turn: Turn) -> None:
    """A success cancels what nobody approved, and leaves what somebody did."""
    standing = till.begun(attempt := till.paying(), compensation=Compensation("undo"))
    till.fail(attempt)
    till.acme.compensate(till.the_letter(), **ANA)
    id_: Any = till.proposed()
    told = turn(
        success=lambda: till.acme.effect_succeeded(standing, 1),
        approve=lambda: other.acme.approve_compensation(id_, **ANA),
    )
    assert type(told["approve"]) is (NotAllowed if turn.first == "success" else type(None))
    assert till.topics(id_)[-1] == ("cancelled" if turn.first == "success" else "approved")


@orders("retry", "cancel")
def test_a_retry_and_a_cancel(till: Till, other: Till, turn: Turn) -> None:
    """Nothing is asked of a run that is over."""
    letter = till.letter(beside("a", retry=ONCE))
    run: Any = till.dl(letter).run
    told = turn(retry=lambda: asked(till, letter), cancel=lambda: other.acme.cancel(run, **ANA))
    assert type(told["retry"]) is (RetryUnavailable if turn.first == "cancel" else type(None))
    assert till.status(letter) == ("open" if turn.first == "cancel" else "retry_requested")


@orders("grant", "cancel")
def test_a_grant_and_a_cancel(till: Till, other: Till, turn: Turn) -> None:
    """Nor granted."""
    letter = till.letter(beside("a", retry=ONCE))
    run: Any = till.dl(letter).run
    told = turn(grant=lambda: asked(till, letter, "grant_retries", 2), cancel=lambda: other.acme.cancel(run, **ANA))
    assert type(told["grant"]) is (RetryUnavailable if turn.first == "cancel" else type(None))


@orders("retry", "complete")
def test_a_retry_and_the_completion_of_its_run(till: Till, other: Till, turn: Turn) -> None:
    """The redriven attempt did without the effect: whoever asks for a retry afterwards is told that it is over."""
    letter, attempt = rejected(till, Compensation("undo"))
    told = turn(retry=lambda: asked(other, letter), complete=lambda: till.acme.complete_attempt(attempt))
    assert type(told["retry"]) is (RetryUnavailable if turn.first == "complete" else type(None))
    assert till.status(letter) == "open"


@orders("ignore", "start")
def test_an_ignore_and_the_start_of_an_attempt(till: Till, other: Till, turn: Turn) -> None:
    """The failure of an attempt that began after it opens the dead letter again; one that ran already does not."""
    letter = till.letter(beside("a", retry=ONCE))
    till.acme.recover(till.dl(letter).run, **ANA)
    claims: list[Any] = []
    turn(ignore=lambda: till.acme.ignore(letter, **ANA), start=lambda: claims.append(other.claim()))
    till.fail(claims[0].attempts[0])
    assert till.status(letter) == ("open" if turn.first == "ignore" else "ignored")


LIMITS = {
    "total": Limit("total", "", 1),
    "tenant": Limit("tenant", str(ACME), 1),
    "resource": Limit("resource", "db", 1),
    "provider": Limit("provider", "bank", 1),
}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
@orders("one", "two")
def test_two_claims_under_a_limit_of_one(till: Till, other: Till, turn: Turn, limit: Limit) -> None:
    """Two runs, two streams: what both rest on is a row of capacity."""
    till.engine.set_limit(limit, **ANA)
    for node in ("a", "b"):
        till.submit(beside(node, resource="db", provider="bank"))
    won: list[Any] = []
    turn(
        one=lambda: won.append(till.acme.claim(worker="one", start=True, handlers={"a"})),
        two=lambda: won.append(other.acme.claim(worker="two", start=True, handlers={"b"})),
    )
    assert [claim.worker for claim in won if claim] == [turn.first]


@orders("claim", "stop")
def test_a_claim_and_the_limit_that_stops_it(till: Till, other: Till, turn: Turn) -> None:
    """A limit that is set holds from the next decision on; what was claimed before it counts."""
    till.engine.set_limit(Limit("total", "", 5), **ANA)
    till.submit()
    turn(
        claim=lambda: till.acme.claim(worker="w", start=True),
        stop=lambda: other.engine.set_limit(Limit("total", "", 0), **ANA),
    )
    claimed = [event.limits[0].of for event in till.facts(runs.RunClaimed)]
    assert claimed == ([5] if turn.first == "claim" else [])


@orders("dispatch", "ignore")
def test_a_dispatch_and_an_ignore(till: Till, other: Till, turn: Turn) -> None:
    """An ignore that landed first stands; after it, the run goes on."""
    letter = till.letter(beside("a", retry=ONCE))
    asked(till, letter)
    turn(dispatch=till.engine.sweep, ignore=lambda: other.acme.ignore(letter, **ANA))
    assert (till.status(letter), len(till.facts(runs.RunRequeued))) == ("ignored", turn.went.index("ignore"))


@pytest.mark.parametrize("command", ["pause", "cancel", "recover"])
@orders("dispatch", "decide")
def test_a_dispatch_and_a_decision_about_its_run(till: Till, other: Till, turn: Turn, command: str) -> None:
    """Whoever decides about the run first keeps the sweep from it; afterwards the dispatch stands."""
    letter = till.letter(beside("a", retry=ONCE))
    asked(till, letter)
    run = till.dl(letter).run
    told = turn(dispatch=till.engine.sweep, decide=lambda: getattr(other.acme, command)(run, **ANA))
    causes = [event.cause for event in till.facts(runs.RunRequeued)]
    by_decision = ["recover"] if command == "recover" else []
    assert causes == (["redrive"] if turn.first == "dispatch" else by_decision)
    assert type(told["decide"]) is (NotAllowed if causes == ["redrive"] and by_decision else type(None))


@orders("one", "two")
def test_two_sweeps(till: Till, other: Till, turn: Turn) -> None:
    """Each dead letter is dispatched once."""
    letter = till.letter(beside("a", retry=ONCE))
    asked(till, letter)
    turn(one=till.engine.sweep, two=other.engine.sweep)
    assert (till.dl(letter).dispatches, len(till.facts(runs.RunRequeued))) == (1, 1)


@orders("pause", "fail")
def test_a_pause_and_a_failure(till: Till, other: Till, turn: Turn) -> None:
    """The failure is recorded and its backoff kept, whoever came first; nothing starts."""
    attempt = till.attempt(chain("a", "b", retry=policy(2, delay_ms=5_000)))
    turn(pause=lambda: other.acme.pause(attempt.run_id, **ANA), fail=lambda: till.fail(attempt, failure=TIMEOUT))
    assert (till.run_status(attempt.run_id), till.node(attempt.run_id).status) == ("paused", "waiting")
