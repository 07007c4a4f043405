"""One structured log line for each decision, by the process that committed it."""

from typing import Any

import pytest
import structlog

from redrive import Approval, Flow, Limit, Node
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes.decision_lines import FACTS
from tests.ledger.samples import SAMPLES
from tests.processes.workshop import ANA, TIMEOUT, Shop, beside, logged, policy


def line(lines: list[Any], name: str) -> Any:
    """The one line of that name."""
    (found,) = [line for line in lines if line["event"] == name]
    return found


def test_a_retry_decision_is_said_with_what_it_was_made_from(shop: Shop) -> None:
    """Verdict, policy, class and when the next attempt is due; not the reason, which may hold anything."""
    attempt = shop.attempt(beside("a", retry=policy(2, delay_ms=500)))
    with logged() as lines:
        shop.acme.fail_attempt(attempt, TIMEOUT)
    said = line(lines, "run.attempt_failed")
    assert (said["node"], said["verdict"], said["number"], said["max_attempts"]) == ("a", "retry_scheduled", 1, 2)
    assert (said["failure_class"], said["kind"], said["delay_ms"]) == ("provider_transient", "timeout", 500)
    assert (said["next_retry_at_ms"], said["run"]) == (shop.now + 500, attempt.run_id)
    assert said["tenant"] == "acme/billing/prod"
    assert TIMEOUT.reason not in str(lines)


def test_what_is_said_are_plain_values(shop: Shop) -> None:
    """So that every renderer shows the word of the log, and none the name of a class."""
    with logged() as lines:
        letter = shop.letter()
        shop.acme.request_retry(letter, **ANA)
        shop.acme.complete_attempt(*shop.claim().attempts)
    kinds = {type(value) for line in lines for name, value in line.items() if name not in ("run", "dead_letter")}
    assert kinds <= {str, int, type(None), bool, list}


def test_a_dead_letter_is_said_from_its_opening_to_its_end(shop: Shop) -> None:
    """Each once: the sweep says itself what it dispatched."""
    with logged() as lines:
        letter = shop.letter()
        shop.acme.request_retry(letter, **ANA)
        shop.acme.complete_attempt(*shop.claim().attempts)
    said = [line["event"] for line in lines]
    assert [name for name in said if name.startswith("dead_letter.")] == [
        "dead_letter.opened", "dead_letter.retry_requested", "dead_letter.retry_dispatched", "dead_letter.resolved",
    ]  # fmt: skip
    assert {"run.failed", "run.requeued", "run.completed"} <= set(said)
    assert line(lines, "dead_letter.retry_requested")["actor"] == "human:ana"


def test_what_operators_decide_is_said(shop: Shop) -> None:
    """About runs, dead letters, approvals and limits."""
    run = shop.submit(Flow([Node("ask", approval=Approval("?")), Node("b", after=["ask"])]))
    letter = shop.letter()
    with logged() as lines:
        shop.acme.approve(run, "ask", **ANA)
        shop.acme.pause(run, **ANA)
        shop.acme.cancel(run, **ANA)
        shop.acme.ignore(letter, **ANA)
        shop.engine.set_limit(Limit("resource", "bank", 0), **ANA)
    assert [line["event"] for line in lines] == [
        "run.approval_given", "run.pause_requested", "run.cancelled", "dead_letter.ignored", "engine.limit_set",
    ]  # fmt: skip
    assert lines[-1]["limit"] == "resource:bank"


def test_a_run_that_limits_hold_back_is_said(shop: Shop) -> None:
    """Which limit, and how much of it is in use."""
    shop.engine.set_limit(Limit("resource", "bank", 0), **ANA)
    shop.submit(beside("a", resource="bank"))
    with logged() as lines:
        assert shop.acme.claim(worker="w", start=True) is None
    assert line(lines, "run.queued")["limits"] == ["resource:bank: 0 of 0"]


def test_events_are_put_together_for_nobody_when_nobody_reads_the_lines(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither structlog nor the logger is set up: a commit costs what it did."""
    asked: list[object] = []
    monkeypatch.setattr(LedgerTransaction, "events", lambda tx: [asked.append(tx)][:0])  # type: ignore[func-returns-value]
    structlog.reset_defaults()
    shop.submit()
    assert not asked
    with logged():
        shop.submit()
    assert asked


def test_every_fact_is_a_field_of_its_event() -> None:
    """For each topic in the table, by the samples of all events."""
    events = {event.TOPIC: event for event in SAMPLES}
    assert all(hasattr(events[topic], name) for topic, names in FACTS.items() for name in names)
