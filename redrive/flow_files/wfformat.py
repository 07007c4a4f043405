"""WfFormat 1.5 of WfCommons: the task graph and what its execution recorded. Nothing in it is ever executed.

The format: https://wfcommons.org/format. Tasks are simulated; their commands are kept for people to read.
"""

from typing import Annotated, Any

from pydantic import FailFast, Field

from redrive.domain.errors import InvalidValue
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import NodeId
from redrive.domain.values import JsonValue, clean_name, cut_text
from redrive.flow_files.fields import Name, Names, Seconds
from redrive.flow_files.flow_file import SIMULATE_HANDLER, FlowFile
from redrive.flow_files.graph import checked_ids, require_known, require_size
from redrive.flow_files.ignored import at, listed, others
from redrive.flow_files.strict import Part, brief, validated
from redrive.simulation import SIMULATED_RETRY

TASKS = "workflow.specification.tasks"
RECORDS = "workflow.execution.tasks"
_MAX_PROGRAM_BYTES = 1_000
_MAX_ARGUMENTS = 50
_MAX_ARGUMENT_BYTES = 200


class _Task(Part):
    id: Name
    parents: Names | None = None
    children: Names | None = None


class _Record(Part):
    id: Name
    runtime: Seconds | None = Field(default=None, alias="runtimeInSeconds")
    command: Any = None


class _Specification(Part):
    tasks: Annotated[list[_Task], FailFast()]


class _Execution(Part):
    tasks: Annotated[list[_Record], FailFast()] = Field(default_factory=list)


class _Workflow(Part):
    specification: _Specification
    execution: _Execution | None = None


class _Document(Part):
    workflow: _Workflow


def wfformat_flow(document: dict[str, Any], *, stem: str) -> FlowFile:
    """The flow of a WfFormat *document*; *stem* names it when it has no name of its own.

    The edges are the union of what parents and children say. Raises InvalidValue, InvalidFlow.
    """
    _require_version(document.get("schemaVersion"))
    require_size(at(document, "workflow", "specification", "tasks"), TASKS)
    workflow = validated(_Document, document).workflow
    parents = _parents(workflow.specification.tasks)
    records = {record.id: record for record in (workflow.execution.tasks if workflow.execution else ())}
    runtimes = {
        NodeId(id_): round(record.runtime * 1_000)
        for id_, record in records.items()
        if record.runtime is not None and id_ in parents
    }
    nodes = (
        Node(
            id_,
            after=list(after),
            retry=SIMULATED_RETRY,
            handler=SIMULATE_HANDLER,
            params={"runtime_ms": runtimes.get(NodeId(id_), 0), **_command(records.get(id_))},
        )
        for id_, after in parents.items()
    )
    return FlowFile(
        automation=clean_name(document.get("name", stem), "name"),
        flow=Flow(nodes),
        kind="wfformat",
        ignored=_ignored(document, any(id_ not in parents for id_ in records)),
        runtimes_ms=runtimes,
    )


def _require_version(version: object) -> None:
    """Any 1.x will do, and so will a document that does not say; the place of the tasks is checked anyway."""
    if version is not None and not (isinstance(version, str) and version.startswith("1.")):
        raise InvalidValue("schemaVersion", brief(version), "a WfFormat version 1.x, such as '1.5'")


def _parents(tasks: list[_Task]) -> dict[str, dict[str, None]]:
    """The parents of each task, in the order of the file."""
    places = checked_ids([task.id for task in tasks], TASKS)
    parents: dict[str, dict[str, None]] = {task.id: {} for task in tasks}
    for place, task in enumerate(tasks):
        require_known(task.parents or (), places, f"{TASKS}[{place}].parents")
        require_known(task.children or (), places, f"{TASKS}[{place}].children")
        parents[task.id].update(dict.fromkeys(task.parents or ()))
        for child in task.children or ():
            parents[child][task.id] = None
    return parents


def _command(record: _Record | None) -> dict[str, JsonValue]:
    """What the execution ran, trimmed: for people, never for a shell."""
    if record is None or not isinstance(record.command, dict):
        return {}
    kept: dict[str, JsonValue] = {}
    program, arguments = record.command.get("program"), record.command.get("arguments")
    if isinstance(program, str) and program:
        kept["program"] = cut_text(program, _MAX_PROGRAM_BYTES)
    if isinstance(arguments, list) and arguments:
        texts = (item for item in arguments[:_MAX_ARGUMENTS] if isinstance(item, str))
        words: list[JsonValue] = [cut_text(text, _MAX_ARGUMENT_BYTES) for text in texts]
        kept["arguments"] = words
        if len(words) < len(arguments):
            kept["arguments_left_out"] = len(arguments) - len(words)
    return kept


def recorded_command(params: JsonValue) -> list[str]:
    """The words of the command that a task recorded; none when it recorded no program. Raises InvalidValue where not
    all of it was kept: part of a command is another command."""
    known: Any = params if isinstance(params, dict) else {}
    if not known.get("program"):
        return []
    words: list[str] = [known["program"], *known.get("arguments", [])]
    sizes = [_MAX_PROGRAM_BYTES, *[_MAX_ARGUMENT_BYTES] * _MAX_ARGUMENTS]
    cut = any(len(word.encode()) > most for word, most in zip(words, sizes, strict=False))
    if cut or "arguments_left_out" in known:
        whole = f"at most {_MAX_ARGUMENTS} texts of at most {_MAX_ARGUMENT_BYTES} bytes as arguments"
        accepted = f"a command that was kept whole ({whole}): part of one is not executed, only shown"
        raise InvalidValue("command", words[0][:80], accepted)
    return words


def _ignored(document: dict[str, Any], strangers: bool) -> tuple[str, ...]:
    """The paths of all keys that mean nothing here, each once, sorted."""
    workflow = document["workflow"]
    execution = workflow.get("execution") or {}
    tasks, records = workflow["specification"]["tasks"], execution.get("tasks") or []
    commands = (record["command"] for record in records if isinstance(record.get("command"), dict))
    found = {
        *others([document], "", {"name", "schemaVersion", "workflow"}),
        *others([workflow], "workflow.", {"specification", "execution"}),
        *others([workflow["specification"]], "workflow.specification.", {"tasks"}),
        *others([execution], "workflow.execution.", {"tasks"}),
        *others(tasks, f"{TASKS}[].", {"id", "parents", "children"}),
        *others(records, f"{RECORDS}[].", {"id", "runtimeInSeconds", "command"}),
        *others(commands, f"{RECORDS}[].command.", {"program", "arguments"}),
    }
    if strangers:
        found.add(f"{RECORDS}[] (of tasks that the specification does not have)")
    return listed(found)
