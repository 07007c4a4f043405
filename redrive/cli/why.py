"""``redrive why``: which event made something as it is, and what that followed from, back to a root."""

import json
from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.output import printable
from redrive.cli.past import HELP
from redrive.cli.reporting import tell_end
from redrive.cli.times import absolute, dated, duration

if TYPE_CHECKING:
    from redrive.cli.output import Output
    from redrive.domain.redaction import Redactor
    from redrive.forensics.causes.why import Why, WhyStep
    from redrive.tenant_engine import TenantEngine

MOST_STEPS = 16
LAST_STEPS = 6
INDENT = " " * 22
MOST_BODY = 300
SAID = {"run.requeued", "run.retry-backoff-scheduled"}  # the sentence says it all
BECAUSE = {"changed": "", "caused": "caused by", "followed": "after", "governed": "under"}


@click.command(cls=Command)
@click.argument("key", metavar="KEY[.FIELD]")
@click.option("--at", metavar="POSITION", help=HELP)
@click.option("--all", "all_", is_flag=True, help="Every step, also of a long chain.")
@pass_session
def why(session: Session, key: str, at: str | None, all_: bool) -> None:
    """Say why something is as it is.

    KEY is a run, dead letter, effect or compensation; with a FIELD such as RUN.status, RUN.nodes.publish.status or
    LETTER.dispatches, the event that last changed that. `pos:N` asks why the event at a position was appended. Each
    step goes back to what led to the one above, with what decisions were made from, until a person, a timer, a worker
    or the host program is found.
    """
    acme, out = session.tenant_engine(), session.output
    told = acme.why(_named(acme, key), at=at)
    if out.json:
        out.item("why", _redacted(told, acme.services.redactor))
        return
    _print(session, told, acme.services.redactor, all_=all_)


def _named(acme: "TenantEngine", key: str) -> str:
    from redrive.cli.ids import named

    if key.startswith("pos:"):
        return key
    text, dot, field = key.partition(".")
    return f"{named(acme, text)[1]}{dot}{field}"


def _redacted(told: "Why", redactor: "Redactor") -> dict[str, Any]:
    document: dict[str, Any] = told.model_dump(mode="json")
    for part in ("before", "after"):
        document[part] = redactor.value(document[part])
    for step in document["steps"]:
        step["event"]["data"] = redactor.value(step["event"]["data"])
    return document


def _print(session: Session, told: "Why", redactor: "Redactor", *, all_: bool) -> None:
    out = session.output
    out.say(printable(_head(told, redactor)))
    out.say()
    steps, known = told.steps, set[str]()
    hidden = 0 if all_ or len(steps) <= MOST_STEPS else len(steps) - MOST_STEPS
    for n, step in enumerate(steps):
        if hidden and MOST_STEPS - LAST_STEPS <= n < MOST_STEPS - LAST_STEPS + hidden:
            if n == MOST_STEPS - LAST_STEPS:
                out.say(f"{'':>7}  … {hidden:,} steps like these: --all shows them")
            continue
        _print_step(out, step, redactor, known)
    out.say()
    assert told.footing is not None
    tell_end(session, told.footing)


def _head(told: "Why", redactor: "Redactor") -> str:
    first = told.steps[0].event
    since = f"position {first.position}, {absolute(first.recorded_at_ms)}"
    if told.subject == "event":
        return f"why {first.topic} stands at {since}"
    if told.field is None:
        return f"{told.subject} {told.key} changed last at {since}"
    before, after = (
        json.dumps(redactor.value(dated(told.field, value)), ensure_ascii=False)[:MOST_BODY]
        for value in (told.before, told.after)
    )
    return f"{told.subject} {told.key}: {told.field} is {after} (before: {before}) since {since}"


def _print_step(out: "Output", step: "WhyStep", redactor: "Redactor", known: set[str]) -> None:
    from redrive.cli.saying import sentence_of

    entry = step.event
    if "prompt" in entry.data:
        entry = entry.model_copy(update={"data": redactor.value(entry.data)})
    because = f"{BECAUSE[step.how]:>9}  {'' if not BECAUSE[step.how] else ' '}"
    out.say(f"{entry.position:>7}  {because}{sentence_of(entry)}", hang=9 + len(because))
    for line in inputs_of(step, known):
        out.say(f"{INDENT}{printable(line, 600)}", hang=len(INDENT))
    if step.root is not None:
        out.say(f"{INDENT}{printable(step.root.sentence, 400)}, at {absolute(entry.recorded_at_ms)}", hang=len(INDENT))


def inputs_of(step: "WhyStep", known: set[str]) -> list[str]:
    """What a decision was made from, and by which policy, in lines; the body of each policy once."""
    told, inputs = [], step.inputs
    if "verdict" in inputs and "draw" in inputs:
        told.append(_judged(inputs))
    elif inputs and step.event.topic not in SAID:
        shown = {
            name: value
            for name, value in inputs.items()
            if name not in ("policy", "failure") and value not in ([], None)
        }
        if shown:
            told.append(
                "decided from " + ", ".join(f"{name} {_short(dated(name, value))}" for name, value in shown.items())
            )
    if (policy := step.policy) is not None:
        body = "its body is not in this log" if policy.kind is None else _body(policy.body)
        told.append(f"by {policy.kind or 'a'} policy {policy.id[-12:]}" + ("" if policy.id in known else f": {body}"))
        known.add(policy.id)
    return told


def _judged(inputs: Any) -> str:
    from redrive.domain.failure import INTERRUPTED

    failure = inputs["failure"]
    limit = f" of {duration(inputs['max_elapsed_ms'])}" if inputs["max_elapsed_ms"] is not None else ""
    words = {
        "not_retryable": f"class {failure['failure_class']} is not retried"
        if not failure["final"]
        else "it was said to be final",
        "attempts_exhausted": f"attempt {inputs['number']} was the last of {inputs['max_attempts']}",
        "elapsed_time_exhausted": f"{duration(inputs['elapsed_ms'])}{limit} had passed",
        "retry_scheduled": f"attempt {inputs['number']} of {inputs['max_attempts']}, {_delay(inputs)}",
        "retry_allowed": f"attempt {inputs['number']} of {inputs['max_attempts']}, no delay",
    }[inputs["verdict"]]
    by = f" by rule {failure['classified_by']}" if failure["classified_by"] else " by the handler"
    by = "" if failure["failure_class"] == INTERRUPTED else by
    return (
        f"decided {inputs['verdict'].replace('_', ' ')}: {words}; class {failure['failure_class']}{by}, "
        f"elapsed {duration(inputs['elapsed_ms'])}{limit}, dice {inputs['draw']:.4f}, "
        f"now {absolute(inputs['decided_at_ms'])}"
    )


def _delay(inputs: Any) -> str:
    told = f"delay {duration(inputs['delay_ms'] or 0)}"
    return f"{told} and jitter {duration(inputs['jitter_ms'])}" if inputs["jitter_ms"] else told


def _short(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)[:MOST_BODY]


def _body(body: object) -> str:
    """A policy in a line: what is not set is left out."""
    if not isinstance(body, dict):
        return _short(body)
    return ", ".join(
        f"{name} {_short(value)}" for name, value in body.items() if value is not None and name != "version"
    )
