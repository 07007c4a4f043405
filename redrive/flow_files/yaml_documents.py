"""YAML built from parser events, so that nothing is expanded, constructed or nested beyond a bound.

The scalars are those of the YAML 1.2 core schema: ``yes``, ``on``, ``2026-11-22`` and ``1:30`` are texts, as their
writers meant. Keys are texts. Tags are refused; anchors and aliases work, within a bound on what they repeat.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from redrive.domain.errors import InvalidValue

MAX_DEPTH = 100
MAX_VALUES = 1_000_000
MAX_REPEATED = 4 * 1024 * 1024
"""How much content aliases may repeat: characters, each value counting one more."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAG = "tag:yaml.org,2002:str"
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_DIGITS = 400  # beyond any float; Python's own conversions get slow, or refuse, later


def load_yaml(text: str, name: str) -> Any:
    """The one document in *text*. Raises InvalidValue, naming line and column."""
    builder = _Builder(name)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.add(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"valid YAML ({error.problem or error.context})"
        raise InvalidValue(_place(name, mark), _around(text, mark), problem) from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", "it cannot be parsed")
        raise InvalidValue(name, f"offset {getattr(error, 'position', 0)}", f"valid YAML ({reason})") from None
    return builder.root


def scalar(text: str) -> Any:
    """What a plain scalar means by the core schema of YAML 1.2. Raises ValueError for a number of endless length."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        integer = _INTEGER.fullmatch(text)
        if integer is None and _FLOAT.fullmatch(text) is None:
            return text
        if len(text) > _MAX_DIGITS:
            raise ValueError("too long")
        if integer is None:
            return float(text)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return text


@dataclass(slots=True)
class _Open:
    """A list or an object whose end has not come yet."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    weight_before: int
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    name: str
    root: Any = None
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    weight: int = 0
    values: int = 0
    repeated: int = 0
    documents: int = 0

    def add(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._start(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                done = self.open.pop()
                self._put(done.value, event, done.anchor, self.weight - done.weight_before)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise self._refusal(event, "---", "one YAML document")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text: str = event.value
        if event.tag not in (None, _TEXT_TAG):
            raise self._refusal(event, event.tag, "YAML without tags")
        self.weight += 1 + len(text)
        is_key = bool(self.open) and isinstance(self.open[-1].value, dict) and self.open[-1].key is None
        plain = event.tag is None and event.implicit[0] and not is_key
        try:
            value = scalar(text) if plain else text
        except ValueError:
            raise self._refusal(event, text[:40], "numbers of a reasonable length") from None
        self._put(value, event, event.anchor, 1 + len(text))

    def _start(self, event: Any) -> None:
        if event.tag is not None:
            raise self._refusal(event, event.tag, "YAML without tags")
        if len(self.open) >= MAX_DEPTH:
            raise self._refusal(event, "…", f"at most {MAX_DEPTH} levels of nesting")
        # From here until its end the name means nothing: a value that contains itself cannot be written as JSON.
        self.anchors.pop(event.anchor, None)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        self.open.append(_Open([] if is_list else {}, event.anchor, self.weight))
        self.weight += 1

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise self._refusal(event, f"*{event.anchor}"[:80], "an alias of a complete value that came before")
        value, weight = self.anchors[event.anchor]
        self.weight += weight
        self.repeated += weight
        if self.repeated > MAX_REPEATED:
            raise self._refusal(
                event, f"*{event.anchor}"[:80], f"aliases that repeat at most {MAX_REPEATED} characters"
            )
        self._put(value, event, None, weight)

    def _put(self, value: Any, event: Any, anchor: str | None, weight: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise self._refusal(event, "…", f"at most {MAX_VALUES:,} values")
        if anchor is not None:
            self.anchors[anchor] = (value, weight)
        if not self.open:
            self.root = value
            return
        parent = self.open[-1]
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is not None:
            parent.value[parent.key] = value
            parent.key = None
        elif not isinstance(value, str):
            raise self._refusal(event, "<a list or an object>", "a text as key")
        elif value in parent.value:
            raise self._refusal(event, value[:80], "each key once in an object")
        else:
            parent.key = value

    def _refusal(self, event: Any, value: str, accepted: str) -> InvalidValue:
        return InvalidValue(_place(self.name, event.start_mark), value, accepted)


def _place(name: str, mark: Any) -> str:
    return f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name


def _around(text: str, mark: Any) -> str:
    if mark is None or len(text) > 1_000_000:
        return ""
    lines = text.split("\n")[mark.line : mark.line + 1]
    return lines[0][max(mark.column - 20, 0) : mark.column + 20] if lines else ""
