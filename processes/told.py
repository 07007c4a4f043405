"""What handlers say, read where they ran.

A value of a handler's may do anything when it is read, and raise anything: SystemExit and KeyboardInterrupt too. In the
handler's own thread that is the value's doing; in the thread of the worker it could as well be an operator's Ctrl-C.
"""

from dataclasses import dataclass
from typing import Any

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import EXECUTION_ERROR, MAX_DELAY_MS, Failure
from redrive.domain.values import JsonValue, clean_integer, clean_json
from redrive.processes.handlers import AttemptError, Snooze, milliseconds
from redrive.processes.services import Services

MAX_REASON = 1_000


@dataclass(frozen=True, slots=True)
class Output:
    """What a handler returned, as it can be stored."""

    value: JsonValue


Told = tuple[Output | Snooze | None, AttemptError | None]
"""An output or a snooze; or the failure."""


def told(services: Services, result: Any, error: BaseException | None) -> Told:
    """What a handler said by returning *result* or raising *error*; whatever that is, there is an answer."""
    if error is None:
        try:
            if isinstance(result, Snooze):
                return Snooze(clean_integer(milliseconds(result.delay), "delay_ms", 0, MAX_DELAY_MS)), None
            return Output(clean_json(result, "output")), None
        except BaseException as invalid:  # noqa: BLE001
            reason = (
                str(invalid) if isinstance(invalid, InvalidValue) else f"the output cannot be read: {_named(invalid)}"
            )
            return None, AttemptError(Failure(EXECUTION_ERROR, reason[:MAX_REASON], kind="invalid_output", final=True))
    try:
        return None, AttemptError(services.failure_told(error))
    except BaseException as broken:  # noqa: BLE001
        reason = f"{type(error).__name__} cannot be recorded: {_named(broken)}"
        return None, AttemptError(Failure(EXECUTION_ERROR, reason[:MAX_REASON], kind="invalid_failure"))


def _named(error: BaseException) -> str:
    try:
        return repr(error)
    except BaseException:  # noqa: BLE001
        return type(error).__name__
