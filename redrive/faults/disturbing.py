"""What happens to the processes rather than in them: they die idle, are upgraded, and their clocks are wrong."""

import json

from redrive.domain.run.state import Status
from redrive.faults.kinds import Kind
from redrive.faults.process import Process
from redrive.faults.seam import KilledError
from redrive.ledger.recorder import COLUMNS

HOUR_MS, YEAR_MS = 3_600_000, 365 * 86_400_000
VERSIONS = ("1", "2", "3")
RESTING = (Status.QUEUED, Status.FAILED, Status.BLOCKED, Status.COMPLETED, Status.PAUSED)


def die(process: Process) -> None:
    """Killed between two commands, with claims in its hands."""
    if process.world.may(Kind.KILL_IDLE):
        process.world.struck(process, Kind.KILL_IDLE)
        raise KilledError


def restart(process: Process) -> None:
    """Stopped in good order; what starts next may be of another version."""
    process.stop()
    world = process.world
    if world.may(Kind.VERSION_SKEW):
        world.struck(process, Kind.VERSION_SKEW)
        process.version = world.dice.choice(VERSIONS)


def turn_the_clock(process: Process) -> None:
    """A clock goes wrong, that of a process or that of all; or it is put right."""
    world, dice = process.world, process.world.dice
    kind = dice.choice((Kind.CLOCK_BACK, Kind.CLOCK_FORWARD, None))
    wrong_ms = -HOUR_MS if kind is Kind.CLOCK_BACK else YEAR_MS
    if kind is None:
        process.skew_ms = 0
    elif world.may(kind, 2.0):
        world.struck(process, kind)
        if dice.random() < 0.7:
            process.skew_ms = wrong_ms
        else:
            world.now_ms += wrong_ms


def write_as_a_newer_version(process: Process) -> None:
    """A newer version writes an event, to a run that nobody has claimed: it is read-only here from now on."""
    world = process.world
    if not world.runs or len(world.acting) > 1 or not world.may(Kind.UNKNOWN_EVENT, 4.0):
        return
    run = world.dice.choice(world.runs)
    state = world.observer.run_state(None, run)
    if state.status not in RESTING or run in world.foreign:
        return
    world.struck(process, Kind.UNKNOWN_EVENT)
    world.foreign.add(run)
    body = json.dumps({"to": "☃"}).encode()
    other = world.place.connect()
    other.execute(
        f"INSERT INTO events ({COLUMNS}) SELECT (SELECT max(position) + 1 FROM events), originator_id, "
        "originator_version + 1, 'run.teleported/7', ?, tenant, correlation, (SELECT max(recorded_at_ms) FROM events) "
        "FROM events WHERE originator_id = ? ORDER BY originator_version DESC LIMIT 1",
        (body, run),
    )
    other.close()
