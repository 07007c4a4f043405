"""Events: stable names, strict bodies, one applier each; and errors with stable codes."""

from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from redrive.domain import errors
from redrive.domain.compensation.state import evolve as evolve_compensation
from redrive.domain.dead_letter import events as letters
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.dead_letter.state import evolve as evolve_letter
from redrive.domain.effect.state import evolve as evolve_effect
from redrive.domain.errors import InvalidValue, NotFound, RedriveError, Refused
from redrive.domain.event import CATALOGUE, Event, Evolve, Recorded, UnknownEvent
from redrive.domain.identity import EventId, StreamId, Tenant
from redrive.domain.records import (
    RECORDS,
    AnchorRecorded,
    FlowRegistered,
    KeyDestroyed,
    LimitRemoved,
    LimitSet,
    NoteWritten,
    PolicyRegistered,
    RecordsArchived,
    ShardsRecorded,
    TenantPlaced,
)
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.run import events as runs
from redrive.domain.run.evolution import evolve as evolve_run
from redrive.domain.run.holder import Holder
from tests.domain import facts
from tests.domain.facts import decided, opened
from tests.domain.given import given_letter

# Topics are in logs for ever: a line here is never changed or removed, only added.
RUN_TOPICS = [
    "run.submitted",
    "run.claimed",
    "run.lease-renewed",
    "run.claim-released",
    "run.claim-abandoned",
    "run.attempt-started",
    "run.attempt-succeeded",
    "run.attempt-failed",
    "run.attempt-snoozed",
    "run.attempt-interrupted",
    "run.retry-backoff-scheduled",
    "run.queued",
    "run.requeued",
    "run.pause-requested",
    "run.paused",
    "run.resumed",
    "run.dead-letter-linked",
    "run.completed",
    "run.blocked",
    "run.failed",
    "run.cancelled",
    "run.note-added",
    "run.approval-requested",
    "run.approval-given",
    "run.approval-denied",
    "run.approval-expired",
    "run.wait-started",
    "run.wait-ended",
    "run.awaiting-approval",
    "run.effect-admitted",
]
LETTER_TOPICS = [
    "dead-letter.opened",
    "dead-letter.recurred",
    "dead-letter.retry-requested",
    "dead-letter.retry-dispatched",
    "dead-letter.retry-exhausted",
    "dead-letter.retry-budget-granted",
    "dead-letter.held",
    "dead-letter.superseded",
    "dead-letter.resolved",
    "dead-letter.ignored",
    "dead-letter.abandoned",
    "dead-letter.reopened",
    "dead-letter.noted",
    "dead-letter.linked-to-compensation",
]
EFFECT_TOPICS = [
    "effect.intended",
    "effect.withheld",
    "effect.succeeded",
    "effect.failed",
    "effect.outcome-unknown",
    "effect.reconciled",
    "effect.dead-letter-linked",
]
COMPENSATION_TOPICS = [
    "compensation.proposed",
    "compensation.approval-requested",
    "compensation.approved",
    "compensation.started",
    "compensation.completed",
    "compensation.failed",
    "compensation.cancelled",
]
VERSIONS = {
    "run.claimed": 2,
    "compensation.started": 2,
    "run.attempt-started": 2,
    "run.queued": 2,
    "run.dead-letter-linked": 2,
    "dead-letter.opened": 2,
    "dead-letter.recurred": 2,
}
"""The newest version of each event that has more than one; a number here never falls."""

PINNED = [
    ("run.", RUN_TOPICS),
    ("dead-letter.", LETTER_TOPICS),
    ("effect.", EFFECT_TOPICS),
    ("compensation.", COMPENSATION_TOPICS),
]


def catalogued(prefix: str) -> dict[str, type[Event]]:
    """The event classes of the product whose topic begins with *prefix*, by their stored names."""
    product = {key: cls for key, cls in CATALOGUE.items() if cls.__module__.startswith("redrive.")}
    return {key: cls for key, cls in product.items() if cls.TOPIC.startswith(prefix)}


@pytest.mark.parametrize(("prefix", "topics"), PINNED)
def test_topics_are_unique_and_stable(prefix: str, topics: list[str]) -> None:
    """A renamed topic would turn every old event into an unknown one."""
    found = catalogued(prefix)
    assert sorted(found) == sorted(f"{topic}/{VERSIONS.get(topic, 1)}" for topic in topics)
    assert len(set(found.values())) == len(topics)


def test_the_other_topics_are_stable_too() -> None:
    """Flows and policies are read by every replay."""
    assert FlowRegistered.STORED_AS == "flow.registered/1"
    assert PolicyRegistered.STORED_AS == "policy.registered/1"
    assert LimitSet.STORED_AS == "engine.limit-set/1"
    assert LimitRemoved.STORED_AS == "engine.limit-removed/1"
    assert RecordsArchived.STORED_AS == "log.records-archived/1"
    assert KeyDestroyed.STORED_AS == "log.key-destroyed/1"
    assert AnchorRecorded.STORED_AS == "log.anchor-recorded/1"
    assert NoteWritten.STORED_AS == "note.written/1"
    assert TenantPlaced.STORED_AS == "log.tenant-placed/1"
    assert ShardsRecorded.STORED_AS == "log.shards-recorded/1"


@pytest.mark.parametrize(
    ("prefix", "evolve"),
    [
        ("run.", evolve_run),
        ("dead-letter.", evolve_letter),
        ("effect.", evolve_effect),
        ("compensation.", evolve_compensation),
    ],
)
def test_every_event_has_an_applier_or_is_declared_inert(prefix: str, evolve: Evolve[Any]) -> None:
    """An event that a state forgot would be lost at the next load, silently."""
    assert set(evolve.appliers) == set(catalogued(prefix).values())


def test_what_no_state_is_folded_from_is_a_record() -> None:
    """Else it would be taken for an event of a state, when its stream is loaded or its decision made again."""
    evolves = (evolve_run, evolve_letter, evolve_effect, evolve_compensation)
    folded = {cls for evolve in evolves for cls in evolve.appliers}
    assert {cls for cls in CATALOGUE.values() if cls.__module__.startswith("redrive.")} - folded == set(RECORDS)


def test_a_second_applier_is_a_type_error() -> None:
    """Two appliers of one event: one of them would be lost."""
    evolve: Evolve[DeadLetter] = Evolve()
    evolve.on(letters.DeadLetterIgnored)(lambda letter, event: None)
    with pytest.raises(TypeError, match="DeadLetterIgnored has an applier already"):
        evolve.on(letters.DeadLetterIgnored)(lambda letter, event: None)
    with pytest.raises(TypeError, match="DeadLetterIgnored"):
        evolve.inert(letters.DeadLetterNoted, letters.DeadLetterIgnored)


def test_an_event_that_is_not_known_to_a_state_is_not_swallowed() -> None:
    """By exact class: neither a subclass nor a stranger passes for something else."""
    with pytest.raises(KeyError):
        evolve_letter(DeadLetter(), runs.RunPaused())


def test_an_inert_event_changes_only_the_version() -> None:
    """It is part of the history, and of nothing else."""
    before, after = given_letter(opened()).state, given_letter(opened(), letters.DeadLetterNoted(text="hm")).state
    before.version += 1
    assert before == after


def test_two_classes_cannot_claim_one_topic() -> None:
    """Whoever reads the log would get the wrong one."""
    with pytest.raises(TypeError, match=r"two event classes claim run\.paused/1"):

        class Impostor(Event):
            TOPIC: ClassVar[str] = "run.paused"


def test_an_older_version_needs_an_upcaster() -> None:
    """Guessing at old bodies is how histories rot."""
    with pytest.raises(TypeError, match="no upcaster from version 0"):
        runs.RunPaused.upcast({}, 0)


@pytest.mark.parametrize(
    "values",
    [
        {"reason": "released"},
        {"reason": "released", "due_ms": True},
        {"reason": "released", "due_ms": "5"},
        {"reason": "released", "due_ms": 5.0},
        {"reason": "unheard of", "due_ms": 5},
        {"reason": "released", "due_ms": 5, "more": 1},
    ],
)
def test_event_bodies_are_strict(values: dict[str, Any]) -> None:
    """What is written must be what is read: no conversions, no unknown fields, no missing ones."""
    with pytest.raises(ValidationError):
        runs.RunQueued(**values)


def test_events_are_immutable() -> None:
    """A past fact does not change."""
    event = runs.RunQueued(reason="released", due_ms=5)
    with pytest.raises(ValidationError):
        event.due_ms = 6


SAMPLES: list[Event] = [
    facts.submitted(facts.line("a", "b")),
    facts.claimed().model_copy(update={"holder": Holder("h", "b", "n", 1, 2)}),
    facts.started("é"),
    facts.succeeded("a").model_copy(update={"output": {"deep": [1, None, "\x00"]}}),
    facts.failed("a", "dead_letter"),
    runs.AttemptInterrupted(node=facts.attempt("a").node, number=1, lifetime=1, epoch=1, decision=decided()),
    runs.RunRequeued(
        cause="redrive", generation=2, roots=(facts.attempt("a").node,), reset_count=1, reset_digest="d", due_ms=1
    ),
    opened(),
    facts.dispatched(3),
    PolicyRegistered(policy=RetryPolicy().id, kind="retry", body=RetryPolicy().document()),
]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.TOPIC)
def test_an_event_reads_back_equal_from_json(event: Event) -> None:
    """Strict in both directions, with everything nested in it."""
    assert type(event).model_validate_json(event.model_dump_json()) == event


def test_an_envelope_names_the_topic_without_its_version() -> None:
    """Also of an event that this version does not know."""
    known, unknown = runs.RunPaused(), UnknownEvent("run.teleported/7", b"{}")
    for event, topic in ((known, "run.paused"), (unknown, "run.teleported"), (UnknownEvent("odd", b""), "odd")):
        recorded = Recorded(StreamId("s"), 1, event, EventId("e"), 0, Tenant(), "c")
        assert (recorded.topic, recorded.originator_id, recorded.originator_version) == (topic, "s", 1)


def test_every_error_has_a_stable_code_of_its_own() -> None:
    """Exit codes, HTTP answers and log lines are built on them."""
    tree = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, RedriveError)]
    assert len({cls.code for cls in tree}) == len(tree)
    refusals = "not-running stale-epoch stale-attempt key-reused not-allowed node-not-ready attempts-running"
    refusals += " limit-reached retry-unavailable budget-spent stream-read-only in-flight outcome-pending refused"
    assert {cls.code for cls in tree if issubclass(cls, Refused)} >= set(refusals.split())


def test_messages_stay_short_printable_and_on_one_line() -> None:
    """Hostile text ends in a terminal and in a log."""
    hostile = "x\n\x1b[2J\x00\u202e" * 999
    for error in (InvalidValue("f", hostile, "a"), NotFound("run", hostile), InvalidValue("f", [hostile], "a")):
        assert str(error).isprintable()
        assert len(str(error)) < 250
