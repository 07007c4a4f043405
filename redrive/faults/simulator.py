"""``simulate(seed)``: one history under faults, and what must hold of it. The same seed gives the same history."""

import contextlib
import gc
import hashlib
import logging
import random
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from redrive.faults import disturbing, operating, working
from redrive.faults.disk import VIEWS_EVERY, Disk, scratch
from redrive.faults.kinds import ALL, Kind
from redrive.faults.oracles import judge
from redrive.faults.seam import Place
from redrive.faults.service import SentTwiceError
from redrive.faults.settling import settle
from redrive.faults.world import Act, World

if TYPE_CHECKING:
    from redrive.faults.schema import Schema

STEPS = 60
ACTS: dict[str, tuple[int, Act]] = {
    "submit": (9, working.submit),
    "claim": (14, working.claim),
    "work": (22, working.work),
    "start": (4, working.start),
    "hold": (3, working.hold),
    "deliver": (6, working.deliver),
    "pay-outside": (2, working.pay_outside),
    "sweep": (6, operating.sweep),
    "tick": (5, operating.tick),
    "decide-letter": (9, operating.decide_letter),
    "decide-run": (4, operating.decide_run),
    "approve": (2, operating.approve),
    "note": (5, operating.note),
    "batch": (2, operating.batch),
    "limit": (3, operating.limit),
    "look": (1, operating.look),
    "die": (3, disturbing.die),
    "restart": (2, disturbing.restart),
    "clock": (4, disturbing.turn_the_clock),
    "newer-version": (2, disturbing.write_as_a_newer_version),
}


@dataclass(frozen=True)
class Simulated:
    """One simulation. *digest* is of the whole log; *problems* are what does not hold (none: all is well); *trace* are
    its last steps."""

    seed: int
    steps: int
    writers: int
    injected: Counter[Kind]
    commands: Counter[str]
    events: int
    digest: str
    problems: tuple[str, ...]
    trace: tuple[str, ...] = field(repr=False)


def simulate(
    seed: int,
    steps: int = STEPS,
    kinds: Sequence[Kind] = ALL,
    *,
    folder: Path | None = None,
    schema: "Schema | None" = None,
    inspect: Callable[[World], None] | None = None,
) -> Simulated:
    """Simulate *steps* steps of *seed* with faults of *kinds*; *inspect* may look at the world before it is gone. The
    log is a file in *folder*, or lies in *schema*."""
    if folder is None:
        with scratch() as found:
            return simulate(seed, steps, kinds, folder=found, schema=schema, inspect=inspect)
    place = _place(seed, folder, schema)
    with _silent(), contextlib.closing(place), contextlib.closing(World(seed, kinds, place)) as world:
        world.acts = {name: act for name, (_, act) in ACTS.items()}
        world.names = list(ACTS)
        world.weights = [weight for weight, _ in ACTS.values()]
        problems = _live(world, steps)
        if inspect is not None:
            inspect(world)
        rows = [row for batch in world.observer.rows() for row in batch]
        return Simulated(
            seed=seed,
            steps=steps,
            writers=len(world.processes) - 1,
            injected=world.injected,
            commands=world.commands,
            events=len(rows),
            digest=hashlib.sha256(repr(rows).encode()).hexdigest(),
            problems=tuple(problems),
            trace=tuple(world.trace),
        )


def _place(seed: int, folder: Path, schema: "Schema | None") -> Place:
    if schema is None:
        return Disk(folder, random.Random(f"{seed}/disk"))
    from redrive.faults.schema import SchemaPlace

    return SchemaPlace(schema, folder)


def simulations(
    seeds: Iterable[int], steps: int = STEPS, kinds: Sequence[Kind] = ALL, server: str | None = None
) -> Generator[Simulated]:
    """One after the other, in one folder, or in one schema of the *server* with this URL."""
    with contextlib.ExitStack() as stack:
        folder, schema = stack.enter_context(scratch()), None
        if server is not None:
            from redrive.faults.schema import schema_on

            schema = stack.enter_context(schema_on(server))
        try:
            for place, seed in enumerate(seeds):
                with _collector_resting(anew=place % 100 == 1):
                    done = simulate(seed, steps, kinds, folder=folder, schema=schema)
                yield done
        finally:
            gc.unfreeze()


@contextlib.contextmanager
def _collector_resting(*, anew: bool) -> Iterator[None]:
    """Nothing that lives long is looked at again and again: a simulation is over before there is much to collect."""
    was = gc.isenabled()
    if anew:
        gc.collect()
        gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
            gc.collect()


def _live(world: World, steps: int) -> list[str]:
    """Act, settle, judge; what does not hold."""
    try:
        for _ in range(steps):
            world.step()
        return [*settle(world), *judge(world, views=world.seed % VIEWS_EVERY == 0)]
    except SentTwiceError as twice:
        return [str(twice)]
    except Exception as error:  # noqa: BLE001 - whatever the engine raises that it does not promise is a finding
        world.trace.append(f"{type(error).__name__}: {error}")
        return [f"the engine raised {_told(error)}"]


def _told(error: BaseException) -> str:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f" at {at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else ""
    return f"{type(error).__name__}: {error}{where}"


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The engine's log lines are about faults that were asked for."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        if before is None:
            structlog.reset_defaults()
        else:
            structlog.configure(**before)
