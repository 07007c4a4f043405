"""``redrive work``: execute whatever is due, for all tenants or one."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session, shards_of
from redrive.cli.options import Command

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.executors import Allowed
    from redrive.processes.worker import Worker
    from redrive.sharding.sharded_engine import ShardedEngine


@click.command(cls=Command)
@click.option("--allow-commands", is_flag=True, help="Execute command nodes.")
@click.option("--allow-handlers", metavar="PREFIX", multiple=True, help="Import handlers module:function so prefixed.")
@click.option("--allow-effects", metavar="ORIGIN", multiple=True, help="Send HTTP effects there; '*' for anywhere.")
@click.option("--until-idle", is_flag=True, help="Stop when nothing is left to do; else work until Ctrl-C.")
@click.option("--concurrency", type=int, help="Attempts at a time (REDRIVE_CONCURRENCY, default 8).")
@click.option("--batch", type=int, help="Attempts taken in hand in one commit (REDRIVE_BATCH, default 1: concurrency).")
@click.option("--name", help="The worker's name in the history (default: host, pid and a random part).")
@pass_session
def work(
    session: Session,
    allow_commands: bool,
    allow_handlers: tuple[str, ...],
    allow_effects: tuple[str, ...],
    until_idle: bool,
    concurrency: int | None,
    batch: int | None,
    name: str | None,
) -> int:
    """Execute due runs, for all tenants or one.

    It takes over what dead workers held, ends timed waits, and sweeps dead letters. Compensations are run by workers
    of your programs. Serves all tenants unless --tenant names one. Only nodes whose handlers are allowed are
    executed; the others stay queued for a worker that may. Several workers may share one log.
    """
    from redrive.cli.progress import Lines
    from redrive.effect_nodes import origins
    from redrive.executors import Allowed
    from redrive.runner import stopping_on_signals

    if not (allow_commands or allow_handlers or allow_effects):
        given = "--allow-commands, --allow-handlers PREFIX, --allow-effects ORIGIN, or several of them"
        raise click.UsageError(f"Nothing may be executed: give {given}.")
    allowed = Allowed(allow_commands, allow_handlers, origins(allow_effects))
    for setting, value in (("concurrency", concurrency), ("batch", batch)):
        if value is not None:
            session.give(setting, value)
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    engine = session.serving(create=True)
    worker = _worker(session, engine, allowed, name)
    session.output.remark(f"worker {worker.name}: {worker.concurrency} attempts at a time; Ctrl-C to stop")
    said = Lines(None, session.output.say).follow
    leaves = [] if session.output.json else [one.ledger.subscribe(said) for one in shards_of(engine)]
    with stopping_on_signals(worker, session.output.remark) as interrupted:
        worker.run_until_idle() if until_idle else worker.run()
    for leave in leaves:
        leave()
    return 130 if interrupted.is_set() and until_idle else 0


def _worker(session: Session, engine: "Engine | ShardedEngine", allowed: "Allowed", name: str | None) -> "Worker":
    """The worker that the settings describe."""
    from redrive.executors import Handlers
    from redrive.processes.worker import Worker

    settings = session.settings
    return Worker(
        engine if session.tenant is None else engine.for_tenant(session.tenant),
        Handlers(allowed, shards_of(engine)[0].services.classifier),
        name=name,
        concurrency=settings.concurrency,
        batch=settings.batch,
        lease_ms=settings.lease_ms,
        tick_ms=settings.tick_ms,
        poll_ms=settings.poll_ms,
    )
