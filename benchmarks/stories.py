"""Looking at one large run: its timeline, the picture of it, why and blast.

``python -m benchmarks.stories [--quick] [--dir FOLDER]``
"""

from collections.abc import Callable

import redrive
from benchmarks.logs import unflushed
from benchmarks.measure import Stopwatch, arguments, machine, open_log, scratch, spread, table

NODES, TRIES = 10_000, 3
BATCH = 500
AGAIN = redrive.RetryPolicy(
    max_attempts=TRIES,
    terminal_behavior=redrive.TerminalBehavior(mode=redrive.Mode.DEAD_LETTER),
)
HEAD = ("run", "question", "s", "answer")


def large_run(engine: redrive.Engine, nodes: int) -> redrive.RunId:
    """A run of *nodes* nodes, of which each fails until its last attempt succeeds: at least five events a node."""
    acme = engine.local
    flow = redrive.Flow([redrive.Node(f"n{number:05}", retry=AGAIN) for number in range(nodes)])
    run = acme.submit(flow, automation="large", key="1")
    claim = acme.claim(worker="w", start=True)
    assert claim is not None
    waiting = list(claim.attempts)
    for number in range(1, TRIES + 1):
        for some in _some(waiting):
            with engine.batch() as batch:
                for attempt in some:
                    if number < TRIES:
                        batch.add(acme.fail_attempt, attempt, redrive.Failure("execution_error", "HTTP 503"))
                    else:
                        batch.add(acme.complete_attempt, attempt)
        waiting = acme.start_attempts(claim) if number < TRIES else []
    return run


def _some(attempts: list[redrive.Attempt]) -> list[list[redrive.Attempt]]:
    return [attempts[n : n + BATCH] for n in range(0, len(attempts), BATCH)]


def report(*, rounds: int, folder: str | None, nodes: int) -> str:
    """What each question takes."""
    with scratch(folder) as place, open_log(place / "log.db") as engine:
        unflushed(engine, True)
        run = large_run(engine, nodes)
        told = engine.timeline(run)
        questions: list[tuple[str, Callable[[], str]]] = [
            ("timeline", lambda: f"{len(engine.timeline(run).entries):,} entries"),
            ("picture", lambda: f"{len(redrive.svg_of(told)) / 1e3:,.0f} kB"),
            ("why", lambda: f"{len(engine.why(f'{run}.nodes.n{nodes - 1:05}.status').steps)} steps"),
            ("blast", lambda: f"{len(engine.blast(4).events):,} events"),
        ]
        name = f"{nodes:,} nodes, {told.events:,} events"
        return table(HEAD, [[name, *_asked(question, ask, rounds)] for question, ask in questions])


def _asked(question: str, ask: Callable[[], str], rounds: int) -> list[str]:
    took, answer = [], ""
    for _ in range(rounds):
        with Stopwatch() as watch:
            answer = ask()
        took.append(watch.cost.wall_s)
    return [question, spread(took, 2), answer]


def main() -> None:
    """Print the table."""
    options = arguments("looking at one large run").parse_args()
    print(f"{machine(options.dir)}\n")
    print(report(rounds=options.rounds, folder=options.dir, nodes=1_000 if options.quick else NODES))


if __name__ == "__main__":
    main()
