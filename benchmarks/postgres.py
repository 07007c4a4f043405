"""The failing job's lifecycle per second on PostgreSQL, beside the floor of exactly the same commits, rows and bytes.

``python -m benchmarks.postgres [--quick] [--runs N] [--rounds N] [--only one,batch,8] [--url URL] [--dir FOLDER]``

Engine and floor take turns, each on a new database of a server that is started for this, or of the one at *url*. A
number is a way, too: so many processes that share the lifecycles, claim from each other, and go by the real clock; of
its floor, each writes its share, which it recorded alone.
"""

import json
import pickle
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import psycopg

import redrive
from benchmarks import postgres_floor as floor
from benchmarks.failing_job import one_by_one
from benchmarks.lifecycle import HEAD, WAYS, Rounds, Work
from benchmarks.measure import Cost, Stopwatch, arguments, machine, median, print_rows, scratch, spread
from benchmarks.peers.postgres import Server, running
from benchmarks.processes import Share, each
from benchmarks.signs import ready

ONLY = "one,batch,1,4,8"
DATABASE = "redrive_bench"
MOST_SHARED = 3  # events that the first run of a log writes for all: its flow, and two policies
MORE = ("conflicts per lifecycle", "kB of write-ahead log per lifecycle (floor)")


@dataclass(slots=True)
class Lines(Rounds):
    """The alternating rounds of one way on a server."""

    conflicts: list[int] = field(default_factory=list)
    wal: list[float] = field(default_factory=list)
    floor_wal: list[float] = field(default_factory=list)

    def row(self) -> list[str]:
        """The way's line in the table."""
        wal, below = (median(kept) / self.runs / 1000 for kept in (self.wal, self.floor_wal))
        met = spread([count / self.runs for count in self.conflicts], 2)
        return [*Rounds.row(self), met, f"{wal:.1f} ({below:.1f})"]

    def add(self, cost: Cost, met: Sequence[Share], logged: "Logged") -> None:
        """A round of the engine's."""
        self.engine.append(cost)
        self.commits.append(sum(share.commits for share in met))
        self.conflicts.append(sum(share.conflicts for share in met))
        self.wal.append(logged.bytes)


class Logged:
    """``with Logged(url) as logged: …`` and then ``logged.bytes``: how far the server's write-ahead log grew."""

    bytes: float

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> Self:
        self._begun = self._end()
        return self

    def __exit__(self, *_error: object) -> None:
        self.bytes = self._end() - self._begun

    def _end(self) -> float:
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return float(row[0])


def alone(server: Server, work: Work, name: str, runs: int, rounds: int) -> Lines:
    """One process: record once, then let engine and floor take turns."""
    with server.database(DATABASE) as url:
        pieces = floor.record(url, work, runs)
    found = Lines(name, runs, floor.commits(pieces))
    for _ in range(rounds):
        with server.database(DATABASE) as url, floor.open_there(url) as engine:
            work(engine, 1)
            committer = engine.ledger.committer
            begun, events = committer.commits, engine.ledger.last_position()
            with Logged(url) as logged, Stopwatch() as watch:
                work(engine, runs)
            found.events = engine.ledger.last_position() - events
            did = Share(commits=committer.commits - begun, conflicts=committer.conflicts)
        found.add(watch.cost, [did], logged)
        with _prepared(server) as (url, _):
            with Logged(url) as logged:
                found.floor.append(floor.replay(url, pieces))
            assert _events(url) == found.events, "the floor wrote another number of events than the engine"
        found.floor_wal.append(logged.bytes)
    return found


def several(server: Server, processes: int, runs: int, rounds: int) -> Lines:
    """So many processes, in turns with as many that only write; each of these has recorded what it writes."""
    found = Lines(f"{processes} process{'es' if processes > 1 else ''}, claims shared", runs, 0)
    with tempfile.TemporaryDirectory(prefix="redrive-bench-") as kept:
        shares = [Path(kept) / str(number) for number in range(processes)]
        for share in shares:
            with server.database(DATABASE) as url:
                share.write_bytes(pickle.dumps(floor.record(url, one_by_one, runs // processes)))
        for _ in range(rounds):
            _round(server, found, shares)
    return found


def _round(server: Server, found: Lines, recorded: Sequence[Path]) -> None:
    processes, share = len(recorded), found.runs // len(recorded)
    with _prepared(server) as (url, folder), Logged(url) as logged:
        shares = each("benchmarks.processes", folder, [("--share", url, share, 0)] * processes)
        found.events = _events(url)
    assert sum(one.lifecycles for one in shares) == found.runs, "not every run was finished"
    found.add(_cost(shares), shares, logged)
    with _prepared(server) as (url, folder), Logged(url) as logged:
        shares = each("benchmarks.postgres", folder, [("--floor", url, path) for path in recorded])
        written = _events(url)
    assert abs(found.events - written) <= MOST_SHARED, f"the floor wrote {written} of {found.events} events"
    found.floor.append(_cost(shares))
    found.floor_commits, found.floor_wal = sum(one.commits for one in shares), [*found.floor_wal, logged.bytes]


def write(url: str, recorded: Path, folder: Path) -> Share:
    """The floor of one process, when all are ready."""
    pieces = pickle.loads(recorded.read_bytes())
    share = Share(commits=floor.commits(pieces))

    def begin() -> None:
        ready(folder)
        share.begun_s = time.time()

    share.cpu_s = floor.replay(url, pieces, begin).cpu_s
    share.ended_s = time.time()
    return share


@contextmanager
def _prepared(server: Server) -> Iterator[tuple[str, Path]]:
    """An empty log, and a folder for signs."""
    with server.database(DATABASE) as url, scratch(None) as folder:
        redrive.open(url).close()
        yield url, folder


def _cost(shares: Sequence[Share]) -> Cost:
    wall = max(share.ended_s for share in shares) - min(share.begun_s for share in shares)
    return Cost(wall, sum(share.cpu_s for share in shares))


def _events(url: str) -> int:
    with redrive.open(url) as engine:
        return engine.ledger.last_position()


def report(server: Server, *, rounds: int, runs: int, only: Iterable[str]) -> Iterator[list[str]]:
    """The lines of the table."""
    for way in only:
        if way.isdecimal():
            yield several(server, int(way), max(1, runs // int(way)) * int(way), rounds).row()
        else:
            name, work = WAYS[way]
            yield alone(server, work, name, runs * 5 if way == "batch" else runs, rounds).row()


def main() -> None:
    """Print the table; or be one of the processes."""
    if sys.argv[1:2] == ["--floor"]:
        url, recorded, folder = sys.argv[2:]
        print(json.dumps(asdict(write(url, Path(recorded), Path(folder)))))
        return
    parser = arguments("the failing job's lifecycle on PostgreSQL, beside its floor")
    parser.add_argument("--runs", type=int, help="lifecycles per round (default 200; batches five times as many)")
    parser.add_argument("--only", default=ONLY, help=f"some of {', '.join(WAYS)}, or numbers of processes, with commas")
    parser.add_argument("--url", help="a server whose user may create databases (default: one of its own)")
    options = parser.parse_args()
    print(f"{machine(options.dir)}")
    with running(options.url, options.dir) as server:
        print(f"{server.settings}\n")
        runs = options.runs or (40 if options.quick else 200)
        print_rows([*HEAD, *MORE], report(server, rounds=options.rounds, runs=runs, only=options.only.split(",")))


if __name__ == "__main__":
    main()
