"""What-if: history decided again under another policy, with bounds where nothing is known."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import redrive
from redrive import Failure, InvalidValue
from redrive.forensics.what_if import course, what_if
from redrive.forensics.what_if.policy_file import policy_given
from redrive.forensics.what_if.report import WhatIfReport
from tests.forensics.fate import Fate, Life
from tests.processes.workshop import ANA, Shop, beside, policy
from tests.stores import log_url, unguard

AGAIN = Failure("provider_transient", "no answer")
AS_IT_WAS: dict[str, Any] = {"version": 1}
COUNTED = ("attempts", "retries", "dead_letters", "dispatches", "completed")
GRAPHS: tuple[dict[str, tuple[str, ...]], ...] = (
    {"a": ()},
    {"a": (), "b": ("a",), "c": ("b",)},
    {"a": (), "b": ("a",), "c": ("a",)},
    {"a": (), "b": (), "c": ("a", "b")},
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A run that failed three times and was given up."""
    shop = Shop(tmp_path / "log.db")
    shop.submit(beside("a", retry=policy(3, delay_ms=1_000)))
    for _ in range(3):
        shop.fail(*shop.claim().attempts, failure=AGAIN)
        shop.now += 1_000
    yield shop
    shop.engine.close()


def asked(shop: Shop, retry: dict[str, Any] | None = None, **more: Any) -> WhatIfReport:
    """What would have been with other fields of the retry policy."""
    with shop.engine.what_if({"version": 1, "default": {"retry": retry or {}}}, **more) as answer:
        return answer.report


def test_a_policy_of_an_automation_that_nobody_runs_is_told(shop: Shop) -> None:
    """A name misspelled changes nothing, and "nothing changes" would be read as an answer about the other one."""
    (run,) = shop.acme.runs().items
    once = {"retry": {"max_attempts": 1}}
    with shop.engine.what_if({"version": 1, "automations": {run.automation: once, "nigthly": once}}) as answer:
        assert [note for note in answer.report.notes if "nigthly" in note and "changes nothing" in note]
        assert not [note for note in answer.report.notes if repr(run.automation) in note]
        assert answer.report.runs_that_differ == 1


def test_it_says_first_what_it_is(shop: Shop) -> None:
    """Nobody takes it for history: the first word of the text, the first key of the document."""
    report = asked(shop)
    assert report.COUNTERFACTUAL.startswith("COUNTERFACTUAL")
    assert next(iter(report.model_dump())) == "COUNTERFACTUAL"


@pytest.mark.parametrize("steps", [1, 3])
def test_a_course_that_is_not_played_to_its_end_is_no_answer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """What is certain of it is the least, and what no course can exceed the most."""
    whole = asked(shop, {"max_attempts": 6})
    monkeypatch.setattr(course, "MOST_STEPS", steps)
    report = asked(shop, {"max_attempts": 6})
    assert (whole.inexact_runs, report.inexact_runs) == (0, 1)
    assert report.attempts.counterfactual.low <= whole.attempts.counterfactual.low
    assert report.attempts.counterfactual.high >= whole.attempts.counterfactual.high


def test_fewer_attempts_save_those_that_were_made(shop: Shop) -> None:
    """Their outcomes are known: the bounds are numbers."""
    report = asked(shop, {"max_attempts": 1})
    assert (report.attempts.recorded, str(report.attempts.counterfactual)) == (3, "1")
    assert report.runs[0].saved == ("a #2", "a #3")
    assert report.runs[0].first is not None
    assert report.runs[0].first.fields["decision.verdict"] == ("retry_scheduled", "attempts_exhausted")


def test_more_attempts_never_happened(shop: Shop) -> None:
    """They may all fail or succeed at once: nothing is guessed."""
    report = asked(shop, {"max_attempts": 5})
    assert str(report.attempts.counterfactual) == "4 to 5"
    assert str(report.dead_letters.counterfactual) == "0 to 1"
    assert str(report.completed.counterfactual) == "0 to 1"
    assert report.runs[0].unknown == ("a #4", "a #5")
    assert report.runs[0].status == ("failed", "completed")


def test_the_views_of_both_ends_can_be_asked(shop: Shop) -> None:
    """By the ordinary projections, folded over what never was."""
    with shop.engine.what_if({"version": 1, "default": {"retry": {"max_attempts": 5}}}) as answer:
        assert [letter.node for letter in answer.lower.dead_letters().items] == ["a"]
        assert answer.upper.dead_letters().items == ()
        assert answer.upper.runs().items[0].status == "completed"
        assert answer.lower.queue("failed", now_ms=shop.now).items[0].run_id == answer.lower.runs().items[0].run_id


def test_nothing_is_appended(shop: Shop) -> None:
    """The log is the same, byte for byte, and so is what commands decide on."""
    rows = "SELECT * FROM events ORDER BY position"
    before = hashlib.sha256(repr(shop.engine.ledger.recorder.reader().execute(rows).fetchall()).encode()).digest()
    with shop.engine.what_if({"version": 1, "default": {"retry": {"max_attempts": 5}}}) as answer:
        answer.lower.dead_letters()
    after = hashlib.sha256(repr(shop.engine.ledger.recorder.reader().execute(rows).fetchall()).encode()).digest()
    assert before == after
    shop.check()


def test_a_failure_class_has_its_own_policy(shop: Shop) -> None:
    """The more specific part has the last word."""
    classes = {"Provider-Transient": {"max_attempts": 2}}
    document = {"version": 1, "default": {"retry": {"max_attempts": 9}, "failure_classes": classes}}
    with shop.engine.what_if(document) as answer:
        assert str(answer.report.attempts.counterfactual) == "2"


def test_an_automation_has_its_own_policy(shop: Shop) -> None:
    """Others keep theirs."""
    for name, made in (("nightly", "2"), ("hourly", "3")):
        document = {"version": 1, "automations": {name: {"retry": {"max_attempts": 2}}}}
        with shop.engine.what_if(document) as answer:
            assert str(answer.report.attempts.counterfactual) == made


def test_decisions_before_the_position_stand(shop: Shop) -> None:
    """Only what came after it is decided again."""
    failures = [r.position for r in shop.log() if r.topic == "run.attempt-failed"]
    report = asked(shop, {"max_attempts": 1}, from_=failures[0])
    assert str(report.attempts.counterfactual) == "1"
    assert report.runs[0].position == failures[1]


def test_a_request_that_is_dropped_takes_its_dispatch_along(shop: Shop) -> None:
    """What an operator did not ask for, the sweep does not dispatch."""
    letter = shop.acme.dead_letters().items[0]
    shop.acme.request_retry(letter.id, **ANA)
    shop.engine.sweep()
    shop.acme.complete_attempt(shop.claim().attempts[0])
    requested = next(r for r in shop.log() if r.topic == "dead-letter.retry-requested")
    for named in (requested.position, requested.event_id):
        report = asked(shop, drop=[named])
        assert (report.dispatches.recorded, str(report.dispatches.counterfactual)) == (1, "0")
        assert str(report.completed.counterfactual) == "0"
        assert report.runs[0].saved == ("a #1 of generation 2",)


def test_a_failure_that_is_dropped_is_unknown(shop: Shop) -> None:
    """Nobody knows how the attempt would have ended instead."""
    last = [r.position for r in shop.log() if r.topic == "run.attempt-failed"][-1]
    report = asked(shop, drop=[last])
    assert str(report.completed.counterfactual) == "0 to 1"
    assert str(report.attempts.counterfactual) == "3"


def test_a_dropped_event_that_is_not_there_is_refused(shop: Shop) -> None:
    """Naming what is accepted."""
    with pytest.raises(InvalidValue):
        shop.engine.what_if(AS_IT_WAS, drop=[999])


def test_a_shorter_budget_parks_earlier(shop: Shop) -> None:
    """Redrive policies are changed as retry policies are."""
    shop.acme.request_retry(shop.acme.dead_letters().items[0].id, **ANA)
    for _ in range(3):
        shop.now += 60_000
        shop.engine.sweep()
        for _ in range(3):
            shop.fail(*shop.claim().attempts, failure=AGAIN)
            shop.now += 1_000
    document = {"version": 1, "default": {"redrive": {"max_dispatches": 1}}}
    with shop.engine.what_if(document) as answer:
        assert (answer.report.dispatches.recorded, str(answer.report.dispatches.counterfactual)) == (3, "1")
        assert answer.lower.dead_letters().items[0].status == "parked"


FATES = st.builds(
    Fate,
    seed=st.integers(0, 10_000),
    rate=st.sampled_from([0.3, 0.6, 0.8]),
    graph=st.sampled_from(GRAPHS),
    mode=st.sampled_from(["dead_letter", "fail_run", "pause_for_review"]),
    retries=st.integers(0, 1),
    attempts=st.sampled_from([1, 2, 3, 5]),
    delay_ms=st.sampled_from([0, 1_000, 9_000]),
    runs=st.just(2),
)
RETRIES = st.fixed_dictionaries(
    {},
    optional={
        "max_attempts": st.sampled_from([1, 2, 3, 4, 6]),
        "backoff": st.sampled_from([{"strategy": "exponential", "initial_delay_ms": ms} for ms in (100, 5_000)]),
        "terminal_behavior": st.sampled_from([{"mode": mode} for mode in ("dead_letter", "fail_run")]),
        "retryable_failure_classes": st.just(["*"]),
        "max_elapsed_ms": st.sampled_from([1_000, 6_000]),
    },
)
REDRIVES = st.fixed_dictionaries(
    {}, optional={"max_dispatches": st.sampled_from([1, 2, 7]), "base_delay_ms": st.sampled_from([0, 10, 3_000])}
)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(fate=FATES, retry=RETRIES, redriving=REDRIVES)
def test_the_bounds_hold_what_really_happens(
    tmp_path_factory: pytest.TempPathFactory, fate: Fate, retry: dict[str, Any], redriving: dict[str, Any]
) -> None:
    """The same world is lived through again under the other policy: the numbers that it really gives lie within."""
    folder = tmp_path_factory.mktemp("fate")
    other = policy_given({"version": 1, "default": {"retry": retry, "redrive": redriving}})
    life = Life(fate, folder / "recorded.db")
    with life.live() as engine, engine.what_if(other) as answer:
        told = answer.report
    with Life(fate, folder / "real.db", other, life.asked).live() as engine, engine.what_if(AS_IT_WAS) as answer:
        real = answer.report
    for name in COUNTED:
        bounds = getattr(told, name).counterfactual
        assert bounds.low <= getattr(real, name).recorded <= bounds.high, name


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(fate=FATES)
def test_under_the_recorded_policy_history_is_what_it_was(tmp_path_factory: pytest.TempPathFactory, fate: Fate) -> None:
    """No difference, and the replay check finds none either; also when the policy is written out in full."""
    full = fate.policy().model_dump(mode="json", exclude={"version"})
    with Life(fate, tmp_path_factory.mktemp("fate") / "log.db").live() as engine:
        assert engine.replay_check().same
        for document in (AS_IT_WAS, {"version": 1, "default": {"retry": full}}):
            with engine.what_if(document) as answer:
                assert answer.report.runs_that_differ == 0
                assert answer.report.attempts.change.low == answer.report.attempts.change.high == 0


def test_an_empty_log_has_no_other_course(tmp_path: Path) -> None:
    """Nothing happened, nothing would have."""
    with redrive.open(log_url(tmp_path / "log.db")) as engine, engine.what_if(AS_IT_WAS) as answer:
        assert answer.report.runs_that_differ == 0
        assert "<svg" in answer.svg()


def test_what_is_of_no_run_may_be_dropped_and_is_kept(shop: Shop) -> None:
    """Notes, policies, what happens outside of runs: histories are those of runs. A submission is dropped whole."""
    shop.acme.begin_effect(None, "k", operation="POST /payments")
    for at in range(1, shop.engine.ledger.last_position() + 1):
        report = asked(shop, drop=[f"pos:{at}"])
        topic = shop.log()[at - 1].topic
        assert (topic == "effect.intended") <= bool(report.notes)
        assert (topic == "run.submitted") <= ("never submitted" in str(report.runs))


def test_a_run_that_began_before_a_bundle_is_kept_and_that_is_told(shop: Shop, tmp_path: Path) -> None:
    """Nobody shall take it for one that the policy does not change."""
    last = shop.engine.ledger.last_position()
    for first, notes in ((1, ()), (6, ("1 run: decisions about a record whose beginning is not here were kept",))):
        shop.engine.export(tmp_path / "bundle", positions=(first, last), force=True)
        with redrive.open_bundle(tmp_path / "bundle") as bundle:
            with bundle.what_if({"version": 1, "default": {"retry": {"max_attempts": 1}}}) as answer:
                assert answer.report.runs_that_differ == (first == 1)
                assert tuple(note.removesuffix(" as recorded") for note in answer.report.notes) == notes
            with bundle.what_if(AS_IT_WAS) as answer:
                assert answer.report.notes == ()


@pytest.mark.parametrize("told", [200, 0])
def test_a_run_whose_events_were_torn_apart_is_kept_as_recorded(
    shop: Shop, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody changed a column: what is said to belong to the run is not all of it, whether it is told or counted."""
    monkeypatch.setattr(what_if, "MOST_RUNS", told)
    tampering = shop.engine.ledger.recorder.writer
    unguard(tampering)
    for topic in ("run.submitted", "run.attempt-started"):
        tampering.execute("UPDATE events SET correlation = '' WHERE topic LIKE ?", (f"{topic}/%",))
        report = asked(shop, {"max_attempts": 1})
        assert report.runs_that_differ == 0
        assert "no run that can be read" in report.notes[0]
        assert len(report.notes) == len({*report.notes})
