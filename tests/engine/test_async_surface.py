"""The asynchronous engine has the names, the parameters and the types of the synchronous one."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any, assert_type

import pytest

from redrive import (
    AsyncEngine,
    AsyncTenantEngine,
    AsyncView,
    Claim,
    Engine,
    HistoryEntry,
    Page,
    Pending,
    RunId,
    RunSummary,
    TenantEngine,
    TickReport,
    open,  # noqa: A004
    open_async,
)
from redrive.projections.view import View
from tests.processes.workshop import ONE

PAIRS: list[tuple[type, type, set[str]]] = [
    (TenantEngine, AsyncTenantEngine, {"effect"}),
    (Engine, AsyncEngine, {"for_tenant", "batch", "now_ms", "close"}),
    (View, AsyncView, {"close", "fold"}),
]
"""A class, its asynchronous face, and what the face has of its own, or leaves to the engine."""
OF_THEIR_OWN = {"sync", "local", "views", "tenant", "path"}
"""Properties: which engine, which part of it, whose."""
DERIVED = [
    (sync, face, name)
    for sync, face, own in PAIRS
    for name in dir(sync)
    if name not in own and not name.startswith("_") and inspect.isfunction(getattr(sync, name))
]


@pytest.mark.parametrize(("sync", "face", "name"), DERIVED, ids=lambda value: getattr(value, "__name__", value))
def test_every_public_method_is_there(sync: type, face: type, name: str) -> None:
    """A new one takes one line, and this says which."""
    method: Callable[..., Any] = getattr(sync, name)
    how = "streamed" if "Iterator" in str(inspect.signature(method).return_annotation) else "awaited"
    line = f"{name} = {how}({sync.__name__}.{name})"
    assert hasattr(face, name), f"add the line `{line}` to {face.__name__} in {face.__module__}"
    derived: Any = getattr(face, name)
    assert getattr(derived, "__wrapped__", None) is method, f"{face.__name__}.{name} is not derived: write `{line}`"
    kind = inspect.isasyncgenfunction if how == "streamed" else inspect.iscoroutinefunction
    assert kind(derived), f"{face.__name__}.{name} is of the wrong kind: write `{line}`"
    assert derived.__qualname__ == f"{face.__name__}.{name}"
    assert inspect.signature(derived).parameters == inspect.signature(method).parameters


@pytest.mark.parametrize(("sync", "face", "_own"), PAIRS)
def test_nothing_is_there_that_the_other_lacks(sync: type, face: type, _own: set[str]) -> None:
    """Whoever knows one knows both; what differs is the way to the other."""
    assert {name for name in dir(face) if not name.startswith("_")} - set(dir(sync)) <= OF_THEIR_OWN


def test_opening_takes_the_same_options() -> None:
    """Also those that come later."""
    assert inspect.signature(open_async).parameters == inspect.signature(open).parameters


async def types_that_users_see(engine: AsyncEngine, claim: Claim) -> None:
    """Checked by mypy, never called: an ignore that is not needed any more is an error too."""
    acme = engine.local
    run = await acme.submit(ONE, automation="nightly", key="k", input={"day": 1}, actor="ana")
    assert_type(run, RunId)
    assert_type(await acme.claim(worker="w", start=True), Claim | None)
    assert_type(await acme.runs(limit=3, status="failed"), Page[RunSummary])
    assert_type(await engine.tick(), TickReport)
    assert_type(acme.whole_history(run), AsyncIterator[HistoryEntry])
    async with engine.batch() as batch:
        assert_type(batch.add(acme.submit, ONE, automation="nightly"), Pending[RunId])
        batch.add(acme.submit, ONE, automation=3)  # type: ignore[arg-type]
        batch.add(engine.sync.local.submit, ONE, automation="nightly")  # type: ignore[arg-type]
    await acme.submit(ONE)  # type: ignore[call-arg]
    await acme.runs(limit="3")  # type: ignore[arg-type]
    await acme.start_attempt(claim, node=3)  # type: ignore[arg-type]
    async with open_async("sqlite:///ops.db", cache_bytes=1_000_000) as other:
        assert_type(other, AsyncEngine)
    assert_type(await open_async(), AsyncEngine)
    await open_async(cache="1")  # type: ignore[call-arg]
