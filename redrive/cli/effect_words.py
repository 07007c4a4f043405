"""The events of effects and compensations in words."""

from collections.abc import Callable
from typing import Any

Data = dict[str, Any]
MOST_REASON = 240


def _intended(data: Data) -> str:
    request = data["request"]
    return f"effect {request['key']} is about to be sent: {request['operation']} (try {data['try_number']})"


def _reconciled(data: Data) -> str:
    why = f": {data['why']}" if data["why"] else ""
    return f"effect reconciled by the {data['by']}: {data['outcome'].replace('_', ' ')}{why}"


def _why(failure: Data) -> str:
    return f"{failure['failure_class']}: {failure['reason'][:MOST_REASON]}"


def _late(data: Data) -> str:
    return " (late)" if data["late"] else ""


EFFECT_WORDS: dict[str, Callable[[Data], str]] = {
    "run.effect-admitted": lambda data: f"effect {data['effect'][:8]} admitted (try {data['try_number']})",
    "effect.intended": _intended,
    "effect.withheld": lambda data: f"effect {data['request']['key']} withheld: {data['why']}",
    "effect.succeeded": lambda data: f"effect succeeded (try {data['try_number']}){_late(data)}",
    "effect.failed": lambda data: f"effect failed{_late(data)}; {_why(data['failure'])}",
    "effect.outcome-unknown": lambda data: f"effect outcome unknown{_late(data)}; {_why(data['failure'])}",
    "effect.reconciled": _reconciled,
    "effect.dead-letter-linked": lambda data: f"effect has dead letter {data['dead_letter'][:8]}",
    "dead-letter.linked-to-compensation": lambda data: f"settled by compensation {data['compensation'][:8]}",
    "compensation.proposed": lambda data: f"compensation proposed: {data['plan']['operation']}",
    "compensation.approval-requested": lambda _: "compensation awaits approval",
    "compensation.approved": lambda _: "compensation approved",
    "compensation.started": lambda data: f"compensation started by {data['worker']} (run {data['epoch']} of it)",
    "compensation.completed": lambda _: "compensation completed",
    "compensation.failed": lambda data: f"compensation failed; {_why(data['failure'])}",
    "compensation.cancelled": lambda data: f"compensation cancelled: {data['why']}",
}
