"""What executes the nodes of a flow file: commands, Python functions, or a simulation. Nothing is executed or
imported that was not allowed."""

import importlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from redrive.domain.classifier import Classifier
from redrive.domain.errors import InvalidValue
from redrive.domain.failure import INTERRUPTED, Failure
from redrive.domain.flow import DEFAULT_RETRY, Flow, Node
from redrive.domain.values import JsonValue
from redrive.effect_nodes import EffectHandler, allowed_origin
from redrive.flow_files import FlowFile
from redrive.flow_files.flow_file import (
    COMMAND_HANDLER,
    EFFECT_PREFIX,
    PYTHON_PREFIX,
    SIMULATE_HANDLER,
    SIMULATED_HANDLER,
)
from redrive.flow_files.wfformat import recorded_command
from redrive.processes.command_handler import CommandHandler
from redrive.processes.handlers import AttemptError, Handler
from redrive.processes.handout import Attempt
from redrive.simulation import SIMULATED_RETRY, Simulation

DEFAULT_RUNTIME_MS = 1_000
STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class Allowed:
    """What flows may do on this machine: run commands, import handlers whose module:function has a prefix, and send
    HTTP effects to *effect_origins* ("*" for any)."""

    commands: bool = False
    handler_prefixes: tuple[str, ...] = ()
    effect_origins: tuple[str, ...] = ()

    def handler(self, reference: str) -> bool:
        """Whether ``module:function`` may be imported."""
        return any(reference.startswith(prefix) for prefix in self.handler_prefixes)


class Handlers(Mapping[str, Handler]):
    """The handlers that are allowed, by name; functions are imported when they are first looked up."""

    def __init__(self, allowed: Allowed, classifier: Classifier) -> None:
        self._allowed = allowed
        self._known: dict[str, Handler] = {}
        if allowed.commands:
            self._known[COMMAND_HANDLER] = CommandHandler(classifier)
            self._known[SIMULATE_HANDLER] = RecordedCommandHandler(classifier)

    def __contains__(self, name: object) -> bool:
        if name in self._known:
            return True
        if not isinstance(name, str):
            return False
        if name.startswith(EFFECT_PREFIX):
            return allowed_origin(name.removeprefix(EFFECT_PREFIX), self._allowed.effect_origins)
        return name.startswith(PYTHON_PREFIX) and self._allowed.handler(_reference(name))

    def __getitem__(self, name: str) -> Handler:
        if name not in self:
            raise KeyError(name)
        if name.startswith(EFFECT_PREFIX):
            return EffectHandler(self._allowed.effect_origins)
        if name not in self._known:
            self._known[name] = imported(_reference(name))
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def imported(reference: str) -> Handler:
    """The function that ``module:function`` names. Raises InvalidValue."""
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError, SystemExit) as error:  # a script may exit while it is imported
        why = f"it exits: {error}" if isinstance(error, SystemExit) else error
        raise InvalidValue("handler", reference, f"a function that can be imported ({why})") from None
    if not callable(found):
        raise InvalidValue("handler", reference, "a function")
    return cast(Handler, found)


def require_allowed(file: FlowFile, allowed: Allowed, simulation: Simulation | None) -> None:
    """Raises InvalidValue when *file* could not be executed, before anything is written."""
    handlers_for(file, allowed, Classifier(), simulation)


def require_executable(file: FlowFile, path: str) -> None:
    """Raises InvalidValue for a *file* whose nodes no worker could execute, before anything is written."""
    if file.only_simulated:
        accepted = f"one that a worker can execute; its nodes can only be simulated: redrive run {path} --simulate"
        raise InvalidValue("flow file", file.automation, accepted)


def handlers_for(
    file: FlowFile, allowed: Allowed, classifier: Classifier, simulation: Simulation | None
) -> Mapping[str, Handler]:
    """The handlers of every node of *file*. Raises InvalidValue when one needs what was not allowed."""
    if simulation is not None:
        return {SIMULATED_HANDLER: SimulatedHandler(simulation, {str(n): ms for n, ms in file.runtimes_ms.items()})}
    names = {node.handled_by for node in file.flow.nodes.values() if not node.is_stateful_wait}
    if file.kind == "tandem" and names:
        raise InvalidValue("flow file", file.automation, "--simulate: it was imported from Tandem, without commands")
    if file.kind == "wfformat":
        if not allowed.commands:
            accepted = "--simulate, or --allow-commands to execute what it recorded"
            raise InvalidValue("flow file", file.automation, f"{accepted}: it was imported from WfFormat")
        for node in file.flow.nodes.values():
            recorded_command(node.params)
        return {SIMULATE_HANDLER: RecordedCommandHandler(classifier)}
    own = Allowed(True, allowed.handler_prefixes or file.imports, allowed.effect_origins or ("*",))
    handlers = Handlers(own, classifier)
    for name in names:
        if name not in handlers:
            option = "--allow-effects" if name.startswith(EFFECT_PREFIX) else "--allow-handlers"
            raise InvalidValue("handler", name, f"a handler that {option} allows")
        handlers[name]
    return handlers


def simulated_flow(flow: Flow) -> Flow:
    """*flow* as a flow of its own, which only a simulation executes, with the default retry of simulated nodes where a
    node names none. Approvals and timed waits are real."""
    return Flow(node if node.is_stateful_wait else _simulated(node) for node in flow.nodes.values())


def _simulated(node: Node) -> Node:
    retry = SIMULATED_RETRY if node.retry == DEFAULT_RETRY else node.retry
    return replace(node, handler=SIMULATED_HANDLER, retry=retry)


def is_simulated(flow: Flow) -> bool:
    """Whether *flow* is one that only a simulation executes."""
    return any(node.handler == SIMULATED_HANDLER for node in flow.nodes.values())


class SimulatedHandler:
    """Takes the time that the simulation says, and fails when it says so."""

    def __init__(self, simulation: Simulation, runtimes_ms: Mapping[str, int]) -> None:
        self._simulation = simulation
        self._runtimes_ms = runtimes_ms

    def __call__(self, attempt: Attempt) -> JsonValue:
        """Simulate one attempt. Raises AttemptError."""
        runtime = self._runtimes_ms.get(attempt.node, DEFAULT_RUNTIME_MS)
        outcome = self._simulation.outcome(attempt.node, attempt.lifetime, runtime)
        end = time.monotonic() + outcome.duration_ms / 1000
        while (left := end - time.monotonic()) > 0:
            if attempt.cancelled:
                raise AttemptError(Failure(INTERRUPTED, "the simulated task was stopped", kind="cancelled"))
            time.sleep(min(left, STEP_S))
        if outcome.failure is not None:
            raise AttemptError(outcome.failure)
        return {"simulated_ms": outcome.duration_ms}


class RecordedCommandHandler(CommandHandler):
    """Executes the program and arguments that a WfFormat file recorded."""

    def __call__(self, attempt: Attempt) -> JsonValue:
        """Run the recorded command of one attempt. Raises AttemptError."""
        try:
            words = recorded_command(attempt.params)
        except InvalidValue as cut:
            raise AttemptError(Failure("missing_config", str(cut), kind="command_cut", final=True)) from None
        if not words:
            raise AttemptError(Failure("missing_config", "the file recorded no program for this task", final=True))
        return super().__call__(replace(attempt, params={"run": words}))


def _reference(name: str) -> str:
    return name.removeprefix(PYTHON_PREFIX)
