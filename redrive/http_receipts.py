"""What is kept of an answer over HTTP: its status, a few headers and its body, bounded; and the delay it asks for."""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from redrive.domain.failure import MAX_DELAY_MS
from redrive.domain.redaction import REDACTED
from redrive.domain.values import clean_json

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 65_536
MIN_HIDDEN = 4  # characters
KEPT_HEADERS = ("content-type", "date", "etag", "location", "request-id", "retry-after", "x-request-id")


def receipt_of_answer(answer: "httpx.Response", end: float) -> dict[str, Any]:
    """Status, a few headers and the body, bounded. The status line has come: nothing after it changes what it says."""
    headers = _kept_headers(answer)
    raw, cut = b"", answer.headers.get("content-encoding", "identity") != "identity"
    try:
        whole = (answer.content,) if answer.is_stream_consumed else answer.iter_raw()
        for chunk in () if cut else whole:
            raw += chunk
            cut = len(raw) > MAX_BODY_BYTES or time.monotonic() > end
            if cut:
                break
    except Exception:  # noqa: BLE001 - nor does whatever a client may raise
        cut = True
    receipt: dict[str, Any] = {"status": answer.status_code, "headers": headers, "body": _body(raw, headers, cut)}
    return {**receipt, "truncated": True} if cut else receipt


def receipt_of_head(answer: "httpx.Response") -> dict[str, Any]:
    """The receipt of an answer whose body did not come in time."""
    return {"status": answer.status_code, "headers": _kept_headers(answer), "body": None, "truncated": True}


def _kept_headers(answer: "httpx.Response") -> dict[str, str]:
    return {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}


class Hidden:
    """Takes *values* out of what is kept, also as a URL or a JSON text spells them. Short ones stay: they would be
    found everywhere."""

    def __init__(self, values: Iterable[str]) -> None:
        spelt: set[str] = set()
        for value in {one.strip() for one in values}:
            if len(value) >= MIN_HIDDEN:
                spelt |= {value, json.dumps(value)[1:-1], quote_plus(value, errors="replace")}
                spelt |= {quote(value, safe=safe, errors="replace") for safe in ("/", "")}
        self._spelt = sorted(spelt, key=len, reverse=True)

    def text(self, text: str, *, cut: bool = False) -> str:
        """*text* without them; of one that was *cut*, also without the beginning of one at its end."""
        for value in self._spelt:
            text = text.replace(value, REDACTED)
        for value in self._spelt if cut else ():
            begun = next((n for n in range(len(value) - 1, MIN_HIDDEN - 1, -1) if text.endswith(value[:n])), 0)
            if begun:
                return text[:-begun] + REDACTED
        return text

    def value(self, value: Any, *, cut: bool = False) -> Any:
        """A JSON document without them. What was read from an answer is not deep."""
        if isinstance(value, str):
            return self.text(value, cut=cut)
        if isinstance(value, list):
            return [self.value(item, cut=cut) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item, cut=cut) for key, item in value.items()}
        return value

    def receipt(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """A receipt without them."""
        body = self.value(receipt["body"], cut="truncated" in receipt)
        return {**receipt, "headers": self.value(receipt["headers"]), "body": body}


def retry_after_ms(value: str | None, now_s: float) -> int | None:
    """What a ``Retry-After`` (RFC 9110, 10.2.3) asks for: seconds or a date; None when it says neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal() and text.isascii():
        return min(int(text[:9]) * 1000, MAX_DELAY_MS)
    try:
        at = parsedate_to_datetime(text)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s  # some forms name no zone
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(round(seconds * 1000), 0), MAX_DELAY_MS)


def _body(raw: bytes, headers: Mapping[str, str], cut: bool) -> Any:
    text = raw[:MAX_BODY_BYTES].decode("utf-8", "replace")
    if not cut and "json" in headers.get("content-type", "").lower():
        try:
            return clean_json(json.loads(text), "body")
        except (ValueError, RecursionError):
            return text
    return text or None
