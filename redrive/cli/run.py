"""``redrive run``: execute a workflow file durably; the same command again resumes it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redrive.cli.approvals import MOST_SHOWN, deciding
from redrive.cli.context import Session, pass_session
from redrive.cli.counted import counted
from redrive.cli.group_ways import LOOKED_AT, is_doubtful
from redrive.cli.json_input import document
from redrive.cli.options import Command, acted
from redrive.cli.output import Output, printable
from redrive.cli.times import duration

if TYPE_CHECKING:
    from redrive.cli.progress import Bar, Lines
    from redrive.executors import Allowed
    from redrive.flow_files import FlowFile
    from redrive.projections.models import DeadLetterSummary, RunSummary
    from redrive.run_detail import NodeDetail
    from redrive.runner import Choice, Chosen, Summary
    from redrive.simulation import Simulation
    from redrive.tenant_engine import TenantEngine


@click.command(cls=Command)
@click.argument("flow_file", type=click.Path(path_type=Path))
@click.option("--key", help="The run's key: the same key gives the same run, also when it is completed.")
@click.option("--input", "input_", metavar="JSON", help="The run's input.")
@click.option("--resume", is_flag=True, help="Go on with the unfinished run although file or input have changed.")
@click.option("--new", is_flag=True, help="Start another run although one is unfinished.")
@click.option("--simulate", is_flag=True, help="Execute nothing: nodes take their recorded time and fail by dice.")
@click.option("--time-scale", type=float, default=1.0, show_default=True, help="Simulation: factor on run times.")
@click.option("--failure-rate", type=float, default=0.0, show_default=True, help="Simulation: from 0 to 1.")
@click.option("--failure-classes", metavar="A,B", help="Simulation: what failures are (default provider_transient).")
@click.option("--seed", type=int, default=0, show_default=True, help="Simulation: the same seed, the same dice.")
@click.option("--allow-commands", is_flag=True, help="Execute the commands of an imported flow.")
@click.option("--allow-handlers", metavar="PREFIX", multiple=True, help="Import handlers module:function so prefixed.")
@click.option("--allow-effects", metavar="ORIGIN", multiple=True, help="Send HTTP effects only there (else: anywhere).")
@click.option("--concurrency", type=int, help="Attempts at a time (REDRIVE_CONCURRENCY, default 8).")
@acted
@pass_session
def run(
    session: Session,
    flow_file: Path,
    key: str | None,
    input_: str | None,
    resume: bool,
    new: bool,
    simulate: bool,
    time_scale: float,
    failure_rate: float,
    failure_classes: str | None,
    seed: int,
    allow_commands: bool,
    allow_handlers: tuple[str, ...],
    allow_effects: tuple[str, ...],
    concurrency: int | None,
    actor: str,
) -> int:
    """Execute a workflow file durably, on the log.

    FLOW_FILE is redrive's own YAML or JSON, WfFormat 1.5, or a Tandem automation. After a crash, the same command
    resumes the run; after it completed, the same command starts a new one, unless --key repeats. Exit code 0:
    completed, 1: finished with dead letters (or not finished, as when an approval is awaited), 130: interrupted.
    """
    from redrive.effect_nodes import origins
    from redrive.executors import Allowed
    from redrive.flow_files import read_flow_file
    from redrive.runner import Choice
    from redrive.simulation import Simulation

    _require_one_way(key, resume=resume, new=new)
    if not simulate:
        _require_no_dice(click.get_current_context())
    if concurrency is not None:
        session.give("concurrency", concurrency)
    file = read_flow_file(flow_file, max_bytes=session.settings.max_flow_bytes)
    classes = (failure_classes or "provider_transient").split(",")
    simulation = Simulation(time_scale, failure_rate, classes, seed) if simulate else None
    allowed = Allowed(allow_commands, allow_handlers, origins(allow_effects))
    return _run(session, file, Choice(key, document(input_), resume, new), allowed, simulation, actor)


def _require_one_way(key: str | None, *, resume: bool, new: bool) -> None:
    """Which run it is to be is said in one way. Raises UsageError."""
    if resume and new:
        raise click.UsageError("--resume and --new exclude each other.")
    if key is not None and new:
        raise click.UsageError("--key and --new exclude each other: a key names one run.")


def _require_no_dice(ctx: click.Context) -> None:
    """Whoever says how to simulate does not want it done. Raises UsageError."""
    for name in ("time_scale", "failure_rate", "failure_classes", "seed"):
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is for simulations: give --simulate too, or this would be executed.")


def _run(
    session: Session,
    file: "FlowFile",
    choice: "Choice",
    allowed: "Allowed",
    simulation: "Simulation | None",
    actor: str,
) -> int:
    from redrive.executors import handlers_for, require_allowed, simulated_flow
    from redrive.runner import choose_run, execute

    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    flow = file.flow if simulation is None else simulated_flow(file.flow)
    require_allowed(file, allowed, simulation)
    tenant = session.tenant_engine(create=True)
    handlers = handlers_for(file, allowed, tenant.services.classifier, simulation)
    chosen = choose_run(tenant, file.automation, flow, choice, actor)
    output = session.output
    _announce(output, file, chosen)
    with _progress(output, tenant, chosen.run_id) as progress:
        leave = tenant.engine.ledger.subscribe(progress.follow)
        try:
            summary = execute(tenant, chosen.run_id, handlers, session.settings, output.remark)
        finally:
            leave()
    _sum_up(session, tenant, summary, before=chosen.finished)
    return summary.exit_code


def _announce(output: Output, file: "FlowFile", chosen: "Chosen") -> None:
    if output.json:
        return
    if file.ignored:
        shown = ", ".join(printable(key, 60) for key in file.ignored[:6])
        output.remark(
            f"ignored keys: {shown}" + (f" and {len(file.ignored) - 6} more" if len(file.ignored) > 6 else "")
        )
    verb = "completed before:" if chosen.finished else "resuming" if chosen.resumed else "started"
    output.say(f"{verb} run {chosen.run_id} of {printable(file.automation, 80)}: {counted(len(file.flow), 'node')}")


def _progress(output: Output, tenant: "TenantEngine", run_id: str) -> "Bar | Lines":
    from rich.console import Console

    from redrive.cli.progress import Bar, Lines
    from redrive.domain.identity import RunId

    if output.terminal and not output.json:
        standing = tenant.run(RunId(run_id))
        return Bar(run_id, standing.nodes, standing.succeeded, Console())
    return Lines(run_id, (lambda _line: None) if output.json else output.say)


def _sum_up(session: Session, tenant: "TenantEngine", summary: "Summary", *, before: bool) -> None:
    """Say where the run stands, and how long it took: this command, or all of a run that was finished *before*."""
    from redrive.cli.show_run import queued

    output, run = session.output, summary.run
    letters = tenant.dead_letters(run=run.run_id, active_only=True, limit=1_000).items
    if output.json:
        output.item("summary", {**run.model_dump(mode="json"), "seconds": round(summary.seconds, 3)})
        return
    took_ms = round(summary.seconds * 1000)
    if before and run.finished_at_ms is not None:
        took_ms = run.finished_at_ms - run.submitted_at_ms
    output.say(
        f"{run.status}: {run.succeeded} of {run.nodes} nodes succeeded, {counted(run.attempts, 'attempt')}, "
        f"{counted(run.retries, 'retry', 'retries')}, {counted(run.open_letters, 'dead letter')} open, "
        f"{duration(took_ms)}"
    )
    if run.status == "running":
        output.say(f"it is being executed by {printable(run.worker or '?')}")
    detail = tenant.show(run.run_id)
    if run.status == "queued":
        output.say(f"queued: {queued(detail, tenant.engine.now_ms())}")
    nodes = detail.nodes
    asked = [node for node in nodes if node.status == "awaiting_approval"]
    for node in asked[:MOST_SHOWN]:
        prompt = tenant.services.redactor.text(node.prompt or "")
        output.say(f"{printable(node.node, 60)} awaits an approval: {printable(prompt, 240)}")
    if asked:
        output.say("once it is decided, the same run command goes on")
    elif run.status == "queued":
        output.say("the same run command goes on")
    output.next(*_next(session, tenant, run, letters, asked))


def _next(
    session: Session,
    tenant: "TenantEngine",
    run: "RunSummary",
    letters: Sequence["DeadLetterSummary"],
    nodes: Sequence["NodeDetail"],
) -> list[tuple[str, str]]:
    run_id, open_ = run.run_id, [letter for letter in letters if letter.status == "open"]
    doubtful = [letter for letter in open_[:LOOKED_AT] if is_doubtful(tenant, letter)]
    found = deciding(session, run_id, nodes)
    if letters:
        found.append((session.command("dead-letters", "list", "--run", run_id), "what failed"))
    if doubtful:
        line = ("reconcile", str(doubtful[0].effect_id)[:8], "--outcome", "OUTCOME", "--reason", "WHY")
        found.append((session.command(*line), "look at the other side, then say what became of it"))
    if any(letter.source == "stateful_wait" for letter in open_):
        found.append((session.command("recover", run_id, "--reason", "WHY"), "have an expired approval asked again"))
    if any(letter.source != "stateful_wait" and letter not in doubtful for letter in open_):
        retry = session.command("dead-letters", "retry", "--run", run_id, "--all", "--reason", "WHY")
        found.append((retry, "do it again; then give the run command again"))
    if any(letter.status == "parked" for letter in letters):
        grant = session.command("dead-letters", "grant", "--run", run_id, "--all", "3", "--reason", "WHY")
        found.append((grant, "allow more dispatches of what is parked; then give the run command again"))
    if run.status == "paused":
        found.append((session.command("resume", run_id, "--reason", "checked"), "lift the pause"))
    found.append((session.command("history", run_id), "everything that happened"))
    return [*found, (session.command("show", run_id), "the run, node by node")]
