"""Decisions as the log keeps them: their inputs, and the policy they were made by."""

from typing import TYPE_CHECKING

from pydantic import JsonValue

from redrive.domain.event import Event, UnknownEvent
from redrive.domain.identity import PolicyId, Tenant, policy_stream_of
from redrive.domain.records import PolicyRegistered
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger


class PolicyUsed(Model):
    """A policy that a decision was made by: its *id*, its *kind* and its *body*, as the log keeps it. No body: the
    event that registered it is not in this log."""

    id: str
    kind: str | None
    body: JsonValue


def decided(event: Event | UnknownEvent) -> tuple[dict[str, JsonValue], str | None]:
    """What a decision was made from, and the id of the policy it was made by."""
    if isinstance(event, UnknownEvent):
        return {}, None
    body = event.model_dump(mode="json")
    decision = body.get("decision")
    inputs = decision if isinstance(decision, dict) else {n: body[n] for n in _INPUTS.get(event.TOPIC, ()) if n in body}
    policy = (decision or body).get("policy") if isinstance(decision, dict) or "policy" in inputs else None
    return inputs, policy


_INPUTS = {
    "dead-letter.retry-dispatched": ("count", "budget", "backoff_ms", "not_before_ms", "dispatched_at_ms", "policy"),
    "dead-letter.retry-exhausted": ("dispatches", "budget", "policy"),
    "dead-letter.opened": ("verdict", "failure", "number", "lifetime", "override_allowed"),
    "dead-letter.recurred": ("verdict", "failure", "status", "renewed"),
    "run.retry-backoff-scheduled": ("backoff_ms", "retry_after_ms", "next_number", "max_attempts"),
    "run.queued": ("reason", "due_ms", "limits"),
    "run.claimed": ("limits",),
    "run.claim-abandoned": ("why", "expires_at_ms"),
    "run.requeued": ("cause", "generation", "roots", "reset_count"),
}


def policy_used(ledger: "LogLedger", tenant: Tenant, id_: str) -> PolicyUsed:
    """A policy by its id, with its body where the log has it."""
    for one in ledger.stream(policy_stream_of(tenant, PolicyId(id_))):
        if isinstance(one.event, PolicyRegistered):
            return PolicyUsed(id=id_, kind=one.event.kind, body=one.event.body)
    return PolicyUsed(id=id_, kind=None, body=None)
