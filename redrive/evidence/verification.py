"""Verifying a log: the scan, what is outside of the database, views and agenda, and the answer that follows."""

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redrive.domain.errors import InvalidValue, RedriveError
from redrive.domain.identity import StreamId, Tenant, derived_id
from redrive.evidence.ahead import ahead
from redrive.evidence.clocks import Floor
from redrive.evidence.outside import Claim, kept, pinned, recorded
from redrive.evidence.policy import VerifyPolicy
from redrive.evidence.rebuilt import DIFFERENT, SKIPPED, agenda_compared, views_compared
from redrive.evidence.report import AnchorCheck, Compared, Finding, VerifyReport, VerifyResult
from redrive.evidence.scan import Scan
from redrive.evidence.store import StoredCheckpoint
from redrive.evidence.trust import Trust
from redrive.forensics.footing import footing

if TYPE_CHECKING:
    from redrive.engine import Engine

ANCHORS_STREAM = StreamId(derived_id(Tenant(), "anchors"))
NOTHING_SEALED = "nothing of this log is sealed: redrive seal"


@dataclass(slots=True)
class _Case:
    """What comes together while a log is verified."""

    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    missing: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    anchors: list[AnchorCheck] = field(default_factory=list)

    def find(self, kind: str, what: str) -> None:
        """Something is not as it was written."""
        self.findings.append(Finding(kind=kind, what=what))

    def result(self) -> VerifyResult:
        """The answer, the worst first."""
        if self.findings:
            return VerifyResult.TAMPERED
        if self.missing:
            return VerifyResult.INCOMPLETE
        if self.stale:
            return VerifyResult.STALE
        return VerifyResult.VERIFIED if any(anchor.agrees for anchor in self.anchors) else VerifyResult.SELF_CONSISTENT


def verify(
    engine: "Engine", policy: VerifyPolicy, *, checkpoints: Sequence[Path] = (), views: bool = True, agenda: bool = True
) -> VerifyReport:
    """Verify the log of *engine*. Raises InvalidValue for a kept checkpoint that cannot be read, StorageError."""
    store, origin, case = engine.evidence.store, engine.evidence.origin, _Case()
    claims = _claims(engine, policy, checkpoints, case)  # before the tree: what is pinned by now is in it
    last = store.last()
    trust = Trust(origin, policy.trusted, engine.evidence.keys.verifiers())
    sizes = [claim.checkpoint.size for claim in claims]
    with ahead(store.file(), last.size if last else 0) as told, ThreadPoolExecutor(1, "redrive-verify") as aside:
        scan = Scan(store, last or _NOTHING, sizes, trust.look, _floors(claims, policy), told)
        faults = aside.submit(store.faults)
        scan.run()
    case.findings += scan.findings
    case.more = scan.finding_count - len(scan.findings)
    if last is None:
        case.missing.append(NOTHING_SEALED)
    if scan.unread:
        case.missing.append(f"archived states could not be read, nor compared with their columns: {scan.unread}")
    case.anchors += [claim.check(origin, scan.size, scan.roots) for claim in claims]
    _judge_keys(policy, trust, scan.size, case)
    _judge_anchors(engine, policy, claims, scan.size, case)
    for what in faults.result():
        case.find("database", what)
    age_ms = _judge_age(policy, scan, engine.now_ms(), case)
    views_found = _compared("view", lambda: views_compared(engine.ledger, engine.views), views, case)
    agenda_found = _compared("agenda", lambda: agenda_compared(engine.ledger), agenda, case)
    return VerifyReport(
        **_scanned(scan),
        **_judged(case),
        origin=origin,
        position=last.position if last else 0,
        log_position=engine.ledger.last_position(),
        signed_by=trust.by,
        unsealed_for_ms=age_ms,
        unanchored=_unanchored(scan.size, case.anchors),
        views=views_found,
        agenda=agenda_found,
        footing=footing(engine, last.position if last else scan.read_to),
    )


def _floors(claims: Sequence[Claim], policy: VerifyPolicy) -> list[Floor]:
    """Since when what lies beyond the anchors of those who are trusted was recorded."""
    return [
        Floor(claim.position, claim.at_ms - policy.clock_tolerance_ms, claim.name)
        for claim in claims
        if claim.trusted and claim.at_ms is not None and claim.position is not None
    ]


def _scanned(scan: Scan) -> dict[str, Any]:
    """What the scan tells of itself."""
    return {
        "size": scan.size,
        "checkpoints": scan.checkpoints,
        "matched": scan.matched,
        "last_good_size": scan.last_good_size,
        "unsealed": scan.unsealed,
        "unsealed_since_ms": scan.unsealed_since_ms,
        "regressions": scan.clocks.regressions,
        "regression_positions": tuple(scan.clocks.regression_positions),
        "archived": scan.archived,
        "uncompared": scan.uncompared,
    }


def _judged(case: _Case) -> dict[str, Any]:
    """The answer, and what it rests on."""
    return {
        "result": case.result(),
        "anchors": tuple(case.anchors),
        "findings": tuple(sorted(case.findings, key=_rank)),
        "finding_count": len(case.findings) + case.more,
        "missing": tuple(case.missing),
        "stale": tuple(case.stale),
    }


_NOTHING = StoredCheckpoint(0, 0, 0, b"", "", 0)


def _claims(engine: "Engine", policy: VerifyPolicy, checkpoints: Sequence[Path], case: _Case) -> list[Claim]:
    """What is outside of the database, and what came back from there."""
    witnesses, claims = policy.trusted_witnesses, list[Claim]()
    pin = policy.pin_file or (str(engine.evidence.pin.path) if engine.evidence.pin else None)
    if pin is not None:
        try:
            claims.append(pinned(Path(pin)))
        except InvalidValue as error:
            case.missing.append(str(error))
    for name in policy.checkpoints:
        try:
            claims += kept(Path(name), witnesses)
        except InvalidValue as error:
            case.missing.append(str(error))
    for path in checkpoints:
        claims += kept(path, witnesses)
    found, wrong = recorded(engine.ledger.stream(ANCHORS_STREAM), witnesses)
    for what in wrong:
        case.find("anchor", what)
    return claims + found


def _judge_age(policy: VerifyPolicy, scan: Scan, now_ms: int, case: _Case) -> int:
    """How long the oldest event that is not sealed has waited, in milliseconds."""
    since = scan.unsealed_since_ms
    age_ms = 0 if since is None else max(0, now_ms - since)
    if since is not None and since - now_ms > policy.clock_tolerance_ms:
        case.stale.append(f"the first event that is not sealed claims a time {since - now_ms} ms from now")
    if scan.unsealed and age_ms > policy.freshness_ms:
        case.stale.append(
            f"{scan.unsealed} event(s) were not sealed for {age_ms / 1_000:,.0f} s; "
            f"{policy.freshness_ms / 1_000:,g} s are allowed"
        )
    return age_ms


def _judge_keys(policy: VerifyPolicy, trust: Trust, size: int, case: _Case) -> None:
    if not policy.trust:
        return
    if trust.size:
        detail = "by itself, a key shows nothing of what was cut off"
        case.anchors.append(
            AnchorCheck(kind="key", name=", ".join(trust.by), size=trust.size, agrees=True, detail=detail)
        )
    if size and not trust.last_signed:
        case.missing.append(
            f"checkpoint {size} bears no signature of a trusted key; the last that does is {trust.size}"
        )


def _judge_anchors(engine: "Engine", policy: VerifyPolicy, claims: Sequence[Claim], size: int, case: _Case) -> None:
    for anchor in case.anchors:
        if anchor.agrees is False:
            case.find("anchor", f"{anchor.kind} {anchor.name}: {anchor.detail}")
    seen = {anchor.name for anchor in case.anchors if anchor.kind == "witness" and anchor.agrees}
    if len(seen) < policy.require_witnesses:
        case.missing.append(f"{len(seen)} trusted witness(es) saw this log; {policy.require_witnesses} must have")
    beyond = _unanchored(size, case.anchors)
    if policy.max_unanchored is not None and beyond > policy.max_unanchored:
        case.stale.append(f"{beyond} sealed event(s) are not anchored; {policy.max_unanchored} may be")
    for claim in claims:
        if claim.trusted and claim.at_ms is not None and claim.position is not None:
            _judge_clock(engine, policy, claim, case)


def _judge_clock(engine: "Engine", policy: VerifyPolicy, claim: Claim, case: _Case) -> None:
    """What came before the anchor was recorded no later than it, and the anchor itself no earlier."""
    assert claim.at_ms is not None
    assert claim.position is not None
    store, leaf = engine.evidence.store, claim.checkpoint.size - 1
    before = [position for index, position in store.leaves(leaf, 1) if index == leaf]
    for position, sign in [(before[0], 1), (claim.position, -1)] if before else [(claim.position, -1)]:
        row = next(iter(store.rows_after(position - 1, 1)), None)
        if row is None or row[0] != position or not isinstance(row[7], int):
            continue
        if sign * (row[7] - claim.at_ms) > policy.clock_tolerance_ms:
            told = "later than" if sign > 0 else "earlier than"
            case.find("anchor", f"the event at position {position} claims a time {told} {claim.name} allows: backdated")


def _unanchored(size: int, anchors: Sequence[AnchorCheck]) -> int:
    return size - max((anchor.size for anchor in anchors if anchor.agrees), default=0)


def _compared(kind: str, compare: Callable[[], Compared], asked: bool, case: _Case) -> Compared:
    """Views or agenda; a log that cannot be folded is one that could not be checked."""
    if not asked:
        return Compared(state=SKIPPED, detail="as asked")
    try:
        found = compare()
    except (RedriveError, sqlite3.Error, ValueError, TypeError, LookupError) as error:
        case.missing.append(f"the {kind} could not be made anew: {error}")
        return Compared(state=SKIPPED, detail="it could not be made anew")
    if found.state == DIFFERENT:
        case.find(kind, found.detail)
    return found


def _rank(finding: Finding) -> tuple[bool, int, bool]:
    """Rows first, by leaf; those that the tree proves before others."""
    return finding.leaf is None, finding.leaf or 0, not finding.exact
