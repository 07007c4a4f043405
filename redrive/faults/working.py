"""What workers do: claim, send effects, report; their reports may come twice, late, and through another process."""

from collections.abc import Callable
from typing import Any

from redrive.domain.effect.state import EffectStatus
from redrive.domain.failure import Failure
from redrive.domain.identity import RunId
from redrive.domain.run.state import Status
from redrive.faults.acknowledged import Key
from redrive.faults.flows import APPROVAL, PAY, POISON, flows, poisoned
from redrive.faults.kinds import Kind
from redrive.faults.process import Process
from redrive.faults.seam import KilledError
from redrive.faults.world import tenant_of
from redrive.processes.effects import EffectStanding
from redrive.processes.handout import Attempt, Claim

CLASSES = ("provider_transient", "execution_error", "provider_auth")
OPERATION, RECEIPT = "POST /pay", {"paid": True}
MOST_CLAIMS = 4


def submit(process: Process) -> None:
    """A client submits a run, perhaps one that was submitted before: the same key, the same run."""
    world = process.world
    number = len(world.runs) + world.dice.choice((0, 0, 1, 2)) if world.dice.random() < 0.8 else world.dice.randrange(5)
    poison = number % 7 == 3 and Kind.POISON_HANDLER in world.kinds
    automation = "patient" if number % 2 else "strict"
    flow = poisoned() if poison else flows()[number % len(flows())]

    def told(run: RunId) -> list[Key]:
        if run not in world.runs:
            world.runs.append(run)
            if APPROVAL in flow.nodes:
                world.asking.append(run)
        return [("submitted", str(run))]

    world.give(
        f"submit {number}", lambda: tenant_of(process).submit(flow, automation=automation, key=str(number)), told
    )


def claim(process: Process) -> None:
    """Take one run or several, with what is ready of them."""
    world, dice = process.world, process.world.dice
    lease_ms, most = dice.choice((5_000, 20_000, 60_000)), dice.choice((1, 1, 1, 3))

    def take() -> list[Claim]:
        return tenant_of(process).claim_many(most, worker=process.name, lease_ms=lease_ms, start=True)

    for taken in world.give("claim", take, lambda claims: [key for each in claims for key in _claimed(each)]) or ():
        process.claims.append(taken)
        process.attempts += taken.attempts
    del process.claims[:-MOST_CLAIMS]


def _claimed(taken: Claim) -> list[Key]:
    return [("claimed", str(taken.run_id), taken.epoch), *map(_started, taken.attempts)]


def _started(attempt: Attempt) -> Key:
    return ("started", str(attempt.run_id), attempt.node, attempt.lifetime)


def start(process: Process) -> None:
    """Start what became ready of a run that is claimed."""
    world = process.world
    if process.claims:
        held = world.dice.choice(process.claims)
        process.attempts += (
            world.give("start", lambda: tenant_of(process).start_attempts(held), lambda all_: map(_started, all_)) or ()
        )


def hold(process: Process) -> None:
    """Renew a lease, or give a run back."""
    world = process.world
    if process.claims:
        held, tenant = world.dice.choice(process.claims), tenant_of(process)
        if world.dice.random() < 0.7:
            world.give("heartbeat", lambda: tenant.heartbeat(held))
        else:
            world.give("release", lambda: tenant.release(held))


def work(process: Process) -> None:
    """Execute an attempt that was started: an effect, perhaps, and a report."""
    world, dice = process.world, process.world.dice
    if not process.attempts:
        claim(process)
        return
    attempt = process.attempts.pop(dice.randrange(len(process.attempts)))
    if attempt.node == POISON and world.may(Kind.POISON_HANDLER, chance=1 / world.rate):
        world.struck(process, Kind.POISON_HANDLER)
        raise KilledError
    if attempt.node.startswith(PAY):
        pay(process, attempt)
    number = dice.random()
    failure = Failure(dice.choice(CLASSES), "it broke", final=dice.random() < 0.2)
    if number < 0.55:
        report(process, attempt, "complete", {"by": attempt.lifetime})
    elif number < 0.9:
        report(process, attempt, "fail", failure)
    elif number < 0.95:
        report(process, attempt, "snooze", dice.randrange(3_000))
    else:
        process.attempts.append(attempt)  # it takes longer


def report(process: Process, attempt: Attempt, verb: str, said: Any) -> None:
    """Tell how an attempt ended: now, later, twice."""
    world = process.world

    def deliver(by: Process) -> None:
        tenant, name = tenant_of(by), f"{verb} {attempt.node} #{attempt.lifetime} of {attempt.run_id[:8]}"
        tell: Callable[..., Any] = getattr(tenant, f"{verb}_attempt")
        key: Key = ("ended", str(attempt.run_id), attempt.node, attempt.lifetime)
        progress: Any = world.give(name, lambda: tell(attempt, said), lambda _: [key])
        if verb == "complete" and progress is not None and progress.status == Status.RUNNING:
            _go_on(by, attempt)

    _send(process, f"{verb} {attempt.node}", deliver)


def _go_on(process: Process, attempt: Attempt) -> None:
    held = next(
        (each for each in process.claims if each.run_id == attempt.run_id and each.epoch == attempt.epoch), None
    )
    if held is not None:
        process.attempts += process.world.give("go on", lambda: tenant_of(process).start_attempts(held)) or ()


def _send(process: Process, name: str, deliver: Any) -> None:
    """Deliver now, or put it into the mail, or both."""
    world = process.world
    if world.may(Kind.REORDERED_REPORT, 0.5):
        world.struck(process, Kind.REORDERED_REPORT)
        world.mail.append((name, deliver))
        return
    if world.may(Kind.DUPLICATE_REPORT, 0.5):
        world.struck(process, Kind.DUPLICATE_REPORT)
        world.mail.append((name, deliver))
    deliver(process)


def deliver(process: Process) -> None:
    """Some report that was under way arrives at this process."""
    world = process.world
    if world.mail:
        _, arrived = world.mail.pop(world.dice.randrange(len(world.mail)))
        arrived(process)


def pay(process: Process, attempt: Attempt | None, key: str = "invoice") -> None:
    """Do something in the outside world, by the low-level calls; what is unknown is asked of the service first."""
    world, tenant = process.world, tenant_of(process)

    def begin() -> EffectStanding:
        return tenant.begin_effect(attempt, key, operation=OPERATION, scope="node" if attempt else "tenant")

    def intended(standing: EffectStanding) -> list[Key]:
        known = standing.status is EffectStatus.INTENDED
        return [("intended", str(standing.id), standing.try_number)] if known else []

    standing: EffectStanding | None = world.give(f"begin effect {key}", begin, intended)
    if standing is not None and standing.status is EffectStatus.UNKNOWN:
        reconcile(process, standing)
        standing = world.give(f"begin effect {key} again", begin, intended)
    if standing is not None and standing.status is EffectStatus.INTENDED:
        _send_effect(process, standing)


def _send_effect(process: Process, standing: EffectStanding) -> None:
    """Call the service; then say what is known of it."""
    world, dice = process.world, process.world.dice
    acts, lost = dice.random() < 0.7, world.may(Kind.LOST_ANSWER)
    world.service.call(standing.id, acts=acts)
    if lost:
        world.struck(process, Kind.LOST_ANSWER)
        if dice.random() < 0.5:
            return  # it says nothing: whoever takes over finds out

    def deliver(by: Process) -> None:
        tenant = tenant_of(by)
        if lost:
            world.give("effect unknown", lambda: tenant.effect_unknown(standing, "no answer"))
        elif acts:
            done: Key = ("done", str(standing.id), standing.try_number)
            world.give("effect succeeded", lambda: tenant.effect_succeeded(standing, RECEIPT), lambda _: [done])
        else:
            world.give("effect failed", lambda: tenant.effect_failed(standing, Failure("outbox_send", "declined")))

    _send(process, "effect", deliver)


def reconcile(process: Process, standing: EffectStanding) -> None:
    """Ask the service what became of an effect, and say so."""
    world = process.world
    outcome = "succeeded" if world.service.acted[standing.id] else "did_not_happen"
    receipt = RECEIPT if outcome == "succeeded" else None

    def say(mark: str) -> EffectStanding:
        return tenant_of(process).reconcile_effect(standing.id, outcome, actor="ana", reason=mark, receipt=receipt)

    world.give_marked(f"reconcile as {outcome}", say)


def pay_outside(process: Process) -> None:
    """An effect that belongs to no run."""
    pay(process, None, f"outside-{process.world.dice.randrange(3)}")
