"""Why and blast: what led to an event, back to a root, and what followed from it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import redrive
from redrive.forensics.causes.why import Why
from tests.forensics.incidents import FLOW, Incident, opened
from tests.processes.workshop import Shop, beside, policy
from tests.stores import log_url

STRANGER = redrive.Tenant("acme", "billing", "prod")
LOGS = sorted((Path(__file__).parents[1] / "history" / "logs").glob("*.db"))


def told(why: Why) -> list[tuple[str, str]]:
    """How each step leads to the one before, and its topic."""
    return [(step.how, step.event.topic) for step in why.steps]


def check_every_event(engine: redrive.Engine) -> None:
    """The chain of every event goes back, step by step, and its last step has a root."""
    for position in range(1, engine.ledger.last_position() + 1):
        steps = engine.why(f"pos:{position}").steps
        places = [step.event.position for step in steps]
        assert places == sorted(set(places), reverse=True), position
        assert steps[-1].root is not None, position
        assert all(step.root is None or step.root.kind != "unseen" for step in steps), position


def test_a_failure_goes_back_to_who_submitted_the_run(alarm: Incident) -> None:
    """Through each attempt, with the decision, its dice and its policy, to the person who began it."""
    why = alarm.acme.why(f"{alarm.run}.nodes.publish.status")
    assert (why.before, why.after, why.field) == ("running", "failed", "nodes.publish.status")
    first, last = why.steps[0], why.steps[-1]
    assert first.inputs["verdict"] == "attempts_exhausted"
    assert first.inputs["draw"] == 0.25
    assert first.policy is not None
    assert first.policy.body["max_attempts"] == 5  # type: ignore[index,call-overload]
    assert last.event.topic == "run.submitted"
    assert last.root is not None
    assert (last.root.kind, last.root.who) == ("person", "human:cron")


def test_a_recovery_goes_back_to_the_operator(incident: Incident) -> None:
    """The retry that was asked for, with its reason; not to what happened before that decision."""
    why = incident.acme.why(f"{incident.run}.nodes.publish.status")
    assert told(why) == [
        ("changed", "run.attempt-succeeded"),
        ("followed", "run.attempt-started"),
        ("followed", "run.requeued"),
        ("caused", "dead-letter.retry-requested"),
    ]
    root = why.steps[-1].root
    assert root is not None
    assert root.sentence == "ana did this: the bank is back"


def test_why_answers_for_any_position(incident: Incident) -> None:
    """As it stood then; a field that never changed goes back to the first event."""
    then = incident.position("run.blocked")
    assert incident.acme.why(f"{incident.run}.status", at=f"pos:{then}").after == "blocked"
    assert incident.acme.why(f"{incident.run}.status").after == "completed"
    assert incident.acme.why(f"{incident.letter}.dispatches").after == 1
    assert incident.acme.why(f"{incident.run}.pause_requested").steps[0].event.topic == "run.submitted"


@pytest.mark.parametrize("field", ["nonsense", "nodes.publsh.status", "nodes.publish.nonsense", "nodes.", "", "a.b"])
def test_an_unknown_field_is_refused_with_what_is_accepted(incident: Incident, field: str) -> None:
    """Without a traceback, naming the field."""
    with pytest.raises(redrive.InvalidValue, match="field"):
        incident.acme.why(f"{incident.run}.{field}")


def test_a_note_changes_nothing(incident: Incident) -> None:
    """The last change is what was decided, not what was written down."""
    incident.acme.note(incident.run, "seen", actor="ana")
    assert incident.acme.why(incident.run).steps[0].event.topic == "run.completed"


def test_what_followed_is_a_tree(incident: Incident) -> None:
    """Each event once, below one that precedes it; a retry reaches the requeue, the effect and the success."""
    blast = incident.acme.blast(f"pos:{incident.position('dead-letter.retry-requested')}")
    assert {"run.requeued", "run.claimed", "effect.succeeded", "dead-letter.resolved", "run.completed"} <= set(
        blast.by_topic
    )
    known = {blast.event.position} | {one.position for one in blast.events}
    assert all(one.parent in known and one.parent < one.position for one in blast.events)
    assert blast.runs == (incident.run,)
    assert sum(blast.by_topic.values()) == len(blast.events) == len(known) - 1


def test_the_first_event_is_followed_by_all_but_what_is_beside_it(incident: Incident) -> None:
    """A run follows from its submission; notes do not follow from anything but what they are about."""
    start = incident.position("run.submitted")
    blast = incident.acme.blast(start)
    missing = {e.topic for e in incident.acme.whole_history(incident.run) if e.position > start} - set(blast.by_topic)
    assert missing == {"policy.registered"}  # written beside the first use; it follows from nothing


def test_nothing_follows_from_the_last_event(incident: Incident) -> None:
    """And as of an earlier position, nothing followed yet."""
    assert incident.acme.blast(incident.last()).events == ()
    start = incident.position("run.submitted")
    assert incident.acme.blast(start, at=f"pos:{start}").events == ()


def test_what_a_policy_decided_is_found_beyond_its_run(incident: Incident) -> None:
    """A policy is registered once; the decisions of later runs are found under it."""
    policies = [e for e in incident.engine.ledger.read() if e.topic == "policy.registered"]
    first = incident.run
    incident.down = True
    incident.run = incident.acme.submit(FLOW, automation="report", key="tuesday")
    incident.work()
    blast = incident.acme.blast(policies[1].position)
    assert blast.governed > 5
    assert {one.run for one in blast.events if one.how == "governed"} == {first, incident.run}


def test_what_waited_for_a_limit_is_found_until_another_holds(tmp_path: Path) -> None:
    """Across runs, and no further than the next change of that limit."""
    it = opened(tmp_path / "ops.db")
    with it.engine:
        limit = redrive.Limit("resource", "bank", 1)
        flow = redrive.Flow([redrive.Node("pay", resource="bank")])
        it.engine.set_limit(limit, actor="ana", reason="they asked")
        runs = [it.acme.submit(flow, automation="a", key=str(n)) for n in range(2)]
        it.acme.claim_many(2, worker="w", start=True)
        it.engine.remove_limit("resource", "bank", actor="ana", reason="over")
        blast = it.engine.blast(1)
        assert {one.run for one in blast.events if one.how == "governed"} >= {runs[1]}
        assert all(one.position < it.last() for one in blast.events)


def test_claims_of_one_command_do_not_cause_each_other(tmp_path: Path) -> None:
    """Each has the command for its root; what is registered with a run causes nothing either."""
    it = opened(tmp_path / "ops.db")
    with it.engine:
        flow = redrive.Flow([redrive.Node("x")])
        for tenant in (it.acme, it.engine.for_tenant(STRANGER)):
            tenant.submit(flow, automation="a")
        it.engine.claim_many(2, worker="w", start=True)
        causes = [e.causation.kind for e in it.engine.ledger.read() if e.causation and e.topic == "run.claimed"]
        assert causes == ["command", "command"]
        assert told(it.acme.why("pos:3"))[-1][1] == "run.submitted"
        check_every_event(it.engine)


def test_a_claim_that_was_taken_back_leads_to_the_decision_to_give_up(tmp_path: Path) -> None:
    """Which failure, of which node, and under which policy: not only that a worker was gone."""
    shop = Shop(tmp_path / "log.db")
    run = shop.submit(beside("a", "b", retry=policy(1, mode="dead_letter")))
    shop.claim()
    shop.now += 3_600_000
    shop.engine.tick()
    letters = shop.acme.dead_letters().items
    assert {letter.node for letter in letters} == {"a", "b"}
    for asked, node in ((f"{run}.status", "b"), *((letter.id, letter.node) for letter in letters)):
        told = shop.acme.why(asked)
        given_up = told.steps[1]
        assert (given_up.event.topic, given_up.event.data["node"]) == ("run.attempt-failed", node)
        assert given_up.policy is not None
        assert [step.event.topic for step in told.steps[2:]] == ["run.claim-abandoned", "run.claimed", "run.submitted"]
    shop.engine.close()


def test_another_tenants_events_are_not_found(incident: Incident) -> None:
    """They look as if they did not exist, by position and by id."""
    stranger = incident.engine.for_tenant(STRANGER)
    last = incident.engine.ledger.read(incident.last() - 1)[0]
    for event in ("pos:5", 5, "pos:99999", last.event_id):
        with pytest.raises(redrive.NotFound, match="was not found"):
            stranger.blast(event)
    for key in ("pos:5", incident.run, f"{incident.run}.status"):
        with pytest.raises(redrive.NotFound, match="was not found"):
            stranger.why(key)


@pytest.mark.parametrize("event", ["", "pos:", "pos:-1", "x", None, True, 1.5, "time:0"])
def test_what_is_no_event_is_refused(incident: Incident, event: object) -> None:
    """Naming what is accepted."""
    with pytest.raises(redrive.InvalidValue, match="pos:N"):
        incident.acme.blast(event)  # type: ignore[arg-type]


@pytest.fixture(params=LOGS, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[redrive.Engine]:
    """A log that an older version wrote."""
    path = tmp_path / "golden.db"
    shutil.copy(request.param, path)
    with redrive.open(log_url(path)) as engine:
        yield engine


def test_every_event_of_the_golden_logs_has_a_root(golden: redrive.Engine) -> None:
    """Whatever an older version stored as causes."""
    check_every_event(golden)


def test_every_event_of_an_incident_has_a_root(incident: Incident) -> None:
    """Attempts, effects, dead letters, approvals, notes."""
    incident.acme.annotate("pos:5", "look here", actor="ana", reason="review")
    check_every_event(incident.engine)


def test_every_stream_of_the_golden_logs_can_be_drawn_and_asked(golden: redrive.Engine) -> None:
    """Every run, dead letter, effect and compensation; every event's consequences are a tree."""
    prefixes = ("run.", "dead-letter.", "effect.", "compensation.")
    events = golden.ledger.read(limit=10_000)
    for stream in {event.stream for event in events if event.topic.startswith(prefixes)}:
        told = golden.timeline(stream, correlated=True)
        assert told.entries
        assert redrive.svg_of(told).endswith("</svg>\n")
    for event in events[::7]:
        assert all(one.parent < one.position for one in golden.blast(event.position).events)
