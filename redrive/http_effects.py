"""Effects over HTTP: one request with an idempotency key, and what each answer, or its absence, means.

| what came back | the effect | the attempt fails with |
|---|---|---|
| 2xx | succeeded; the receipt is its status, a few headers and its body | |
| 408, 425, 429, 503 | failed: not processed; `Retry-After` is honoured | provider_transient |
| 401, 403, 407 | failed: rejected, with the receipt | provider_auth |
| other 4xx, 307, 308 | failed: rejected, with the receipt | provider_rejected |
| 409 for an idempotent effect that was sent before | unknown: the earlier try may be under way | provider_transient |
| refused connection, name not found, no connection in time, invalid request | failed: nothing was sent | \
provider_transient, missing_config |
| other 5xx and 3xx, no answer in time, connection lost | unknown | outcome_unknown, or provider_transient where it \
can be reconciled |

Redirects are never followed: another server would get the request, and its secrets. Nothing is kept between requests,
neither cookies nor connections: a connection that the other side has just closed would look like a lost answer.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from redrive import __version__
from redrive.domain.errors import InvalidValue
from redrive.domain.failure import PROVIDER_AUTH, PROVIDER_TRANSIENT, Failure
from redrive.domain.redaction import REDACTED
from redrive.domain.values import MAX_TIMEOUT_MS, clean_integer
from redrive.http_exchange import Exchange, OutOfTime
from redrive.http_receipts import Hidden, retry_after_ms
from redrive.http_requests import headers_of, is_repeatable, method_of, request_of
from redrive.processes.effects import EffectCall
from redrive.processes.handlers import AttemptError, NotSent, Rejected
from redrive.processes.outbox import DidNotHappen, Found, Happened, StillUnknown

if TYPE_CHECKING:
    import httpx

DEFAULT_TIMEOUT_MS = 30_000
MISSING = "missing_config"
PROVIDER_REJECTED = "provider_rejected"
_NOT_PROCESSED = frozenset({408, 425, 429, 503})
_NOT_AUTHENTICATED = frozenset({401, 403, 407})
_REDIRECTED_UNREAD = frozenset({307, 308})


class NoAnswer(AttemptError):
    """The request may have arrived, and no answer says what became of it."""


def _as_it_is(text: str, _effect_id: str) -> str:
    return text


def _nothing(_text: str) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Http:
    """How requests are sent. *headers* are added to those of each request and never reach the log; *expand* replaces
    what a target or header only names, such as a variable of the environment, when it is sent; *hidden* tells what it
    puts in, which is taken out of what a service says: some repeat what they were asked."""

    client: "httpx.Client | None" = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    expand: Callable[[str, str], str] = _as_it_is
    hidden: Callable[[str], Iterable[str]] = _nothing

    def __post_init__(self) -> None:
        for name, text in self.headers.items():
            if not isinstance(name, str):
                raise InvalidValue("headers", name, "texts as names")
            if not isinstance(text, str):  # the value may be a secret: it is not shown
                raise InvalidValue(f"headers[{name!r}]", type(text).__name__, "a text")
        clean_integer(self.timeout_ms, "timeout_ms", 1, MAX_TIMEOUT_MS)

    def send(self, call: EffectCall) -> dict[str, Any]:
        """Send *call*; its receipt. Raises NotSent, Rejected, NoAnswer."""
        try:
            request = self._request(call)
        except NotSent:
            raise
        except InvalidValue as error:
            raise NotSent(str(error), failure_class=MISSING) from None
        except Exception as error:  # noqa: BLE001 - its text may hold what was put into a header
            raise NotSent(f"{_what(call)}: no valid request ({type(error).__name__})", failure_class=MISSING) from None
        receipt = self._answer(call, request)
        status = receipt["status"]
        if 200 <= status < 300:
            return receipt
        said = f"{_what(call)}: HTTP {status}"
        if status in _NOT_PROCESSED:
            delay = retry_after_ms(receipt["headers"].get("retry-after"), time.time())
            raise Rejected(said, receipt, failure_class=PROVIDER_TRANSIENT, delay=delay)
        if status in _NOT_AUTHENTICATED:
            raise Rejected(said, receipt, failure_class=PROVIDER_AUTH)
        if status == 409 and call.try_number > 1 and request_of(call).get("idempotent"):
            raise _no_answer(f"{said}: an earlier try may still be under way", "http_409")
        if 400 <= status < 500 or status in _REDIRECTED_UNREAD:
            raise Rejected(said, receipt, failure_class=PROVIDER_REJECTED)
        raise _no_answer(said, f"http_{status}")

    def reconcile(self, call: EffectCall) -> Found:
        """Find out what became of *call*: by asking the address that its request names, or not at all when it was
        declared idempotent. Nothing is sent but a GET."""
        asked = request_of(call)
        if is_repeatable(call, asked) and not call.will_repeat and method_of(call.operation) != "GET":
            return StillUnknown("it may be sent again, but only as it was: recover the run, or say what happened")
        if is_repeatable(call, asked):
            return DidNotHappen("idempotent, so that it may be sent again whether or not it was done")
        if asked.get("reconcile") is None:
            return StillUnknown("the request names no address that knows")
        if REDACTED in json.dumps([asked.get("headers"), asked.get("env_headers")]):
            return StillUnknown("its headers are not in the log: only its own worker can ask, or say what happened")
        headers = {name: asked[name] for name in ("headers", "env_headers") if name in asked}
        look = replace(call, operation="GET", target=asked["reconcile"]["get"], request=headers)
        try:
            receipt = self._answer(look, self._request(look))
        except (NotSent, NoAnswer, InvalidValue) as error:
            return StillUnknown(f"asking failed: {error}")
        except Exception as error:  # noqa: BLE001 - its text may hold what was put into a header
            return StillUnknown(f"asking failed: {type(error).__name__}")
        if 200 <= receipt["status"] < 300:
            return Happened(receipt)
        if receipt["status"] in (404, 410):
            return DidNotHappen(f"{look.target}: HTTP {receipt['status']}")
        return StillUnknown(f"{look.target}: HTTP {receipt['status']}")

    def _request(self, call: EffectCall) -> "httpx.Request":
        import httpx

        asked, method = request_of(call), method_of(call.operation)
        url = httpx.URL(self.expand(call.target, call.effect_id))
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise InvalidValue("target", call.target, "an http or https URL without user and password")
        content = asked.get("body")
        named = headers_of(asked)
        headers = httpx.Headers({name: self.expand(text, call.effect_id) for name, text in named.items()})
        if asked.get("json") is not None:
            content = json.dumps(asked["json"], ensure_ascii=False, allow_nan=False)
            headers.setdefault("Content-Type", "application/json")
        headers.setdefault("User-Agent", f"redrive/{__version__}")
        headers.update({**self.headers, "Accept-Encoding": "identity", "Idempotency-Key": call.idempotency_key})
        client = self.client or shared_client()
        seconds = self.timeout_ms / 1000
        if params := asked.get("params"):
            url = url.copy_merge_params(params)
        return client.build_request(method, url, headers=headers, content=content, timeout=httpx.Timeout(seconds))

    def _answer(self, call: EffectCall, request: "httpx.Request") -> dict[str, Any]:
        """What came back, whatever its status. Raises NotSent, NoAnswer."""
        import httpx

        client, end = self.client or shared_client(), time.monotonic() + self.timeout_ms / 1000
        said, within = _what(call), f"within {self.timeout_ms} ms"
        hidden = Hidden(self._put_in(call))
        try:
            return hidden.receipt(Exchange(client, request, end).receipt())
        except OutOfTime as error:
            if error.nothing_sent:
                raise NotSent(f"{said}: no connection {within}") from None
            raise _no_answer(f"{said}: no answer {within}", "timeout") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise NotSent(f"{said}: no connection ({_named(error, hidden)})") from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:  # its text may hold a header
            raise NotSent(f"{said}: no valid request ({type(error).__name__})", failure_class=MISSING) from None
        except httpx.TimeoutException as error:
            raise _no_answer(f"{said}: no answer {within}", "timeout") from error
        except httpx.HTTPError as error:
            raise _no_answer(f"{said}: the connection was lost ({_named(error, hidden)})", "connection_lost") from error

    def _put_in(self, call: EffectCall) -> list[str]:
        """What ``expand`` put into the request of *call*."""
        texts = (call.target, *headers_of(request_of(call)).values())
        return [value for text in texts for value in self.hidden(text)]


def http_send(
    client: "httpx.Client | None" = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_ms: int = DEFAULT_TIMEOUT_MS,
) -> Callable[[EffectCall], dict[str, Any]]:
    """A ``send`` for effects over HTTP.

    The effect's *operation* begins with the method ("POST", "POST /invoices"), its *target* is the URL, its *request*
    an object of any of json, body (a text), headers, params, idempotent, reconcile. ``Idempotency-Key`` is the
    effect's id, the same for every try. *headers* are added and never logged: secrets belong there. One request takes
    *timeout_ms* at most, in a thread of its own. *client* must not follow redirects or retry by itself; the default one
    is shared.

    The receipt: ``{"status": 201, "headers": {…}, "body": …}``. Raises (when called) NotSent, Rejected, AttemptError.
    """
    return Http(client, _given(headers), timeout_ms).send


def http_reconcile(
    client: "httpx.Client | None" = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_ms: int = DEFAULT_TIMEOUT_MS,
) -> "HttpReconciler":
    """A reconciler for effects that ``http_send`` sends, by what their request says.

    ``"idempotent": True``: it may be sent again, because the service does nothing twice for one Idempotency-Key.
    ``"reconcile": {"get": URL}``: 2xx at that URL says that it happened, 404 or 410 that it did not and will not.
    Otherwise, and at any other answer, it stays unknown.
    """
    return HttpReconciler(Http(client, _given(headers), timeout_ms))


def _given(headers: Mapping[str, str] | None) -> dict[str, str]:
    if headers is not None and not isinstance(headers, Mapping):
        raise InvalidValue("headers", type(headers).__name__, "a mapping from names to texts")
    return dict(headers or {})


@dataclass(frozen=True, slots=True)
class HttpReconciler:
    """Finds out what became of a request, where the request says how."""

    http: Http

    def __call__(self, call: EffectCall) -> Found:
        """Ask."""
        return self.http.reconcile(call)

    def knows(self, call: EffectCall) -> bool:
        """Whether the request of *call* says how to find out."""
        asked = request_of(call)
        return is_repeatable(call, asked) or asked.get("reconcile") is not None


@lru_cache(maxsize=1)
def shared_client() -> "httpx.Client":
    """The client of every request that names no other: it verifies TLS and honours the proxies of the environment,
    as httpx does, and remembers neither cookies nor connections."""
    import httpx

    return httpx.Client(
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
    )


def _no_answer(why: str, kind: str) -> NoAnswer:
    """An unknown outcome: worth another attempt, which finds out first; where nobody can, the outbox ends it."""
    return NoAnswer(Failure(PROVIDER_TRANSIENT, why, kind=kind))


def _what(call: EffectCall) -> str:
    return f"{method_of(call.operation)} {call.target}"


def _named(error: Exception, hidden: Hidden) -> str:
    return hidden.text(f"{type(error).__name__}: {error}")[:300]
