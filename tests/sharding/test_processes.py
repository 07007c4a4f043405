"""Several processes that open the same logs, each in its own way, and some that are killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import redrive
from redrive.domain.records import TenantPlaced
from tests.sharding.shards import TENANTS, check, facts, homes, urls

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
SECONDS = 120


def placing(given: list[str], first: int, number: str) -> subprocess.Popen[str]:
    """A process that submits for every tenant."""
    command = [sys.executable, "-m", "tests.sharding.placing_process", str(first), number, *given]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def acknowledged(lines: str) -> list[tuple[redrive.RunId, redrive.Tenant]]:
    """The runs that a process was told are in the log."""
    words = [line.split(" ", 1) for line in lines.splitlines() if line and not line.startswith("refused")]
    return [(redrive.RunId(run), redrive.Tenant.parse(tenant)) for run, tenant in words]


def test_processes_place_the_same_tenants_at_once(tmp_path: Path) -> None:
    """In other orders, and one with a log more: each tenant has one home, and what was acknowledged lies there."""
    started = [
        placing(urls(tmp_path, names), first, str(number))
        for number, (names, first) in enumerate([("abc", 0), ("cab", 20), ("dcba", 0)])
    ]
    told = [run for process in started for run in acknowledged(process.communicate(timeout=SECONDS)[0])]
    with redrive.open(urls(tmp_path, "bdac")) as engine:
        check(engine)
        assert sum(len(facts(shard, TenantPlaced)) for shard in engine.shards) == len(TENANTS)
        assert len(told) >= len(TENANTS)
        for run, tenant in told:
            assert engine.for_tenant(tenant).run(run).status == "queued"


def test_a_process_that_is_killed_while_it_places(tmp_path: Path) -> None:
    """Wherever it dies: another one finds each tenant where it is, or places it; workers finish everything."""
    for after in (0, 1, 7):
        process = placing(urls(tmp_path), after, str(after))
        assert process.stdout is not None
        for _ in range(after):
            process.stdout.readline()
        process.kill()
        process.communicate(timeout=SECONDS)
    with redrive.open(urls(tmp_path)) as engine:
        before = homes(engine)
    assert placing(urls(tmp_path, "bca"), 3, "last").wait(SECONDS) == 0
    assert placing(urls(tmp_path, "cba"), 0, "work").wait(SECONDS) == 0
    with redrive.open(urls(tmp_path)) as engine:
        assert homes(engine) == before
        assert {engine.for_tenant(tenant).counts().runs.get("queued", 0) for tenant in TENANTS} == {0}
        check(engine)
