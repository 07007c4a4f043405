"""``redrive dead-letters``: failures that automatic attempts will not fix alone, and what is decided about them."""

from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.dispositions import DISPOSITIONS
from redrive.cli.group_ways import group_ways
from redrive.cli.ids import letter_named, shortener
from redrive.cli.letter_filters import asked, given, group_filters, letter_filters
from redrive.cli.options import Command, Group, paged
from redrive.cli.past import past_too
from redrive.cli.show_letter import print_letter
from redrive.cli.tables import Column, shortened
from redrive.cli.times import absolute, relative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redrive.projections.models import DeadLetterGroup, DeadLetterSummary
    from redrive.tenant_queries import TenantQueries

COLUMNS = (
    Column("id", whole=True),
    Column("status"),
    Column("run", wide=True, whole=True),
    Column("automation", wide=True, elastic=True),
    Column("node", elastic=True, ends=True),
    Column("used", right=True),
    Column("failed"),
    Column("failed at", wide=True),
    Column("class", wide=True),
    Column("failure", elastic=True),
)
_EFFECT = Column("effect", elastic=True, ends=True)
KEYED_WIDTH = 24
GROUP_COLUMNS = (
    Column("fingerprint", whole=True),
    Column("active", right=True),
    Column("all", right=True),
    Column("last"),
    Column("first", wide=True),
    Column("automations", wide=True, elastic=True),
    Column("class", wide=True),
    Column("failure", elastic=True),
)


@click.group("dead-letters", cls=Group)
def dead_letters() -> None:
    """See what failed for good, and decide about it.

    `groups` shows what fails by cause, `list` each failure. `retry` does the work again; `ignore` and `abandon` close
    it without, `resolve` because it was done otherwise, `compensate` by making good for an effect; `grant` allows
    more retries when the budget is spent; `reopen` takes a decision back.
    """


@dead_letters.command("list", cls=Command)
@letter_filters
@paged
@past_too
@pass_session
def list_letters(session: Session, /, limit: int, cursor: str | None, **filters: Any) -> None:
    """List dead letters, the newest first."""
    acme, out = session.asked(), session.output
    page = acme.dead_letters(**asked(acme, filters), limit=limit, cursor=cursor)
    if out.json:
        out.items("dead-letters", page.items, page.cursor)
    elif not page.items:
        _tell_none(session, acme, filtered=bool(given(filters)))
    else:
        _print_letters(session, acme, page.items)
        session.tell_rest(len(page.items), "dead letter", page.cursor)
        _tell_standing(session, acme)


@dead_letters.command("show", cls=Command)
@click.argument("id_", metavar="ID")
@past_too
@pass_session
def show_letter(session: Session, id_: str) -> None:
    """Show a dead letter with its history.

    ID is a whole id, or at least its first six characters.
    """
    acme = session.asked()
    print_letter(session, acme, letter_named(acme, id_))


@dead_letters.command("groups", cls=Command)
@group_filters
@paged
@past_too
@pass_session
def groups(session: Session, /, limit: int, cursor: str | None, **filters: Any) -> None:
    """Group dead letters by what failed.

    The most recent first. Numbers and ids within a reason make no difference.
    """
    acme, out = session.asked(), session.output
    page = acme.groups(**given(filters), limit=limit, cursor=cursor)
    if out.json:
        out.items("dead-letter-groups", page.items, page.cursor)
    elif not page.items:
        _tell_none(session, acme, filtered=bool(given(filters)))
    else:
        now = acme.engine.now_ms()
        out.table(GROUP_COLUMNS, (_group_row(group, now, whole=not out.terminal) for group in page.items))
        session.tell_rest(len(page.items), "group", page.cursor)
        same = ("--fingerprint", page.items[0].fingerprint)
        out.next(
            (session.command("dead-letters", "list", *same), "each of the first group"),
            *group_ways(session, acme, page.items[0].fingerprint),
        )


for _command in DISPOSITIONS:
    dead_letters.add_command(_command)


def _print_letters(session: Session, acme: "TenantQueries", letters: "Sequence[DeadLetterSummary]") -> None:
    out, now = session.output, acme.engine.now_ms()
    ids = [id_ or None for letter in letters for id_ in (letter.id, letter.run_id)]
    short = shortener(acme, ids, whole=not out.terminal)
    with_effects = any(letter.effect_id for letter in letters)
    out.table(
        (*COLUMNS[:5], _EFFECT, *COLUMNS[5:]) if with_effects else COLUMNS,
        (
            (
                short(letter.id),
                letter.status,
                short(letter.run_id or None),
                letter.automation,
                letter.node,
                *((letter.effect_key,) if with_effects else ()),
                f"{letter.dispatches}/{session.settings.max_dispatches + letter.budget_granted}",
                relative(letter.last_failure_at_ms, now),
                absolute(letter.last_failure_at_ms),
                letter.failure_class,
                letter.reason or letter.failure_class,
            )
            for letter in letters
        ),
    )


def _group_row(group: "DeadLetterGroup", now: int, *, whole: bool) -> tuple[object, ...]:
    classes = ", ".join(group.failure_classes)
    last, first = relative(group.last_seen_ms, now), relative(group.first_seen_ms, now)
    return (
        group.fingerprint if whole else shortened(group.fingerprint, KEYED_WIDTH),  # keyed ones are long
        group.unsettled,
        group.count,
        last,
        first,
        ", ".join(group.automations),
        classes,
        group.reason or classes,
    )


def _tell_none(session: Session, acme: "TenantQueries", *, filtered: bool) -> None:
    counts = acme.counts().dead_letters
    if filtered and counts:
        session.output.remark(f"No dead letter is like that; there are {_standing(counts)}.")
        session.output.next((session.command("dead-letters", "list"), "all of them"))
    else:
        session.output.remark("There are no dead letters.")
        session.output.next((session.command("queues"), "what waits"), (session.command("runs"), "the runs"))


def _tell_standing(session: Session, acme: "TenantQueries") -> None:
    if session.output.terminal:
        session.output.remark(f"In all: {_standing(acme.counts().dead_letters)}.")
        session.output.next(
            (session.command("dead-letters", "groups", "--active"), "by cause"),
            (session.command("show", "ID"), "one of them, with its history"),
        )


def _standing(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items())
