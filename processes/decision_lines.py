"""One structured log line for each decision that this process committed, named like its topic, with facts as keys.

The sweep and the ticker say themselves what they did, and what they left alone. Lines hold names, numbers and
verdicts; reasons, inputs and outputs stay in the log of events, where redaction and encryption know them.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any

import structlog

from redrive.domain.event import Recorded
from redrive.projections.logs import log

FACTS: Mapping[str, tuple[str, ...]] = {
    "run.attempt-failed": ("node", "number", "lifetime"),
    "run.attempt-interrupted": ("node", "number", "lifetime"),
    "run.queued": ("reason", "due_ms"),
    "run.requeued": ("cause", "generation", "reset_count", "due_ms"),
    "run.pause-requested": (),
    "run.resumed": (),
    "run.cancelled": ("was",),
    "run.completed": (),
    "run.blocked": (),
    "run.failed": (),
    "run.approval-given": ("node",),
    "run.approval-denied": ("node",),
    "dead-letter.opened": ("node", "source", "verdict", "fingerprint"),
    "dead-letter.recurred": ("status", "verdict", "fingerprint"),
    "dead-letter.retry-requested": (),
    "dead-letter.retry-budget-granted": ("granted",),
    "dead-letter.superseded": (),
    "dead-letter.resolved": ("disposition",),
    "dead-letter.ignored": (),
    "dead-letter.abandoned": (),
    "dead-letter.linked-to-compensation": ("compensation",),
    "dead-letter.reopened": ("renewed",),
    "effect.withheld": ("node",),
    "effect.outcome-unknown": ("try_number", "late"),
    "effect.reconciled": ("outcome", "by"),
    "compensation.approval-requested": (),
    "compensation.approved": (),
    "compensation.cancelled": (),
    "engine.limit-set": (),
    "engine.limit-removed": ("limit",),
}
_DECISION = ("verdict", "policy", "max_attempts", "elapsed_ms", "delay_ms", "jitter_ms", "next_retry_at_ms")
_STDLIB = logging.getLogger("redrive")


class DecisionLines:
    """A listener that logs the decisions among what was committed."""

    @staticmethod
    def wanted() -> bool:
        """Whether anybody reads the lines: else the events are not even put together for it."""
        if structlog.is_configured():
            return not _is_filtered(structlog.get_config()["wrapper_class"])
        return _STDLIB.isEnabledFor(logging.INFO)

    def __call__(self, events: Sequence[Recorded]) -> None:
        """Log the decisions among *events*."""
        for recorded in events:
            if (names := FACTS.get(recorded.topic)) is not None and not _said_otherwise(recorded):
                log.info(recorded.topic.replace("-", "_"), **_facts(recorded, names))


@cache
def _is_filtered(wrapper: Callable[..., Any]) -> bool:
    """Whether loggers of this class drop such lines by themselves, as ``make_filtering_bound_logger`` makes them."""
    with contextlib.suppress(Exception):  # a class of the host's
        return not wrapper(None, (), {}).is_enabled_for(logging.INFO)
    return False


def _said_otherwise(recorded: Recorded) -> bool:
    """Whether the sweep says it, or the event that follows; a run is queued for many reasons, limits are a decision."""
    event: Any = recorded.event
    match recorded.topic:
        case "dead-letter.resolved":
            return recorded.causation is not None and recorded.causation.kind == "timer"
        case "run.attempt-interrupted":
            return bool(event.decision.terminal)
        case "run.queued":
            return not event.limits
    return False


def _facts(recorded: Recorded, names: Sequence[str]) -> dict[str, Any]:
    event: Any = recorded.event
    kind = recorded.topic.partition(".")[0].replace("-", "_")
    facts: dict[str, Any] = {"tenant": str(recorded.tenant), "actor": f"{recorded.actor.kind}:{recorded.actor.id}"}
    if kind != "engine":
        facts |= {"run": recorded.correlation, kind: recorded.stream}
    facts |= {name: _plain(getattr(event, name)) for name in names}
    if (decision := getattr(event, "decision", None)) is not None:
        facts |= {"failure_class": decision.failure.failure_class, "kind": decision.failure.kind}
        facts |= {name: _plain(getattr(decision, name)) for name in _DECISION}
    elif (failure := getattr(event, "failure", None)) is not None:
        facts |= {"failure_class": failure.failure_class, "kind": failure.kind}
    if limits := getattr(event, "limits", ()):
        facts["limits"] = [f"{use.limit}: {use.used} of {use.of}" for use in limits]
    if (limit := getattr(event, "limit", None)) is not None:
        facts["limit"] = getattr(limit, "key", limit)
    return facts


def _plain(fact: Any) -> Any:
    """A fact as the log has it: some renderers show values by their repr, and would name our classes."""
    return fact.value if isinstance(fact, Enum) else fact
