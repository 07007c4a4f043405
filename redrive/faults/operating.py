"""What operators and timers do: decide about dead letters and runs, set limits, sweep, tick, look."""

from collections.abc import Sequence

from redrive.domain.errors import Conflict, StorageError
from redrive.domain.limits import Limit, Rate, Scope
from redrive.faults.disk import VIEWS_EVERY
from redrive.faults.flows import APPROVAL, PROVIDER, RESOURCE
from redrive.faults.injector import Armed
from redrive.faults.kinds import Kind
from redrive.faults.process import Process
from redrive.faults.world import engine_of, tenant_of

LETTER_VERBS = ("request_retry",) * 6 + ("grant_retries", "ignore", "abandon", "resolve", "reopen")
LIMITED: Sequence[tuple[Scope, str]] = (
    ("resource", RESOURCE), ("provider", PROVIDER), ("tenant", "local/default/default"),
)  # fmt: skip
RUN_VERBS = ("recover", "recover", "pause", "resume", "resume", "cancel")


def sweep(process: Process) -> None:
    """A sweep; another process may begin one amid it."""
    _meet_another(process)
    process.world.give("sweep", engine_of(process).sweep)


def _meet_another(process: Process) -> None:
    if process.injector.armed is None and process.world.may(Kind.TWO_SWEEPS, 3.0):
        process.injector.armed = Armed(Kind.TWO_SWEEPS, countdown=process.world.dice.randrange(2))


def tick(process: Process) -> None:
    """Reclaim, end waits, expire approvals, sweep; another process may sweep amid it."""
    _meet_another(process)
    process.world.give("tick", engine_of(process).tick)


def decide_letter(process: Process) -> None:
    """An operator decides about a dead letter, or about two at once."""
    world = process.world
    letters = world.letters()
    if not letters:
        return
    chosen, verb = world.dice.choice(letters[-6:]), world.dice.choice(LETTER_VERBS)
    more = (1,) if verb == "grant_retries" else ()
    command = getattr(tenant_of(process), verb)
    world.give_marked(f"{verb} {chosen[:8]}", lambda mark: command(chosen, *more, actor="ana", reason=mark))


def decide_run(process: Process) -> None:
    """An operator pauses, resumes, recovers, or now and then cancels a run."""
    world = process.world
    if world.runs:
        run, verb = world.dice.choice(world.runs[-6:]), world.dice.choice(RUN_VERBS)
        command = getattr(tenant_of(process), verb)
        world.give_marked(f"{verb} {run[:8]}", lambda mark: command(run, actor="ana", reason=mark))


def approve(process: Process) -> None:
    """An operator approves, or denies, where somebody may be waiting for it."""
    world = process.world
    if world.asking:
        run, verb = world.dice.choice(world.asking), world.dice.choice(("approve", "approve", "deny"))
        command = getattr(tenant_of(process), verb)
        world.give_marked(f"{verb} {run[:8]}", lambda mark: command(run, APPROVAL, actor="ana", reason=mark))


def note(process: Process) -> None:
    """An operator writes something down: each time it is told, it must be there once."""
    world = process.world
    if world.runs:
        run = world.dice.choice(world.runs[-6:])
        world.give_marked(f"note {run[:8]}", lambda mark: tenant_of(process).note(run, mark, actor="ana"))


def batch(process: Process) -> None:
    """Several commands in one commit; each of them learns what became of it."""
    world, tenant = process.world, tenant_of(process)
    if not world.runs:
        return
    runs = world.dice.choices(world.runs[-6:], k=3)
    marks = [world.acknowledged.mark() for _ in runs]
    try:
        with engine_of(process).batch() as together:
            noted = [together.add(tenant.note, run, mark, actor="ana") for run, mark in zip(runs, marks, strict=True)]
    except (StorageError, Conflict):
        return
    for mark, pending in zip(marks, noted, strict=True):
        if world.give(f"note in a batch ({mark})", pending.result) is not None:
            world.acknowledged.kept(mark)


def limit(process: Process) -> None:
    """An operator sets a limit, or removes one."""
    world, engine, dice = process.world, engine_of(process), process.world.dice
    scope, name = dice.choice(LIMITED)
    if dice.random() < 0.2:
        world.give_marked("remove limit", lambda mark: engine.remove_limit(scope, name, actor="ana", reason=mark))
        return
    rate = dice.choice((None, None, None, Rate(2, 1_000)))
    wanted = Limit(scope, name, dice.choice((1, 1, 2)), rate)
    world.give_marked(f"limit {wanted.key}", lambda mark: engine.set_limit(wanted, actor="ana", reason=mark))


def look(process: Process) -> None:
    """Somebody queries: the views catch up, and the agenda has to be what the log says."""
    world = process.world
    amid_another = len(world.acting) > 1  # whose command the views would wait for in vain
    if world.seed % VIEWS_EVERY == 0 and not amid_another:
        world.live_view.catch_up()
