"""What an effect over HTTP asks for: its method, and the fields of its request."""

from collections.abc import Mapping
from typing import Any

from redrive.domain.errors import InvalidValue
from redrive.domain.values import clean_json
from redrive.processes.effects import EffectCall

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REQUEST_KEYS = ("json", "body", "headers", "env_headers", "params", "idempotent", "reconcile")


def method_of(operation: str) -> str:
    """The method that an operation begins with. Raises InvalidValue."""
    method = operation.split(None, 1)[0].upper()
    if method not in METHODS:
        raise InvalidValue("operation", operation, f"one that begins with {', '.join(METHODS)}")
    return method


def request_of(call: EffectCall) -> dict[str, Any]:
    """The request of *call*, checked. Raises InvalidValue.

    *env_headers* are pairs of a name and the pieces of a text, of which some only name a secret: so written, the log
    keeps them as they are, and an operator's reconciliation can ask as the worker would. A piece that may be a secret
    itself is an object with the name of the header, as redaction reads it.
    """
    request = {} if call.request is None else clean_json(call.request, "request")
    if not isinstance(request, dict) or not request.keys() <= set(REQUEST_KEYS):
        raise InvalidValue("request", str(request)[:80], f"an object of {', '.join(REQUEST_KEYS)}")
    if request.get("json") is not None and request.get("body") is not None:
        raise InvalidValue("request", "json and body", "one of them")
    for name in ("headers", "params"):
        if not isinstance(request.get(name) or {}, dict):
            raise InvalidValue(f"request.{name}", str(request[name])[:80], "an object")
    look = request.get("reconcile")
    if look is not None and not (isinstance(look, dict) and isinstance(look.get("get"), str)):
        raise InvalidValue("request.reconcile", str(look)[:80], 'an object such as {"get": "https://…"}')
    return request


def is_repeatable(call: EffectCall, asked: Mapping[str, Any]) -> bool:
    """Whether sending it twice does no more than sending it once: a GET, or what was declared so."""
    return asked.get("idempotent") is True or method_of(call.operation) == "GET"


def headers_of(asked: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a request, in which variables are still names."""
    named: dict[str, str] = dict(asked.get("headers") or {})
    for name, pieces in asked.get("env_headers") or ():
        named[name] = "".join("".join(piece.values()) if isinstance(piece, dict) else piece for piece in pieces)
    return named
