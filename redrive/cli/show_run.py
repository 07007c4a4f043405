"""A run in full, for people: how it stands, its nodes, and what can be done."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redrive.cli.approvals import deciding
from redrive.cli.context import Session
from redrive.cli.counted import counted
from redrive.cli.effect_tables import print_compensations, print_effects
from redrive.cli.ids import shortener
from redrive.cli.next_steps import executing
from redrive.cli.output import printable
from redrive.cli.pages import each
from redrive.cli.show_letter import effect_ways
from redrive.cli.tables import Column
from redrive.cli.times import moment, relative

if TYPE_CHECKING:
    from redrive.domain.identity import RunId
    from redrive.domain.redaction import Redactor
    from redrive.run_detail import NodeDetail, RunDetail
    from redrive.tenant_queries import TenantQueries

MANY = 60
FEW = 20
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


def print_run(session: Session, acme: "TenantQueries", id_: "RunId", *, all_nodes: bool) -> None:
    """Print a run; of a large one on a terminal only the nodes that fail, wait or run."""
    out, run, redactor = session.output, acme.show(id_), acme.services.redactor
    if out.json:
        document = run.model_dump(mode="json")
        document["input"] = redactor.value(document["input"])
        for node in document["nodes"]:
            node["output"] = redactor.value(node["output"])
            node["prompt"] = redactor.value(node["prompt"])
        document["effects"] = [one.model_dump(mode="json") for one in each(acme.effects, run=id_)]
        document["compensations"] = [one.model_dump(mode="json") for one in each(acme.compensations, run=id_)]
        out.item("run", document)
        return
    now = acme.engine.now_ms()
    _print_facts(session, run, json.dumps(redactor.value(run.input)), now)
    out.say()
    quiet = {"succeeded", "pending", "blocked"} if out.terminal and len(run.nodes) > MANY and not all_nodes else set()
    shown = [node for node in run.nodes if node.status not in quiet]
    if shown:
        short = shortener(acme, [node.dead_letter for node in shown], whole=not out.terminal)
        out.table(COLUMNS, (_row(node, short(node.dead_letter), now, redactor) for node in shown))
    if len(shown) < len(run.nodes):
        out.remark(f"{counted(len(run.nodes) - len(shown), 'more node')}, succeeded, blocked or not begun: --all-nodes")
    _print_outside(session, acme, id_)
    out.next(*_next(session, acme, run))


def _print_outside(session: Session, acme: "TenantQueries", id_: "RunId") -> None:
    """What the run did to the outside world: of much, only what did not succeed."""
    out = session.output
    effects, compensations = list(each(acme.effects, run=id_)), list(each(acme.compensations, run=id_))
    shown = effects if len(effects) <= FEW else [effect for effect in effects if effect.status != "succeeded"][:MANY]
    if shown:
        out.say()
        print_effects(session, acme, shown)
    if len(shown) < len(effects):
        more = session.command("effects", "list", "--run", id_[:8])
        out.remark(f"{counted(len(effects) - len(shown), 'more effect')}: {more}")
    if compensations:
        out.say()
        print_compensations(session, acme, compensations[:MANY])


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
            ("queued", run.queue_reason and queued(run, now)),
            ("worker", None if run.worker is None else f"{run.worker}{lease}"),
            ("generation", f"{run.generation} (epoch {run.epoch}, {run.events:,} events of its own)"),
            ("submitted", moment(run.submitted_at_ms, now)),
            ("finished", moment(run.finished_at_ms, now)),
            ("input", None if given == "null" else printable(given, 400)),
            ("flow", run.flow),
            ("tenant", run.tenant),
        ]
    )


def queued(run: "RunDetail", now: int) -> str:
    """Why a run is queued, until when, and for which limits."""
    words = str(run.queue_reason).replace("_", " ")
    due = "" if run.due_ms is None else f", due {moment(run.due_ms, now)}"
    return words + due + (f", waits for {', '.join(run.held_by[:5])}" if run.held_by else "")


def _row(node: "NodeDetail", letter: str | None, now: int, redactor: "Redactor") -> Sequence[object]:
    why = node.failure_reason or node.failure_class or (node.prompt and redactor.text(node.prompt))
    if node.decided_by is not None:
        why = f"decided by {node.decided_by}; {why}"
    if node.due_ms is not None:
        due = f"{'due' if node.prompt is None else 'expires'} {relative(node.due_ms, now)}"
        why = f"{due}; {why}" if why else due
    tried = f"{node.number}/{node.max_attempts}" if node.number and node.handler else ""
    handler = node.handler or ("timed wait" if node.prompt is None else "approval")
    return (node.node, node.status, tried, letter, handler, ", ".join(node.after), node.failure_class, why)


def _next(session: Session, acme: "TenantQueries", run: "RunDetail") -> list[tuple[str, str]]:
    """The commands that fit where the run stands."""
    decide = deciding(session, run.run_id[:8], run.nodes)
    return [*decide, *_next_by_status(session, acme, run)]


def _next_by_status(session: Session, acme: "TenantQueries", run: "RunDetail") -> list[tuple[str, str]]:
    id_ = run.run_id[:8]
    history = (session.command("history", id_), "all that happened")
    match run.status:
        case "failed" | "blocked":
            plan = (session.command("resume-plan", id_), "all that can be done")
            return [*_ways_on(session, acme, run), plan, history]
        case "paused":
            return [(session.command("resume", id_, "--reason", "WHY"), "let it go on"), history]
        case "queued":
            return [executing(session, (node.handler for node in run.nodes)), history]
        case "completed" | "cancelled":
            undecided = acme.dead_letters(run=run.run_id, active_only=True, limit=1).items
            plan = (session.command("resume-plan", id_), "a dead letter still wants a decision")
            return [plan, history] if undecided else [history]
        case _:
            return [history, (session.command("pause", id_, "--reason", "WHY"), "let nothing new start")]


def _ways_on(session: Session, acme: "TenantQueries", run: "RunDetail") -> list[tuple[str, str]]:
    letters = acme.dead_letters(run=run.run_id, status="open", limit=1_000).items
    open_ = [letter for letter in letters if letter.source != "stateful_wait"]  # those are asked again by recover
    if len(open_) > 1:
        retry = ("retry", "--all", "--run", run.run_id[:8])
        return [(session.command("dead-letters", *retry, "--reason", "WHY"), "do the failed work again")]
    if open_ and open_[0].effect_id is not None:
        return [(session.command("show", open_[0].id[:8]), "what failed"), *effect_ways(session, acme, open_[0])]
    if open_:
        letter = open_[0].id[:8]
        return [
            (session.command("show", letter), "what failed"),
            (session.command("dead-letters", "retry", letter, "--reason", "WHY"), "do it again"),
        ]
    return [(session.command("recover", run.run_id[:8], "--reason", "WHY"), "start its failed nodes afresh")]
