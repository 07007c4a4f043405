"""What encryption per subject costs, what destroying a key takes, and what archiving takes and gives.

``python -m benchmarks.privacy [--quick] [--runs 2000] [--dir FOLDER]``

*without* and *with* a key store take turns. Each run has an input and an output of 200 bytes and a subject of its own
(the dearest case: each submission makes a key).
"""

from pathlib import Path
from typing import NamedTuple

import redrive
from benchmarks.measure import Stopwatch, arguments, machine, scratch, spread, table, ticking_clock

HEAD = ("payloads", "submits/s", "claim + complete/s", "read + decode events/s", "views folded anew events/s", "log MB")
ENDS = ("runs", "events", "destroy one key ms", "archive all events/s", "history before · after archiving ms")
FLOW = redrive.Flow([redrive.Node("a")])


class Rates(NamedTuple):
    """What one round measured."""

    submits: float
    lifecycles: float
    events: float
    rebuild: float
    megabytes: float


def opened(place: Path, encrypted: bool) -> redrive.Engine:
    """An engine, with a key store or without."""
    privacy = redrive.Privacy(str(place / "keys.db")) if encrypted else None
    url = f"sqlite:///{place / 'log.db'}"
    return redrive.open(url, clock=ticking_clock(), dice=lambda: 0.5, seal=False, privacy=privacy)


def fill(engine: redrive.Engine, runs: int, encrypted: bool) -> tuple[float, float]:
    """Submit and complete runs; how long each of it took."""
    acme = engine.local
    with Stopwatch() as submitting:
        for n in range(runs):
            acme.submit(FLOW, automation="x", input="i" * 200, subject=f"subject-{n}" if encrypted else None)
    with Stopwatch() as completing:
        for _ in range(runs):
            claim = acme.claim(worker="w", start=True)
            assert claim is not None
            acme.complete_attempt(claim.attempts[0], "o" * 200)
    return submitting.cost.wall_s, completing.cost.wall_s


def measure(runs: int, encrypted: bool, folder: str | None) -> Rates:
    """One round."""
    with scratch(folder) as place, opened(place, encrypted) as engine:
        submitting, completing = fill(engine, runs, encrypted)
        events = engine.ledger.last_position()
        with Stopwatch() as reading:
            assert sum(map(len, engine.ledger.replay())) == events
        with Stopwatch() as folding:
            engine.views.rebuild()
        size = sum(path.stat().st_size for path in place.glob("log.db*") if ".views-" not in path.name)
    return Rates(
        runs / submitting, runs / completing, events / reading.cost.wall_s, events / folding.cost.wall_s, size / 1e6
    )


def ends(runs: int, folder: str | None) -> list[str]:
    """Destroying a key of a log of *runs*, and archiving all of it."""
    with scratch(folder) as place, opened(place, encrypted=True) as engine:
        fill(engine, runs, encrypted=True)
        engine.views.catch_up()
        run = engine.local.runs(limit=1).items[0].run_id
        events = engine.ledger.last_position()
        with Stopwatch() as before:
            engine.local.history(run)
        with Stopwatch() as destroying:
            engine.destroy_key("subject-0", actor="bench", reason="bench")
        with Stopwatch() as archiving:
            done = engine.archive(older_than_ms=0, to=str(place / "archive"), actor="bench", reason="bench")
        with Stopwatch() as after:
            engine.local.history(run)
    history = f"{before.cost.wall_s * 1e3:.1f} · {after.cost.wall_s * 1e3:.1f}"
    rate = done.events / archiving.cost.wall_s
    return [f"{runs:,}", f"{events:,}", f"{destroying.cost.wall_s * 1e3:,.0f}", f"{rate:,.0f}", history]


def main() -> None:
    """Print both tables."""
    parser = arguments("encryption per subject, destruction, archiving")
    parser.add_argument("--runs", type=int, help="runs in the log (default 2000)")
    options = parser.parse_args()
    runs = options.runs or (200 if options.quick else 2_000)
    found: dict[str, list[Rates]] = {"plain": [], "encrypted": []}
    for _ in range(options.rounds):
        for name, rounds in found.items():
            rounds.append(measure(runs, name == "encrypted", options.dir))
    rows = [
        [name, *(spread(values, 1 if n == 4 else 0) for n, values in enumerate(zip(*rounds, strict=True)))]
        for name, rounds in found.items()
    ]
    print(f"{machine(options.dir)}\n")
    print(table(HEAD, rows))
    print(f"\n{table(ENDS, [ends(runs, options.dir)])}")


if __name__ == "__main__":
    main()
