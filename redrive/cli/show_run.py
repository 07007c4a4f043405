"""A run in full, for people: how it stands, its nodes, and what can be done."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redrive.cli.context import Session
from redrive.cli.ids import shortener
from redrive.cli.next_steps import executing
from redrive.cli.output import printable
from redrive.cli.tables import Column
from redrive.cli.times import moment, relative

if TYPE_CHECKING:
    from redrive.domain.identity import RunId
    from redrive.run_detail import NodeDetail, RunDetail
    from redrive.tenant_engine import TenantEngine

MANY = 60
COLUMNS = (
    Column("node", elastic=True, ends=True),
    Column("status"),
    Column("try", right=True),
    Column("dead letter", whole=True),
    Column("handler", wide=True),
    Column("after", wide=True, elastic=True),
    Column("class", wide=True),
    Column("why", elastic=True),
)


def print_run(session: Session, acme: "TenantEngine", id_: "RunId", *, all_nodes: bool) -> None:
    """Print a run; of a large one on a terminal only the nodes that fail, wait or run."""
    out, run, redactor = session.output, acme.show(id_), acme.services.redactor
    if out.json:
        document = run.model_dump(mode="json")
        document["input"] = redactor.value(document["input"])
        for node in document["nodes"]:
            node["output"] = redactor.value(node["output"])
        out.item("run", document)
        return
    now = acme.engine.now_ms()
    _print_facts(session, run, json.dumps(redactor.value(run.input)), now)
    out.say()
    quiet = {"succeeded", "pending", "blocked"} if out.terminal and len(run.nodes) > MANY and not all_nodes else set()
    shown = [node for node in run.nodes if node.status not in quiet]
    if shown:
        short = shortener(acme, [node.dead_letter for node in shown], whole=not out.terminal)
        out.table(COLUMNS, (_row(node, short(node.dead_letter), now) for node in shown))
    if len(shown) < len(run.nodes):
        out.remark(f"{len(run.nodes) - len(shown)} more node(s) succeeded, are blocked or have not begun: --all-nodes")
    out.next(*_next(session, acme, run))


def _print_facts(session: Session, run: "RunDetail", given: str, now: int) -> None:
    counts = Counter(node.status for node in run.nodes)
    nodes = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.most_common())
    lease = f", lease until {moment(run.lease_expires_ms, now)}" if run.lease_expires_ms is not None else ""
    pausing = run.pause_requested and run.status != "paused"
    session.output.facts(
        [
            ("run", run.run_id),
            ("status", run.status + (", a pause was requested" if pausing else "")),
            ("automation", run.automation),
            ("key", run.key),
            ("nodes", f"{len(run.nodes)}: {nodes}"),
            ("queued", run.queue_reason and _queued(run, now)),
            ("worker", None if run.worker is None else f"{run.worker}{lease}"),
            ("generation", f"{run.generation} (epoch {run.epoch}, {run.events} events)"),
            ("submitted", moment(run.submitted_at_ms, now)),
            ("finished", moment(run.finished_at_ms, now)),
            ("input", None if given == "null" else printable(given, 400)),
            ("flow", run.flow),
            ("tenant", run.tenant),
        ]
    )


def _queued(run: "RunDetail", now: int) -> str:
    words = str(run.queue_reason).replace("_", " ")
    due = "" if run.due_ms is None else f", due {moment(run.due_ms, now)}"
    return words + due + (f", waits for {', '.join(run.held_by[:5])}" if run.held_by else "")


def _row(node: "NodeDetail", letter: str | None, now: int) -> Sequence[object]:
    why = node.failure_reason or node.failure_class
    if node.due_ms is not None:
        why = f"due {relative(node.due_ms, now)}; {why}" if why else f"due {relative(node.due_ms, now)}"
    tried = f"{node.number}/{node.max_attempts}" if node.number else ""
    return (node.node, node.status, tried, letter, node.handler, ", ".join(node.after), node.failure_class, why)


def _next(session: Session, acme: "TenantEngine", run: "RunDetail") -> list[tuple[str, str]]:
    """The commands that fit where the run stands."""
    id_ = run.run_id[:8]
    history = (session.command("history", id_), "all that happened")
    match run.status:
        case "failed" | "blocked":
            return [*_ways_on(session, acme, run), history]
        case "paused":
            return [(session.command("resume", id_, "--reason", "WHY"), "let it go on"), history]
        case "queued":
            return [executing(session, (node.handler for node in run.nodes)), history]
        case "completed" | "cancelled":
            return [history]
        case _:
            return [history, (session.command("pause", id_, "--reason", "WHY"), "let nothing new start")]


def _ways_on(session: Session, acme: "TenantEngine", run: "RunDetail") -> list[tuple[str, str]]:
    open_ = acme.dead_letters(run=run.run_id, status="open", limit=2).items
    if len(open_) > 1:
        retry = ("retry", "--all", "--run", run.run_id[:8])
        return [(session.command("dead-letters", *retry, "--reason", "WHY"), "do the failed work again")]
    if open_:
        letter = open_[0].id[:8]
        return [
            (session.command("show", letter), "what failed"),
            (session.command("dead-letters", "retry", letter, "--reason", "WHY"), "do it again"),
        ]
    return [(session.command("recover", run.run_id[:8], "--reason", "WHY"), "start its failed nodes afresh")]
