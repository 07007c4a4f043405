"""Submitting runs of workflow files."""

import json
from pathlib import Path

import pytest

from tests.cli.logs import World
from tests.flow_files.documents import wfformat

FLOW = """
automation: nightly
version: 1
nodes:
  - {id: fetch, run: [echo, hello]}
  - {id: publish, after: [fetch], handler: "shop.reports:publish"}
"""


@pytest.fixture
def flow(tmp_path: Path) -> str:
    """A workflow file."""
    path = tmp_path / "nightly.yaml"
    path.write_text(FLOW)
    return str(path)


def test_a_run_is_submitted(world: World, flow: str) -> None:
    """Its id is all that goes to standard output; what executes it is named."""
    result = world.run("submit", flow, "--key", "2026-11-22", "--input", '{"day": 22}', "--actor", "ana")
    run = world.json("show", result.stdout.strip())["item"]
    assert (run["automation"], run["key"], run["input"], run["status"]) == (
        "nightly",
        "2026-11-22",
        {"day": 22},
        "queued",
    )
    assert "work --allow-commands --allow-handlers shop.reports" in result.stderr


def test_the_same_key_gives_the_same_run(world: World, flow: str) -> None:
    """However often; without a key each is another."""
    first, again = (world.json("submit", flow, "--key", "k")["item"] for _ in range(2))
    assert (first["run_id"], first["new"], again["new"]) == (again["run_id"], True, False)
    assert "it is the same run" in world.run("submit", flow, "--key", "k").stderr
    assert world.json("submit", flow)["item"]["run_id"] != world.json("submit", flow)["item"]["run_id"]


def test_a_key_with_another_input_is_refused(world: World, flow: str) -> None:
    """Exit 3; nothing was written."""
    world.run("submit", flow, "--key", "k", "--input", "1")
    before = world.events()
    result = world.run("submit", flow, "--key", "k", "--input", "2")
    assert result.exit_code == 3
    assert result.stderr.startswith("Refused (key-reused): ")
    assert world.events() == before


def test_submit_creates_the_log(tmp_path: Path, flow: str, world: World) -> None:
    """Unlike every query."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert World(url, world.ids).run("submit", flow).exit_code == 0
    assert len(World(url, world.ids).json("runs")["items"]) == 1


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        "NaN",
        '{"a": Infinity}',
        "9" * 5_000,
        "9007199254740993",
        "[" * 100_000,
        '{"a": 1, "a": 2}',
        "[" * 80 + "]" * 80,
    ],
)
def test_an_input_that_is_no_document_is_refused(world: World, flow: str, bad: str) -> None:
    """Exit 2, one short line; nothing was written."""
    before = world.events()
    result = world.run("submit", flow, "--input", bad)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr) < 400
    assert world.events() == before


@pytest.mark.parametrize("content", [None, "", "automation: x\nversion: 1\nnodes: []\n", "{", "\x00", "a: &a [*a]"])
def test_a_bad_flow_file_is_refused_before_a_log_exists(world: World, tmp_path: Path, content: str | None) -> None:
    """Exit 2 with a sentence, and no log is left behind."""
    path = tmp_path / "bad.yaml"
    if content is not None:
        path.write_text(content)
    result = World(f"sqlite:///{tmp_path / 'new.db'}", world.ids).run("submit", str(path))
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert not (tmp_path / "new.db").exists()


TANDEM = {"automation_id": "t", "flow": {"nodes": [{"node_id": "draft"}]}}
TASK = {"id": "a", "parents": [], "children": []}
ASKED = {"node_id": "ok", "stage_kind": "approval"}


def _saved(folder: Path, text: str) -> str:
    path = folder / "imported.json"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("text", [json.dumps(TANDEM), wfformat([TASK]), wfformat([TASK], [{"id": "a"}])])
def test_what_can_only_be_simulated_is_refused(world: World, tmp_path: Path, text: str) -> None:
    """No worker could ever execute its nodes. Exit 2, the command that can, and no log."""
    path = _saved(tmp_path, text)
    result = World(f"sqlite:///{tmp_path / 'new.db'}", world.ids).run("submit", path)
    assert result.exit_code == 2
    assert "its nodes can only be simulated: redrive run" in result.stderr
    assert "--simulate" in result.stderr
    assert not (tmp_path / "new.db").exists()


def test_recorded_programs_may_be_submitted(world: World, tmp_path: Path) -> None:
    """A worker with --allow-commands executes them, and that is what is suggested."""
    record = {"id": "a", "command": {"program": "true", "arguments": []}}
    result = world.run("submit", _saved(tmp_path, wfformat([TASK], [record])))
    assert "work --allow-commands" in result.stderr
    assert world.run("work", "--until-idle", "--allow-commands").exit_code == 0
    assert world.json("show", result.stdout.strip())["item"]["status"] == "completed"


def test_approvals_alone_may_be_submitted(world: World, tmp_path: Path) -> None:
    """Nothing has to be executed; redrive itself waits."""
    result = world.run("submit", _saved(tmp_path, json.dumps({"flow": {"nodes": [ASKED]}})))
    assert result.exit_code == 0, result.output


def test_work_takes_a_batch(world: World, tmp_path: Path) -> None:
    """As many in hand as are asked for; what is out of bounds is refused before anything is claimed."""
    runs = [world.run("submit", _saved(tmp_path, json.dumps({"flow": {"nodes": [ASKED]}}))) for _ in range(2)]
    refused = world.run("work", "--until-idle", "--allow-commands", "--batch", "0")
    assert refused.exit_code != 0
    assert "batch" in refused.stderr
    assert world.run("work", "--until-idle", "--allow-commands", "--batch", "16").exit_code == 0
    assert {world.json("show", run.stdout.strip())["item"]["status"] for run in runs} == {"awaiting_approval"}
