"""Each oracle says no to a log in which its promise is broken, and to nothing else."""

from collections import Counter
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redrive.domain.event import Event, Recorded
from redrive.domain.identity import EventId, StreamId, Tenant
from redrive.faults import oracles
from redrive.faults.acknowledged import Acknowledged
from redrive.faults.oracles import ALWAYS, Observed, Oracle
from redrive.faults.service import Service
from tests.ledger.samples import SAMPLES

ALL = (*ALWAYS, oracles.views_as_rebuilt)
ELSEWHERE = {
    oracles.acknowledged_exactly_once: "tests/faults/test_acknowledged.py",
    oracles.within_limits: "the mutant limit_check_off",
    oracles.agenda_as_logged: "the mutant agenda_forgotten",
    oracles.views_as_rebuilt: "the mutant view_forgets",
}
"""Those that need a whole log, with what shows that they can fail."""


def event(topic: str, **fields: Any) -> Event:
    """A sample of a topic, with these fields."""
    [first, *_] = [one for one in SAMPLES if topic == one.TOPIC]
    return first.model_copy(update=fields)


def log(*events: Event | tuple[str, Event]) -> list[Recorded]:
    """Events of the stream r, or of another, in this order."""
    heads: Counter[str] = Counter()
    told = []
    for position, one in enumerate(events, 1):
        stream, body = one if isinstance(one, tuple) else ("r", one)
        heads[stream] += 1
        id_ = EventId(f"{position:024x}")
        told.append(Recorded(StreamId(stream), heads[stream], body, id_, 0, Tenant(), "r", position=position,
                             recorded_at_ms=position))  # fmt: skip
    return told


def said(oracle: Oracle, events: Sequence[Recorded], service: Service | None = None) -> list[str]:
    """What an oracle says of them."""
    world = SimpleNamespace(acknowledged=Acknowledged(), told=(), service=service or Service(), foreign=set())
    return list(oracle(cast(Observed, world), events))


def claimed(epoch: int) -> Event:
    """A claim."""
    return event("run.claimed", epoch=epoch)


def started(lifetime: int = 1, epoch: int = 1) -> Event:
    """An attempt of a."""
    return event("run.attempt-started", node="a", lifetime=lifetime, epoch=epoch)


def ended(lifetime: int = 1, epoch: int = 1) -> Event:
    """Its success."""
    return event("run.attempt-succeeded", node="a", lifetime=lifetime, epoch=epoch)


def intended(number: int = 1) -> Event:
    """A try of an effect."""
    return event("effect.intended", try_number=number)


DONE = event("effect.succeeded", try_number=1)
OPENED = event("dead-letter.opened", automation="nightly")
DISPATCHED = event("dead-letter.retry-dispatched")
Told = Event | tuple[str, Event]
SOUND: list[Told] = [
    claimed(1),
    started(),
    ended(),
    event("run.completed"),
    ("f", intended()),
    ("f", DONE),
]
BROKEN: list[tuple[Oracle, list[Told], str]] = [
    (oracles.one_success, [claimed(1), started(), ended(), started(2), ended(2)], "succeeded twice"),
    (oracles.fenced, [claimed(1), claimed(3)], "from epoch 1 to 3"),
    (oracles.fenced, [claimed(1), started(), started(2)], "amid another attempt"),
    (oracles.fenced, [claimed(1), started(epoch=0)], "under an old epoch"),
    (oracles.fenced, [claimed(1), started(), ended(2)], "which was not running"),
    (oracles.nothing_follows_the_end, [event("run.cancelled"), claimed(1)], "follows the end"),
    (oracles.nothing_follows_the_end, [event("run.completed"), event("run.completed")], "follows the end"),
    (oracles.sent_once, [("f", intended()), ("f", intended(2))], "intended again, as try 2"),
    (oracles.sent_once, [("f", intended()), ("f", DONE), ("f", intended(2))], "intended again"),
    (oracles.done_as_logged, [("f", intended()), ("f", DONE)], "never did it"),
    (oracles.within_budget, [("d", OPENED), *[("d", DISPATCHED)] * 9], "beyond its budget"),
]


HERE = [*dict.fromkeys(oracle for oracle, _, _ in BROKEN), oracles.well_ordered]


@pytest.mark.parametrize(("oracle", "events", "what"), BROKEN)
def test_an_oracle_says_no(oracle: Oracle, events: list[Told], what: str) -> None:
    """And what it is that does not hold."""
    assert any(what in one for one in said(oracle, log(*events)))


@pytest.mark.parametrize("oracle", HERE)
def test_an_oracle_says_nothing_of_a_sound_log(oracle: Oracle) -> None:
    """A claim, an attempt, its success, an effect that was done."""
    service = Service()
    service.call("f", acts=True)
    assert said(oracle, log(*SOUND), service) == []


@pytest.mark.parametrize("field", ["position", "version", "recorded_at_ms"])
def test_holes_and_times_that_go_back_are_told(field: str) -> None:
    """In positions, in versions, in the clock of the log."""
    events = log(*SOUND)
    at = 1 if field == "recorded_at_ms" else 3
    wrong: dict[str, Any] = {field: 9 if field != "recorded_at_ms" else 0}
    events[at] = events[at]._replace(**wrong)
    assert said(oracles.well_ordered, events)


def test_what_came_without_an_intent_and_what_was_done_twice_is_told() -> None:
    """By the service's own counts."""
    service = Service()
    service.call("f", acts=True)
    service.call("f", acts=True)
    told: Iterable[str] = said(oracles.done_as_logged, log(("f", intended())), service)
    assert {one.rpartition(" times")[0].partition("f ")[2].split(" ")[0] for one in told} == {"came", "was"}


def test_no_oracle_is_left_out() -> None:
    """Each is shown to fail: here, or where it says."""
    assert {*HERE, *ELSEWHERE} == set(ALL)
