"""What the log says: the demo prints nothing about redrive that it did not read there."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redrive.domain.identity import RunId
from redrive.history import HistoryEntry
from redrive.tenant_engine import TenantEngine

Data = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A fact: where it stands in the log, when (seconds after the run was submitted), what it is about, and what it
    says. *grave*: something went wrong."""

    position: int
    at_s: float
    about: str
    text: str
    grave: bool


class Facts:
    """The history of one run, as it is now."""

    def __init__(self, tenant: TenantEngine, run_id: RunId) -> None:
        self.entries: Sequence[HistoryEntry] = tuple(tenant.whole_history(run_id))
        self.effects = {entry.stream: str(entry.node) for entry in self.entries if entry.topic == "effect.intended"}
        letters = {e.stream: str(e.node) for e in self.entries if e.topic == "dead-letter.opened"}
        self._about = {**self.effects, **letters}

    def of(self, node: str, *topics: str) -> list[HistoryEntry]:
        """The events of a node, its effect and its dead letter, in log order."""
        return [e for e in self.entries if self.about(e) == node and (not topics or e.topic in topics)]

    def about(self, entry: HistoryEntry) -> str:
        """The node that an event is about; empty for the run itself."""
        return entry.node or self._about.get(entry.stream, "")

    def has(self, node: str, *topics: str) -> bool:
        """Whether any of these happened to a node."""
        return bool(self.of(node, *topics))

    def effect_of(self, node: str) -> str:
        """The id of a node's effect: its idempotency key. Empty when there is none yet."""
        return next((id_ for id_, of in self.effects.items() if of == node), "")

    def lines(self, after: int, last: int) -> Iterable[Line]:
        """The facts beyond a position, up to the *last*, in words."""
        begun_ms = self.entries[0].occurred_at_ms
        for entry in self.entries:
            words = WORDS.get(entry.topic) if after < entry.position <= last else None
            text = "" if words is None else words(entry.data)
            if text:
                by = f" ({entry.actor.partition(':')[2]}: {entry.reason})" if entry.reason else ""
                at_s = (entry.occurred_at_ms - begun_ms) / 1000
                yield Line(entry.position, at_s, self.about(entry) or "run", f"{text}{by}", entry.topic in GRAVE)


def _failed(data: Data) -> str:
    decision, failure = data["decision"], data["decision"]["failure"]
    due = decision["next_retry_at_ms"]
    then = decision["verdict"].replace("_", " ")
    if due is not None:
        then = f"again in {(due - decision['decided_at_ms']) / 1000:g} s"
    return f"attempt {data['number']} failed, {failure['failure_class']}: {then}"


def _reconciled(data: Data) -> str:
    if data["outcome"] == "succeeded":
        return f"the shop was asked: it happened, {_receipt(data)}"
    return str(data["why"] or data["outcome"].replace("_", " "))


def _why(data: Data) -> str:
    """The reason of a failure, without the request that it names and what the client said in detail."""
    reason = str(data["failure"]["reason"])
    return reason.partition("}/")[2].partition(": ")[2].partition(" (")[0] or reason


def _receipt(data: Data) -> str:
    receipt = data["receipt"] or {}
    body = receipt.get("body") or {}
    return f"receipt {body.get('id', '')} (HTTP {receipt.get('status')})"


WORDS: dict[str, Callable[[Data], str]] = {
    "effect.intended": lambda data: f"request {data['try_number']}: the intent is in the log, then it is sent",
    "effect.succeeded": _receipt,
    "effect.failed": lambda data: f"not done: {_why(data)}",
    "effect.outcome-unknown": lambda data: f"outcome unknown: {_why(data)}",
    "effect.reconciled": _reconciled,
    "run.attempt-failed": _failed,
    "run.attempt-interrupted": lambda data: f"attempt {data['number']} was cut off",
    "run.attempt-succeeded": lambda data: f"attempt {data['number']} succeeded",
    "run.claim-abandoned": lambda _data: "its worker is gone: the claim is taken back",
    "run.requeued": lambda data: f"queued again by {data['cause']}, generation {data['generation']}",
    "run.completed": lambda _data: "completed",
    "dead-letter.opened": lambda data: f"dead letter opened: {data['verdict'].replace('_', ' ')}",
    "dead-letter.recurred": lambda _data: "it failed again: the dead letter remembers",
    "dead-letter.retry-requested": lambda _data: "a retry is requested",
    "dead-letter.retry-dispatched": lambda data: f"dispatch {data['count']} of {data['budget']}",
    "dead-letter.resolved": lambda _data: "dead letter resolved",
}
GRAVE = {"effect.failed", "effect.outcome-unknown", "run.attempt-failed", "run.claim-abandoned", "dead-letter.opened"}
