"""Public names that are neither classes nor functions. Autodoc would tell what a NewType or an alias is in general."""

import ast
from importlib import import_module
from inspect import getsource
from itertools import pairwise

import redrive

_ID = "The id of {}: a text. ``redrive.{}(text)`` makes one of a text that came from outside."
_HERE = {
    "RunId": _ID.format("a run", "RunId"),
    "DeadLetterId": _ID.format("a dead letter", "DeadLetterId"),
    "EffectId": _ID.format("an effect, and its idempotency key", "EffectId"),
    "CompensationId": _ID.format("a compensation, and its idempotency key", "CompensationId"),
    "NodeId": "The id of a node, as its flow has it: a text.",
    "JsonValue": "Any JSON: null, true or false, a number, a text, a list, or an object. It is pydantic's type.",
    "DEFAULT_RULES": "The rules of the classifier that is used where none is given; put your own before them.",
}


def data(name: str) -> str:
    """A directive for the public *name*: what it stands for, and what it means."""
    if name in _HERE:
        return f".. py:data:: redrive.{name}\n\n   {_HERE[name]}\n"
    value, meaning = _defined(name, getsource(import_module(redrive._HOME[name])))
    return f".. py:data:: redrive.{name}\n   :type: {value}\n\n   {meaning}\n"


def _defined(name: str, source: str) -> tuple[str, str]:
    """The value of *name* as it is written, and the text below it."""
    body = ast.parse(source).body
    for statement, below in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == name:
            assert isinstance(below, ast.Expr), f"nothing is said below {name}"
            assert statement.value is not None
            return ast.unparse(statement.value), " ".join(ast.literal_eval(below.value).split())
    raise LookupError(f"{name} is not defined where it is said to be")
