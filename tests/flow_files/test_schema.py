"""The JSON Schema in the documentation."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from redrive.flow_files.schema import main, schema, schema_text
from tests.flow_files.documents import ROOT, one

COMMITTED = ROOT / "docs" / "reference" / "flow-file.schema.json"


def test_the_committed_schema_is_current() -> None:
    """Else: python -m redrive.flow_files.schema docs/reference/flow-file.schema.json."""
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == schema()


def test_the_command_writes_the_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To a file, or to the standard output."""
    assert main([str(tmp_path / "schema.json")]) == 0
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == schema_text()
    assert main([]) == 0
    assert capsys.readouterr().out == schema_text()


def accepted(document: Any) -> bool:
    """Whether the schema accepts *document*."""
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    validator.check_schema(schema())
    return bool(validator(schema()).is_valid(document))


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_the_schema_accepts_the_examples(path: Path) -> None:
    """An editor that checks by the schema must not complain about them."""
    assert accepted(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("change", [{"run": None}, {"handler": "a:b"}, {"timeout": 1}, {"retry": {"max_attempts": 11}}])
def test_the_schema_refuses_what_the_reader_refuses(change: dict[str, Any]) -> None:
    """Neither run nor handler, both, an unknown key, a number out of range."""
    assert accepted(json.loads(one()))
    assert not accepted(json.loads(one(**{"run": ["ls"], **change})))
