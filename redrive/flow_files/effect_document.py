"""The ``effect`` of a node in redrive's own workflow files: one HTTP request."""

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from redrive.domain.errors import InvalidValue
from redrive.domain.values import JsonValue, clean_json, clean_text
from redrive.flow_files.fields import TimeoutMs
from redrive.flow_files.strict import Strict
from redrive.flow_files.templates import require_template

MAX_TEMPLATE_BYTES = 512
MAX_HEADERS = 100
MAX_HEADER_BYTES = 8_192
OWN_HEADERS = frozenset({"accept-encoding", "content-length", "host", "idempotency-key", "transfer-encoding"})
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ORIGIN = re.compile(r"(https?://(?:[^/?#{}@\s\\]|\{env\.\w+\})+|\{env\.\w+\})(?=[/?#]|\Z)")


def _template(value: object) -> str:
    return clean_text(value, "", most=MAX_TEMPLATE_BYTES, blank=False)


def _url(value: object) -> str:
    text = _template(value)
    origin_of(text)
    return text


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_HEADERS:
        raise InvalidValue("", value, f"an object of at most {MAX_HEADERS} texts")
    for name, text in value.items():
        if not _HEADER.fullmatch(name):
            raise InvalidValue("", name, "names of headers")
        if name.lower() in OWN_HEADERS:
            raise InvalidValue(f".{name}", text, "none here: redrive sets this header")
        if not clean_text(text, f".{name}", most=MAX_HEADER_BYTES).isprintable():
            raise InvalidValue(f".{name}", text, "a text on one line")
    return dict(value)


def _json(value: object) -> JsonValue:
    return clean_json(value, "")


def _params(value: object) -> dict[str, str | int | float | bool]:
    if not isinstance(value, dict):
        raise InvalidValue("", value, "an object of texts and numbers")
    for name, item in value.items():
        if not isinstance(item, (str, int, float, bool)):
            raise InvalidValue(f".{name[:80]}", item, "a text or a number")
    return dict(value)


def origin_of(target: str) -> str:
    """The scheme, host and port of a *target*, or the variable that names them. Raises InvalidValue."""
    found = _ORIGIN.match(target)
    if found is None:
        accepted = "a URL such as https://api.example.com/charges, or one that begins with {env.NAME}"
        raise InvalidValue("", target, accepted)
    return found[1]


Json = Annotated[Any, BeforeValidator(_json)]
Template = Annotated[str, Field(min_length=1, max_length=MAX_TEMPLATE_BYTES), BeforeValidator(_template)]
Url = Annotated[str, Field(min_length=1, max_length=MAX_TEMPLATE_BYTES), BeforeValidator(_url)]
Headers = Annotated[dict[str, str], Field(max_length=MAX_HEADERS), BeforeValidator(_headers)]
Params = Annotated[dict[str, str | int | float | bool], BeforeValidator(_params)]


class RequestDocument(Strict):
    """What is sent: json or body, headers, and params for the query of the URL."""

    json_: Json = Field(default=None, alias="json", description="Any JSON value; references in its texts are filled.")
    body: str | None = Field(default=None, description="A text, sent as it is; instead of json.")
    headers: Headers | None = Field(
        default=None, description="Headers. Secrets come from the environment, as in `Bearer {env.TOKEN}`."
    )
    params: Params | None = Field(default=None, description="The query of the URL.")

    @model_validator(mode="after")
    def _one_body(self) -> "RequestDocument":
        if self.json_ is not None and self.body is not None:
            raise InvalidValue("", "json and body", "one of them")
        return self


class ReconcileDocument(Strict):
    """Where to ask what became of the effect when no answer came."""

    get: Url = Field(description="2xx here: it happened. 404 or 410: it did not, and will not.")


class EffectDocument(Strict):
    """One HTTP request, sent once: with the same Idempotency-Key at every try."""

    operation: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(description="The method.")
    target: Url = Field(description="The URL.")
    key: Template | None = Field(default=None, description="What names the effect within its scope; default: the id.")
    scope: Literal["node", "tenant"] = Field(
        default="node", description="`tenant`: the key names it in all runs, so that it happens once for all."
    )
    request: RequestDocument = Field(default=RequestDocument(), description="What is sent.")
    idempotent: bool = Field(
        default=False, description="The service does nothing twice for one Idempotency-Key: it may be sent again."
    )
    reconcile: ReconcileDocument | None = Field(
        default=None, description="Where to ask what became of it when no answer came; instead of `idempotent`."
    )
    timeout_ms: TimeoutMs = Field(default=30_000, description="How long to wait for the answer, in milliseconds.")

    @model_validator(mode="after")
    def _one_way_back(self) -> "EffectDocument":
        if self.idempotent and self.reconcile is not None:
            raise InvalidValue("", "idempotent and reconcile", "one of them")
        return self

    def require_templates(self, field: str, parents: Collection[str]) -> None:
        """Raises InvalidValue for a template that can never be filled; *field* is where this effect stands."""
        request = self.request
        late = [("target", self.target)]
        late += [(f"request.headers.{name}", text) for name, text in (request.headers or {}).items()]
        if self.reconcile is not None:
            late.append(("reconcile.get", self.reconcile.get))
        for name, text in late:
            require_template(text, f"{field}.{name}", parents, late=True)
        early: JsonValue = {"json": request.json_, "body": request.body, "params": dict(request.params or {})}
        for name, text in (("key", self.key or ""), *_texts(early, "request")):
            require_template(text, f"{field}.{name}", parents, late=False)

    def params(self) -> dict[str, JsonValue]:
        """What the node's handler reads."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _texts(value: JsonValue, path: str) -> Iterator[tuple[str, str]]:
    """Every text within *value*, with its place. A document is at most 64 levels deep."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key[:80]}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _texts(item, f"{path}[{place}]")
