"""redrive: an event-sourced reliability engine.

Every retry decision, dead letter, requeue and operator action is a fact in an append-only log; queue views are
folded from it; a process manager drives requeues; any incident can be replayed. Start with ``redrive.open``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "redrive.async_engine": ("AsyncBatch", "AsyncEngine", "open_async"),
    "redrive.async_tenant": ("AsyncTenantEngine", "AsyncView"),
    "redrive.domain.classifier": ("Classifier", "DEFAULT_RULES", "Rule"),
    "redrive.domain.compensation.state": ("CompensationStatus",),
    "redrive.domain.dead_letter.judge": ("Act",),
    "redrive.domain.dead_letter.state": ("Disposition",),
    "redrive.domain.effect.request": ("Compensation",),
    "redrive.domain.effect.state": ("EffectStatus",),
    "redrive.domain.errors": (
        "AnchorFailed", "ArchiveUnreadable", "AttemptsRunning", "BudgetSpent", "Compensated", "Conflict",
        "EngineClosed", "InFlight", "InvalidFlow", "InvalidValue", "KeyReused", "LimitReached", "NodeNotReady",
        "NotAllowed", "NotFound", "NotRunning", "OneShardOnly", "OutcomePending", "PayloadDestroyed", "PayloadLocked",
        "ReadOnlyLog", "RedriveError", "Refused", "RetryUnavailable", "SealRefused", "ShardMissing", "StaleAttempt",
        "StaleEpoch", "StorageError", "StreamDamaged", "StreamReadOnly", "StreamUnreadable", "WrongShard"),
    "redrive.domain.event": ("Cause", "Event", "Recorded", "UnknownEvent"),
    "redrive.domain.failure": ("Failure",),
    "redrive.domain.flow": ("Flow", "Node"),
    "redrive.domain.identity": ("CompensationId", "DeadLetterId", "EffectId", "NodeId", "Principal", "RunId", "Tenant"),
    "redrive.domain.limits": ("Limit", "LimitUse", "Rate"),
    "redrive.domain.records": ("AnchorRecorded",),
    "redrive.domain.redaction": ("Redactor",),
    "redrive.domain.redrive_policy": ("RedrivePolicy",),
    "redrive.domain.retry_policy": (
        "Backoff", "ManualOverride", "Mode", "RetryDecision", "RetryPolicy", "Strategy", "TerminalBehavior", "Verdict"),
    "redrive.domain.run.state": ("NodeStatus", "Status"),
    "redrive.domain.stateful_wait": ("Approval", "Wait"),
    "redrive.domain.values": ("JsonValue",),
    "redrive.effect_detail": ("CompensationDetail", "EffectDetail", "EffectOutcome", "EffectTry"),
    "redrive.engine": ("Batch", "Engine"),
    "redrive.evidence.anchors": ("Anchor", "CommandAnchor", "PinAnchor", "TimestampAnchor", "WitnessAnchor"),
    "redrive.evidence.bundle.checking": ("BundleReport", "verify_bundle"),
    "redrive.evidence.bundle.handing": ("ExportReport",),
    "redrive.evidence.bundle.opened": ("open_bundle",),
    "redrive.evidence.policy": ("VerifyPolicy", "read_verify_policy"),
    "redrive.evidence.report": ("AnchorCheck", "Compared", "Finding", "VerifyReport", "VerifyResult"),
    "redrive.evidence.store": ("StoredCheckpoint",),
    "redrive.forensics.causes.blast": ("Blast", "BlastEvent"),
    "redrive.forensics.causes.decisions": ("PolicyUsed",),
    "redrive.forensics.causes.roots": ("Root",),
    "redrive.forensics.causes.why": ("Why", "WhyStep"),
    "redrive.forensics.decided_again.replay_check": ("Difference", "ReplayReport"),
    "redrive.forensics.diff": ("ColumnChange", "Responsible", "RowChange", "ViewDiff"),
    "redrive.forensics.footing": ("Footing",),
    "redrive.forensics.invariants.first": ("Flip", "InvariantReport"),
    "redrive.forensics.invariants.invariant": ("Invariant",),
    "redrive.forensics.invariants.predicates": ("Look",),
    "redrive.forensics.past": ("Past", "TenantPast"),
    "redrive.forensics.positions": ("ClockRegression", "Position"),
    "redrive.forensics.timelines.picture": ("svg_of",),
    "redrive.forensics.timelines.timeline": ("Timeline", "TimelineEntry", "TimelineLane"),
    "redrive.forensics.what_if.counterfactual": ("WhatIf",),
    "redrive.forensics.what_if.policy_file": ("WhatIfPolicy",),
    "redrive.forensics.what_if.report": ("WhatIfReport",),
    "redrive.history": ("HistoryEntry",),
    "redrive.http_effects": ("http_reconcile", "http_send"),
    "redrive.ledger.limit_status": ("LimitStatus",),
    "redrive.ledger.pending": ("Pending",),
    "redrive.privacy.models": ("KeyDestruction", "PrivacyStatus"),
    "redrive.privacy.options": ("Privacy",),
    "redrive.processes.compensations": ("CompensationStanding", "CompensationTry"),
    "redrive.processes.compensator": ("Compensate",),
    "redrive.processes.effects": ("EffectCall", "EffectStanding"),
    "redrive.processes.handlers": ("AttemptError", "Fatal", "Handler", "NotSent", "Rejected", "Retry", "Snooze"),
    "redrive.processes.handout": ("Attempt", "Claim", "Lease", "Progress"),
    "redrive.processes.letters": ("LetterStanding",),
    "redrive.processes.outbox": ("DidNotHappen", "Gate", "Happened", "Reconciler", "Send", "StillUnknown", "Withhold"),
    "redrive.processes.resume_plan": ("ResumeOption", "ResumePlan"),
    "redrive.processes.sweep": ("SweepAct", "SweepReport"),
    "redrive.processes.ticker": ("TickReport", "Ticker"),
    "redrive.processes.timers": ("TimerAct", "TimerReport"),
    "redrive.opening": ("Listener",),
    "redrive.processes.worker": ("Worker",),
    "redrive.projections.models": (
        "CompensationSummary", "Counts", "DeadLetterGroup", "DeadLetterSummary", "EffectSummary", "Page", "QueueEntry",
        "RunSummary", "ViewStatus"),
    "redrive.retention.models": ("ArchiveReport",),
    "redrive.run_detail": ("NodeDetail", "RunDetail"),
    "redrive.settings": ("Settings",),
    "redrive.sharding.opening": ("open",),
    "redrive.sharding.sharded_batch": ("ShardedBatch",),
    "redrive.sharding.sharded_engine": ("ShardedEngine",),
    "redrive.tenant_engine": ("TenantEngine",),
}  # fmt: skip
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604

if TYPE_CHECKING:
    from redrive.async_engine import AsyncBatch as AsyncBatch
    from redrive.async_engine import AsyncEngine as AsyncEngine
    from redrive.async_engine import open_async as open_async
    from redrive.async_tenant import AsyncTenantEngine as AsyncTenantEngine
    from redrive.async_tenant import AsyncView as AsyncView
    from redrive.domain.classifier import DEFAULT_RULES as DEFAULT_RULES
    from redrive.domain.classifier import Classifier as Classifier
    from redrive.domain.classifier import Rule as Rule
    from redrive.domain.compensation.state import CompensationStatus as CompensationStatus
    from redrive.domain.dead_letter.judge import Act as Act
    from redrive.domain.dead_letter.state import Disposition as Disposition
    from redrive.domain.effect.request import Compensation as Compensation
    from redrive.domain.effect.state import EffectStatus as EffectStatus
    from redrive.domain.errors import AnchorFailed as AnchorFailed
    from redrive.domain.errors import ArchiveUnreadable as ArchiveUnreadable
    from redrive.domain.errors import AttemptsRunning as AttemptsRunning
    from redrive.domain.errors import BudgetSpent as BudgetSpent
    from redrive.domain.errors import Compensated as Compensated
    from redrive.domain.errors import Conflict as Conflict
    from redrive.domain.errors import EngineClosed as EngineClosed
    from redrive.domain.errors import InFlight as InFlight
    from redrive.domain.errors import InvalidFlow as InvalidFlow
    from redrive.domain.errors import InvalidValue as InvalidValue
    from redrive.domain.errors import KeyReused as KeyReused
    from redrive.domain.errors import LimitReached as LimitReached
    from redrive.domain.errors import NodeNotReady as NodeNotReady
    from redrive.domain.errors import NotAllowed as NotAllowed
    from redrive.domain.errors import NotFound as NotFound
    from redrive.domain.errors import NotRunning as NotRunning
    from redrive.domain.errors import OneShardOnly as OneShardOnly
    from redrive.domain.errors import OutcomePending as OutcomePending
    from redrive.domain.errors import PayloadDestroyed as PayloadDestroyed
    from redrive.domain.errors import PayloadLocked as PayloadLocked
    from redrive.domain.errors import ReadOnlyLog as ReadOnlyLog
    from redrive.domain.errors import RedriveError as RedriveError
    from redrive.domain.errors import Refused as Refused
    from redrive.domain.errors import RetryUnavailable as RetryUnavailable
    from redrive.domain.errors import SealRefused as SealRefused
    from redrive.domain.errors import ShardMissing as ShardMissing
    from redrive.domain.errors import StaleAttempt as StaleAttempt
    from redrive.domain.errors import StaleEpoch as StaleEpoch
    from redrive.domain.errors import StorageError as StorageError
    from redrive.domain.errors import StreamDamaged as StreamDamaged
    from redrive.domain.errors import StreamReadOnly as StreamReadOnly
    from redrive.domain.errors import StreamUnreadable as StreamUnreadable
    from redrive.domain.errors import WrongShard as WrongShard
    from redrive.domain.event import Cause as Cause
    from redrive.domain.event import Event as Event
    from redrive.domain.event import Recorded as Recorded
    from redrive.domain.event import UnknownEvent as UnknownEvent
    from redrive.domain.failure import Failure as Failure
    from redrive.domain.flow import Flow as Flow
    from redrive.domain.flow import Node as Node
    from redrive.domain.identity import CompensationId as CompensationId
    from redrive.domain.identity import DeadLetterId as DeadLetterId
    from redrive.domain.identity import EffectId as EffectId
    from redrive.domain.identity import NodeId as NodeId
    from redrive.domain.identity import Principal as Principal
    from redrive.domain.identity import RunId as RunId
    from redrive.domain.identity import Tenant as Tenant
    from redrive.domain.limits import Limit as Limit
    from redrive.domain.limits import LimitUse as LimitUse
    from redrive.domain.limits import Rate as Rate
    from redrive.domain.records import AnchorRecorded as AnchorRecorded
    from redrive.domain.redaction import Redactor as Redactor
    from redrive.domain.redrive_policy import RedrivePolicy as RedrivePolicy
    from redrive.domain.retry_policy import Backoff as Backoff
    from redrive.domain.retry_policy import ManualOverride as ManualOverride
    from redrive.domain.retry_policy import Mode as Mode
    from redrive.domain.retry_policy import RetryDecision as RetryDecision
    from redrive.domain.retry_policy import RetryPolicy as RetryPolicy
    from redrive.domain.retry_policy import Strategy as Strategy
    from redrive.domain.retry_policy import TerminalBehavior as TerminalBehavior
    from redrive.domain.retry_policy import Verdict as Verdict
    from redrive.domain.run.state import NodeStatus as NodeStatus
    from redrive.domain.run.state import Status as Status
    from redrive.domain.stateful_wait import Approval as Approval
    from redrive.domain.stateful_wait import Wait as Wait
    from redrive.domain.values import JsonValue as JsonValue
    from redrive.effect_detail import CompensationDetail as CompensationDetail
    from redrive.effect_detail import EffectDetail as EffectDetail
    from redrive.effect_detail import EffectOutcome as EffectOutcome
    from redrive.effect_detail import EffectTry as EffectTry
    from redrive.engine import Batch as Batch
    from redrive.engine import Engine as Engine
    from redrive.evidence.anchors import Anchor as Anchor
    from redrive.evidence.anchors import CommandAnchor as CommandAnchor
    from redrive.evidence.anchors import PinAnchor as PinAnchor
    from redrive.evidence.anchors import TimestampAnchor as TimestampAnchor
    from redrive.evidence.anchors import WitnessAnchor as WitnessAnchor
    from redrive.evidence.bundle.checking import BundleReport as BundleReport
    from redrive.evidence.bundle.checking import verify_bundle as verify_bundle
    from redrive.evidence.bundle.handing import ExportReport as ExportReport
    from redrive.evidence.bundle.opened import open_bundle as open_bundle
    from redrive.evidence.policy import VerifyPolicy as VerifyPolicy
    from redrive.evidence.policy import read_verify_policy as read_verify_policy
    from redrive.evidence.report import AnchorCheck as AnchorCheck
    from redrive.evidence.report import Compared as Compared
    from redrive.evidence.report import Finding as Finding
    from redrive.evidence.report import VerifyReport as VerifyReport
    from redrive.evidence.report import VerifyResult as VerifyResult
    from redrive.evidence.store import StoredCheckpoint as StoredCheckpoint
    from redrive.forensics.causes.blast import Blast as Blast
    from redrive.forensics.causes.blast import BlastEvent as BlastEvent
    from redrive.forensics.causes.decisions import PolicyUsed as PolicyUsed
    from redrive.forensics.causes.roots import Root as Root
    from redrive.forensics.causes.why import Why as Why
    from redrive.forensics.causes.why import WhyStep as WhyStep
    from redrive.forensics.decided_again.replay_check import Difference as Difference
    from redrive.forensics.decided_again.replay_check import ReplayReport as ReplayReport
    from redrive.forensics.diff import ColumnChange as ColumnChange
    from redrive.forensics.diff import Responsible as Responsible
    from redrive.forensics.diff import RowChange as RowChange
    from redrive.forensics.diff import ViewDiff as ViewDiff
    from redrive.forensics.footing import Footing as Footing
    from redrive.forensics.invariants.first import Flip as Flip
    from redrive.forensics.invariants.first import InvariantReport as InvariantReport
    from redrive.forensics.invariants.invariant import Invariant as Invariant
    from redrive.forensics.invariants.predicates import Look as Look
    from redrive.forensics.past import Past as Past
    from redrive.forensics.past import TenantPast as TenantPast
    from redrive.forensics.positions import ClockRegression as ClockRegression
    from redrive.forensics.positions import Position as Position
    from redrive.forensics.timelines.picture import svg_of as svg_of
    from redrive.forensics.timelines.timeline import Timeline as Timeline
    from redrive.forensics.timelines.timeline import TimelineEntry as TimelineEntry
    from redrive.forensics.timelines.timeline import TimelineLane as TimelineLane
    from redrive.forensics.what_if.counterfactual import WhatIf as WhatIf
    from redrive.forensics.what_if.policy_file import WhatIfPolicy as WhatIfPolicy
    from redrive.forensics.what_if.report import WhatIfReport as WhatIfReport
    from redrive.history import HistoryEntry as HistoryEntry
    from redrive.http_effects import http_reconcile as http_reconcile
    from redrive.http_effects import http_send as http_send
    from redrive.ledger.limit_status import LimitStatus as LimitStatus
    from redrive.ledger.pending import Pending as Pending
    from redrive.opening import Listener as Listener
    from redrive.privacy.models import KeyDestruction as KeyDestruction
    from redrive.privacy.models import PrivacyStatus as PrivacyStatus
    from redrive.privacy.options import Privacy as Privacy
    from redrive.processes.compensations import CompensationStanding as CompensationStanding
    from redrive.processes.compensations import CompensationTry as CompensationTry
    from redrive.processes.compensator import Compensate as Compensate
    from redrive.processes.effects import EffectCall as EffectCall
    from redrive.processes.effects import EffectStanding as EffectStanding
    from redrive.processes.handlers import AttemptError as AttemptError
    from redrive.processes.handlers import Fatal as Fatal
    from redrive.processes.handlers import Handler as Handler
    from redrive.processes.handlers import NotSent as NotSent
    from redrive.processes.handlers import Rejected as Rejected
    from redrive.processes.handlers import Retry as Retry
    from redrive.processes.handlers import Snooze as Snooze
    from redrive.processes.handout import Attempt as Attempt
    from redrive.processes.handout import Claim as Claim
    from redrive.processes.handout import Lease as Lease
    from redrive.processes.handout import Progress as Progress
    from redrive.processes.letters import LetterStanding as LetterStanding
    from redrive.processes.outbox import DidNotHappen as DidNotHappen
    from redrive.processes.outbox import Gate as Gate
    from redrive.processes.outbox import Happened as Happened
    from redrive.processes.outbox import Reconciler as Reconciler
    from redrive.processes.outbox import Send as Send
    from redrive.processes.outbox import StillUnknown as StillUnknown
    from redrive.processes.outbox import Withhold as Withhold
    from redrive.processes.resume_plan import ResumeOption as ResumeOption
    from redrive.processes.resume_plan import ResumePlan as ResumePlan
    from redrive.processes.sweep import SweepAct as SweepAct
    from redrive.processes.sweep import SweepReport as SweepReport
    from redrive.processes.ticker import Ticker as Ticker
    from redrive.processes.ticker import TickReport as TickReport
    from redrive.processes.timers import TimerAct as TimerAct
    from redrive.processes.timers import TimerReport as TimerReport
    from redrive.processes.worker import Worker as Worker
    from redrive.projections.models import CompensationSummary as CompensationSummary
    from redrive.projections.models import Counts as Counts
    from redrive.projections.models import DeadLetterGroup as DeadLetterGroup
    from redrive.projections.models import DeadLetterSummary as DeadLetterSummary
    from redrive.projections.models import EffectSummary as EffectSummary
    from redrive.projections.models import Page as Page
    from redrive.projections.models import QueueEntry as QueueEntry
    from redrive.projections.models import RunSummary as RunSummary
    from redrive.projections.models import ViewStatus as ViewStatus
    from redrive.retention.models import ArchiveReport as ArchiveReport
    from redrive.run_detail import NodeDetail as NodeDetail
    from redrive.run_detail import RunDetail as RunDetail
    from redrive.settings import Settings as Settings
    from redrive.sharding.opening import open as open
    from redrive.sharding.sharded_batch import ShardedBatch as ShardedBatch
    from redrive.sharding.sharded_engine import ShardedEngine as ShardedEngine
    from redrive.tenant_engine import TenantEngine as TenantEngine


if not TYPE_CHECKING:  # a type checker that saw it would take every name for a public one

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used: ``import redrive`` stays fast."""
        if name not in _HOME:
            raise AttributeError(f"module 'redrive' has no attribute {name!r}")
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
