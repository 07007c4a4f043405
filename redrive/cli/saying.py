"""What an event means, in a few words: for histories and logs."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from redrive.cli.counted import counted
from redrive.cli.effect_words import EFFECT_WORDS, MOST_REASON, Data
from redrive.cli.output import printable
from redrive.cli.times import duration
from redrive.history import HistoryEntry

if TYPE_CHECKING:
    from redrive.domain.limits import Limit


def sentence_of(entry: HistoryEntry) -> str:
    """What happened, who did it and why; safe for every terminal."""
    if "unknown" in entry.data:
        return printable(f"{entry.topic} (of a version that is not known here)")
    words = WORDS.get(entry.topic)
    what = entry.topic if words is None else words(entry.data)
    node = f"{entry.node}: " if entry.node else ""
    return printable(f"{node}{what}{_who(entry)}")


def _who(entry: HistoryEntry) -> str:
    kind, _, name = entry.actor.partition(":")
    told = []
    if kind not in ("system", "worker"):
        told.append(f"by {name}" + (f" for {entry.on_behalf_of}" if entry.on_behalf_of else ""))
    if entry.reason:
        told.append(entry.reason[:MOST_REASON])
    return f" ({': '.join(told)})" if told else ""


def failure_words(failure: Data) -> str:
    """``provider_transient/timeout: timeout after 90 s``."""
    name = f"{failure['failure_class']}/{failure['kind']}" if failure.get("kind") else str(failure["failure_class"])
    reason = str(failure.get("reason") or "")
    return f"{name}: {printable(reason, MOST_REASON)}" if reason else name


def _decided(decision: Data) -> str:
    match decision["verdict"]:
        case "retry_scheduled":
            return f"retry in {duration(decision['next_retry_at_ms'] - decision['decided_at_ms'])}"
        case verdict:
            return str(verdict).replace("_", " ")


def _failed(data: Data) -> str:
    decision = data["decision"]
    tried = f"attempt {data['number']} of {decision['max_attempts']}"
    return f"{tried} failed, {_decided(decision)}; {failure_words(decision['failure'])}"


def _interrupted(data: Data) -> str:
    return f"attempt {data['number']} was interrupted, {_decided(data['decision'])}"


def _opened(data: Data) -> str:
    return f"dead letter {data['dead_letter'][:8]} opened, {_plain(data['verdict'])}; {failure_words(data['failure'])}"


def _recurred(data: Data) -> str:
    return f"failed again, {_plain(data['verdict'])}, the dead letter is {_plain(data['status'])}; " + failure_words(
        data["failure"]
    )


def _dispatched(data: Data) -> str:
    used = f"dispatch {data['count']} of {data['budget']}"
    return f"{used}, generation {data['generation']}; the next after {duration(data['backoff_ms'])} at the earliest"


def _requeued(data: Data) -> str:
    roots = ", ".join(data["roots"][:3]) + (", …" if len(data["roots"]) > 3 else "")
    nodes = counted(data["reset_count"], "node")
    return f"requeued by {data['cause']} as generation {data['generation']}: {nodes} from {roots}"


def _claimed(data: Data) -> str:
    return f"claimed by {data['worker']} (epoch {data['epoch']}, lease {duration(data['lease_ms'])})"


def _abandoned(data: Data) -> str:
    return f"taken from {data['worker']}: {_plain(data['why'])} (epoch {data['epoch']})"


def _plain(word: object) -> str:
    return str(word).replace("_", " ")


def _succeeded(data: Data) -> str:
    return "succeeded" + (f" (attempt {data['number']})" if data["lifetime"] > 1 else "")


def _submitted(data: Data) -> str:
    key = f", key {data['key']}" if data["key"] is not None else ""
    return f"submitted: {data['automation']}, {counted(data['nodes'], 'node')}{key}"


def _backoff(data: Data) -> str:
    return f"waits {duration(data['backoff_ms'])} for attempt {data['next_number']} of {data['max_attempts']}"


def _requested(data: Data) -> str:
    expires = data["expires_at_ms"]
    until = "" if expires is None else f", expires in {duration(expires - data['requested_at_ms'])}"
    return f"approval requested{until}: {printable(data['prompt'], MOST_REASON)}"


def _linked(data: Data) -> str:
    of = f" for effect {data['effect'][:8]}" if data.get("effect") else ""
    return f"has dead letter {data['dead_letter'][:8]}{of}"


def _queued(data: Data) -> str:
    full = ", ".join(f"{use['limit']} uses {use['used']} of {use['of']}" for use in data.get("limits", ())[:3])
    return f"queued: {_plain(data['reason'])}" + (f" ({full})" if full else "")


def _limit_set(data: Data) -> str:
    from redrive.domain.limits import Limit

    return f"limit set: {limit_words(Limit.from_document(data['limit']))}"


def limit_words(limit: "Limit") -> str:
    """``resource:bank, 2 at a time, 10 per 1 s``."""
    told = [limit.key]
    if limit.concurrency is not None:
        told.append(f"{limit.concurrency} at a time")
    if limit.rate is not None:
        told.append(f"{limit.rate.tokens} per {duration(limit.rate.period_ms)}, {limit.rate.burst} at once")
    return ", ".join(told)


def _written(data: Data) -> str:
    about = f"position {data['position']}" if data["position"] is not None else f"{data['subject']} {data['id'][:8]}"
    return f"note on {about}: {data['text']}"


WORDS: dict[str, Callable[[Data], str]] = {
    "flow.registered": lambda data: f"flow {data['flow'][:12]} registered",
    "policy.registered": lambda data: f"{data['kind']} policy {data['policy'][-12:]} registered",
    "engine.limit-set": _limit_set,
    "log.anchor-recorded": lambda data: f"checkpoint {data['size']} told to {printable(data['name'], 80)}",
    "log.key-destroyed": lambda data: f"key {data['key'][:12]} of subject {data['subject'][:12]} destroyed",
    "log.records-archived": lambda data: (
        f"{counted(data['events'], 'event')} of {counted(data['runs'], 'run')} moved to {printable(data['file'], 80)}"
    ),
    "log.tenant-placed": lambda data: f"the tenant is at home in log {data['shard'][:8]}",
    "log.shards-recorded": lambda data: f"shares its tenants with {counted(len(data['shards']) - 1, 'other log')}",
    "engine.limit-removed": lambda data: f"limit removed: {data['limit']}",
    "run.submitted": _submitted,
    "run.claimed": _claimed,
    "run.lease-renewed": lambda data: f"lease renewed (epoch {data['epoch']})",
    "run.claim-released": lambda data: f"claim given back: {_plain(data['why'])} (epoch {data['epoch']})",
    "run.claim-abandoned": _abandoned,
    "run.attempt-started": lambda data: f"attempt {data['number']} started",
    "run.attempt-succeeded": _succeeded,
    "run.attempt-failed": _failed,
    "run.attempt-snoozed": lambda data: f"snoozed for {duration(data['delay_ms'])}",
    "run.attempt-interrupted": _interrupted,
    "run.retry-backoff-scheduled": _backoff,
    "run.queued": _queued,
    "run.requeued": _requeued,
    "run.pause-requested": lambda _: "a pause was requested",
    "run.paused": lambda _: "paused",
    "run.resumed": lambda _: "resumed",
    "run.dead-letter-linked": _linked,
    "run.completed": lambda _: "the run completed",
    "run.blocked": lambda _: "the run is blocked",
    "run.failed": lambda _: "the run failed",
    "run.cancelled": lambda data: f"the run was cancelled, it was {_plain(data['was'])}",
    "run.approval-requested": _requested,
    "run.approval-given": lambda _: "approved",
    "run.approval-denied": lambda data: f"denied, {_decided(data['decision'])}",
    "run.approval-expired": lambda data: f"the approval expired; {failure_words(data['decision']['failure'])}",
    "run.wait-started": lambda data: f"waits {duration(max(0, data['due_ms'] - data['started_at_ms']))}",
    "run.wait-ended": lambda _: "the wait is over",
    "run.awaiting-approval": lambda _: "the run awaits an approval",
    "run.note-added": lambda data: f"note: {data['text']}",
    "dead-letter.opened": _opened,
    "dead-letter.recurred": _recurred,
    "dead-letter.retry-requested": lambda _: "retry requested",
    "dead-letter.retry-dispatched": _dispatched,
    "dead-letter.retry-exhausted": lambda data: f"parked: {data['dispatches']} of {data['budget']} dispatches are used",
    "dead-letter.retry-budget-granted": lambda data: (
        f"{counted(data['granted'], 'more dispatch', 'more dispatches')} granted"
    ),
    "dead-letter.held": lambda data: f"held: {data['why']}",
    "dead-letter.superseded": lambda _: "superseded by a later success",
    "dead-letter.resolved": lambda data: (
        "resolved: done otherwise"
        if data["disposition"] == "resolved_by_operator"
        else f"resolved: {_plain(data['disposition'])}"
    ),
    "dead-letter.ignored": lambda _: "ignored",
    "dead-letter.abandoned": lambda _: "abandoned",
    "dead-letter.reopened": lambda data: "reopened" + (" with a fresh budget" if data["renewed"] else ""),
    "dead-letter.noted": lambda data: f"note: {data['text']}",
    "note.written": _written,
    **EFFECT_WORDS,
}
