"""YAML: what scalars mean, what is refused, and where."""

from typing import Any

import pytest

from redrive.domain.errors import InvalidValue
from redrive.flow_files import yaml_documents
from redrive.flow_files.yaml_documents import load_yaml

SCALARS = [
    ("7", 7),
    ("-0x1F", "-0x1F"),
    ("0x1F", 31),
    ("0o17", 15),
    ("017", 17),
    ("1.5e3", 1_500.0),
    (".5", 0.5),
    ("true", True),
    ("~", None),
    ("yes", "yes"),
    ("no", "no"),
    ("1:30", "1:30"),
    ("2026-11-22", "2026-11-22"),
    ("1_000", "1_000"),
    ('"7"', "7"),
    ("!!str 7", "7"),
    (r'"\0"', "\0"),
]


@pytest.mark.parametrize(("written", "meant"), SCALARS)
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(written: str, meant: object) -> None:
    """No country code becomes false, no time of day a number."""
    found = load_yaml(f"key: {written}", "x")["key"]
    assert (found, type(found)) == (meant, type(meant))


def test_keys_are_texts() -> None:
    """As in JSON; a port as a key stays what was written."""
    assert load_yaml("8080: a\ntrue: b\n1.50: c", "x") == {"8080": "a", "true": "b", "1.50": "c"}


def test_anchors_share_a_value() -> None:
    """One retry policy for some of the nodes."""
    assert load_yaml("a: &r {n: [1]}\nb: *r\nc: &r 2\nd: *r", "x") == {"a": {"n": [1]}, "b": {"n": [1]}, "c": 2, "d": 2}


REFUSED = [
    ("a: 1\nb: 2\na: 3", "x:3:1", "each key once"),
    ("a: [1\nb: }", "x:2:2", "valid YAML"),
    ("a:\n\t- b", "x:2:1", "valid YAML"),
    ("a: \0", "x", "control characters"),
    ("a: 1\n---\nb: 2", "x:2:1", "one YAML document"),
    ("a: *b", "x:1:4", "a complete value that came before"),
    ("a: &b [1, *b]", "x:1:11", "a complete value that came before"),
    ("a: &b 1\nc: &b [*b]", "x:2:8", "a complete value that came before"),
    ("a: !!python/object/apply:os.system [ls]", "x:1:4", "without tags"),
    ("a: !mine {b: 1}", "x:1:4", "without tags"),
    ("a: !!int '7'", "x:1:4", "without tags"),
    ("[1, 2]: 3", "x:1:6", "a text as key"),
    ("a: " + "9" * 500, "x:1:4", "reasonable length"),
    ("a: 0x" + "f" * 500, "x:1:4", "reasonable length"),
    ("[" * 100_000, "x:1:101", "levels of nesting"),
    ("- " * 50_000, "x:1:201", "levels of nesting"),
]


@pytest.mark.parametrize(("text", "place", "accepted"), REFUSED)
def test_a_refusal_names_line_and_column(text: str, place: str, accepted: str) -> None:
    """A person must find the place."""
    with pytest.raises(InvalidValue) as caught:
        load_yaml(text, "x")
    assert caught.value.field == place
    assert accepted in caught.value.accepted


@pytest.mark.parametrize("grain", ["x", "x" * 40_000])
def test_an_alias_bomb_is_refused_before_it_grows(grain: str) -> None:
    """A few lines that would expand to more than a machine holds: many values, or long ones."""
    lines = [f"k0: &k0 [{grain}]"]
    lines += [f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 12)}]" for n in range(1, 40)]
    with pytest.raises(InvalidValue, match="aliases that repeat at most"):
        load_yaml("\n".join(lines), "x")


def test_too_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of YAML costs a hundred times its two bytes."""
    monkeypatch.setattr(yaml_documents, "MAX_VALUES", 100)
    with pytest.raises(InvalidValue, match="at most 100 values"):
        load_yaml("- a\n" * 101, "x")


def test_the_pure_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml."""
    import yaml

    text = "a: &r [1, 'two', {three: 3.0}]\nb: *r\nc: |\n  line\n"
    expected: Any = load_yaml(text, "x")
    monkeypatch.setattr(yaml_documents, "_LOADER", yaml.SafeLoader)
    assert load_yaml(text, "x") == expected == {"a": [1, "two", {"three": 3.0}], "b": expected["a"], "c": "line\n"}
