"""Logs that what-if is asked about beside the golden ones: failures of every class and mode, redriven or left alone,
effects that failed, were lost, or were found out. The same bytes wherever an answer looks, whenever they are written.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from redrive import Attempt, Happened, Wait
from redrive.domain.identity import NodeId
from redrive.domain.run.state import Status
from tests.engine.outworld import DECLINED, OPERATION, Till
from tests.forensics.fate import Fate, Life
from tests.processes.workshop import ANA, TIMEOUT, beside, chain, policy

DIAMOND: Mapping[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
FATES = {
    "redriven": Fate(3, 0.5, DIAMOND, retries=2, attempts=2, runs=12),
    "left alone": Fate(5, 0.4, {"a": (), "b": ("a",)}, retries=0, attempts=4, delay_ms=300, runs=12),
    "fail the run": Fate(7, 0.5, DIAMOND, mode="fail_run", retries=1, runs=8),
    "paused": Fate(11, 0.5, {"a": (), "b": ()}, mode="pause_for_review", retries=1, runs=8),
}


def _fated(fate: Fate) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        Life(fate, path).live().close()

    return write


def effects(path: Path) -> None:
    """Sent at last, refused twice and retried, lost and found out, lost with its worker, after a snooze."""
    till = Till(path, reconcilers={OPERATION: lambda _call: Happened({"charge": 9})})
    try:
        _refused_then_sent(till)
        _refused_and_retried(till)
        _lost_and_found_out(till)
        _lost_with_its_worker(till)
        _snoozed(till)
    finally:
        till.engine.close()


def _begun(till: Till, key: str, attempts: int = 2) -> Attempt:
    till.submit(beside("a", retry=policy(attempts, mode="dead_letter", delay_ms=1)), key=key)
    return till.claim().attempts[0]


def _refused_then_sent(till: Till) -> None:
    till.fail_in(_begun(till, "sent", 3), till.world.reject)
    second = till.again()
    till.pay(second)
    till.acme.complete_attempt(second, {"paid": True})


def _refused_and_retried(till: Till) -> None:
    first = _begun(till, "retried")
    till.fail_in(first, till.world.reject)
    till.fail_in(till.again(), till.world.unsent)
    (letter,) = till.acme.dead_letters(run=first.run_id).items
    till.now += 5_000
    till.acme.request_retry(letter.id, **ANA)
    till.engine.sweep()
    third = till.again()
    till.pay(third)
    till.acme.complete_attempt(third)


def _lost_and_found_out(till: Till) -> None:
    till.submit(chain("a", "b", retry=policy(2, mode="dead_letter", delay_ms=1)), key="found out")
    till.fail(*till.claim().attempts, failure=DECLINED)
    till.now += 10_000
    claim = till.claim()
    till.acme.complete_attempt(claim.attempts[0])
    till.fail_in(till.acme.start_attempt(claim, NodeId("b")), till.world.pay_and_break)
    second = till.again()
    till.pay(second)
    till.acme.complete_attempt(second)


def _lost_with_its_worker(till: Till) -> None:
    till.begun(_begun(till, "lost", 1))
    till.now += 2_000_000
    till.engine.tick()


def _snoozed(till: Till) -> None:
    till.submit(beside("a", "b", retry=policy(3, mode="dead_letter", delay_ms=400)), key="snoozed")
    claim = till.claim()
    till.acme.snooze_attempt(claim.attempts[0], 700)
    till.fail(claim.attempts[1], failure=TIMEOUT)
    for _ in range(8):
        till.now += 900
        if till.run_status(claim.run_id) != Status.QUEUED:
            return
        till.fail(*till.claim().attempts, failure=TIMEOUT)


def waits(path: Path) -> None:
    """A wait behind a node that failed twice; a run that was paused and resumed in between, and one cancelled."""
    till = Till(path)
    try:
        for key in ("waited", "paused", "cancelled"):
            _waited(till, key)
    finally:
        till.engine.close()


def _waited(till: Till, key: str) -> None:
    flow = chain("a", "b", retry=policy(3, mode="dead_letter", delay_ms=500))
    rest = type(flow)([*flow.nodes.values(), *beside("rest", wait=Wait(delay_ms=5_000)).nodes.values()])
    run = till.submit(rest, key=key)
    till.fail(*till.claim().attempts, failure=TIMEOUT)
    if key == "paused":
        till.acme.pause(run, **ANA)
        till.now += 7_000
        till.acme.resume(run, **ANA)
    till.now += 600
    till.fail(*till.claim().attempts, failure=TIMEOUT)
    till.now += 600
    if key == "cancelled":
        till.acme.cancel(run, **ANA)
        return
    claim = till.claim()
    till.acme.complete_attempt(claim.attempts[0], {"done": 1})
    till.acme.complete_attempt(till.acme.start_attempt(claim, NodeId("b")))
    till.now += 6_000
    till.engine.tick()


WORLDS: dict[str, Callable[[Path], None]] = {
    **{f"fates, {name}": _fated(fate) for name, fate in FATES.items()},
    "effects": effects,
    "waits": waits,
}
