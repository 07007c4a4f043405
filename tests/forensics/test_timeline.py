"""Timelines: what the events of one thing say as spans and moments."""

import pytest

import redrive
from redrive.domain.event import Recorded, UnknownEvent
from redrive.domain.identity import EventId, StreamId, Tenant
from redrive.forensics.timelines.picture import description
from redrive.forensics.timelines.spans import timeline_of
from redrive.forensics.timelines.timeline import Timeline
from tests.forensics.incidents import BEGIN_MS, HOUR_MS, Incident, opened

STRANGER = redrive.Tenant("acme", "billing", "prod")


def kinds(told: Timeline, kind: str) -> list[tuple[str, str | None, int | None]]:
    """The entries of a kind: lane, outcome, duration."""
    return [(one.lane, one.outcome, one.duration_ms) for one in told.entries if one.kind == kind]


def test_attempts_and_backoffs_are_spans_that_follow_each_other(incident: Incident) -> None:
    """A backoff ends when it is due, or when the next attempt starts before."""
    told = incident.acme.timeline(incident.run)
    assert [one.outcome for one in told.entries if one.kind == "attempt" and one.lane == "publish"] == [
        *["failed"] * 5,
        "succeeded",
    ]
    assert [took for lane, _, took in kinds(told, "backoff") if lane == "publish"] == [2_000, 4_000, 8_000, 16_000]


def test_a_dead_letter_lies_open_until_it_is_settled(incident: Incident) -> None:
    """From the last failure to the success that resolved it."""
    ((lane, outcome, took),) = kinds(incident.acme.timeline(incident.run), "dead_letter")
    assert (lane, outcome) == ("publish", "resolved")
    assert took is not None
    assert took > 3 * HOUR_MS


def test_what_people_did_is_told_with_who_and_why(incident: Incident) -> None:
    """Notes, retries, approvals; what the engine did by itself is none of it."""
    told = incident.acme.timeline(incident.run)
    people = [(one.kind, one.actor, one.reason) for one in told.entries if one.kind in ("operator", "note")]
    assert people == [
        ("note", "human:ana", None),
        ("operator", "human:ana", "the bank is back"),
        ("operator", "human:ben", "looks right"),
    ]


def test_effects_approvals_and_queues_are_spans_too(incident: Incident) -> None:
    """Each with its duration and how it ended."""
    told = incident.acme.timeline(incident.run)
    assert kinds(told, "effect") == [("publish", "succeeded", 700)]
    assert kinds(told, "approval") == [("sign", "approved", 45_000)]
    assert all(took is not None and took >= 0 for _, _, took in kinds(told, "queue"))
    assert [outcome for _, outcome, _ in kinds(told, "stopped")] == ["requeued"]


def test_entries_stand_in_log_order_and_nothing_lasts_less_than_no_time(incident: Incident) -> None:
    """Every span ends at or after its begin; nothing is open when the run completed."""
    told = incident.acme.timeline(incident.run)
    assert [one.position for one in told.entries] == sorted(one.position for one in told.entries)
    assert all((one.duration_ms or 0) >= 0 for one in told.entries)
    assert [one for one in told.entries if one.end_ms is None] == []
    assert (told.status, told.begin_ms, told.events) == ("completed", BEGIN_MS, sum(told.events_by_topic.values()))


def test_what_is_not_over_is_open(alarm: Incident) -> None:
    """The dead letter waits, the run is stopped: nobody did anything."""
    told = alarm.acme.timeline(alarm.run)
    assert {one.kind for one in told.entries if one.end_ms is None} == {"dead_letter", "stopped"}


def test_a_timeline_of_a_past_position_is_that_of_the_log_then(incident: Incident) -> None:
    """What came later is not in it."""
    then = incident.position("run.blocked")
    told = incident.acme.timeline(incident.run, at=f"pos:{then}")
    assert told.status == "blocked"
    assert max(one.position for one in told.entries) <= then
    assert told.footing is not None
    assert told.footing.position == then


def test_a_dead_letter_and_an_effect_have_timelines_of_their_own(incident: Incident) -> None:
    """Their own events; with *correlated* all of their run."""
    own = incident.acme.timeline(incident.letter)
    assert (own.subject, {one.lane for one in own.entries}) == ("dead letter", {"publish"})
    effect = incident.acme.effects().items[0].id
    assert [one.kind for one in incident.acme.timeline(effect).entries] == ["effect"]
    whole = incident.acme.timeline(incident.letter, correlated=True)
    assert whole.entries == incident.acme.timeline(incident.run).entries


def test_another_tenants_key_is_not_found(incident: Incident) -> None:
    """It looks as if it did not exist."""
    for key in (incident.run, incident.letter, "no such thing"):
        with pytest.raises(redrive.NotFound, match="was not found"):
            incident.engine.for_tenant(STRANGER).timeline(key)
    assert incident.engine.timeline(incident.run).run == incident.run


def test_the_past_before_a_run_does_not_know_it(incident: Incident) -> None:
    """Nor does an empty log know anything."""
    with pytest.raises(redrive.NotFound):
        incident.acme.timeline(incident.run, at="pos:1")


def test_an_empty_log_has_no_timeline(tmp_path_factory: pytest.TempPathFactory) -> None:
    """And no events make an empty one."""
    with opened(tmp_path_factory.mktemp("empty") / "ops.db").engine as engine, pytest.raises(redrive.NotFound):
        engine.timeline("x")
    empty = timeline_of([], key="x")
    assert (empty.events, empty.entries, len(empty.lanes)) == (0, (), 1)


def test_unknown_events_are_shown_as_such(incident: Incident) -> None:
    """What a newer version wrote is a moment that says so."""
    events = list(incident.engine.ledger.correlated(incident.run, 0, 1_000))
    strange = Recorded(
        StreamId(incident.run), 99, UnknownEvent("run.teleported/7", b"{}"), EventId("e"), BEGIN_MS, Tenant(),
        incident.run, position=events[-1].position + 1, recorded_at_ms=events[-1].recorded_at_ms,
    )  # fmt: skip
    told = timeline_of([*events, strange], key=incident.run)
    assert [(one.kind, one.what) for one in told.entries][-1] == (
        "unknown",
        "run.teleported/7: of a version not known here",
    )


def test_a_clock_that_goes_back_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Times as recorded never go back; how often the clock did is counted."""
    it = opened(tmp_path_factory.mktemp("back") / "ops.db")
    with it.engine:
        it.run = it.acme.submit(redrive.Flow([redrive.Node("x")]), automation="a")
        it.now[0] -= 60_000
        it.acme.note(it.run, "earlier", actor="ana")
        it.now[0] += 1
        it.acme.note(it.run, "after it", actor="ana")
        told = it.acme.timeline(it.run)
    assert told.clock_regressions == 1
    assert all((one.duration_ms or 0) >= 0 for one in told.entries)


def test_what_was_written_down_later_does_not_make_a_run_last_longer(incident: Incident) -> None:
    """It is over since it completed; a note of the next day is no part of it."""
    before = description(incident.acme.timeline(incident.run))
    assert ": completed after 3 h 1 min; " in before
    incident.now[0] += 24 * HOUR_MS
    incident.acme.note(incident.run, "asked the bank", actor="ana")
    after = description(incident.acme.timeline(incident.run))
    assert after.partition(";")[0] == before.partition(";")[0]
