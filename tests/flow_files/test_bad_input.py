"""Files that cannot be read, and texts that are no workflow: a sentence, never a traceback."""

import os
from pathlib import Path

import pytest

from redrive.domain.errors import InvalidFlow, InvalidValue
from redrive.domain.identity import NodeId
from redrive.flow_files import parse_flow, read_flow_file
from tests.flow_files.documents import one


def test_a_file_over_the_limit_is_refused_without_reading_it(tmp_path: Path) -> None:
    """100 MB, sparse: the size is asked first, and the limit can be raised."""
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(InvalidValue, match="at most 33554432 bytes, a limit that can be raised"):
        read_flow_file(path)


def test_the_limit_can_be_raised_and_lowered(tmp_path: Path) -> None:
    """It is counted in bytes and holds exactly."""
    path = tmp_path / "demo.json"
    path.write_text(one())
    size = path.stat().st_size
    assert read_flow_file(path, max_bytes=size).automation == "demo"
    with pytest.raises(InvalidValue, match="at most"):
        read_flow_file(path, max_bytes=size - 1)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_an_endless_file_is_bounded() -> None:
    """A device says nothing about its size."""
    with pytest.raises(InvalidValue, match="at most 1000 bytes"):
        read_flow_file("/dev/zero", max_bytes=1_000)


def test_a_pipe_can_be_read() -> None:
    """``redrive run <(generate)`` hands over a pipe."""
    reader, writer = os.pipe()
    os.write(writer, one().encode())
    os.close(writer)
    assert read_flow_file(f"/dev/fd/{reader}").automation == "demo"
    os.close(reader)


def test_a_missing_file_is_refused_with_a_hint(tmp_path: Path) -> None:
    """Most missing files are misspelt."""
    (tmp_path / "nightly.yaml").write_text("")
    with pytest.raises(InvalidValue, match=r"a file that exists \(did you mean 'nightly.yaml'\?\)"):
        read_flow_file(tmp_path / "nigthly.yaml")
    with pytest.raises(InvalidValue, match=r"a file that exists$"):
        read_flow_file(tmp_path / "no" / "folder.yaml")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Directories, and paths that the system cannot take."""
    with pytest.raises(InvalidValue, match="this is a directory"):
        read_flow_file(tmp_path)
    for path in ("a\0b", "a\ud800b", "x" * 5_000):
        with pytest.raises(InvalidValue, match="flow file"):
            read_flow_file(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """The reason of the system is passed on."""
    path = tmp_path / "secret.yaml"
    path.write_text(one())
    path.chmod(0)
    with pytest.raises(InvalidValue, match="Permission denied"):
        read_flow_file(path)


TEXTS: list[tuple[str | bytes, str]] = [
    ("", "there is none in this file"),
    (b" \n", "there is none in this file"),
    ("# only a comment\n", "there is none in this file"),
    ("null", "there is none in this file"),
    ("[1, 2]", "an object with the keys"),
    ("just words", "an object with the keys"),
    (b"\xff\xfe\x00", "text in UTF-8"),
    (b'{"automation": "\xed\xa0\x80"}', "text in UTF-8"),
    ('{"a": 1,\n  "b" 2}', r"valid JSON \(Expecting ':' delimiter"),
    ('{"a": 1, "a": 2}', "each key once"),
    ('{"a":' * 100_000, "less deeply nested"),
    ("[" * 100_000, "less deeply nested"),
    ('{"a": ' + "1" * 5_000 + "}", "numbers of a reasonable length"),
    (one(input=float("nan")), "a finite number"),
    (one(input=[1e999]), "a finite number"),
    (one(input=2**63), "an integer from -9007199254740991 to 9007199254740991"),
    (one(timeout_ms=2**63), "an integer from 1 to"),
    ('{"automation": "a", "version": 1, "nodes": [' + "1," * 200_000 + "1]}", "at most 100,000 nodes"),
    ('{"automation": "a", "version": 1, "nodes": [' + "1," * 90_000 + "1]}", "an object"),
]


@pytest.mark.parametrize(("text", "accepted"), TEXTS, ids=[str(number) for number in range(len(TEXTS))])
def test_a_text_that_is_no_workflow_is_refused(text: str | bytes, accepted: str) -> None:
    """Short sentences, also about long texts."""
    with pytest.raises(InvalidValue, match=accepted) as caught:
        parse_flow(text, name="demo")
    assert len(str(caught.value)) < 600


def test_a_refusal_of_json_names_line_and_column() -> None:
    """As with YAML."""
    with pytest.raises(InvalidValue) as caught:
        parse_flow('{"a": 1,\n  "b" 2}', name="demo.json")
    assert caught.value.field == "demo.json:2:7"


def test_yaml_that_begins_like_json_is_read() -> None:
    """Flow style; the ending of the name tells that YAML is meant."""
    text = "{automation: a, version: 1, nodes: [{id: n, run: [ls]}]}"
    assert parse_flow(text, name="demo.yaml").automation == "a"
    with pytest.raises(InvalidValue, match="valid JSON"):
        parse_flow(text, name="demo.json")


def test_lone_surrogates_become_replacement_characters() -> None:
    """Raw in a text, or escaped; a pair is a character, an escaped backslash no escape."""
    node = r'{"id": "\ud800", "run": ["ls"], "input": ["\\ud800", "\ud83d\ude00", "\uDFFFx", "' + "\udc00" + '"]}'
    flow = parse_flow('{"automation": "a", "version": 1, "nodes": [' + node + "]}", name="x").flow
    assert flow.nodes[NodeId("\ufffd")].input == ["\\ud800", "😀", "\ufffdx", "\ufffd"]


def test_nul_is_kept_in_data() -> None:
    """It is escaped on display; only what a program is given may not hold it."""
    assert parse_flow(one(input="a\0b"), name="x").flow.nodes[NodeId("only")].input == "a\0b"


def test_a_byte_order_mark_is_no_content() -> None:
    """Some editors write one."""
    assert parse_flow(b"\xef\xbb\xbf" + one().encode(), name="x").automation == "demo"
    assert parse_flow("\ufeff" + one(), name="x").automation == "demo"


def test_a_graph_error_is_told_from_other_bad_input() -> None:
    """InvalidFlow is an InvalidValue; an empty file has no nodes."""
    with pytest.raises(InvalidFlow):
        parse_flow("", name="x")
