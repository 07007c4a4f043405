"""What a host sends to another process, or a pool of them, arrives as it was."""

import pickle
from typing import get_type_hints

import pytest

from redrive import AttemptError, Failure, Fatal, Flow, InvalidValue, Node, NotSent, RedriveError, Rejected, Retry
from redrive.domain import errors
from tests.processes.workshop import policy

REFUSED: list[type[RedriveError]] = [
    one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RedriveError)
]
RAISED = [
    Retry("busy", delay=3),
    Fatal("no", failure_class="x"),
    NotSent("off", delay=4),
    Rejected("declined", {"code": 7}, failure_class="y"),
    AttemptError(Failure("provider_auth", "401", kind="expired")),
]


def of(kind: type[RedriveError]) -> RedriveError:
    """An error of that kind, with something for each argument."""
    hints = {} if kind.__init__ in (Exception.__init__, ValueError.__init__) else get_type_hints(kind.__init__)
    values = {name: 3 if hint is int else "x" for name, hint in hints.items() if name != "return"}
    return kind(**values) if values else kind("x")


@pytest.mark.parametrize("kind", REFUSED)
def test_an_error_arrives_as_it_was(kind: type[RedriveError]) -> None:
    """A process pool breaks over an exception that cannot be read on the other side."""
    error = of(kind)
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_what_a_handler_raises_arrives_as_it_was(error: Exception) -> None:
    """A handler may do its work in a pool of processes, and raise there what it means."""
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (type(error), str(error), vars(error))


def test_a_flow_arrives_as_it_was() -> None:
    """The same flow has the same digest, whoever checks it."""
    flow = Flow([Node("a", retry=policy(2), params={"p": [1]}), Node("b", after=["a"])])
    assert pickle.loads(pickle.dumps(flow)) == flow


def test_an_attempt_error_wants_a_failure() -> None:
    """A mere text has no class."""
    with pytest.raises(InvalidValue, match=r"failure: 'no' .* a Failure"):
        AttemptError("no")  # type: ignore[arg-type]
