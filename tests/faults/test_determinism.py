"""A failing seed is worth something only because it fails again."""

import os
import subprocess
import sys

import pytest

from redrive.faults.simulator import simulate

SEEDS = range(50, 52)
PRINT = "from redrive.faults.simulator import simulate\nfor seed in {seeds}: print(simulate(seed).digest)"


def digests_of(seeds: range, hash_seed: str) -> list[str]:
    """The digests of whole logs, event ids and all, as another process gets them."""
    code = PRINT.format(seeds=list(seeds))
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


@pytest.mark.parametrize("seed", [7, 12])
def test_the_same_seed_gives_the_same_history(seed: int) -> None:
    """Log, faults, answers and steps."""
    assert simulate(seed) == simulate(seed)


def test_another_seed_gives_another_history() -> None:
    """Else ten thousand of them were one."""
    assert simulate(7).digest != simulate(12).digest


def test_another_process_gets_the_same_log() -> None:
    """Byte for byte, also where Python orders its sets otherwise."""
    here = [simulate(seed).digest for seed in SEEDS]
    assert digests_of(SEEDS, "1") == here
