"""What the pages promise to be complete is complete, and what they link to exists."""

import ast
import re
from pathlib import Path

import click
import pytest
import yaml

import redrive
from docs.generate import MARK, PARTS, part
from docs.generate.api import documented, errors
from docs.generate.commands import walked
from docs.generate.errors import every
from docs.generate.json_schemas import PRINTED
from redrive.domain.compensation.state import CompensationStatus
from redrive.domain.dead_letter.state import Disposition
from redrive.domain.effect.state import EffectStatus
from redrive.domain.event import CATALOGUE
from redrive.domain.run.state import NodeStatus, Status
from redrive.flow_files import parse_flow
from redrive.settings import Settings
from tests.docs.examples import BLOCK, ROOT
from tests.docs.test_examples import PAGES

READ = {page: page.read_text(encoding="utf-8") for page in PAGES if "_build" not in page.parts}
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("name", PARTS)
def test_each_generated_part_is_made_and_used(name: str) -> None:
    """A part that no page asks for would be documentation that nobody finds."""
    assert part(name).strip()
    assert sum(MARK.findall(text).count(name) for text in READ.values()) >= 1


def test_every_public_name_is_documented() -> None:
    """A name that is added to the package is put into a group of the reference."""
    names = set(redrive.__all__) - {"__version__"}
    assert names - errors() == documented()
    assert errors() <= {cls.__name__ for _, cls in every()}


def test_every_command_and_option_is_documented() -> None:
    """From the commands themselves, with a sentence for each."""
    text = part("commands")
    for path, command in walked():
        assert len(path) == 1 or f"`{' '.join(path)}`" in text
        assert command.help
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.help, f"{path} {param.name}"


def test_every_event_is_in_the_catalogue() -> None:
    """With its version, and a meaning."""
    text = part("events")
    for key, event in CATALOGUE.items():
        if event.__module__.startswith("redrive."):
            assert f"`{key}`" in text
            assert event.__doc__


def test_every_setting_is_documented_with_its_unit() -> None:
    """A number of milliseconds or bytes says so."""
    text = part("settings")
    for name, field in Settings.model_fields.items():
        assert f"| `{name}`<br>`REDRIVE_{name.upper()}` |" in text
        unit = {"_ms": "ms", "tes": "bytes"}.get(name[-3:], "")
        assert unit in (field.description or "")


def test_every_schema_of_the_output_is_documented() -> None:
    """What the commands print is what the table lists."""
    printed = {"error"}
    for source in (ROOT / "redrive" / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "attr", "") in ("items", "item", "entry")
                and node.args
            ):
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    printed.add(first.value)
    assert printed == set(PRINTED)


def test_every_state_is_explained() -> None:
    """Of runs, nodes, dead letters, effects and compensations."""
    text = (ROOT / "docs" / "reference" / "states.md").read_text(encoding="utf-8")
    for state in (*Status, *NodeStatus, *Disposition, *EffectStatus, *CompensationStatus):
        assert f"| `{state}` |" in text


@pytest.mark.parametrize("page", READ, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """On a plain code host too: they are paths of files."""
    for target in LINK.findall(READ[page]):
        assert (page.parent / target).exists(), target


def test_workflows_on_the_pages_are_workflows() -> None:
    """A whole file shown as an example can be read."""
    found = 0
    for page, text in READ.items():
        for block in BLOCK.finditer(text):
            body = block["body"]
            if block["language"] == "yaml" and isinstance(yaml.safe_load(body), dict) and "automation:" in body:
                assert len(parse_flow(body, name=page.name).flow)
                found += 1
    assert found > 4


def test_no_page_breaks_its_lines_late() -> None:
    """120 columns, as the code; tables and links cannot be broken."""
    for page, text in READ.items():
        for number, line in enumerate(text.splitlines(), 1):
            assert len(line) <= 120 or line.startswith("|") or "](" in line, f"{page.name}:{number}"
