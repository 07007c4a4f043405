"""The built-in handler of effect nodes: it fills the templates of an HTTP effect and sends it through the outbox."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import Failure
from redrive.domain.values import JsonValue
from redrive.flow_files.effect_document import origin_of
from redrive.flow_files.templates import (
    Unfillable,
    filled,
    filled_early,
    filled_late,
    filled_text,
    has_late,
    late_values,
    pieces,
)
from redrive.http_effects import DEFAULT_TIMEOUT_MS, MISSING, Http, HttpReconciler
from redrive.processes.effects import EffectCall
from redrive.processes.handlers import AttemptError, NotSent
from redrive.processes.handout import Attempt

ANYWHERE = "*"
RECONCILE_TIMEOUT_MS = 10_000
_PUBLIC_PIECE = re.compile(r"[\W_]*|(?:basic|bearer|digest|negotiate|token|apikey|key)[ \t]+", re.IGNORECASE)
DEFAULT_PORTS = {"http": 80, "https": 443}


class EffectHandler:
    """Sends the HTTP effect that a node's params describe; the receipt is the node's output."""

    enforces_deadline = True

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = allowed

    def __call__(self, attempt: Attempt) -> JsonValue:
        """Send the effect of one attempt. Raises AttemptError, and what ``Attempt.effect`` raises."""
        spec: Any = attempt.params["effect"]
        timeout_ms = spec.get("timeout_ms", DEFAULT_TIMEOUT_MS)
        if attempt.deadline_ms is not None:
            timeout_ms = min(timeout_ms, max(1, attempt.deadline_ms - attempt.started_at_ms))

        def send(call: EffectCall) -> dict[str, Any]:
            self._require_allowed(call.target)
            return Http(timeout_ms=timeout_ms, expand=expanded, hidden=hidden).send(call)

        try:
            key, target, request = described(spec, attempt)
            receipt: JsonValue = attempt.effect(
                key,
                operation=spec["operation"],
                target=target,
                request=request,
                send=send,
                scope=spec.get("scope", "node"),
            )
        except (Unfillable, InvalidValue) as error:
            raise AttemptError(Failure("validation_error", str(error), kind="template", final=True)) from error
        return receipt

    def _require_allowed(self, target: str) -> None:
        """The origin as it is when it is sent: a variable may have changed since the node was claimed."""
        try:
            origin = origin_of(target)
        except InvalidValue as error:
            raise NotSent(str(error), failure_class=MISSING) from None
        if not allowed_origin(origin, self._allowed):
            raise NotSent(f"effects to {origin} are not allowed here", failure_class=MISSING)


def described(spec: Mapping[str, Any], attempt: Attempt) -> tuple[str, str, dict[str, Any]]:
    """The key, the target and the request of an effect, filled with what *attempt* knows; variables of the
    environment stay names. Raises Unfillable."""
    values = {
        "input": attempt.run_input if attempt.input is None else attempt.input,
        "outputs": attempt.outputs,
        "run": {"id": attempt.run_id, "automation": attempt.automation},
    }
    asked = spec.get("request") or {}
    request: dict[str, Any] = {
        name: filled(asked[name], values) for name in ("json", "body", "params") if name in asked
    }
    headers = {name: filled_early(text, values) for name, text in asked.get("headers", {}).items()}
    named = {name: kept_pieces(name, text) for name, text in headers.items() if has_late(text)}
    if len(named) < len(headers):
        request["headers"] = {name: text for name, text in headers.items() if name not in named}
    if named:
        request["env_headers"] = [[name, found] for name, found in named.items()]
    if spec.get("idempotent"):
        request["idempotent"] = True
    if "reconcile" in spec:
        request["reconcile"] = {"get": filled_early(spec["reconcile"]["get"], values, in_url=True)}
    key = filled_text(spec.get("key", attempt.node.replace("{", "{{").replace("}", "}}")), values)
    return key, filled_early(spec["target"], values, in_url=True), request


def kept_pieces(name: str, text: str) -> list[str | dict[str, str]]:
    """The header *name*, in pieces: references and schemes such as ``Bearer`` as they are, for an operator's
    reconciliation needs them; anything else below the name, so that the log redacts it when the name is secret."""
    return [piece if has_late(piece) or _PUBLIC_PIECE.fullmatch(piece) else {name: piece} for piece in pieces(text)]


def expanded(text: str, effect_id: str) -> str:
    """A target or header as it is sent. Raises NotSent when the environment lacks a variable."""
    try:
        return filled_late(text, os.environ, effect_id)
    except Unfillable as error:
        raise NotSent(str(error), failure_class=MISSING) from None


def hidden(text: str) -> list[str]:
    """What ``expanded`` takes from the environment for *text*."""
    return late_values(text, os.environ)


def reconciler() -> HttpReconciler:
    """Finds out what became of an effect of a flow file."""
    return HttpReconciler(Http(timeout_ms=RECONCILE_TIMEOUT_MS, expand=expanded, hidden=hidden))


def origins(given: Iterable[str]) -> tuple[str, ...]:
    """Origins as they were typed, such as ``https://api.example.com``. Raises InvalidValue."""
    found = tuple(given)
    for origin in found:
        if origin != ANYWHERE and not _is_origin(origin):
            accepted = "an origin (scheme, host and port, no path) such as https://api.example.com, or '*'"
            raise InvalidValue("--allow-effects", origin, accepted)
    return found


def _is_origin(text: str) -> bool:
    """Whether *text* names a server and nothing more: a path would promise a restriction that nobody keeps."""
    if "{" not in text:
        return _normal(text) is not None and urlsplit(text).path in ("", "/") and not any(mark in text for mark in "?#")
    try:
        return origin_of(text) == text
    except InvalidValue:
        return False


def allowed_origin(origin: str, allowed: Collection[str]) -> bool:
    """Whether effects may be sent to *origin*: an URL, or one whose server a variable of the environment names."""
    if ANYWHERE in allowed or origin in allowed:
        return True
    try:
        wanted = _normal(filled_late(origin, os.environ, ""))
    except Unfillable:
        return False
    return wanted is not None and any(_normal(one) == wanted for one in allowed)


def _normal(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no http or https URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme]
