"""WfFormat 1.5: real executions and hand-made documents."""

import json
from typing import Any

import pytest

from redrive.domain.errors import InvalidValue
from redrive.domain.flow import Flow
from redrive.flow_files import FlowFile, parse_flow, read_flow_file
from redrive.simulation import SIMULATED_RETRY
from tests.flow_files.documents import INSTANCES, wfformat

REAL = [
    ("helloworld-chain-5-chameleon", 5, 4),
    ("srasearch-chameleon-10a-003", 22, 30),
    ("montage-chameleon-dss-05d-001", 58, 114),
    ("blast-chameleon-large-001", 103, 300),
    ("1000genome-chameleon-4ch-100k-001", 104, 152),
    ("cutandrun-dirt02-001", 120, 196),
]


def parsed(*arguments: Any, **keys: Any) -> FlowFile:
    """The workflow of a WfFormat document."""
    return parse_flow(wfformat(*arguments, **keys), name="file.json")


def edges(flow: Flow) -> set[tuple[str, str]]:
    """The edges of *flow*, parent first."""
    return {(parent, node.id) for node in flow.nodes.values() for parent in node.after}


@pytest.mark.parametrize(("name", "tasks", "arrows"), REAL)
def test_real_executions_are_read(name: str, tasks: int, arrows: int) -> None:
    """Task and edge counts are those that the collection states."""
    path = INSTANCES / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not on this machine")
    file = read_flow_file(path)
    assert (len(file.flow), len(edges(file.flow)), len(file.runtimes_ms)) == (tasks, arrows, tasks)
    assert (file.kind, file.imports) == ("wfformat", ())
    assert {"workflow.specification.files", "workflow.execution.tasks[].avgCPU"} <= set(file.ignored)
    assert all(node.input is None for node in file.flow.nodes.values())


def test_a_task_is_simulated_and_its_command_kept_for_people() -> None:
    """An imported file executes nothing."""
    command = {"program": "p" * 2_000, "arguments": ["-x", 7, *"a" * 98]}
    file = parsed([{"id": "a"}], [{"id": "a", "runtimeInSeconds": 1.2345, "command": command}])
    (node,) = file.flow.nodes.values()
    assert (node.handler, node.retry) == ("redrive.simulate", SIMULATED_RETRY)
    assert isinstance(node.params, dict)
    assert node.params["runtime_ms"] == 1_234 == file.runtimes_ms[next(iter(file.flow.nodes))]
    assert len(str(node.params["program"])) == 1_001
    assert node.params["arguments_left_out"] == 51


def test_edges_are_what_parents_and_children_say_together() -> None:
    """Files of some systems fill only one of the two."""
    file = parsed([{"id": "a", "children": ["b"]}, {"id": "b"}, {"id": "c", "parents": ["b", "a"]}])
    assert edges(file.flow) == {("a", "b"), ("b", "c"), ("a", "c")}


def test_a_task_without_a_recorded_run_time_takes_none() -> None:
    """The specification alone is a workflow too."""
    file = parse_flow('{"workflow": {"specification": {"tasks": [{"id": "a"}]}}}', name="folder/spec.only.json")
    (node,) = file.flow.nodes.values()
    assert (node.params, file.runtimes_ms, file.automation) == ({"runtime_ms": 0}, {}, "spec.only")


def test_ignored_keys_are_listed_with_their_path() -> None:
    """Whoever imports a file learns what it lost."""
    file = parsed([{"id": "a", "name": "x"}], [{"id": "a", "priority": 1}, {"id": "b"}], author={}, description="")
    assert file.ignored == (
        "author",
        "description",
        "workflow.execution.tasks[] (of tasks that the specification does not have)",
        "workflow.execution.tasks[].priority",
        "workflow.specification.tasks[].name",
    )


@pytest.mark.parametrize("version", ["1.4", "1.5", None])
def test_versions_1_are_read(version: object) -> None:
    """A document that does not say its version is judged by its content."""
    assert parsed([{"id": "a"}], schemaVersion=version).automation == "demo"


@pytest.mark.parametrize("version", ["2.0", "0.9", "15", 1.5, []])
def test_other_versions_are_refused(version: object) -> None:
    """Another major version may mean something else."""
    with pytest.raises(InvalidValue, match=r"schemaVersion.*1\.x"):
        parsed([{"id": "a"}], schemaVersion=version)


REFUSED = [
    ([], None, "workflow.specification.tasks", "at least one node"),
    ([{"id": "a"}, {"id": "a"}], None, "workflow.specification.tasks[1].id", "has it already"),
    ([{"id": "task1"}, {"id": "b", "parents": ["task2"]}], None, "workflow.specification.tasks[1].parents[0]", "task1"),
    ([{"id": "a", "children": ["b"]}], None, "workflow.specification.tasks[0].children[0]", "the id of a node"),
    ([{"id": "a", "parents": ["a"]}], None, "after", "without cycles"),
    ([{"id": 1}], None, "workflow.specification.tasks[0].id", "a text"),
    ([{"id": "a"}], [{"id": "a", "runtimeInSeconds": -1}], "workflow.execution.tasks[0].runtimeInSeconds", "seconds"),
    (
        [{"id": "a"}],
        [{"id": "a", "runtimeInSeconds": float("nan")}],
        "workflow.execution.tasks[0].runtimeInSeconds",
        "",
    ),
    ([{"id": "a"}], [{"id": "a", "runtimeInSeconds": "1"}], "workflow.execution.tasks[0].runtimeInSeconds", "seconds"),
]


@pytest.mark.parametrize(("tasks", "records", "field", "accepted"), REFUSED)
def test_a_refusal_names_the_place(tasks: Any, records: Any, field: str, accepted: str) -> None:
    """The same manner as in the own format."""
    with pytest.raises(InvalidValue) as caught:
        parsed(tasks, records)
    assert caught.value.field == field
    assert accepted in caught.value.accepted


@pytest.mark.parametrize("workflow", [None, [], {}, {"tasks": []}, {"specification": None}, {"specification": {}}])
def test_a_document_of_another_shape_is_refused(workflow: object) -> None:
    """WfFormat 1.4 keeps its tasks elsewhere, and anything may be called a workflow."""
    with pytest.raises(InvalidValue, match=r"^workflow"):
        parse_flow(json.dumps({"workflow": workflow}), name="x.json")


def test_a_wide_workflow_is_read() -> None:
    """The shape of the largest public executions: 1,101 tasks, over 4,000 edges."""
    tasks = [{"id": f"t{n}", "parents": [f"t{p}" for p in range(max(0, n - 4), n)]} for n in range(1_101)]
    flow = parsed(tasks).flow
    assert (len(flow), len(edges(flow))) == (1_101, 4_394)
