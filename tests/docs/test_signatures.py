"""What help() and an editor show of a public name: its parameters."""

from enum import Enum
from inspect import Parameter, isclass, isfunction, signature

import pytest

import redrive
from docs.generate.data import data

MADE_BY_HOSTS = [
    name
    for name in redrive.__all__
    if (isclass(found := getattr(redrive, name)) or isfunction(found))
    and not (isclass(found) and issubclass(found, (Exception, Enum)))
    and not getattr(found, "_is_protocol", False)
]


@pytest.mark.parametrize("name", MADE_BY_HOSTS)
def test_a_public_name_tells_its_parameters(name: str) -> None:
    """By their names: ``*args`` and ``**options`` tell nobody what to write."""
    unnamed = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    parameters = signature(getattr(redrive, name)).parameters.values()
    assert [one.name for one in parameters if one.kind in unnamed] == []


@pytest.mark.parametrize("name", ["Handler", "Send", "Gate", "Reconciler", "Compensate"])
def test_a_kind_of_function_is_explained(name: str) -> None:
    """The reference says what it is given and what it returns."""
    written = data(name)
    assert ":type: Callable[" in written
    assert "sync or async" in written


def test_a_worker_tells_what_it_takes() -> None:
    """Of one engine, or of several."""
    assert [*signature(redrive.Worker).parameters][:5] == ["engine", "handlers", "name", "concurrency", "batch"]


def test_a_streamed_method_tells_an_asynchronous_iterator() -> None:
    """In its annotations too, of which the reference is made: the method that it wraps has another."""
    streamed, plain = redrive.AsyncTenantEngine.whole_history, redrive.TenantEngine.whole_history
    assert "AsyncIterator" in str(streamed.__annotations__["return"])
    assert "AsyncIterator" not in str(plain.__annotations__["return"])
