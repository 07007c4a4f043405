"""What each answer to an HTTP effect, or its absence, means."""

import json
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

import redrive
from redrive.demo.service import Behaviour
from redrive.http_effects import Http, NoAnswer, shared_client
from redrive.http_receipts import MAX_BODY_BYTES, retry_after_ms
from redrive.processes.handlers import NotSent, Rejected
from redrive.processes.outbox import DidNotHappen, Happened, StillUnknown
from tests.http.shop import call, refused, shop


def test_a_success_gives_a_receipt_and_carries_the_key() -> None:
    """Status, a few headers, the body as JSON; the service knows the effect by its id."""
    with shop() as service:
        receipt = redrive.http_send()(call(service, {"json": {"amount": 7}}))
        assert receipt["status"] == 201
        assert receipt["body"] == {"id": "charges-1", "for": {"amount": 7}}
        assert receipt["headers"].keys() <= {"content-type", "date"}
        assert service.calls()[0].key == "e-1"


@pytest.mark.parametrize("status", [408, 425, 429, 503])
def test_what_was_not_processed_may_be_sent_again(status: int) -> None:
    """With the delay that the service asks for."""
    with shop(Behaviour(acts=False, status=status, headers={"Retry-After": "3"})) as service:
        error = refused(service)
        assert isinstance(error, Rejected)
        assert (error.failure_class, error.delay) == ("provider_transient", 3_000)


@pytest.mark.parametrize(
    ("status", "class_"), [(400, "provider_rejected"), (401, "provider_auth"), (307, "provider_rejected")]
)
def test_a_rejection_keeps_its_receipt(status: int, class_: str) -> None:
    """It did not happen, and another attempt is up to the policy."""
    with shop(Behaviour(acts=False, status=status)) as service:
        error = refused(service)
        assert isinstance(error, Rejected)
        assert error.failure_class == class_
        assert error.receipt["status"] == status


@pytest.mark.parametrize(
    ("behaviour", "timeout_ms"),
    [
        (Behaviour(status=500), 60_000),
        (Behaviour(status=303), 60_000),
        (Behaviour(lost=True), 60_000),
        (Behaviour(silent_s=60), 3_000),
    ],
)
def test_no_clear_answer_is_an_unknown_outcome(behaviour: Behaviour, timeout_ms: int) -> None:
    """The service acted, and nobody here can know: the outbox ends the attempt when no reconciler can."""
    with shop(behaviour) as service:
        error = refused(service, timeout_ms=timeout_ms)
        assert isinstance(error, NoAnswer)
        assert service.acts("e-1") == 1


def test_what_can_be_reconciled_is_worth_another_attempt() -> None:
    """Its next attempt asks before it sends."""
    with shop(Behaviour(lost=True), Behaviour(lost=True)) as service:
        for request in ({"idempotent": True}, {"reconcile": {"get": service.url}}):
            error = refused(service, request)
            assert isinstance(error, NoAnswer)
            assert error.failure.failure_class == "provider_transient"


def test_a_conflict_with_an_earlier_try_is_no_refusal() -> None:
    """That try may still be under way, and succeed."""
    again = Behaviour(acts=False, status=409)
    with shop(again, again) as service:
        assert isinstance(refused(service, {"idempotent": True}), Rejected)
        second = replace(call(service, {"idempotent": True}), try_number=2)
        with pytest.raises(NoAnswer):
            Http().send(second)


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_without_a_connection_nothing_was_sent() -> None:
    """Refused, or a name that does not exist."""
    for url in (closed_port(), "http://nowhere.invalid"):
        error = refused(url)
        assert isinstance(error, NotSent)
        assert error.failure_class == "provider_transient"


@pytest.mark.parametrize(
    ("url", "request_"),
    [("ftp://x", None), ("http://a:b@x", None), ("http://x", {"headers": {"A": "s3cret\n"}}), ("http://x:y", None)],
)
def test_an_invalid_request_is_not_sent_and_shows_no_secret(url: str, request_: Any) -> None:
    """A header's value may be a secret, also when it is not valid."""
    with pytest.raises(NotSent) as caught:
        Http().send(call(url, request_))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("request_", [[], {"jsn": 1}, {"json": 1, "body": "x"}, {"headers": "x"}, {"reconcile": "x"}])
def test_a_request_of_another_shape_is_refused(request_: Any) -> None:
    """Before anything leaves: its outcome is known."""
    with pytest.raises(NotSent, match="request"):
        Http().send(call("http://127.0.0.1:9", request_))


def test_a_header_is_one_however_it_is_spelt() -> None:
    """What the caller says takes the place of what would be said otherwise."""
    seen: list[httpx.Request] = []
    client = httpx.Client(transport=httpx.MockTransport(lambda request: seen.append(request) or httpx.Response(200)))  # type: ignore[func-returns-value]
    Http(client).send(call("http://x.example", {"json": 1, "headers": {"content-type": "application/x"}}))
    assert seen[0].headers.get_list("content-type") == ["application/x"]


def test_redirects_are_not_followed() -> None:
    """Another server would get the request."""
    with shop() as other, shop(Behaviour(acts=False, status=308, headers={"Location": other.url})) as service:
        error = refused(service)
        assert isinstance(error, Rejected)
        assert error.receipt["headers"]["location"] == other.url
        assert other.journal == []


def served(raw: bytes) -> str:
    """A server that answers one connection with *raw*, and its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with listener, connection:
            connection.recv(65_536)
            connection.sendall(raw)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_body_is_bounded() -> None:
    """What was done stays done however much is said about it."""
    body = b"x" * (3 * MAX_BODY_BYTES)
    receipt = Http().send(call(served(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))))
    assert (len(receipt["body"]), receipt["truncated"]) == (MAX_BODY_BYTES, True)


def test_a_success_whose_body_is_lost_is_a_success() -> None:
    """The status line has come."""
    receipt = Http().send(call(served(b"HTTP/1.1 201 Created\r\ncontent-length: 900\r\n\r\n{")))
    assert (receipt["status"], receipt["truncated"]) == (201, True)


def test_an_encoded_body_is_not_read() -> None:
    """A kilobyte may unpack to gigabytes; it was not asked for."""
    receipt = Http().send(call(served(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx")))
    assert (receipt["body"], receipt["truncated"]) == (None, True)


def test_cookies_are_not_kept() -> None:
    """They would go from one tenant's request to another's."""
    Http().send(call(served(b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\ncontent-length: 0\r\n\r\n")))
    assert len(shared_client().cookies.jar) == 0


def test_a_client_and_headers_of_the_host_are_used() -> None:
    """Headers that are given so never reach the log."""
    seen: list[httpx.Request] = []
    transport = httpx.MockTransport(lambda request: seen.append(request) or httpx.Response(200))  # type: ignore[func-returns-value]
    send = redrive.http_send(httpx.Client(transport=transport), headers={"Authorization": "Bearer x"})
    send(call("http://shop.example", {"params": {"a": 1}, "body": "text"}, operation="PUT /charges"))
    assert (seen[0].method, str(seen[0].url)) == ("PUT", "http://shop.example/charges?a=1")
    assert (seen[0].headers["authorization"], seen[0].content) == ("Bearer x", b"text")


def test_a_reconciler_asks_the_address_that_is_named() -> None:
    """What is found there happened, what is not did not."""
    with shop() as service:
        ask = redrive.http_reconcile()
        request = {"reconcile": {"get": f"{service.url}/charges/e-1"}}
        assert isinstance(ask(call(service, request)), DidNotHappen)
        Http().send(call(service, {"json": 1}))
        found = ask(call(service, request))
        assert isinstance(found, Happened)
        assert found.receipt["body"]["id"] == "charges-1"


@pytest.mark.parametrize(
    "request_",
    [None, {"reconcile": {"get": "http://127.0.0.1:9/"}}, {"reconcile": {"get": "x"}, "headers": {"A": "[redacted]"}}],
)
def test_a_reconciler_that_cannot_ask_does_not_guess(request_: Any) -> None:
    """No address, nobody there, a header that the log does not have."""
    assert isinstance(redrive.http_reconcile()(call("http://127.0.0.1:9", request_)), StillUnknown)


@pytest.mark.parametrize(("operation", "request_"), [("POST", {"idempotent": True}), ("GET", None)])
def test_what_is_idempotent_may_be_sent_again(operation: str, request_: Any) -> None:
    """By declaration, or because it only reads."""
    asked = replace(call("http://x", request_, operation), will_repeat=True)
    assert isinstance(redrive.http_reconcile()(asked), DidNotHappen)


def test_what_is_idempotent_does_not_answer_for_another_request() -> None:
    """The service would answer the second with what it said to the first: only the same may be sent again."""
    asked = call("http://x", {"idempotent": True}, "POST")
    assert isinstance(redrive.http_reconcile()(asked), StillUnknown)


@pytest.mark.parametrize(
    ("value", "delay_ms"),
    [
        (None, None),
        ("7", 7_000),
        (" 0 ", 0),
        ("99999999999", 86_400_000),
        ("soon", None),
        ("-1", None),
        ("Thu, 01 Jan 1970 00:00:12 GMT", 2_000),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, delay_ms: int | None) -> None:
    """RFC 9110, 10.2.3; anything else is no wish."""
    assert retry_after_ms(value, 10.0) == delay_ms


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="no time zones to set")
def test_a_retry_after_that_names_no_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dates of RFC 9110, 5.6.7, are all UTC, and one of its three forms does not say so."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert retry_after_ms("Thu Jan  1 00:00:12 1970", 10.0) == 2_000
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_receipt_is_json() -> None:
    """Also of an answer that only claims to be."""
    receipt = Http().send(
        call(served(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\nNaN"))
    )
    assert json.dumps(receipt, allow_nan=False)
