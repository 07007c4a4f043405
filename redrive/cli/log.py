"""``redrive log``: the events themselves, as they came."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.events import EventLines, redacted
from redrive.cli.options import Command, Group
from redrive.cli.output import printable
from redrive.cli.times import moment

if TYPE_CHECKING:
    from redrive.domain.event import Recorded
    from redrive.ledger.ledger import LogLedger
    from redrive.tenant_engine import TenantEngine

WINDOW = 2_000


@click.group(cls=Group)
def log() -> None:
    """Read the log of events itself."""


@log.command(cls=Command)
@click.option("-n", "--lines", type=click.IntRange(0, 1_000_000), default=20, show_default=True, help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--topic", "topics", multiple=True, help="Only this topic (run.completed), or all that begin so (run).")
@pass_session
def tail(session: Session, lines: int, follow: bool, topics: tuple[str, ...]) -> None:
    """Print the last events of the tenant, the oldest of them first."""
    from redrive.history import entry_of

    acme, out = session.tenant_engine(), session.output
    last = acme.engine.ledger.last_position()
    found = _last(acme, last, lines, topics)
    printer = EventLines(out, acme.services.redactor, runs=True)
    for event in found:
        printer.print(entry_of(event))
    if not found and lines and not out.json and not follow:
        out.remark("No event is like that." if topics else "The log holds no event of this tenant.")
        out.next((session.command("runs"), "what runs there are"))
    if follow:
        for event in _following(acme, last, session.settings.poll_ms):
            if _is_wanted(event, acme, topics):
                printer.print(entry_of(event))


@log.command(cls=Command)
@click.argument("position", type=int)
@pass_session
def show(session: Session, position: int) -> None:
    """Print one event in full.

    POSITION is its place in the log. Who, why, what led to it, and its body.
    """
    from redrive.domain.errors import NotFound
    from redrive.history import entry_of

    acme, out = session.tenant_engine(), session.output
    found = acme.engine.ledger.at_positions([position]) if 0 < position < 2**63 else []
    if not found or found[0].tenant != acme.tenant:
        raise NotFound("event at position", str(position))
    entry = entry_of(found[0])
    document = redacted(entry, acme.services.redactor)
    if out.json:
        out.item("event", document)
        return
    now = acme.engine.now_ms()
    data = document.pop("data")
    times = {name: moment(document[name], now) for name in ("recorded_at_ms", "occurred_at_ms")}
    out.facts({name.removesuffix("_ms").replace("_", " "): value for name, value in (document | times).items()}.items())
    out.say("data")
    for line in json.dumps(data, indent=2, ensure_ascii=False).splitlines():
        out.say(f"  {printable(line)}")
    out.next((session.command("history", entry.run[:8]), "all that happened to its run"))


def _is_wanted(event: "Recorded", acme: "TenantEngine", topics: tuple[str, ...]) -> bool:
    if event.tenant != acme.tenant:
        return False
    return not topics or any(f"{event.topic}.".startswith(f"{topic.rstrip('.*')}.") for topic in topics)


def _last(acme: "TenantEngine", last: int, n: int, topics: tuple[str, ...]) -> "list[Recorded]":
    """The last *n* events that are wanted, up to position *last*: read from the end, window by window."""
    found: list[Recorded] = []
    while last > 0 and len(found) < n:
        after = max(0, last - max(WINDOW, n if not topics else 0))
        events = acme.engine.ledger.read(after, last - after, last)
        found = [event for event in events if _is_wanted(event, acme, topics)] + found
        last = after
    return found[-n:] if n else []


def _following(acme: "TenantEngine", after: int, poll_ms: int) -> "Iterator[Recorded]":
    """Events as they come, for ever."""
    ledger: LogLedger = acme.engine.ledger
    while True:
        for event in ledger.read(after, WINDOW):
            after = event.position
            yield event
        time.sleep(poll_ms / 1_000)
