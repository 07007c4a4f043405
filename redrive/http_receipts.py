"""What is kept of an answer over HTTP: its status, a few headers and its body, bounded; and the delay it asks for."""

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from redrive.domain.failure import MAX_RETRY_DELAY_MS
from redrive.domain.values import clean_json

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 65_536
KEPT_HEADERS = ("content-type", "date", "etag", "location", "request-id", "retry-after", "x-request-id")


def receipt_of_answer(answer: "httpx.Response", end: float) -> dict[str, Any]:
    """Status, a few headers and the body, bounded. The status line has come: nothing after it changes what it says."""
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
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


def retry_after_ms(value: str | None, now_s: float) -> int | None:
    """What a ``Retry-After`` (RFC 9110, 10.2.3) asks for: seconds or a date; None when it says neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal() and text.isascii():
        return min(int(text[:9]) * 1000, MAX_RETRY_DELAY_MS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now_s
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(round(seconds * 1000), 0), MAX_RETRY_DELAY_MS)


def _body(raw: bytes, headers: Mapping[str, str], cut: bool) -> Any:
    text = raw[:MAX_BODY_BYTES].decode("utf-8", "replace")
    if not cut and "json" in headers.get("content-type", "").lower():
        try:
            return clean_json(json.loads(text), "body")
        except (ValueError, RecursionError):
            return text
    return text or None
