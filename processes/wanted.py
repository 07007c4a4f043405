"""An effect as its caller wants it: checked, and given its id."""

from dataclasses import dataclass
from typing import Any, get_args

from redrive.domain.effect.request import MAX_REQUEST_BYTES, Compensation, Scope, digest_of_request
from redrive.domain.errors import InvalidValue
from redrive.domain.identity import EffectId, Tenant, effect_id_of
from redrive.domain.run.attempts import AttemptId
from redrive.domain.values import JsonValue, clean_json, clean_name


@dataclass(frozen=True, slots=True)
class WantedEffect:
    """What is to be sent; *request* as it was given, *digest* of it. *attempt* is None outside runs."""

    tenant: Tenant
    id: EffectId
    key: str
    scope: Scope
    operation: str
    target: str
    request: JsonValue
    digest: str
    tolerate: bool
    compensation: Compensation | None
    attempt: AttemptId | None


def wanted_effect(
    tenant: Tenant,
    key: str,
    operation: str,
    target: str,
    request: Any,
    tolerate: bool,
    compensation: Compensation | None,
    scope: Scope,
    attempt: AttemptId | None,
) -> WantedEffect:
    """Check what the caller gave. Raises InvalidValue."""
    if scope not in get_args(Scope):
        raise InvalidValue("scope", scope, f"one of {', '.join(get_args(Scope))}")
    if compensation is not None and not isinstance(compensation, Compensation):
        raise InvalidValue("compensation", compensation, "a Compensation")
    if type(tolerate) is not bool:
        raise InvalidValue("tolerate", tolerate, "true or false")
    key, operation = clean_name(key, "key"), clean_name(operation, "operation")
    target = clean_name(target, "target") if target != "" else ""
    request = clean_json(request, "request", most=MAX_REQUEST_BYTES)
    of_node = attempt is not None and scope == "node"
    id_ = effect_id_of(tenant, key, attempt.run_id, attempt.node) if attempt and of_node else effect_id_of(tenant, key)
    mark = digest_of_request(operation, target, request)
    return WantedEffect(
        tenant, id_, key, scope if attempt else "tenant", operation, target, request, mark, tolerate, compensation,
        attempt,
    )  # fmt: skip
