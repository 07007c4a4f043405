"""The public names of the package, by what they are for; autodoc reads the rest from their docstrings."""

from inspect import isfunction

from pydantic import BaseModel

import redrive
from docs.generate.data import data

GROUPS: dict[str, tuple[str, ...]] = {
    "The engine": (
        "open",
        "Engine",
        "TenantEngine",
        "Tenant",
        "Principal",
        "Batch",
        "Pending",
        "Settings",
        "Listener",
    ),
    "The engine for asyncio": (
        "open_async",
        "AsyncEngine",
        "AsyncTenantEngine",
        "AsyncBatch",
        "AsyncView",
    ),
    "Tenants over several logs": (
        "ShardedEngine",
        "ShardedBatch",
    ),
    "Flows and policies": (
        "Flow",
        "Node",
        "Approval",
        "Wait",
        "RetryPolicy",
        "Backoff",
        "Strategy",
        "TerminalBehavior",
        "ManualOverride",
        "Mode",
        "RedrivePolicy",
        "Limit",
        "Rate",
    ),
    "Executing": (
        "Worker",
        "Ticker",
        "Claim",
        "Attempt",
        "Lease",
        "Progress",
        "Retry",
        "Fatal",
        "Snooze",
        "AttemptError",
        "Handler",
    ),
    "Effects and compensations": (
        "EffectCall",
        "EffectStanding",
        "Send",
        "http_send",
        "http_reconcile",
        "NotSent",
        "Rejected",
        "Gate",
        "Withhold",
        "Reconciler",
        "Happened",
        "DidNotHappen",
        "StillUnknown",
        "Compensation",
        "CompensationTry",
        "CompensationStanding",
        "Compensate",
    ),
    "Failures and decisions": (
        "Failure",
        "RetryDecision",
        "Verdict",
        "Classifier",
        "Rule",
        "DEFAULT_RULES",
        "Redactor",
    ),
    "Answers": (
        "Page",
        "RunSummary",
        "RunDetail",
        "NodeDetail",
        "QueueEntry",
        "DeadLetterSummary",
        "DeadLetterGroup",
        "LetterStanding",
        "LimitStatus",
        "LimitUse",
        "Counts",
        "HistoryEntry",
        "Recorded",
        "Event",
        "UnknownEvent",
        "Cause",
        "Status",
        "NodeStatus",
        "Disposition",
        "EffectStatus",
        "CompensationStatus",
        "ViewStatus",
        "SweepReport",
        "SweepAct",
        "Act",
        "TickReport",
        "TimerReport",
        "TimerAct",
    ),
    "Looking at effects": (
        "EffectSummary",
        "EffectDetail",
        "EffectTry",
        "EffectOutcome",
        "CompensationSummary",
        "CompensationDetail",
        "ResumePlan",
        "ResumeOption",
    ),
    "Looking at the past": (
        "Past",
        "TenantPast",
        "Position",
        "ClockRegression",
        "ViewDiff",
        "RowChange",
        "ColumnChange",
        "Responsible",
        "Invariant",
        "InvariantReport",
        "Flip",
        "Look",
        "Footing",
    ),
    "Timelines and causes": (
        "Timeline",
        "TimelineLane",
        "TimelineEntry",
        "svg_of",
        "Why",
        "WhyStep",
        "PolicyUsed",
        "Root",
        "Blast",
        "BlastEvent",
    ),
    "Decided again": (
        "ReplayReport",
        "Difference",
        "WhatIf",
        "WhatIfPolicy",
        "WhatIfReport",
    ),
    "Evidence": (
        "VerifyReport",
        "VerifyResult",
        "VerifyPolicy",
        "read_verify_policy",
        "Finding",
        "AnchorCheck",
        "Compared",
        "StoredCheckpoint",
        "Anchor",
        "PinAnchor",
        "CommandAnchor",
        "WitnessAnchor",
        "TimestampAnchor",
        "AnchorRecorded",
    ),
    "Evidence bundles": (
        "open_bundle",
        "verify_bundle",
        "BundleReport",
        "ExportReport",
    ),
    "Privacy and archives": (
        "Privacy",
        "PrivacyStatus",
        "KeyDestruction",
        "ArchiveReport",
    ),
    "Ids and values": (
        "RunId",
        "DeadLetterId",
        "EffectId",
        "CompensationId",
        "NodeId",
        "JsonValue",
    ),
}
INHERITED = frozenset({"Engine", "TenantEngine", "TenantPast"})
BARE = frozenset(
    {
        "VerifyResult",
        "Status",
        "NodeStatus",
        "Mode",
        "Strategy",
        "Verdict",
        "Disposition",
        "Act",
        "EffectStatus",
        "CompensationStatus",
    }
)


def documented() -> set[str]:
    """The names that this page documents; the errors have a page of their own."""
    return {name for names in GROUPS.values() for name in names}


def errors() -> set[str]:
    """The public names that are errors of redrive."""
    return {name for name in redrive.__all__ if _is_error(getattr(redrive, name))}


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, redrive.RedriveError)


def reference() -> str:
    """One directive of autodoc for each public name."""
    parts = []
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n\n```{{eval-rst}}\n" + "\n".join(_directive(name) for name in names) + "\n```\n")
    return "\n".join(parts)


def _directive(name: str) -> str:
    value = getattr(redrive, name)
    if not isinstance(value, type):
        return f".. autofunction:: redrive.{name}\n" if isfunction(value) else data(name)
    lines = [f".. autoclass:: redrive.{name}", "   :members:"]
    if issubclass(value, BaseModel):
        lines.append("   :exclude-members: model_config")
    if name in BARE:
        lines.append("   :undoc-members:")
    if name in INHERITED:
        lines.append("   :inherited-members:")
    return "\n".join(lines) + "\n"
