"""The events of effects and compensations in words."""

from collections.abc import Callable
from typing import Any

from redrive.cli.output import printable

Data = dict[str, Any]
MOST_REASON = 240


def _effect(data: Data) -> str:
    request = data["request"]
    target = f" at {request['target']}" if request["target"] else ""
    return f"{request['key']}: {request['operation']}{target}"


def _intended(data: Data) -> str:
    again = f", try {data['try_number']}" if data["try_number"] > 1 else ""
    return f"sends effect {_effect(data)}{again}"


def _why(failure: Data) -> str:
    return f"{failure['failure_class']}: {printable(failure['reason'], MOST_REASON)}"


def _late(data: Data) -> str:
    return ", late" if data["late"] else ""


def _proposed(data: Data) -> str:
    plan = data["plan"]
    approval = ", to be approved first" if plan["requires_approval"] else ""
    return f"compensation {data['compensation'][:8]} proposed for {data['effect_key']}: {plan['operation']}{approval}"


def _compensation_failed(data: Data) -> str:
    doubt = ", its outcome is unknown" if data["outcome_unknown"] else ""
    return f"the compensation failed{doubt}; {_why(data['failure'])}"


def _reconciled(data: Data) -> str:
    said = {
        "succeeded": "found that it was done",
        "did_not_happen": "found that it did not happen",
        "still_unknown": "could not find out what became of it",
    }[data["outcome"]]
    return f"the {data['by']} {said}" + (f": {data['why']}" if data["why"] and data["by"] == "reconciler" else "")


EFFECT_WORDS: dict[str, Callable[[Data], str]] = {
    "run.effect-admitted": lambda data: f"effect {data['effect'][:8]} admitted (try {data['try_number']})",
    "effect.intended": _intended,
    "effect.withheld": lambda data: f"the gate withheld effect {_effect(data)}: {data['why']}",
    "effect.succeeded": lambda data: f"the effect succeeded (try {data['try_number']}{_late(data)})",
    "effect.failed": lambda data: f"the effect failed{_late(data)}; {_why(data['failure'])}",
    "effect.outcome-unknown": lambda data: f"nobody knows the effect's outcome{_late(data)}; {_why(data['failure'])}",
    "effect.reconciled": _reconciled,
    "effect.dead-letter-linked": lambda data: f"the effect waits for dead letter {data['dead_letter'][:8]}",
    "dead-letter.linked-to-compensation": lambda data: f"settled by compensation {data['compensation'][:8]}",
    "compensation.proposed": _proposed,
    "compensation.approval-requested": lambda _: "the compensation was chosen, and awaits approval",
    "compensation.approved": lambda _: "the compensation may run",
    "compensation.started": lambda data: f"{data['worker']} runs the compensation (epoch {data['epoch']})",
    "compensation.completed": lambda _: "the compensation is done",
    "compensation.failed": _compensation_failed,
    "compensation.cancelled": lambda data: f"the compensation is cancelled: {data['why']}",
}
