"""What ``redrive run`` does: find the run that the file means, execute it until nothing is left, and sum it up."""

import fcntl
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from redrive.domain.errors import InvalidValue
from redrive.domain.flow import Flow
from redrive.domain.identity import RunId, run_id_of
from redrive.domain.run.state import FINAL, Status
from redrive.domain.values import JsonValue, clean_json, clean_name, digest
from redrive.executors import is_simulated
from redrive.processes.handlers import Handler
from redrive.processes.host import is_gone
from redrive.processes.worker import Worker
from redrive.projections.models import RunSummary
from redrive.settings import Settings
from redrive.tenant_engine import TenantEngine

SURVIVORS_S = 12.0
_WAYS = "--resume goes on with that run as it is, --new starts another"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The run to execute; *resumed* when it was there before, *finished* when it is completed or cancelled."""

    run_id: RunId
    resumed: bool
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """How the user wants the run to be found: by *key*, the unfinished one (*resume*), or always a *new* one. With
    both *key* and *resume*: the one of that key, also when the file has changed."""

    key: str | None = None
    input: JsonValue = None
    resume: bool = False
    new: bool = False


def choose_run(tenant: TenantEngine, automation: str, flow: Flow, choice: Choice, actor: str) -> Chosen:
    """The newest unfinished run of this automation and flow, or a new one. Two processes choose one after the other.

    Raises InvalidValue when an unfinished run has another flow or input and neither resume nor new was asked for, and
    when a real run would be simulated, or a simulated one executed; KeyReused, NotFound.
    """
    with Path(f"{tenant.engine.ledger.home}.run.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _choose(tenant, automation, flow, choice, actor)


def _choose(tenant: TenantEngine, automation: str, flow: Flow, choice: Choice, actor: str) -> Chosen:
    def submit(key: str | None) -> RunId:
        return tenant.submit(flow, automation=automation, key=key, input=choice.input, actor=actor)

    if choice.key is not None and choice.resume:
        keyed = tenant.run(run_id_of(tenant.tenant, automation, clean_name(choice.key, "key")))
        return Chosen(_same_kind(tenant, keyed, flow), resumed=True, finished=keyed.status in FINAL)
    if choice.key is not None:
        before = tenant.engine.ledger.last_position()
        run_id = submit(choice.key)
        run = tenant.run(run_id)
        return Chosen(run_id, resumed=run.created <= before, finished=run.status in FINAL)
    if choice.new:
        return Chosen(submit(None), resumed=False)
    unfinished = newest_unfinished(tenant, automation, flow.digest) or newest_unfinished(tenant, automation, None)
    if unfinished is None:
        if choice.resume:
            raise InvalidValue("--resume", automation, "an automation with an unfinished run")
        return Chosen(submit(None), resumed=False)
    _same_kind(tenant, unfinished, flow)
    if unfinished.flow != flow.digest and not choice.resume:
        raise InvalidValue(
            "flow file", automation, f"the flow of the unfinished run {unfinished.run_id}; it has changed: {_WAYS}"
        )
    if choice.input is not None and not choice.resume:
        _same_input(tenant, unfinished, choice.input)
    return Chosen(RunId(unfinished.run_id), resumed=True)


def _same_kind(tenant: TenantEngine, run: RunSummary, flow: Flow) -> RunId:
    """The run, when it is simulated as *flow* is, or real as that is: what is simulated counts as done, and what is
    real is not done by dice. Raises InvalidValue."""
    simulated = is_simulated(tenant.engine.ledger.run_state(tenant.tenant, RunId(run.run_id)).flow)
    if simulated and not is_simulated(flow):
        raise InvalidValue("unfinished run", run.run_id, "a real one: --simulate goes on with it, --new starts another")
    if is_simulated(flow) and not simulated:
        raise InvalidValue(
            "unfinished run", run.run_id, "a simulated one: without --simulate it goes on, --new starts one"
        )
    return RunId(run.run_id)


def _same_input(tenant: TenantEngine, run: RunSummary, given: JsonValue) -> None:
    """Raises InvalidValue when the run was given another input."""
    known = tenant.engine.ledger.run_state(tenant.tenant, RunId(run.run_id)).input
    if digest(clean_json(given, "--input")) != digest(known):
        raise InvalidValue(
            "--input", given, f"the input of the unfinished run {run.run_id}, or none; it was another: {_WAYS}"
        )


def newest_unfinished(tenant: TenantEngine, automation: str, flow: str | None) -> RunSummary | None:
    """The newest run of *automation* (and *flow*, when given) that is neither completed nor cancelled."""
    unfinished = [status for status in Status if status not in FINAL]
    page = tenant.runs(automation=automation, flow=flow, status=unfinished, limit=1)
    return page.items[0] if page.items else None


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run stands after it was executed; *seconds* were spent here."""

    run: RunSummary
    seconds: float
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 completed, 130 interrupted by the user, else 1."""
        if self.run.status == Status.COMPLETED:
            return 0
        return 130 if self.interrupted else 1


def execute(
    tenant: TenantEngine,
    run_id: RunId,
    handlers: Mapping[str, Handler],
    settings: Settings,
    say: Callable[[str], None],
) -> Summary:
    """Execute one run until nothing of it is left that could go on by itself. What a dead process held is taken
    over first, and dead letters whose retry was requested are swept."""
    begun = time.monotonic()
    take_over(tenant, run_id)
    worker = Worker(
        tenant,
        handlers,
        concurrency=settings.concurrency,
        lease_ms=settings.lease_ms,
        tick_ms=settings.tick_ms,
        poll_ms=settings.poll_ms,
        only=run_id,
    )
    with stopping_on_signals(worker, say) as interrupted:
        worker.run_until_idle()
    return Summary(tenant.run(run_id), time.monotonic() - begun, interrupted.is_set())


def take_over(tenant: TenantEngine, run_id: RunId) -> None:
    """Tick until a run that a dead process held is free: its commands are killed within moments of its death."""
    end = time.monotonic() + SURVIVORS_S
    tenant.tick()
    while time.monotonic() < end:
        claim = tenant.engine.ledger.run_state(tenant.tenant, run_id).claim
        holder = claim.holder if claim else None
        if holder is None or not is_gone(holder):
            return
        time.sleep(0.02)
        tenant.tick()


@contextmanager
def stopping_on_signals(worker: Worker, say: Callable[[str], None]) -> Iterator[threading.Event]:
    """The first Ctrl-C (or SIGTERM) lets running attempts finish, the second stops them."""
    interrupted = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if interrupted.is_set():
            say("stopping the running attempts; the same command resumes the run")
            worker.abort()
            return
        interrupted.set()
        say("finishing what is running; again to stop it at once")
        worker.stop()

    with on_signals(stop, signal.SIGINT, signal.SIGTERM):
        yield interrupted


@contextmanager
def on_signals(handler: Callable[[int, FrameType | None], None], *numbers: int) -> Iterator[None]:
    """Call *handler* on these signals meanwhile; nothing changes in a thread that gets none."""
    main = threading.current_thread() is threading.main_thread()
    before: dict[int, Any] = {number: signal.signal(number, handler) for number in numbers} if main else {}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)
