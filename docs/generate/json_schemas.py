"""What ``--json`` prints, schema by schema: its shape, its commands, its model, and fields that no model names."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from redrive.effect_detail import CompensationDetail, EffectDetail
from redrive.evidence.bundle.checking import BundleReport
from redrive.evidence.bundle.handing import ExportReport
from redrive.evidence.report import VerifyReport
from redrive.faults.summary import Summary
from redrive.forensics.causes.blast import Blast
from redrive.forensics.causes.why import Why
from redrive.forensics.decided_again.replay_check import ReplayReport
from redrive.forensics.diff import ViewDiff
from redrive.forensics.footing import Footing
from redrive.forensics.invariants.first import InvariantReport
from redrive.forensics.timelines.timeline import Timeline
from redrive.forensics.what_if.report import WhatIfReport
from redrive.history import HistoryEntry
from redrive.ledger.copying import DatabaseCopied
from redrive.ledger.stores import DatabaseMade, DatabaseStatus, DatabaseUpgraded
from redrive.privacy.models import KeyDestruction, PrivacyStatus
from redrive.projections.models import (
    CompensationSummary,
    DeadLetterGroup,
    DeadLetterSummary,
    EffectSummary,
    QueueEntry,
    RunSummary,
    ViewStatus,
)
from redrive.retention.models import ArchiveReport
from redrive.run_detail import RunDetail


@dataclass(frozen=True)
class Printed:
    """A schema: how it is printed (items, item, stream), by which commands, its model, and fields beside those."""

    shape: str
    commands: str
    model: type[BaseModel] | None = None
    more: Sequence[tuple[str, str]] = ()


_OPTIONS = (
    "list of objects with `subject` (run, dead_letter, effect, compensation), `id`, `node`, `status`, `action`, "
    "`possible`, `why_not` (null, or what the command is refused with), `command`"
)
PRINTED = {
    "demo": Printed(
        "item",
        "`demo`",
        None,
        [
            ("kept", "true or false: whether every promise was"),
            ("run_id", "text"),
            ("events", "integer"),
            ("seconds", "number: how long it took, s"),
            ("log", "text or null: the log, with `--keep`"),
            ("promises", "list of objects with `promise`, a sentence, and `kept`"),
        ],
    ),
    "summary": Printed("item", "`run`", RunSummary, [("seconds", "number: how long this command took, s")]),
    "export": Printed("item", "`export`", ExportReport),
    "bundle": Printed("item", "`bundle verify`", BundleReport),
    "submitted": Printed(
        "item",
        "`submit`",
        None,
        [
            ("run_id", "text"),
            ("automation", "text"),
            ("key", "text or null"),
            ("new", "true or false: whether this command submitted it"),
        ],
    ),
    "runs": Printed("items", "`runs`", RunSummary),
    "run": Printed(
        "item",
        "`show` of a run",
        RunDetail,
        [("effects", "list of EffectSummary"), ("compensations", "list of CompensationSummary")],
    ),
    "run-operation": Printed(
        "item", "`pause`, `resume`, `cancel`, `recover`, `approve`, `deny`", RunSummary, [("command", "text")]
    ),
    "queues": Printed("items", "`queues`", None, [("queue", "text"), ("count", "integer")]),
    "queue": Printed("items", "`queues NAME`", QueueEntry),
    "dead-letters": Printed("items", "`dead-letters list`", DeadLetterSummary),
    "dead-letter-groups": Printed("items", "`dead-letters groups`", DeadLetterGroup),
    "dead-letter": Printed(
        "item", "`show` of a dead letter", DeadLetterSummary, [("events", "list of events, as in redrive.event/1")]
    ),
    "dead-letter-decisions": Printed(
        "items",
        "`dead-letters retry`, `ignore`, `abandon`, `resolve`, `compensate`, `grant`, `reopen`, `note`",
        DeadLetterSummary,
        [
            ("command", "text: the verb"),
            ("done", "true or false"),
            ("error", "null, or an object with `code` and `message`: why nothing was done"),
        ],
    ),
    "effects": Printed("items", "`effects list`", EffectSummary),
    "effect": Printed(
        "item", "`show` of an effect", EffectDetail, [("events", "list of events, as in redrive.event/1")]
    ),
    "effect-reconciled": Printed(
        "item", "`reconcile`", EffectSummary, [("command", "text: `reconcile`"), ("outcome", "text: what was said")]
    ),
    "compensations": Printed("items", "`compensations list`", CompensationSummary),
    "compensation": Printed(
        "item", "`show` of a compensation", CompensationDetail, [("events", "list of events, as in redrive.event/1")]
    ),
    "compensation-operation": Printed(
        "item", "`compensations approve`, `cancel`, `rerun`", CompensationSummary, [("command", "text: the verb")]
    ),
    "resume-plan": Printed(
        "item",
        "`resume-plan`",
        None,
        [
            ("run_id", "text"),
            ("status", "text"),
            ("pause_requested", "true or false"),
            ("options", _OPTIONS),
        ],
    ),
    "event": Printed("stream", "`history`, `log tail`; an item of `log show`", HistoryEntry),
    "timeline": Printed("item", "`timeline`", Timeline),
    "why": Printed("item", "`why`", Why),
    "blast": Printed("item", "`blast`", Blast),
    "noted": Printed("item", "`note`", None, [("subject", "text"), ("id", "text"), ("text", "text, redacted")]),
    "tick": Printed(
        "item",
        "`tick`",
        None,
        [
            ("reclaimed", "list of texts: the runs that were taken from workers that are gone"),
            ("timers", "list of objects with `run`, `node`, `expired`: waits that ended, approvals that expired"),
            ("lost_effects", "list of texts: the effects outside runs whose lease ended; unknown from now on"),
            ("lost_compensations", "list of texts: the compensations whose lease ended; unknown from now on"),
            ("acted", "list of objects with `dead_letter`, `run`, `node`, `act`, `why`"),
            ("skipped", "list of the same objects: what was looked at and left alone"),
        ],
    ),
    "limits": Printed(
        "items",
        "`limits list`",
        None,
        [
            ("scope", "text: total, tenant, resource or provider"),
            ("name", "text"),
            ("concurrency", "integer or null"),
            ("tokens", "integer or null: starts per period"),
            ("period_ms", "integer or null, ms"),
            ("burst", "integer or null: starts at once"),
            ("in_use", "integer: claimed runs, or running attempts"),
            ("tokens_left", "integer or null"),
            ("waiting", "integer: runs that wait for a resource or provider"),
        ],
    ),
    "limit-change": Printed(
        "item",
        "`limits set`, `limits remove`",
        None,
        [
            ("command", "text: `set` or `remove`"),
            ("scope", "text"),
            ("name", "text"),
            ("concurrency", "integer or null"),
            ("rate", "null, or an object with `tokens`, `period_ms`, `burst`"),
        ],
    ),
    "privacy": Printed("item", "`privacy init`, `privacy show`", PrivacyStatus),
    "archive": Printed("item", "`archive`", ArchiveReport),
    "key-destroyed": Printed("item", "`privacy destroy`", KeyDestruction),
    "simulation": Printed("item", "`simulate`", Summary),
    "replay-check": Printed("item", "`replay --check`", ReplayReport),
    "what-if": Printed("item", "`what-if`; the first key of the document is `COUNTERFACTUAL`", WhatIfReport),
    "database": Printed("item", "`db status`", DatabaseStatus),
    "database-made": Printed("item", "`db init`", DatabaseMade),
    "database-copied": Printed("item", "`db copy`", DatabaseCopied),
    "database-upgraded": Printed("item", "`db upgrade`", DatabaseUpgraded),
    "database-sql": Printed("item", "`db init --print-sql`", None, [("location", "text"), ("sql", "text")]),
    "views": Printed("item", "`views status`", ViewStatus),
    "views-rebuilt": Printed(
        "item",
        "`views rebuild`",
        None,
        [
            ("position", "integer"),
            ("agenda_rows", "integer"),
            ("took_ms", "integer, ms"),
            ("path", "text or null"),
        ],
    ),
    "checkpoint": Printed(
        "item",
        "`seal`",
        None,
        [
            ("origin", "text: which log"),
            ("size", "integer: how many events are sealed"),
            ("position", "integer: of the last of them"),
            ("root", "text or null: the root of the tree, base64"),
            ("note", "text or null: the signed note"),
            ("signed_by", "list of text"),
        ],
    ),
    "verification": Printed("item", "`verify`", VerifyReport),
    "anchors": Printed(
        "items",
        "`anchor`",
        None,
        [
            ("kind", "text: `pin`, `command`, `witness` or `timestamp`"),
            ("name", "text"),
            ("size", "integer"),
            ("checkpoint", "text"),
            ("evidence", "text"),
            ("at_ms", "integer, ms, or null"),
        ],
    ),
    "keys": Printed(
        "items",
        "`keys`",
        None,
        [("verifier", "text: a verifier key"), ("created_ms", "integer, ms"), ("signs", "true or false")],
    ),
    "view-checkpoints": Printed(
        "item",
        "`views checkpoint`",
        None,
        [("folder", "text"), ("positions", "list of integers"), ("size_bytes", "integer, bytes")],
    ),
    "diff": Printed("item", "`diff`", ViewDiff),
    "first": Printed("item", "`first`", InvariantReport),
    "invariants": Printed(
        "items", "`first --list`", None, [("name", "text"), ("promises", "text: what it says"), ("sql", "text")]
    ),
    "footing": Printed("stream", "the last line of `history --at`", Footing),
    "error": Printed(
        "stream", "any, on standard error", None, [("code", "text, see the table of errors"), ("message", "text")]
    ),
}
