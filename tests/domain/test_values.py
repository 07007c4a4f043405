"""The one boundary for values: what comes in can be stored, digested, and read back equal."""

import json
from collections.abc import Iterator
from itertools import count, repeat
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import Failure, failure_class_named, fingerprint_of
from redrive.domain.resource import node_resource
from redrive.domain.values import (
    MAX_DEPTH,
    MAX_NAME_BYTES,
    MAX_TEXT_BYTES,
    canonical_json,
    clean_integer,
    clean_json,
    clean_name,
    clean_text,
    cut_text,
    digest,
)

HUGE = pytest.param(10**5_000, id="more digits than Python prints")

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def nested(depth: int) -> list[Any]:
    """A list in a list in a list …, *depth* levels."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("a\ud800b", "a\ufffdb"),
        ("\udfff\ud800", "\ufffd" * 2),
        ("nul\x00", "nul\x00"),
        ("é😀", "é😀"),
    ],
)
def test_a_lone_surrogate_is_replaced_and_nul_is_kept(text: str, cleaned: str) -> None:
    """What is stored must be valid UTF-8, and must not lose what was valid."""
    assert clean_text(text, "t") == cleaned
    assert clean_json({text: [text]}, "t") == {cleaned: [cleaned]}


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("a" * MAX_TEXT_BYTES, True),
        ("a" * (MAX_TEXT_BYTES + 1), False),
        ("é" * (MAX_TEXT_BYTES // 2), True),
        ("é" * (MAX_TEXT_BYTES // 2) + "a", False),
        ("😀" * (MAX_TEXT_BYTES // 4), True),
        ("😀" * (MAX_TEXT_BYTES // 4 + 1), False),
    ],
)
def test_texts_are_bounded_in_bytes_not_in_characters(value: str, *, fits: bool) -> None:
    """Storage counts bytes, and four of them may hide in one character."""
    if fits:
        assert clean_text(value, "t") == value
    else:
        with pytest.raises(InvalidValue, match=r"^t: .*at most 16384 bytes"):
            clean_text(value, "t")


@pytest.mark.parametrize("value", ["", " ", "\t\n", None, 3, b"x", ["x"], "x" * (MAX_NAME_BYTES + 1)])
def test_a_name_is_a_text_that_is_not_blank(value: object) -> None:
    """A record without a name could never be asked for."""
    with pytest.raises(InvalidValue, match="name"):
        clean_name(value, "name")


@pytest.mark.parametrize("value", [1, 10])
def test_an_integer_within_its_range_is_accepted(value: int) -> None:
    """Both ends belong to the range."""
    assert clean_integer(value, "n", 1, 10) == value


@pytest.mark.parametrize("value", [0, 11, True, 1.0, "1", None, HUGE])
def test_anything_else_than_an_integer_in_range_is_refused(value: object) -> None:
    """True is no integer, and a refusal can be shown even for a number that Python will not print."""
    with pytest.raises(InvalidValue, match=r"n: .* expected an integer from 1 to 10"):
        clean_integer(value, "n", 1, 10)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), 2**53, -(2**53), HUGE, {1: 2}, {"a": object()}, b"x", {"x"}],
)
def test_what_is_no_json_is_refused_by_naming_the_field(value: object) -> None:
    """A digest over NaN, or a number that JavaScript rounds, would not be stable."""
    with pytest.raises(InvalidValue, match="input"):
        clean_json({"deep": [value]}, "input")


@pytest.mark.parametrize(
    "value", [2**53 - 1, 1 - 2**53, 0.1, -0.0, True, None, (1, "a"), {"b": 1, "a": {}}, nested(64)]
)
def test_what_is_json_is_accepted(value: object) -> None:
    """The largest values that can be read back equal are not refused."""
    assert clean_json(value, "input") == (list(value) if isinstance(value, tuple) else value)


def test_a_document_too_deep_is_refused_without_recursing_for_ever() -> None:
    """A hostile document must not end in a RecursionError."""
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(InvalidValue, match="levels of nesting"):
            clean_json(nested(depth), "input")


def test_a_document_too_large_is_refused() -> None:
    """One document must not make a log unreadable."""
    assert clean_json("x" * 98, "input", most=100) == "x" * 98
    with pytest.raises(InvalidValue, match="at most 100 bytes of JSON"):
        clean_json("x" * 99, "input", most=100)


class Endless(list[str]):
    """A host's own kind of list, which goes on for ever."""

    def __iter__(self) -> Iterator[str]:
        return repeat("")


class Growing(dict[str, None]):
    """An object with ever more keys."""

    def items(self) -> Any:
        return ((str(n), None) for n in count())


@pytest.mark.parametrize("value", [Endless(), Growing(), [Endless()], {"a": Growing()}, ["x" * 60, "x" * 60]])
def test_what_cannot_fit_is_refused_before_its_end(value: object) -> None:
    """Work is bounded by what is accepted, not by what comes."""
    with pytest.raises(InvalidValue, match="more than 100 bytes"):
        clean_json(value, "input", most=100)


@settings(max_examples=60, deadline=None)
@for_all(ANYTHING)
def test_what_just_fits_is_accepted(value: object) -> None:
    """Counting ahead refuses nothing that is small enough."""
    try:
        cleaned = clean_json(value, "v")
    except InvalidValue:
        return
    assert clean_json(cleaned, "v", most=len(canonical_json(cleaned))) == cleaned


def test_keys_that_become_equal_are_refused() -> None:
    """Replacing surrogates must not silently drop one of two entries."""
    with pytest.raises(InvalidValue, match="keys that differ"):
        clean_json(dict.fromkeys(("\ud800", "\udfff")), "input")


@settings(max_examples=60, deadline=None)
@for_all(ANYTHING)
def test_whatever_passes_can_be_written_and_read_back_equal(value: object) -> None:
    """The boundary's promise: a clean value survives the log byte for byte."""
    try:
        cleaned = clean_json(value, "v")
    except InvalidValue:
        return
    assert json.loads(canonical_json(cleaned)) == cleaned
    assert clean_json(cleaned, "v") == cleaned


def test_the_canonical_form_ignores_order_and_the_digest_is_sha_256_of_it() -> None:
    """Equal documents get equal names, in every version and every implementation."""
    assert canonical_json({"b": "é", "a": [1, None]}) == '{"a":[1,null],"b":"é"}'.encode()
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc…"),
        ("aé", 2, "a…"),
        ("é", 2, "é"),
        ("😀" * 2, 7, "😀…"),
        ("", 0, ""),
        ("a", 0, "…"),
    ],
)
def test_a_text_is_cut_on_a_character_boundary(text: str, most: int, cut: str) -> None:
    """Half a character is no text."""
    assert cut_text(text, most) == cut


@for_all(st.text(max_size=3_000).map(lambda text: text * 3))
@settings(max_examples=50, deadline=None)
def test_a_failure_read_back_is_the_same_failure(reason: str) -> None:
    """A reason is cut once; building the failure again from the log must not cut more."""
    failure = Failure("x", reason)
    assert Failure("x", failure.reason) == failure
    assert len(failure.reason.encode()) <= 4_096 + len("…".encode())


@pytest.mark.parametrize(
    ("written", "named"),
    [(" Provider-Transient ", "provider_transient"), ("missing config", "missing_config"), ("A", "a"), ("*", "*")],
)
def test_a_failure_class_is_spelled_in_one_way(written: str, named: str) -> None:
    """Hosts write classes as they like; policies compare one spelling."""
    assert failure_class_named(written) == named
    assert Failure(written).failure_class == named


@pytest.mark.parametrize("values", [("",), ("x", None), ("x", "r", " "), ("x", "r", None, ""), (3,)])
def test_a_failure_needs_texts(values: tuple[Any, ...]) -> None:
    """The strict boundary holds for what handlers report, too."""
    with pytest.raises(InvalidValue):
        Failure(*values)


def test_every_text_of_a_failure_passes_the_boundary() -> None:
    """A surrogate in any of them would make the event unwritable."""
    failure = Failure("\ud800", "\ud800", "\ud800", "\ud800")
    assert (failure.failure_class, failure.reason, failure.kind, failure.classified_by) == ("\ufffd",) * 4


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("timeout after 90 s", "Timeout  after 17 s", True),
        ("order 6f1d3c52-8a57-5f0e-9b1c-2f6d7265ab10", "order 00000000-0000-0000-0000-000000000000", True),
        ("at 0xdeadbeef", "at 0x1", True),
        ("disk full", "disk missing", False),
    ],
)
def test_failures_that_differ_in_numbers_only_share_a_fingerprint(one: str, other: str, *, alike: bool) -> None:
    """An operator looks at kinds of trouble, not at a thousand rows."""
    assert (fingerprint_of(Failure("x", one)) == fingerprint_of(Failure("x", other))) is alike


def test_a_resource_key_is_percent_encoded() -> None:
    """A hostile name cannot pose as another node's resource."""
    assert node_resource("a/b", "r", "é #") == "automation://a%2Fb/runs/r/nodes/%C3%A9%20%23"
