"""Effect nodes of flow files, executed as ``redrive run`` and ``redrive work`` do."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import redrive
from redrive.cli.root import cli
from redrive.demo.service import Behaviour, Service
from redrive.domain.classifier import Classifier
from redrive.domain.errors import InvalidValue
from redrive.effect_nodes import allowed_origin, origins
from redrive.effect_reconcilers import effect_reconcilers
from redrive.executors import Allowed, handlers_for
from redrive.flow_files import parse_flow
from tests.flow_files.documents import own, wfformat
from tests.http.shop import shop

RETRY = {"max_attempts": 3, "backoff": {"strategy": "fixed", "initial_delay_ms": 1}}
CHARGE = {
    "operation": "POST",
    "key": "invoice-{input.invoice}",
    "target": "{env.SHOP}/charges",
    "request": {"json": {"amount": "{input.amount}"}, "headers": {"Authorization": "Bearer {env.SHOP_TOKEN}"}},
    "timeout_ms": 60_000,
}
INPUT = '{"invoice": "7/{env.SHOP_TOKEN}", "amount": 12}'


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder to work in, with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_TOKEN", "t0psecret")
    return tmp_path


def executed(desk: Path, service: Service, *words: str, **effect: Any) -> Result:
    """``redrive run`` with one effect node."""
    text = own({"id": "charge", "effect": {**CHARGE, **effect}, "retry": RETRY})
    (desk / "pay.json").write_text(text, encoding="utf-8")
    environment = {"SHOP": service.url}
    return CliRunner(env=environment).invoke(cli, ["run", "pay.json", "--input", INPUT, *words])


def outputs(desk: Path) -> Any:
    """What the node of the only run returned."""
    with redrive.open(f"sqlite:///{desk / 'redrive.db'}") as engine:
        (run,) = engine.local.runs().items
        return (
            engine.ledger.run_state(redrive.Tenant(), redrive.RunId(run.run_id)).nodes[redrive.NodeId("charge")].output
        )


def test_an_effect_node_is_sent_once(desk: Path) -> None:
    """A reference keeps its type; input is never taken for a reference; the log never holds the secret."""
    with shop() as service:
        assert executed(desk, service).exit_code == 0
        assert outputs(desk)["body"] == {"id": "charges-1", "for": {"amount": 12}}
        assert len(service.calls()) == 1
    assert all(b"t0psecret" not in file.read_bytes() for file in desk.iterdir() if file.is_file())


def test_an_overloaded_service_is_asked_again(desk: Path) -> None:
    """503 says that nothing was done."""
    with shop(Behaviour(acts=False, status=503, headers={"Retry-After": "0"})) as service:
        assert executed(desk, service).exit_code == 0
        assert [call.status for call in service.calls()] == [503, 201]


def test_an_unknown_outcome_is_reconciled(desk: Path) -> None:
    """It happened: nothing is sent again, and its answer is the receipt."""
    with shop(Behaviour(silent_s=60)) as service:
        done = executed(desk, service, reconcile={"get": "{env.SHOP}/charges/{effect.id}"}, timeout_ms=3_000)
        assert done.exit_code == 0, done.output
        assert len(service.calls()) == 1
        assert outputs(desk)["body"]["id"] == "charges-1"


def test_an_idempotent_effect_is_sent_again_with_its_key(desk: Path) -> None:
    """The service knows it again, and acts once."""
    with shop(Behaviour(lost=True)) as service:
        assert executed(desk, service, idempotent=True).exit_code == 0
        keys = {call.key for call in service.calls()}
        assert (len(service.calls()), len(keys), service.acts(keys.pop())) == (2, 1, 1)


def test_an_unknown_outcome_that_nobody_can_reconcile_is_not_sent_again(desk: Path) -> None:
    """It is a dead letter for an operator, at once, who is told to look; a retry would be refused."""
    with shop(Behaviour(lost=True)) as service:
        ended = executed(desk, service)
        assert ended.exit_code == 1
        assert len(service.calls()) == 1
    assert " --outcome OUTCOME --reason WHY " in ended.stderr
    assert "dead-letters retry" not in ended.stderr
    with redrive.open(f"sqlite:///{desk / 'redrive.db'}") as engine:
        (letter,) = engine.local.dead_letters().items
        assert (letter.source, letter.failure_class) == ("tool_effect", "outcome_unknown")


def test_an_operator_can_have_the_service_asked(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the headers that the worker would send: the log names their variables."""
    monkeypatch.setattr("redrive.http_effects.Http.reconcile", lambda _http, _call: redrive.StillUnknown())
    with shop(Behaviour(lost=True)) as service:
        assert executed(desk, service, reconcile={"get": "{env.SHOP}/charges/{effect.id}"}).exit_code == 1
        monkeypatch.undo()
        monkeypatch.chdir(desk)
        monkeypatch.setenv("SHOP", service.url)
        monkeypatch.setenv("SHOP_TOKEN", "t0psecret")
        with redrive.open("sqlite:///redrive.db", reconcilers=effect_reconcilers()) as engine:
            (effect,) = {call.key for call in service.calls()}
            standing = engine.local.reconcile_effect(redrive.EffectId(effect), actor="ana", reason="ask them")
            assert standing.status == "succeeded"


def test_a_missing_variable_or_input_sends_nothing(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what is missing."""
    with shop() as service:
        assert "no part" not in executed(desk, service, "--new", key="{input.nothing}").output
        monkeypatch.delenv("SHOP_TOKEN")
        assert "no variable SHOP_TOKEN" in executed(desk, service, "--new").output
        assert service.journal == []


def test_input_is_escaped_in_a_url(desk: Path) -> None:
    """Data chooses neither the server nor the path."""
    with shop() as service:
        assert executed(desk, service, target="{env.SHOP}/charges/{input.invoice}").exit_code == 0
        assert service.calls()[0].path == "/charges/7%2F%7Benv.SHOP_TOKEN%7D"


def test_a_simulation_sends_nothing(desk: Path) -> None:
    """It takes its time and rolls its dice."""
    with shop() as service:
        assert executed(desk, service, "--simulate", "--time-scale", "0.001").exit_code == 0
        assert service.journal == []


@pytest.mark.parametrize(("origin", "calls"), [("*", 1), (None, 1), ("https://elsewhere.example", 0)])
def test_a_worker_sends_only_where_it_may(desk: Path, origin: str | None, calls: int) -> None:
    """Whatever was submitted to the log: elsewhere the run stays queued."""
    (desk / "pay.json").write_text(own({"id": "charge", "effect": CHARGE}), encoding="utf-8")
    with shop() as service:
        runner = CliRunner(env={"SHOP": service.url})
        runner.invoke(cli, ["submit", "pay.json", "--input", INPUT])
        done = runner.invoke(cli, ["work", "--until-idle", "--allow-effects", origin or service.url])
        assert done.exit_code == 0, done.output
        assert len(service.calls()) == calls


def test_origins_are_compared_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scheme, host and port; a variable by its value."""
    monkeypatch.setenv("SHOP", "https://Api.example.com:443/v1")
    allowed = origins(["https://api.example.com/"])
    assert allowed_origin("https://api.example.com", allowed)
    assert allowed_origin("{env.SHOP}", allowed)
    for other in ("http://api.example.com", "https://api.example.com.evil", "https://x@api.example.com", "{env.NONE}"):
        assert not allowed_origin(other, allowed)


@pytest.mark.parametrize("origin", ["api.example.com", "ftp://x", "https://", "https://a:b@x", "http://x:port"])
def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    """A worker that could never send would be a surprise."""
    with pytest.raises(InvalidValue):
        origins([origin])


@pytest.mark.parametrize("rest", ["/refunds-only", "//", "/?", "?a=1", "#part", "/#"])
@pytest.mark.parametrize("origin", ["http://127.0.0.1:18741", "{env.SHOP}", "https://{env.HOST}:8443"])
def test_an_origin_with_more_than_host_and_port_is_refused(desk: Path, origin: str, rest: str) -> None:
    """A path restricts nothing: whoever typed it would believe that it does. Nothing is written."""
    refused = CliRunner().invoke(cli, ["work", "--until-idle", "--allow-effects", origin + rest])
    assert refused.exit_code == 2
    assert "expected an origin (scheme, host and port, no path)" in refused.output
    assert not list(desk.glob("*.db"))
    assert origins([origin]) == (origin,)


def test_an_own_file_may_be_limited_too() -> None:
    """``redrive run --allow-effects`` elsewhere refuses before anything is written."""
    file = parse_flow(own({"id": "charge", "effect": {**CHARGE, "target": "https://a.example/x"}}), name="x.json")
    with pytest.raises(InvalidValue, match="--allow-effects"):
        handlers_for(file, Allowed(effect_origins=("https://b.example",)), Classifier(), None)


def test_imported_files_have_no_effects() -> None:
    """What a foreign file calls an effect is only a key without a meaning here."""
    text = wfformat([{"id": "a", "effect": CHARGE, "handler": "effect:https://x.example"}])
    file = parse_flow(text, name="foreign.json")
    assert file.effects == ()
    assert {node.handled_by for node in file.flow.nodes.values()} == {"redrive.simulate"}
    assert "effect" not in json.dumps(file.flow.document())


def test_every_method_has_its_reconciler() -> None:
    """An unknown outcome always finds somebody who knows whether to ask."""
    assert set(effect_reconcilers()) == {"GET", "POST", "PUT", "PATCH", "DELETE"}
