"""Limits: the token bucket, whether there is room, and who is held back."""

from typing import Any

import pytest

from redrive.domain.errors import InvalidValue
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import NodeId, Tenant
from redrive.domain.limits import (
    Bucket,
    Gauge,
    Limit,
    LimitUse,
    Rate,
    Room,
    full_bucket,
    keys_of_node,
    keys_of_run,
    refilled,
    room_for_one,
    taken,
    token_at_ms,
    tokens_in,
)
from redrive.domain.run import events as e
from redrive.domain.run.holding import hold_run, waits_for_room
from tests.domain.facts import claimed, queued, side_by_side, snoozed, started, submitted
from tests.domain.given import fact, given

TEN_PER_SECOND = Rate(10, 1_000)
BANK = Limit("resource", "bank", 2)
LOCKED = Room(full=(LimitUse("resource:bank", "concurrency", 2, 2),))
TOKENS = Room(full=(LimitUse("resource:bank", "rate", 3, 3),), retry_at_ms=500)
FREE = Room()


@pytest.mark.parametrize(
    ("rate", "takes", "at", "left", "next_at"),
    [
        (TEN_PER_SECOND, 0, 0, 10, 0),
        (TEN_PER_SECOND, 10, 0, 0, 100),
        (TEN_PER_SECOND, 10, 99, 0, 100),
        (TEN_PER_SECOND, 10, 100, 1, 100),
        (TEN_PER_SECOND, 10, 1_000, 10, 1_000),
        (TEN_PER_SECOND, 10, 9_000, 10, 9_000),
        (Rate(3, 1_000, 1), 1, 333, 0, 334),
        (Rate(3, 1_000, 1), 1, 334, 1, 334),
        (Rate(1, 86_400_000, 2), 2, 86_399_999, 0, 86_400_000),
        (TEN_PER_SECOND, 99, 0, 0, 100),
    ],
)
def test_a_bucket_fills_by_whole_numbers(rate: Rate, takes: int, at: int, left: int, next_at: int) -> None:
    """Given tokens that were taken at 0: what is left at a time, and when the next one comes."""
    bucket = taken(rate, full_bucket(rate, 0), 0, takes)
    assert (tokens_in(rate, bucket, at), token_at_ms(rate, bucket, at)) == (left, next_at)


def test_a_third_of_a_second_three_times_is_a_second() -> None:
    """Nothing drifts: a million looks at the bucket give what one look gives."""
    rate = Rate(3, 1_000, 3_000)
    bucket = Bucket(0, 0)
    for now in range(1, 100_001):
        bucket = refilled(rate, bucket, now)
    assert bucket == refilled(rate, Bucket(0, 0), 100_000)
    assert tokens_in(rate, bucket, 100_000) == 300


def test_a_clock_that_goes_backwards_gives_no_tokens() -> None:
    """And takes none: from where it was on, it goes on."""
    empty = taken(TEN_PER_SECOND, full_bucket(TEN_PER_SECOND, 5_000), 5_000, 10)
    assert tokens_in(TEN_PER_SECOND, empty, 1_000) == 0
    assert token_at_ms(TEN_PER_SECOND, refilled(TEN_PER_SECOND, empty, 1_000), 1_000) == 5_100
    assert tokens_in(TEN_PER_SECOND, refilled(TEN_PER_SECOND, empty, 1_000), 5_100) == 1


@pytest.mark.parametrize(
    ("limit", "used", "level", "ahead", "full"),
    [
        (BANK, 0, 0, 0, []),
        (BANK, 1, 0, 0, []),
        (BANK, 2, 0, 0, ["concurrency"]),
        (BANK, 3, 0, 0, ["concurrency"]),
        (BANK, 1, 0, 1, ["concurrency"]),
        (Limit("total", "", 0), 0, 0, 0, ["concurrency"]),
        (Limit("provider", "p", None, Rate(2)), 9, 1_000, 0, []),
        (Limit("provider", "p", None, Rate(2)), 9, 999, 0, ["rate"]),
        (Limit("provider", "p", None, Rate(2)), 9, 1_000, 1, ["rate"]),
        (Limit("provider", "p", None, Rate(2)), 9, 2_000, 7, []),
        (Limit("provider", "p", 9, Rate(2)), 9, 0, 0, ["concurrency", "rate"]),
    ],
)
def test_there_is_room_or_a_limit_says_why_not(limit: Limit, used: int, level: int, ahead: int, full: Any) -> None:
    """One more under one limit."""
    room = room_for_one([Gauge(limit, used, Bucket(level, 0), ahead)], 0)
    assert [use.kind for use in room.full] == full
    assert (room.retry_at_ms is not None) == (full == ["rate"])
    assert room.stopped == (limit.concurrency == 0)


def test_the_fullest_of_several_limits_decides() -> None:
    """When it was not for tokens alone, no time can be named."""
    slow = Gauge(Limit("provider", "p", None, Rate(1, 60_000)), 0, Bucket(0, 0))
    room = room_for_one([Gauge(BANK, 0), slow], 0)
    assert (room.retry_at_ms, [use.limit for use in room.uses]) == (60_000, ["resource:bank"])
    assert room_for_one([Gauge(BANK, 2), slow], 0).retry_at_ms is None


@pytest.mark.parametrize(
    "values",
    [
        {"scope": "total"},
        {"scope": "total", "name": "x", "concurrency": 1},
        {"scope": "planet", "concurrency": 1},
        {"scope": "tenant", "name": "acme", "concurrency": 1},
        {"scope": "resource", "name": " ", "concurrency": 1},
        {"scope": "resource", "name": "bank", "concurrency": -1},
        {"scope": "resource", "name": "bank", "concurrency": True},
        {"scope": "resource", "name": "bank", "rate": 5},
    ],
)
def test_what_is_no_limit_is_refused(values: Any) -> None:
    """By field, before anything is written."""
    with pytest.raises(InvalidValue, match=r"limit|tenant"):
        Limit(**values)


@pytest.mark.parametrize("values", [(0,), (1, 0), (1, 1, -1), (1.5,), (1, 10**12)])
def test_what_is_no_rate_is_refused(values: Any) -> None:
    """Whole numbers within bounds."""
    with pytest.raises(InvalidValue, match="rate"):
        Rate(*values)


@pytest.mark.parametrize("limit", [BANK, Limit("total", "", 3), Limit("tenant", "a/b/c", None, Rate(1, 2, 3))])
def test_a_limit_reads_back_from_its_document(limit: Limit) -> None:
    """As settings and the command line write it."""
    assert Limit.from_document(limit.document()) == limit


def test_keys_name_what_binds() -> None:
    """The same words in events, rows and refusals."""
    assert keys_of_run(Tenant("a", "b", "c")) == ("total", "tenant:a/b/c")
    assert keys_of_node("bank", "stripe") == ("resource:bank", "provider:stripe")
    assert keys_of_node(None, None) == ()
    assert Node("a", resource="bank").limit_keys == (BANK.key,)


def test_a_provider_changes_the_digest_only_where_it_is_named() -> None:
    """Flows of older logs keep their names."""
    plain = Flow([Node("a", resource="bank")])
    assert "provider" not in str(plain.document())
    named = Flow([Node("a", resource="bank", provider="stripe")])
    assert named.digest != plain.digest
    assert Flow.from_document(named.document()) == named


BOTH = side_by_side("a", "b", resource="bank")
A, B = NodeId("a"), NodeId("b")


@pytest.mark.parametrize(
    ("rooms", "reason", "due"),
    [
        ({A: LOCKED, B: LOCKED}, "resource_lock", None),
        ({A: TOKENS, B: LOCKED}, "rate_limit", 500),
        ({A: LOCKED, B: FREE}, "resource_lock", 100),
    ],
)
def test_a_run_is_held_back_by_what_is_full(rooms: dict[NodeId, Room], reason: str, due: int | None) -> None:
    """Without a due time, at the next token, or at once for whoever can execute the other node."""
    held = given(submitted(BOTH)).when(hold_run, rooms, 100)
    held.then(fact(e.RunQueued, reason=reason, due_ms=due, since_ms=0))


def test_a_run_that_waits_for_the_same_is_not_told_again() -> None:
    """No event for every claim that meets it; for another limit, it keeps its place."""
    waiting = given(submitted(BOTH)).when(hold_run, {A: LOCKED}, 100).then(e.RunQueued)
    assert waiting.state.held_by == ("resource:bank",)
    assert waits_for_room(waiting.state, A)
    waiting.when(hold_run, {A: LOCKED}, 200).then()
    other = Room(full=(LimitUse("provider:p", "concurrency", 1, 1),))
    moved = waiting.when(hold_run, {A: other}, 200).then(fact(e.RunQueued, since_ms=0))
    assert moved.state.passed_over


def test_a_claimed_run_waits_from_now_on() -> None:
    """Its claim ends with the event; starting something limited ends the waiting."""
    running = given(submitted(BOTH), claimed())
    waiting = running.when(hold_run, {A: LOCKED}, 100).then(fact(e.RunQueued, since_ms=100))
    assert waiting.state.claim is None
    again = given(*waiting.events, claimed(2), started("a", epoch=2))
    assert (again.state.held_by, again.state.held_since_ms) == ((), None)


def test_a_node_with_a_time_of_its_own_makes_the_run_due() -> None:
    """Unless it waits for the same limit."""
    flow = Flow([Node("a", resource="bank"), Node("c"), Node("d", resource="bank")])
    events = (submitted(flow), claimed(), started("c"), snoozed("c", 900), started("d"), snoozed("d", 300))
    given(*events).when(hold_run, {A: LOCKED}, 100).then(fact(e.RunQueued, due_ms=900))


def test_another_reason_ends_the_waiting() -> None:
    """A run that is queued otherwise stands in no line."""
    waiting = given(submitted(BOTH)).when(hold_run, {A: LOCKED}, 100).then(e.RunQueued)
    assert given(*waiting.events, queued(200, "released")).state.held_by == ()
