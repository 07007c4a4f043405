"""An unknown event type: its stream is read-only here, kept byte for byte, shown as unknown, never claimed or swept;
everything else works."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive import Limit, Rate, StreamReadOnly, Worker
from redrive.domain.run import events as e
from tests.engine.model import check_log
from tests.processes.redrives import ONCE, request
from tests.processes.workshop import ACME, ANA, Shop, beside, chain, policy
from tests.stores import outside


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An engine with a fake clock on a log that a newer version writes to, too; what can be read of it is sound."""
    shop = Shop(tmp_path / "log.db")
    yield shop
    check_log(shop.engine)
    shop.engine.close()


def add_unknown(shop: Shop, stream: str, topic: str = "run.teleported/7") -> bytes:
    """A newer version of redrive writes to a stream; its bytes."""
    body = json.dumps({"to": "\u2603", "deep": {"x": 1}}).encode()
    with outside(shop.path) as connection:
        query = "SELECT coalesce(max(originator_version), 0) + 1 FROM events WHERE originator_id = ?"
        version = connection.execute(query, (stream,)).fetchone()[0]
        connection.execute(
            "INSERT INTO events SELECT coalesce(max(position), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM events",
            (stream, version, topic, body, str(ACME), stream, shop.now),
        )
    return body


def test_an_unknown_event_makes_a_queued_run_unclaimable(shop: Shop) -> None:
    """The next run is claimed in its place; the bytes stay as they are."""
    run, other = shop.submit(), shop.submit()
    body = add_unknown(shop, run)
    assert shop.claim().run_id == other
    with pytest.raises(StreamReadOnly):
        shop.acme.cancel(run, **ANA)
    unknown = shop.engine.ledger.stream(run)[-1].event
    assert getattr(unknown, "state", None) == body
    assert shop.acme.history(run).items[-1].data["unknown"] == "run.teleported/7"
    assert not shop.acme.run(run).readable


def test_an_unclaimable_run_takes_no_slot_from_the_next(shop: Shop) -> None:
    """What limits have room for is not kept for a run that only a newer version may continue."""
    shop.engine.set_limit(Limit("resource", "press", 1), **ANA)
    run, other = (shop.submit(beside("a", resource="press")) for _ in range(2))
    add_unknown(shop, run)
    assert shop.claim().run_id == other
    assert shop.acme.claim_many(2, worker="w", start=True) == []


def test_tokens_that_were_taken_stay_taken(shop: Shop) -> None:
    """By a run to which a newer version has written since: what is rebuilt gives none back."""
    shop.engine.set_limit(Limit("resource", "press", rate=Rate(1, 60_000, 3)), **ANA)
    claim = shop.begin(chain("a", "b", resource="press"))
    shop.acme.complete_attempt(claim.attempts[0])
    shop.acme.release(claim)
    add_unknown(shop, claim.run_id)
    kept, logged = shop.engine.ledger.capacity().rows(), shop.engine.ledger.capacity_from_log().rows
    assert kept == logged
    assert kept[0].level == 2 * 60_000


def test_a_run_that_a_newer_version_submitted_stops_no_worker(shop: Shop) -> None:
    """Its agenda row says that it is due; what it is, nobody here can know."""
    with outside(shop.path) as connection:
        row = ("newer", "run", 1, 0, str(ACME), '["a"]', "newer", 0, None)
        connection.execute("INSERT INTO agenda VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    add_unknown(shop, "newer", "run.submitted/9")
    run = shop.submit()
    Worker(shop.engine, {"a": lambda attempt: 1}, poll_ms=20).run_until_idle(wait=False)
    assert shop.run_status(run) == "completed"


def test_an_unknown_event_in_a_claimed_run_stops_no_tick(shop: Shop) -> None:
    """Its lease expires and it stays; the others are reclaimed, completed and swept."""
    run, other = shop.begin().run_id, shop.begin().run_id
    add_unknown(shop, run)
    shop.now += 10_000_000
    assert shop.engine.tick().reclaimed == [other]


def test_an_unknown_event_in_a_dead_letter_holds_up_no_other(shop: Shop) -> None:
    """Of the same run: it is dispatched without the one that cannot be read."""
    claim = shop.begin(beside("a", "b", retry=policy(1, "dead_letter")))
    shop.fail(*claim.attempts)
    a, b = (shop.letter_of(claim.run_id, node) for node in ("a", "b"))
    request(shop, a, b)
    add_unknown(shop, a, "dead-letter.teleported/7")
    shop.engine.sweep()
    assert [event.roots for event in shop.facts(e.RunRequeued)] == [("b",)]


def test_a_dead_letter_of_a_newer_version_keeps_its_run_from_nothing(shop: Shop) -> None:
    """It is left alone, byte for byte; the run is taken back, fails, is recovered and completes."""
    letter = shop.letter(ONCE)
    shop.acme.request_retry(letter, **ANA)
    claim = shop.claim()
    add_unknown(shop, letter, "dead-letter.teleported/7")
    kept = [event.topic for event in shop.engine.ledger.stream(letter)]
    shop.now += 10_000_000
    assert shop.engine.tick().reclaimed == [claim.run_id]
    assert shop.run_status(claim.run_id) == "failed"
    shop.acme.recover(claim.run_id, **ANA)
    attempt = shop.claim().attempts[0]
    assert shop.acme.complete_attempt(attempt).status == "completed"
    assert [event.topic for event in shop.engine.ledger.stream(letter)] == kept


def test_an_effect_of_a_newer_version_keeps_its_run_from_nothing(shop: Shop) -> None:
    """Its attempt completes, and the work is not done again."""
    claim = shop.begin(ONCE)
    standing = shop.acme.begin_effect(claim.attempts[0], "k", operation="pay")
    add_unknown(shop, standing.id, "effect.teleported/7")
    assert shop.acme.complete_attempt(claim.attempts[0]).status == "completed"
