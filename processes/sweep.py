"""The sweep: one pass of the dead-letter process manager. It reads what is due, and nothing else."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from redrive.domain.dead_letter.events import DeadLetterHeld
from redrive.domain.dead_letter.judge import Act, Judgement, dispatch, judge, park, stuck
from redrive.domain.dead_letter.rules import succeed
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.errors import Conflict, Refused, StorageError, StreamDamaged
from redrive.domain.event import Cause
from redrive.domain.identity import DeadLetterId, NodeId, RunId, Tenant
from redrive.domain.ports import START, Caller, DueKey, Ledger, Outcome, Transaction
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.control import requeue_run
from redrive.domain.run.state import Run
from redrive.processes.letters import DEFAULT_REDRIVE_POLICY, LetterStanding, PolicyOf, effect_of, standing_of_letter
from redrive.projections.logs import log

UNREADABLE = Judgement(Act.SKIP, "its stream holds an event that this version does not know")
TOPICS = {
    Act.DISPATCH: "dead_letter.retry_dispatched",
    Act.PARK: "dead_letter.retry_exhausted",
    Act.RESOLVE: "dead_letter.resolved",
    Act.HOLD: "dead_letter.held",
    Act.SKIP: "dead_letter.skipped",
}


@dataclass(frozen=True, slots=True)
class SweepAct:
    """What the sweep did about a dead letter, or why it left it alone."""

    dead_letter: DeadLetterId
    run: RunId
    node: NodeId
    act: Act
    why: str


@dataclass(slots=True)
class SweepReport:
    """What one pass did: *acted* wrote events, *skipped* did not; *rest* is where to go on when only
    some pages were looked at."""

    acted: list[SweepAct] = field(default_factory=list)
    skipped: list[SweepAct] = field(default_factory=list)
    rest: DueKey | None = None


@dataclass(slots=True)
class SweptLetter:
    """What the sweep did about the dead letters of one run, and where one of them stands then."""

    acts: list[SweepAct]
    standing: LetterStanding

    def __iter__(self) -> Iterator[SweepAct]:
        return iter(self.acts)


SWEEPER = Cause("timer", "sweep")


def sweep(
    ledger: Ledger,
    tenant: Tenant | None,
    policy_of: PolicyOf,
    engine: str,
    *,
    pages: int | None = None,
    after: DueKey = START,
) -> SweepReport:
    """Dispatch, park, resolve or hold every dead letter that is due, each run in one transaction; with *pages*, only
    so many pages beyond *after*, so that a worker can renew its leases in between."""
    report = SweepReport()
    caller = Caller(tenant, cause=SWEEPER)
    seen: set[RunId] = set()
    with closing(ledger.sweeping(tenant, after)) as found:
        for number, page in enumerate(found, 1):
            runs = list(dict.fromkeys(row.run for row in page.rows if row.run not in seen))
            seen.update(runs)
            jobs = [(caller, redriving(id_, policy_of, engine)) for id_ in runs]
            outcomes = ledger.transact_together(jobs, [*runs, *(row.subject for row in page.rows)])
            for id_, outcome in zip(runs, outcomes, strict=True):
                tell_swept(id_, outcome, report)
            if number == pages:
                report.rest = page.rest
                break
    return report


def tell_swept(subject: str, outcome: Outcome[Iterable[SweepAct]], report: SweepReport) -> bool:
    """Report and log what became of one run; whether it could be swept. What goes wrong with it, in the host's policy
    function too, keeps no other from being swept; a storage error is raised."""
    try:
        for act in outcome.result():
            _tell(act, report)
    except Refused as refused:
        log.warning("sweep.refused", subject=subject, code=refused.code, why=str(refused))
    except StreamDamaged as damaged:
        log.error("sweep.stream_damaged", subject=subject, error=str(damaged))
    except (StorageError, Conflict):
        raise
    except Exception:  # noqa: BLE001  # logged with its traceback
        log.exception("sweep.failed", subject=subject)
    else:
        return True
    return False


def _tell(act: SweepAct, report: SweepReport) -> None:
    (report.skipped if act.act is Act.SKIP else report.acted).append(act)
    tell = log.debug if act.act is Act.SKIP else log.info  # what is skipped is looked at again, and again
    tell(TOPICS[act.act], run=act.run, dead_letter=act.dead_letter, node=act.node, why=act.why)


def redriving(id_: RunId, policy_of: PolicyOf, engine: str) -> Callable[[Transaction], list[SweepAct]]:
    """A command that judges the due dead letters of one run; those to dispatch go together, or not at all."""

    def redrive(tx: Transaction) -> list[SweepAct]:
        run = tx.find_run(id_)
        if run is None:
            return _hold_unknown(tx, id_, engine)
        policy = policy_of(run)
        acts = _judged(tx, id_, run, policy)
        held = set(stuck(run, [act.node for act in acts if act.act is Act.DISPATCH]))
        acts = [_hold_stuck(act) if act.node in held and act.act is Act.DISPATCH else act for act in acts]
        for act in acts:
            _carry_out(tx, run, act, policy, engine)
        _dispatch(tx, run, [tx.dead_letter(act.dead_letter) for act in acts if act.act is Act.DISPATCH], policy)
        return acts

    return redrive


def _judged(tx: Transaction, id_: RunId, run: Run | None, policy: RedrivePolicy) -> list[SweepAct]:
    """What is to be done about each due dead letter of a run; None: this log does not have it."""
    acts: list[SweepAct] = []
    known = run is None or tx.readable(id_)
    for dl_id in tx.due_dead_letters(id_):
        dl, found = tx.dead_letter(dl_id), UNREADABLE
        if known and tx.readable(dl_id):
            found = judge(dl, run, policy, now_ms=tx.now_ms, effect=None if run is None else effect_of(tx, dl))
        acts.append(SweepAct(dl_id, id_, dl.node, found.act, found.why))
    return acts


def _hold_unknown(tx: Transaction, id_: RunId, engine: str) -> list[SweepAct]:
    """The dead letters of a run that this log does not have (it was imported without it)."""
    acts = _judged(tx, id_, None, DEFAULT_REDRIVE_POLICY)
    for act in acts:
        if act.act is Act.HOLD:
            dl = tx.dead_letter(act.dead_letter)
            tx.append_dead_letter(dl.id, dl, DeadLetterHeld(why=act.why, run_version=0, engine=engine))
    return acts


def redriving_letter(id_: DeadLetterId, policy_of: PolicyOf, engine: str) -> Callable[[Transaction], SweptLetter]:
    """A command that judges the due dead letters of the run of one: at once after an operator's retry."""

    def redrive(tx: Transaction) -> SweptLetter:
        dl = tx.dead_letter(id_)
        acts = redriving(dl.run, policy_of, engine)(tx)
        return SweptLetter(acts, standing_of_letter(dl))

    return redrive


def _hold_stuck(act: SweepAct) -> SweepAct:
    return SweepAct(act.dead_letter, act.run, act.node, Act.HOLD, "a parent of its node has not succeeded")


def _carry_out(tx: Transaction, run: Run, act: SweepAct, policy: RedrivePolicy, engine: str) -> None:
    dl = tx.dead_letter(act.dead_letter)
    match act.act:
        case Act.PARK:
            tx.register_policy(run, "redrive", policy)
            tx.append_dead_letter(dl.id, run, park(dl, policy))
        case Act.RESOLVE:
            node = run.nodes.get(dl.node)
            tx.append_dead_letter(dl.id, run, *succeed(dl, node.lifetime if node else dl.lifetime))
        case Act.HOLD:
            tx.append_dead_letter(dl.id, run, DeadLetterHeld(why=act.why, run_version=run.version, engine=engine))
        case Act.SKIP | Act.DISPATCH:
            pass


def _dispatch(tx: Transaction, run: Run, going: list[DeadLetter], policy: RedrivePolicy) -> None:
    if not going:
        return
    tx.register_policy(run, "redrive", policy)
    cause = tx.moved_by(going[0].id)
    tx.append_run(run, *requeue_run(run, [dl.node for dl in going], "redrive", now_ms=tx.now_ms), cause=cause)
    for dl in going:
        tx.append_dead_letter(dl.id, run, dispatch(dl, policy, generation=run.generation, now_ms=tx.now_ms))
