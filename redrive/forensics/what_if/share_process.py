"""What another process does for a what-if: it finds out about its share of the runs, and tells in JSON."""

import random
import sys
import time
from pathlib import Path

from redrive import __version__
from redrive.forensics.what_if.findings import Findings, findings_json
from redrive.forensics.what_if.inquiry import Inquiry
from redrive.forensics.what_if.shares import ALIVE, Job
from redrive.ledger.ledger import LogLedger
from redrive.processes.letters import OnePolicy
from redrive.projections.batch import collector_paused

EVERY_S = 1.0


def found_by(job: Job) -> Findings:
    """Do it."""
    ledger = LogLedger(
        job.path, clock=lambda: 0, dice=random.random, engine=__version__, busy_timeout_ms=job.busy_timeout_ms
    )
    try:
        inquiry = Inquiry(ledger, job.question, OnePolicy(job.usual), most=0)
        inquiry.findings.parted.update(job.parted)
        with collector_paused():
            inquiry.read(job.after, job.share, _SayingSo())
        for run in job.parted:
            del inquiry.findings.parted[run]
        return inquiry.findings
    finally:
        ledger.close()


class _SayingSo:
    """Says once in a while that this process is at it; whoever started it and is gone cannot hear it, which ends it."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, _done: int, _of: int) -> None:
        if (now := time.monotonic()) - self._said > EVERY_S:
            self._said = now
            sys.stdout.buffer.write(ALIVE)
            sys.stdout.buffer.flush()


def main() -> None:
    """What ``shares`` has started."""
    job = Job.model_validate_json(Path(sys.argv[1]).read_bytes())
    sys.stdout.buffer.write(findings_json().dump_json(found_by(job)))
