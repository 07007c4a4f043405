"""Commands worth typing next that depend on what a run is made of."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from redrive.cli.context import Session

if TYPE_CHECKING:
    from redrive.tenant_engine import TenantEngine

MOST_PREFIXES = 3
MOST_FLOWS = 20


def executing(session: Session, handlers: Iterable[str], flow_file: str = "FLOW_FILE") -> tuple[str, str]:
    """The command that executes nodes with these *handlers*, and what it is good for."""
    from redrive.flow_files.flow_file import (
        COMMAND_HANDLER,
        EFFECT_PREFIX,
        PYTHON_PREFIX,
        SIMULATE_HANDLER,
        SIMULATED_HANDLER,
    )

    names = set(handlers) - {""}
    allowed = ["--allow-commands"] if COMMAND_HANDLER in names else []
    modules = {name.removeprefix(PYTHON_PREFIX).partition(":")[0] for name in names if name.startswith(PYTHON_PREFIX)}
    for module in sorted(modules)[:MOST_PREFIXES]:
        allowed += ["--allow-handlers", module]
    origins = {name.removeprefix(EFFECT_PREFIX) for name in names if name.startswith(EFFECT_PREFIX)}
    for origin in sorted(origins)[:MOST_PREFIXES]:
        allowed += ["--allow-effects", origin]
    if allowed:
        return session.command("work", *allowed), "execute what is queued"
    if names & {SIMULATE_HANDLER, SIMULATED_HANDLER}:
        return session.command("run", flow_file, "--simulate"), "go on with the simulation"
    return session.command("queues", "ready"), "what waits for your application's worker"


def executing_run(session: Session, acme: "TenantEngine", run_id: str) -> tuple[str, str]:
    """The command that executes this run."""
    return executing_runs(session, acme, [run_id])


def executing_runs(session: Session, acme: "TenantEngine", run_ids: Iterable[str]) -> tuple[str, str]:
    """The command that executes these runs: of many, one of each flow is looked at, and some flows."""
    from redrive.domain.identity import RunId

    flows: dict[str, set[str]] = {}
    for run_id in dict.fromkeys(run_ids):
        if (flow := acme.run(RunId(run_id)).flow) not in flows:
            flows[flow] = {node.handler for node in acme.show(RunId(run_id)).nodes}
        if len(flows) == MOST_FLOWS:
            break
    return executing(session, set().union(*flows.values()))
