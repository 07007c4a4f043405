"""Who decides about which runs. They do not touch each other: where many of them differ, other processes take a share
each. What is found does not depend on it."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from redrive import other_process
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.forensics.prefix import Progress
from redrive.forensics.what_if.findings import Findings, findings_json
from redrive.forensics.what_if.inquiry import Inquiry, Question
from redrive.ledger.concurrent import ConcurrentRecorder
from redrive.ledger.ledger import LogLedger
from redrive.processes.letters import OnePolicy
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.engine import Engine

FROM_COURSES = 1_000
"""So many more courses of runs must be expected: of fewer, one process has told before another is of much use."""
MOST_PROCESSES = 4
"""Each of them reads all rows, and leaves those of the others alone: more gain little."""
ALIVE = b"."
"""What a process says once a second, until it tells what it has found."""


class Share(Model):
    """Which runs a process decides about: *number* is from 0 up to *of*."""

    number: int
    of: int

    def __call__(self, run: object) -> bool:
        """Whether *run* belongs to it."""
        return crc32(str(run).encode("utf-8", "surrogatepass")) % self.of == self.number


class Job(Model):
    """What another process is to find out: about the runs of a *share* beyond position *after*, but for those that have
    *parted* before. The log is in the file *path*; who writes there is waited for, for *busy_timeout_ms* at most."""

    path: str
    busy_timeout_ms: int
    question: Question
    usual: RedrivePolicy
    share: Share
    after: int
    parted: dict[str, int]


def shared_out(inquiry: Inquiry, engine: "Engine", folder: Path, after: int, progress: Progress | None) -> None:
    """Have the *inquiry* made beyond position *after*: by this process until all runs are told that are to be; then by
    several, if it is worth it. Jobs are written to the *folder*."""
    most, until = _most_processes(engine), inquiry.question.until

    def enough(at: int) -> bool:
        ahead, done = until - at, at - after
        return inquiry.has_told and inquiry.courses * ahead >= FROM_COURSES * done

    at = inquiry.read(after, None, progress, enough if most > 1 else None)
    if at >= until:
        return
    with ExitStack() as started:
        others = _started(started, _jobs(inquiry, engine, at, most), folder)
        inquiry.read(at, Share(number=0, of=most) if others else None, progress)
        for number, other in enumerate(others, 1):
            found = _heard(other)
            if found is not None:
                inquiry.findings.add(found)
            else:
                inquiry.read(at, Share(number=number, of=most), progress)


def _most_processes(engine: "Engine") -> int:
    """How many may take part: one alone of a log on a server, of an encrypted one, of a bundle, and where a function of
    the host tells the redrive policies."""
    ledger = engine.ledger
    if type(ledger) is not LogLedger or isinstance(ledger.recorder, ConcurrentRecorder):
        return 1
    if ledger.locked or ledger.recorder.encryption is not None:
        return 1
    return min(other_process.processors(), MOST_PROCESSES) if isinstance(engine.services.policy_of, OnePolicy) else 1


def _jobs(inquiry: Inquiry, engine: "Engine", after: int, of: int) -> Iterator[Job]:
    """What each of the others has to do."""
    ledger, usual = engine.ledger, engine.services.policy_of
    assert isinstance(usual, OnePolicy)
    for number in range(1, of):
        share = Share(number=number, of=of)
        yield Job(
            path=ledger.home, busy_timeout_ms=ledger.recorder.busy_timeout_ms, question=inquiry.question,
            usual=usual.policy, share=share, after=after,
            parted={run: at for run, at in inquiry.findings.parted.items() if share(run)},
        )  # fmt: skip


def _started(until: ExitStack, jobs: Iterable[Job], folder: Path) -> list[other_process.Words]:
    """A process for each job, ended with *until*; none when one of them cannot be started."""
    found: list[other_process.Words] = []
    for job in jobs:
        words = _started_for(until, job, folder)
        if words is None:
            return []
        found.append(words)
    return found


def _started_for(until: ExitStack, job: Job, folder: Path) -> other_process.Words | None:
    """A process for the *job*; None when it cannot be started, or be told."""
    file = (folder / f"share-{job.share.number}.json").absolute()
    try:
        file.write_text(job.model_dump_json(exclude_unset=True))
    except OSError:  # a full disk, too many open files
        return None
    return until.enter_context(other_process.started("redrive.forensics.what_if.share_process", [str(file)]))


def _heard(words: other_process.Words) -> Findings | None:
    """What a process has found; None when it failed, or says nothing any more."""
    try:
        return findings_json().validate_json((words.all() or b"").lstrip(ALIVE))
    except ValueError:
        return None
