"""Measurements in processes of their own, so that the peak of resident memory is that of each alone."""

import json
import resource
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.measure import arguments, machine

Measured = dict[str, Any]


def apart(benchmark: str, way: str, log: Path) -> Measured:
    """What the module *benchmark* measures of a log in one way, in a process of its own."""
    command = [sys.executable, "-m", benchmark, "--measure", way, "--log", str(log)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: Measured = json.loads(printed.splitlines()[-1])
    return found


def print_by_size(
    what: str,
    ways: Sequence[str],
    measure_here: Callable[[Path, str], Measured],
    report: Callable[[Namespace, Sequence[int]], str],
    flags: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Print what is reported of each size; or, in a process that ``apart`` started, one measurement. *flags* are
    options that *report* knows, with what they mean."""
    parser = arguments(what)
    for flag, meaning in flags.items():
        parser.add_argument(flag, action="store_true", help=meaning)
    parser.add_argument("--size", type=int, help="only a log of this many events (default 100000 and 1000000)")
    parser.add_argument("--measure", choices=ways, help="for this program's own use")
    parser.add_argument("--log", type=Path, help="for this program's own use")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure_here(options.log, options.measure)))
        return
    sizes = [options.size] if options.size else [20_000] if options.quick else [100_000, 1_000_000]
    print(f"{machine(options.dir)}\n")
    print(report(options, sizes))


def peak_mb() -> float:
    """The most memory that was resident. Linux's ru_maxrss also counts what the parent held before the exec."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
