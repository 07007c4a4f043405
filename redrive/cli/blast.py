"""``redrive blast``: everything that followed from an event, as a tree, and how much of it of each kind."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.counted import counted
from redrive.cli.options import Command
from redrive.cli.output import printable
from redrive.cli.past import HELP
from redrive.cli.reporting import tell_end

if TYPE_CHECKING:
    from redrive.forensics.causes.blast import Blast, BlastEvent
    from redrive.tenant_engine import TenantEngine

MOST_LINES = 60
MOST_DEPTH = 16


@click.command(cls=Command)
@click.argument("event", metavar="EVENT")
@click.option("--at", metavar="POSITION", help=HELP)
@click.option("--all", "all_", is_flag=True, help="The whole tree, however large.")
@pass_session
def blast(session: Session, event: str, at: str | None, all_: bool) -> None:
    """Show everything that followed from an event.

    EVENT is its position (as in `redrive history` and `redrive why`) or its id. What followed is found along stored
    causes and along what the facts say, across dead letters, effects, compensations and requeues; of a policy, limit
    or flow, what was decided under it.

    The signs: └ a stored cause, ~ what the facts say, = decided under it. Of what followed from the same event, the
    branch with fewer events comes first.
    """
    from redrive.cli.saying import sentence_of

    acme, out = session.tenant_engine(), session.output
    told = acme.blast(event, at=at)
    if out.json:
        document = told.model_dump(mode="json")
        document["event"]["data"] = acme.services.redactor.value(document["event"]["data"])
        out.item("blast", document)
        return
    out.say(f"{told.event.position:>7}  {sentence_of(told.event)}")
    for line in tree(told, _sentences(acme, told, None if all_ else MOST_LINES), None if all_ else MOST_LINES):
        out.say(line, hang=len(line) - len(line.lstrip(" 0123456789")) + 2)
    out.say()
    _sums(session, told)
    out.say()
    assert told.footing is not None
    tell_end(session, told.footing)


def _sums(session: Session, told: "Blast") -> None:
    out = session.output
    if not told.events:
        out.say("Nothing followed from it.")
        return
    out.say(f"{counted(len(told.events), 'event')} followed, in {counted(len(told.runs), 'run')}:")
    for topic, n in sorted(told.by_topic.items(), key=lambda one: (-one[1], one[0])):
        out.say(f"{n:>7,}  {printable(topic)}")
    if told.governed:
        more = "" if told.complete else ", and there are more"
        out.say(
            f"{told.governed:,} of them were decided under what this event set{more}; "
            "ask `blast` for what followed from each."
        )


def _sentences(acme: "TenantEngine", told: "Blast", most: int | None) -> dict[int, str]:
    """What the events say that will be printed."""
    from redrive.cli.saying import sentence_of
    from redrive.history import entry_of

    places = [one.position for one in _in_order(told)][:most]
    found: dict[int, str] = {}
    for n in range(0, len(places), 500):
        for one in acme.engine.ledger.at_positions(places[n : n + 500]):
            entry = entry_of(one)
            found[one.position] = sentence_of(
                entry.model_copy(update={"data": acme.services.redactor.value(entry.data)})
            )
    return found


def _in_order(told: "Blast") -> "list[BlastEvent]":
    """The events as a tree is read: each before what followed from it. What less followed from comes first, so that
    one with a thousand does not hide those beside it."""
    under: defaultdict[int, list[BlastEvent]] = defaultdict(list)
    sizes: Counter[int] = Counter()
    for one in reversed(told.events):  # what follows has a later position than what it follows from
        under[one.parent].append(one)
        sizes[one.parent] += sizes[one.position] + 1
    order: list[BlastEvent] = []
    waiting = [told.event.position]
    events = {one.position: one for one in told.events}
    while waiting:
        place = waiting.pop()
        order += [events[place]] if place in events else []
        after = sorted(under[place], key=lambda one: (sizes[one.position], one.position))
        waiting += [one.position for one in reversed(after)]
    return order


def tree(told: "Blast", sentences: dict[int, str], most: int | None) -> list[str]:
    """The tree, a line for each event; deep ones are indented no further than there is room."""
    order = _in_order(told)
    lines = []
    for one in order[:most]:
        mark = "~" if one.how == "followed" else "=" if one.how == "governed" else "└"
        pad = "  " * min(one.depth - 1, MOST_DEPTH)
        lines.append(f"{one.position:>7}  {pad}{mark} {sentences.get(one.position, printable(one.topic))}")
    if most is not None and len(order) > most:
        lines.append(f"{'':>7}  … {len(order) - most:,} more: --all shows them")
    return lines
