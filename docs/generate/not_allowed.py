"""Where the rules raise NotAllowed: which command, of what, and why not; read from the source of the rules."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("domain", "processes")
_ID = re.compile(r"( \*node\* of run)? \*\w+\*$")

Function = ast.FunctionDef


@dataclass(frozen=True, slots=True, order=True)
class Variant:
    """One reason for which one command is refused: ``cancel``, ``run``, ``it is *status*``."""

    command: str
    of: str
    why: str


def variants() -> list[Variant]:
    """Every one that the rules know."""
    found = set()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "NotAllowed(" in (source := path.read_text(encoding="utf-8")):
                found |= set(_Module(ast.parse(source)).variants())
    return sorted(found)


class _Module:
    """One module: its functions, and who calls them with what."""

    def __init__(self, tree: ast.Module) -> None:
        self.functions = {node.name: node for node in ast.walk(tree) if isinstance(node, Function)}
        # innermost last, so that what is inside a closure belongs to the closure
        self.of: dict[int, Function] = {}
        for function in self.functions.values():
            self.of |= {id(node): function for node in ast.walk(function)}
        self.calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]

    def variants(self) -> Iterator[Variant]:
        for call in self.calls:
            if isinstance(call.func, ast.Name) and call.func.id == "NotAllowed":
                command, subject, why = call.args
                of = self.of[id(call)]
                for said in self.texts(command, of):
                    yield Variant(said, _ID.sub("", self.text(subject, of)), self.text(why, of))

    def texts(self, node: ast.expr, of: Function) -> Iterator[str]:
        """What a word can be: itself, or what the callers of the function give for its parameter."""
        if not isinstance(node, ast.Name):
            yield self.text(node, of)
            return
        place = [arg.arg for arg in of.args.args].index(node.id)
        for call in self.calls:
            if isinstance(call.func, ast.Name) and call.func.id == of.name:
                yield from self.texts(call.args[place], self.of[id(call)])

    def text(self, node: ast.expr, of: Function) -> str:
        """A text with the names of what is filled in, such as ``it is *status*``."""
        match node:
            case ast.Constant(value=value):
                return str(value)
            case ast.JoinedStr(values=values):
                return "".join(self.text(value, of) for value in values)
            case ast.FormattedValue(value=value):
                return f"*{_name(value, of)}*"
            case ast.Name(id=name):
                return self.text(_assigned(name, of), of)
            case ast.Call(func=ast.Name(id=name)):  # a function of this module that says it
                function = self.functions[name]
                returned = function.body[-1]
                assert isinstance(returned, ast.Return)
                assert returned.value is not None
                return self.text(returned.value, function)
        raise AssertionError(ast.unparse(node))


def _name(node: ast.expr, of: Function) -> str:
    """What a reader would call the value: the last word of where it comes from."""
    match node:
        case ast.Attribute(attr=attr):
            return attr
        case ast.Call(func=ast.Attribute(value=value, attr="replace")):
            return _name(value, of)
        case ast.Name(id=name):
            value = _assigned(name, of)
            return name if value is node or isinstance(value, ast.Name | ast.Subscript) else _name(value, of)
    raise AssertionError(ast.unparse(node))


def _assigned(name: str, of: Function) -> ast.expr:
    """What a local name stands for; the name itself when it is a parameter."""
    for node in ast.walk(of):
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return value
    return ast.Name(id=name)
