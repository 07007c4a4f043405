"""What of an effect node's headers, keys and answers reaches the log, and what never does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli
from redrive.effect_nodes import expanded, hidden
from redrive.http_effects import Http, NoAnswer
from redrive.http_receipts import Hidden
from redrive.processes.outbox import StillUnknown
from tests.flow_files.documents import own
from tests.http.shop import call, shop


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder; the environment has half of a secret."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUFFIX", "t41l-of-it")


def sent(url: str, given: Any = None, **effect: Any) -> int:
    """``redrive run`` of one effect; its exit code."""
    node = {"id": "charge", "effect": {"operation": "POST", "target": f"{url}/charges", **effect}}
    Path("pay.json").write_text(own({**node, "retry": {"max_attempts": 1}}), encoding="utf-8")
    return CliRunner().invoke(cli, ["run", "pay.json", "--new", "--input", json.dumps(given)]).exit_code


def effects() -> list[redrive.EffectSummary]:
    """Every effect of the log."""
    with redrive.open("sqlite:///redrive.db") as engine:
        return list(engine.local.effects().items)


@pytest.mark.parametrize("order", [None, {"a": 1}, [1]])
def test_a_key_is_no_null_and_no_object(order: Any) -> None:
    """Every order without a number would be one effect."""
    with shop() as service:
        assert sent(service.url, {"order": order}, key="{input.order}") == 1
        assert (service.calls(), effects()) == ([], [])


@pytest.mark.parametrize(("order", "key"), [(True, "true"), (False, "false"), (7, "7"), ("a", "a"), (1.5, "1.5")])
def test_a_key_is_written_as_json_writes_it(order: Any, key: str) -> None:
    """Texts are themselves."""
    with shop() as service:
        assert sent(service.url, {"order": order}, key="{input.order}") == 0
        assert [effect.key for effect in effects()] == [key]


@contextmanager
def echo(*, plain: bool = False) -> Iterator[str]:
    """A service that answers with what it was asked, as JSON or as plain text."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.dumps({"asked": dict(self.headers), "path": self.path}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain" if plain else "application/json")
            self.send_header("Location", self.path)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_written_part_of_a_secret_header_is_not_stored() -> None:
    """It is sent; of schemes and of headers that are no secrets the log keeps every piece."""
    headers = {"X-Api-Key": "{input}.{env.SUFFIX}", "Authorization": "Bearer {env.SUFFIX}", "X-Half": "a-{env.SUFFIX}"}
    with echo() as url:
        assert sent(url, "hunter2", request={"headers": headers}) == 0
    with redrive.open("sqlite:///redrive.db") as engine:
        (effect,) = engine.local.effects().items
        asked: Any = engine.local.show_effect(effect.id).request
    assert asked["env_headers"] == [
        ["X-Api-Key", [{"X-Api-Key": "[redacted]"}, "{env.SUFFIX}"]],
        ["Authorization", ["Bearer ", "{env.SUFFIX}"]],
        ["X-Half", [{"X-Half": "a-"}, "{env.SUFFIX}"]],
    ]


def test_the_pieces_of_a_header_are_sent_together() -> None:
    """Also those that the log redacts."""
    pieces = [["X-Api-Key", [{"X-Api-Key": "hunter2."}, "tail"]]]
    with echo() as url:
        receipt = Http().send(call(url, {"env_headers": pieces}))
    assert receipt["body"]["asked"]["X-Api-Key"] == "hunter2.tail"


def test_nobody_asks_with_a_header_that_the_log_redacted() -> None:
    """The service would answer somebody else, and its 404 would be taken for an answer."""
    with shop() as service:
        pieces = [["X-Api-Key", [{"X-Api-Key": "[redacted]"}, "tail"]]]
        request = {"env_headers": pieces, "reconcile": {"get": f"{service.url}/charges/e-1"}}
        found = Http().reconcile(call(service, request))
        assert isinstance(found, StillUnknown)
        assert service.calls(method="GET") == []


@pytest.mark.parametrize("plain", [False, True])
def test_a_service_that_repeats_what_it_was_asked_tells_the_log_no_secret(
    monkeypatch: pytest.MonkeyPatch, plain: bool
) -> None:
    """Not in its body and not in its headers, also where it was percent-encoded."""
    monkeypatch.setenv("TOKEN", 's3cr3t/"of mine')
    with echo(plain=plain) as url:
        headers = {"X-Auth": "{env.TOKEN}", "X-More": "a {env.SUFFIX}"}
        assert sent(url + "/{env.TOKEN}/{env.SUFFIX}", {}, request={"headers": headers}) == 0
    files = [file.read_bytes() for file in Path().iterdir() if file.name.startswith("redrive.db")]
    for secret in (b"s3cr3t", b"t41l-of-it"):
        assert not any(secret in file for file in files)
    assert any(b"[redacted]" in file for file in files)


def test_an_error_tells_no_secret() -> None:
    """Whatever a client says."""

    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"{request.headers['X-Auth']} was sent")

    http = Http(httpx.Client(transport=httpx.MockTransport(lost)), expand=expanded, hidden=hidden)
    with pytest.raises(NoAnswer) as caught:
        http.send(call("http://shop.example", {"headers": {"X-Auth": "{env.SUFFIX}"}}))
    assert "t41l" not in caught.value.failure.reason
    assert "[redacted] was sent" in caught.value.failure.reason


@pytest.mark.parametrize(
    ("body", "kept"), [("ab t41l-of", "ab [redacted]"), ("t41l-of-it t41l", "[redacted] [redacted]"), ("t41", "t41")]
)
def test_the_beginning_of_a_secret_at_a_cut_goes_too(body: str, kept: str) -> None:
    """The rest of it was in what is not kept."""
    receipt = {"status": 200, "headers": {"etag": "t41l-of-it"}, "body": body, "truncated": True}
    hidden_values = Hidden(["t41l-of-it", "abc"])
    assert hidden_values.receipt(receipt) == {**receipt, "headers": {"etag": "[redacted]"}, "body": kept}
