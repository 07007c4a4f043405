"""The ``effect`` of a node in redrive's own format, and the templates in it."""

from typing import Any

import pytest

from redrive.domain.errors import InvalidValue
from redrive.flow_files import parse_flow
from redrive.flow_files.templates import Unfillable, filled, filled_early, filled_late
from tests.flow_files.documents import own

VALUES: dict[str, Any] = {
    "input": {"n": 7, "t": "a b/{env.X}", "l": [{"x": None}], "b": True},
    "outputs": {},
    "run": {},
}


def effect(**keys: Any) -> dict[str, Any]:
    """A minimal effect, varied."""
    kept = {"operation": "POST", "target": "https://api.example.com/charges", **keys}
    return {key: value for key, value in kept.items() if value is not None}


def read(**keys: Any) -> Any:
    """A file whose second node has the effect."""
    return parse_flow(own({"id": "first"}, {"id": "pay", "after": ["first"], "effect": effect(**keys)}), name="x.json")


def test_an_effect_is_a_node_of_its_origin() -> None:
    """Workers are told apart by where they may send."""
    file = read(key="k", timeout_ms=5)
    node = file.flow.nodes["pay"]
    assert node.handled_by == "effect:https://api.example.com"
    assert node.params == {"effect": effect(key="k", timeout_ms=5)}
    assert file.effects == ("https://api.example.com",)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"operation": "SEND"}, "nodes[1].effect.operation"),
        ({"operation": "PSOT"}, "did you mean 'POST'"),
        ({"target": None}, "the key 'target'"),
        ({"target": "api.example.com"}, "nodes[1].effect.target"),
        ({"target": "https://a:b@example.com/"}, "nodes[1].effect.target"),
        ({"target": "https://{input.host}/"}, "nodes[1].effect.target"),
        ({"targe": "x"}, "did you mean 'target'"),
        ({"request": {"jsn": 1}}, "did you mean 'json'"),
        ({"request": {"json": 1, "body": "x"}}, "nodes[1].effect.request"),
        ({"request": {"headers": {"Idempotency-Key": "x"}}}, "redrive sets this header"),
        ({"request": {"headers": {"a b": "x"}}}, "names of headers"),
        ({"request": {"headers": {"a": "x\ny"}}}, "a text on one line"),
        ({"request": {"params": {"a": []}}}, "request.params.a"),
        ({"idempotent": True, "reconcile": {"get": "https://x.example"}}, "one of them"),
        ({"key": "{env.X}"}, "nodes[1].effect.key"),
        ({"request": {"json": {"a": ["{env.X}"]}}}, "nodes[1].effect.request.json.a[0]"),
        ({"key": "{inptu.x}"}, "did you mean 'input'"),
        ({"key": "{outputs.frist.x}"}, "did you mean 'first'"),
        ({"key": "{run.key}"}, "{run.id} or {run.automation}"),
        ({"key": "a } b"}, "a brace that is doubled"),
        ({"key": "{}"}, "a brace itself is doubled"),
        ({"target": "https://x.example/{env.a-b}"}, "{env.NAME}"),
        ({"target": "https://x.example/{effect.key}"}, "{effect.id}"),
        ({"timeout_ms": 0}, "nodes[1].effect.timeout_ms"),
    ],
)
def test_what_can_never_be_sent_is_refused_when_it_is_read(keys: dict[str, Any], said: str) -> None:
    """With its place, and the nearest thing that would be accepted."""
    with pytest.raises(InvalidValue) as caught:
        read(**keys)
    assert said in str(caught.value)


def test_a_node_does_one_thing() -> None:
    """Either run or handler or effect."""
    for other in ({"run": ["true"]}, {"handler": "a:b"}):
        with pytest.raises(InvalidValue, match="not several"):
            parse_flow(own({"id": "x", "effect": effect(), **other}), name="x.json")


def test_a_deep_document_is_refused_with_a_sentence() -> None:
    """Not with a recursion error."""
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    with pytest.raises(InvalidValue, match=r"request\.json"):
        read(request={"json": deep})


def test_references_are_filled() -> None:
    """A text that is nothing but a reference keeps the type of what it refers to."""
    assert filled({"a": ["{input.n}", "no {input.n}, {{x}}, {input.b}"]}, VALUES) == {"a": [7, "no 7, {x}, true"]}
    assert filled("{input.l.0}", VALUES) == {"x": None}


@pytest.mark.parametrize("text", ["{input.x}", "{input.l.3}", "{input.n.x}", "a{input.l}", "a{input.l.0.x}"])
def test_what_is_not_there_cannot_be_filled(text: str) -> None:
    """Nor can a list become part of a text."""
    with pytest.raises(Unfillable):
        filled(text, VALUES)


def test_what_is_filled_in_is_never_a_reference() -> None:
    """Else an input could ask for a variable of the environment."""
    header = filled_early("{input.t} {env.X} {{}}", VALUES)
    assert filled_late(header, {"X": "secret"}, "e") == "a b/{env.X} secret {}"
    url = filled_early("{env.X}/{input.t}/{effect.id}", VALUES, in_url=True)
    assert filled_late(url, {"X": "https://x"}, "e") == "https://x/a%20b%2F%7Benv.X%7D/e"
    with pytest.raises(Unfillable, match="no variable X"):
        filled_late(url, {}, "e")
