"""What the demo promises, checked against the log and against the shop's own journal when it is over."""

from collections.abc import Callable
from dataclasses import dataclass

from redrive.demo.facts import Facts
from redrive.demo.order import NODES
from redrive.demo.service import Service


@dataclass(frozen=True)
class Promise:
    """A sentence, and whether it holds."""

    text: str
    kept: bool


def promises(facts: Facts, service: Service) -> list[Promise]:
    """Every promise, judged."""
    return [Promise(text, holds(facts, service)) for text, holds in PROMISES.items()]


def _completed(facts: Facts, _service: Service) -> bool:
    return any(entry.topic == "run.completed" for entry in facts.entries)


def _recorded_once(facts: Facts, _service: Service) -> bool:
    return all(_successes(facts, node) == 1 for node in NODES)


def _successes(facts: Facts, node: str) -> int:
    ended = facts.of(node, "effect.succeeded", "effect.reconciled")
    return sum(entry.topic == "effect.succeeded" or entry.data["outcome"] == "succeeded" for entry in ended)


def _done_once(facts: Facts, service: Service) -> bool:
    return all(service.acts(facts.effect_of(node)) == 1 for node in NODES)


def _intended_before(facts: Facts, service: Service) -> bool:
    intended = {node: len(facts.of(node, "effect.intended")) for node in NODES}
    return all(len(service.calls(facts.effect_of(node))) == count > 0 for node, count in intended.items())


def _never_blindly(facts: Facts, _service: Service) -> bool:
    """After an unknown outcome, the next thing that happens to an effect is that somebody asked."""
    unknown = 0
    for effect in facts.effects:
        topics = [entry.topic for entry in facts.entries if entry.stream == effect]
        for topic, after in zip(topics, [*topics[1:], ""], strict=True):
            unknown += topic == "effect.outcome-unknown"
            if topic == "effect.outcome-unknown" and after != "effect.reconciled":
                return False
    return unknown > 0


def _taken_over(facts: Facts, _service: Service) -> bool:
    return any(entry.topic == "run.claim-abandoned" for entry in facts.entries) and facts.has(
        "ship", "run.attempt-interrupted"
    )


def _swept(facts: Facts, _service: Service) -> bool:
    """More dispatches than requests: the last was nobody's idea but the sweep's."""
    dispatched = facts.of("mail", "dead-letter.retry-dispatched")
    requested = facts.of("mail", "dead-letter.retry-requested")
    return len(dispatched) > len(requested) == 1 and facts.has("mail", "dead-letter.resolved")


PROMISES: dict[str, Callable[[Facts, Service], bool]] = {
    "the order was completed": _completed,
    "each effect is recorded as done exactly once": _recorded_once,
    "the shop, by its own journal, did each exactly once": _done_once,
    "every request that reached the shop had its intent in the log": _intended_before,
    "nothing whose outcome was unknown was sent again blindly": _never_blindly,
    "the killed worker's run was taken over": _taken_over,
    "the sweep brought the dead letter through, after one request": _swept,
}
