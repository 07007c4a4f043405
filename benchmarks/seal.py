"""Evidence: what sealing costs per event, how fast a log is verified, and the memory that takes.

``python -m benchmarks.seal [--quick] [--size 1000000] [--dir FOLDER]``

*Seal* builds the whole tree of a log that was never sealed, and seals it 256 events at a time, as the sealer does;
*scan* is what ``redrive verify --skip-views --skip-agenda`` does: every row against its leaf and its envelope, every
leaf against its tile, every checkpoint against the rows, every signature. Of a large log it is done by two processes,
whose processor time is added up; the peak of memory is that of the first.
"""

import resource
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import redrive
from benchmarks.apart import Measured, apart, peak_mb, print_by_size
from benchmarks.grown import grow
from benchmarks.logs import unflushed
from benchmarks.measure import Stopwatch, open_log, scratch, spread, table
from redrive.evidence import sealing
from redrive.evidence.keys import KeyFile

HEAD = (
    "events in the log",
    "seal, 256 at a time: CPU µs/event",
    "seal, 4,096 at a time: CPU µs/event",
    "scan events/s · per CPU second",
    "peak MB, idle",
    "peak MB, scan",
    "log MB",
    "tree MB",
)
WAYS = ("idle", "seal256", "seal4096", "scan")
TREE = ("tree_leaves", "tree_tiles", "tree_checkpoints")


def measure_here(path: Path, way: str) -> Measured:
    """Do one thing to the log and tell what it took; in a process of its own."""
    with open_log(path) as engine:
        engine.evidence.keys.path = path.with_name("keys.json")
        engine.evidence.keys.signers(None)  # what has to be imported is
        events = engine.ledger.last_position()
        if way.startswith("seal"):
            sealing.MOST_PER_CHECKPOINT = int(way.removeprefix("seal"))
            for name in TREE:
                engine.ledger.recorder.writer.execute(f"DELETE FROM {name}")
            unflushed(engine, True)  # the processor's time is measured, not the disk's
        with Stopwatch() as watch:
            if way == "scan":
                found = engine.verify(views=False, agenda=False).result
                assert found == redrive.VerifyResult.SELF_CONSISTENT, found
            elif way != "idle":
                engine.seal()
    cpu_s = watch.cost.cpu_s + _of_others_s()
    rate = {"rate": events / watch.cost.wall_s, "cpu_rate": events / cpu_s}
    return {**rate, "cpu_us": cpu_s / events * 1e6, "peak_mb": peak_mb(), "events": events}


def _of_others_s() -> float:
    """The processor time of the process that reads ahead, once it has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(size: int, rounds: int, folder: str | None) -> list[str]:
    """The line of one size."""
    with scratch(folder) as place:
        path = place / "log.db"
        grow(path, size)
        return of_log(path, rounds)


def of_log(path: Path, rounds: int) -> list[str]:
    """The line of a log, which is sealed."""
    keys = KeyFile(path.with_name("keys.json"))
    if not keys.path.exists():
        keys.init("benchmark", 0)
    before = path.stat().st_size
    found = {}
    for way in ("seal4096", "seal256", "idle", "scan"):
        found[way] = [apart("benchmarks.seal", way, path) for _ in range(1 if way == "idle" else rounds)]
    grown = path.stat().st_size - before
    costs = [spread([result["cpu_us"] for result in found[way]]) for way in ("seal256", "seal4096")]
    rates = " · ".join(spread([result[name] for result in found["scan"]]) for name in ("rate", "cpu_rate"))
    peaks = [f"{max(result['peak_mb'] for result in found[way]):.0f}" for way in ("idle", "scan")]
    return [f"{found['scan'][0]['events']:,}", *costs, rates, *peaks, f"{before / 1e6:,.0f}", f"{grown / 1e6:,.0f}"]


def report(options: Namespace, sizes: Sequence[int]) -> str:
    """The table of all sizes."""
    return table(HEAD, [measure(size, options.rounds, options.dir) for size in sizes])


def main() -> None:
    """Print the table, or, in a process started by this one, one measurement."""
    print_by_size("sealing and verifying", WAYS, measure_here, report)


if __name__ == "__main__":
    main()
