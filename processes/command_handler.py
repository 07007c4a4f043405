"""The built-in handler of command nodes: a subprocess whose exit status decides, through the classifier."""

from collections.abc import Mapping
from typing import Any

from redrive.domain.classifier import Classifier
from redrive.domain.errors import InvalidValue
from redrive.domain.failure import INTERRUPTED, PROVIDER_TRANSIENT, Failure
from redrive.domain.values import JsonValue, canonical_json
from redrive.processes.commands import CommandResult, run_command
from redrive.processes.handlers import AttemptError
from redrive.processes.handout import Attempt


class CommandHandler:
    """Runs the argv of a node's params: ``{"run": [...], "env": {...}, "cwd": ...}``.

    The command reads the node's input (else the run's) as JSON, knows its attempt from ``REDRIVE_RUN``,
    ``REDRIVE_NODE``, ``REDRIVE_ATTEMPT`` and ``REDRIVE_LIFETIME``, and is killed, with all its descendants, at its
    deadline, when the run is cancelled, and when redrive dies.
    """

    enforces_deadline = True

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def __call__(self, attempt: Attempt) -> JsonValue:
        """Run the command of one attempt. Raises AttemptError."""
        argv, env, cwd = _command_of(attempt.params)
        deadline = attempt.deadline_ms
        given = attempt.run_input if attempt.input is None else attempt.input
        result = run_command(
            argv,
            cwd=cwd,
            env={**env, **_environment(attempt)},
            input_text=None if given is None else canonical_json(given).decode(),
            timeout_ms=None if deadline is None else max(1, deadline - attempt.started_at_ms),
            cancelled=lambda: attempt.cancelled,
        )
        if result.exit_status == 0 and not result.timed_out:
            return {"stdout": result.stdout, "stderr": result.stderr, "duration_ms": result.duration_ms}
        raise AttemptError(self._failure(result))

    def _failure(self, result: CommandResult) -> Failure:
        if result.start_error is not None:
            return Failure("missing_config", result.start_error, kind="not_started")
        if result.cancelled:
            return Failure(INTERRUPTED, "the command was stopped", kind="cancelled")
        if result.timed_out:
            reason = f"killed after {result.duration_ms} ms\n{result.stderr}"
            return Failure(PROVIDER_TRANSIENT, reason, kind="timeout")
        return self._classifier.classify_exit(result.exit_status, result.signal, result.stderr or result.stdout)


def _command_of(params: JsonValue) -> tuple[list[str], dict[str, str], str | None]:
    if not isinstance(params, Mapping) or not isinstance(params.get("run"), list) or not params["run"]:
        raise InvalidValue("params.run", params, "the words of a command")
    spec: Any = params
    env = {str(key): str(value) for key, value in (spec.get("env") or {}).items()}
    return [str(word) for word in spec["run"]], env, spec.get("cwd")


def _environment(attempt: Attempt) -> dict[str, str]:
    return {
        "REDRIVE_RUN": attempt.run_id,
        "REDRIVE_NODE": attempt.node.replace("\x00", "\ufffd"),
        "REDRIVE_ATTEMPT": str(attempt.number),
        "REDRIVE_LIFETIME": str(attempt.lifetime),
    }
