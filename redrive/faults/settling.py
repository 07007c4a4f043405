"""The end of a simulation: faults off, everything that is due is done; then nothing may be left."""

from redrive.domain.errors import Refused
from redrive.domain.run.state import Status
from redrive.faults.process import Process
from redrive.faults.world import World, engine_of, tenant_of
from redrive.processes.handout import Claim

MOST_ROUNDS, MOST_CLAIMS, IMPATIENT = 1_000, 1_000, 4


def settle(world: World) -> list[str]:
    """Let one process without faults do all that is due; what is stuck then."""
    for process in world.processes:
        if process.engine is not None:
            process.stop()
    last = Process(world, len(world.processes))
    world.processes.append(last)
    problems: list[str] = []
    last.run(lambda process: problems.extend(_drain(process)))
    return problems


def _drain(process: Process) -> list[str]:
    world = process.world
    stalled = 0
    for _ in range(MOST_ROUNDS):
        before = world.observer.last_position()
        _do_what_is_due(process)
        stalled = stalled + 1 if world.observer.last_position() == before else 0
        if not _dues(world):
            break
        if stalled:
            _wait(world, stalled)
    problems = [f"something is due at {due} and nobody can do it" for due in _dues(world)[:1]]
    for run in world.runs:
        status = world.observer.run_state(None, run).status
        if run not in world.foreign and status in (Status.QUEUED, Status.RUNNING):
            problems.append(f"run {run} is {status} for ever")
    return problems


def _do_what_is_due(process: Process) -> None:
    engine_of(process).tick()
    for _ in range(MOST_CLAIMS):
        if (claim := tenant_of(process).claim(worker=process.name, start=True)) is None:
            return
        _finish(process, claim)


def _wait(world: World, stalled: int) -> None:
    """What is due has to wait for something that comes later: for a limit, mostly. Whoever waits in its line may look
    again and again; where a process that died held it, with a clock that was wrong, it is freed when its lease ends.
    The tokens of a rate that were taken before a clock was set back come by that clock: the longer nothing happens,
    the further it goes."""
    soon = (_in_line_ms(world), world.observer.next_work_ms(None, None, None)) if stalled < IMPATIENT else ()
    later = [due for due in (*_on_the_agenda(world), *soon) if due is not None and due > world.now_ms]
    world.now_ms = min(later, default=world.now_ms + 1_000 * stalled)


def _dues(world: World) -> list[int]:
    """When what is left is due, the first first; without what only a newer version may touch."""
    return sorted(due for due in (*_on_the_agenda(world), _in_line_ms(world)) if due is not None)


def _on_the_agenda(world: World) -> list[int | None]:
    rows = world.observer.agenda_rows()
    return [row.due_ms for row in rows if row.subject not in world.foreign and row.run not in world.foreign]


def _in_line_ms(world: World) -> int | None:
    capacity = world.observer.capacity()
    if not world.foreign:
        return capacity.next_ms(None, None, None)
    # some of those who wait in a line can only be read by a newer version
    return min((row.due_ms for row in capacity.waiters() if row.run not in world.foreign), default=None)


def _finish(process: Process, claim: Claim) -> None:
    """Execute a claim until it ends."""
    tenant, todo = tenant_of(process), list(claim.attempts)
    while todo:
        try:
            progress = tenant.complete_attempt(todo.pop(), None)
        except Refused:
            continue
        if not todo and progress.status == Status.RUNNING:
            todo += tenant.start_attempts(claim)
