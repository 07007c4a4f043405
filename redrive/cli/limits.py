"""``redrive limits``: how many may run at a time, and how many may start per period."""

from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command, Group, reasoned
from redrive.cli.output import printable
from redrive.cli.past import past_too
from redrive.cli.tables import Column
from redrive.cli.times import Duration, duration
from redrive.cli.words import Word

if TYPE_CHECKING:
    from collections.abc import Callable

    from redrive.domain.limits import Limit, Rate, Scope
    from redrive.ledger.limit_status import LimitStatus

SCOPES = ("total", "tenant", "resource", "provider")
_COLUMNS = (
    Column("limit", elastic=True),
    Column("in use", right=True),
    Column("of", right=True),
    Column("waiting", right=True),
    Column("rate"),
    Column("tokens left", right=True),
)


@click.group(cls=Group)
def limits() -> None:
    """See, set or remove limits on concurrency and rate.

    A limit holds for every process that has the log open. SCOPE is total, tenant, resource or provider; NAME is the
    tenant (ORG/WS/DEPLOYMENT), resource or provider.
    """


@limits.command("list", cls=Command)
@past_too
@pass_session
def list_(session: Session) -> None:
    """List the limits, with what is in use and how many runs wait.

    A run waits for a resource or provider; for a total or a tenant's limit it stays in the queue `ready`.
    """
    found, out = session.all_asked().limits(), session.output
    if out.json:
        out.items("limits", found)
    elif not found:
        out.remark("There are no limits.")
        command = session.command("limits", "set", "resource", "NAME", "--concurrency", "2", "--reason", "WHY")
        out.next((command, "at most two attempts at a time"))
    else:
        out.table(_COLUMNS, map(_row, found))
        if full := next((limit for limit in found if limit.waiting and limit.concurrency is not None), None):
            named = (full.scope, *filter(None, [full.name]))
            more = session.command("limits", "set", *named, "--concurrency", "N", "--reason", "WHY")
            out.next(
                (session.command("queues", "limited"), "who waits"),
                (more, f"let N at a time through {printable(full.scope)} {printable(full.name, 40)}".rstrip()),
            )


def _row(limit: "LimitStatus") -> tuple[object, ...]:
    name = f"{limit.scope} {limit.name}".rstrip()
    rate = None if limit.tokens is None else f"{limit.tokens} per {duration(limit.period_ms or 0)}"
    return (name, limit.in_use, limit.concurrency, limit.waiting or None, rate, limit.tokens_left)


@limits.command("set", cls=Command)
@click.argument("scope", type=Word(*SCOPES), metavar="SCOPE")
@click.argument("name", default="", metavar="[NAME]")
@click.option("--concurrency", type=int, help="How many at a time; 0 stops it.")
@click.option("--rate", type=int, help="How many starts per period.")
@click.option("--per", type=Duration(), help="The period of the rate (default: 1s).")
@click.option("--burst", type=int, help="How many starts at once (default: the rate).")
@click.option("--no-concurrency", is_flag=True, help="Drop the concurrency.")
@click.option("--no-rate", is_flag=True, help="Drop the rate.")
@reasoned
@pass_session
def set_(
    session: Session,
    scope: str,
    name: str,
    concurrency: int | None,
    rate: int | None,
    per: int | None,
    burst: int | None,
    no_concurrency: bool,
    no_rate: bool,
    reason: str,
    actor: str,
) -> None:
    """Set a limit, or change it; what runs beyond it goes on.

    Of a limit that exists, what is not named is kept. total and tenant count runs, resource and provider the attempts
    of the nodes that name them.
    """
    from redrive.domain.limits import Rate

    if rate is None and (per is not None or burst is not None):
        raise click.UsageError("--per and --burst belong to a --rate: name it too.")
    if (rate is not None and no_rate) or (concurrency is not None and no_concurrency):
        raise click.UsageError("What is set cannot be dropped by the same command.")
    if rate is None and concurrency is None and not (no_rate or no_concurrency):
        raise click.UsageError("Say what to set: --concurrency, --rate, or both (or --no-concurrency, --no-rate).")
    wanted = None if rate is None else Rate(rate, 1_000 if per is None else per, burst or 0)
    named: Scope = scope  # type: ignore[assignment]
    change = _changed(named, name, concurrency, wanted, drop=(no_concurrency, no_rate))
    _tell(session, "set", "set", session.engine().change_limit(named, name, change, actor=actor, reason=reason))


def _changed(
    scope: "Scope", name: str, concurrency: int | None, rate: "Rate | None", *, drop: tuple[bool, bool]
) -> "Callable[[Limit | None], Limit]":
    """What makes of a limit the one that was asked for: what is neither given nor dropped is kept."""
    from redrive.domain.errors import InvalidValue
    from redrive.domain.limits import Limit

    def change(known: "Limit | None") -> "Limit":
        kept = (None, None) if known is None else (known.concurrency, known.rate)
        most = concurrency if concurrency is not None or drop[0] else kept[0]
        pace = rate if rate is not None or drop[1] else kept[1]
        if most is None and pace is None:
            accepted = "a concurrency, a rate, or both; `redrive limits remove` removes a limit"
            raise InvalidValue("limit", f"{scope} {name}".rstrip(), accepted)
        return Limit(scope, name, most, pace)

    return change


@limits.command("remove", cls=Command)
@click.argument("scope", type=Word(*SCOPES), metavar="SCOPE")
@click.argument("name", default="", metavar="[NAME]")
@reasoned
@pass_session
def remove(session: Session, scope: str, name: str, reason: str, actor: str) -> None:
    """Remove a limit; who waits for it goes on."""
    removed = session.engine().remove_limit(scope, name, actor=actor, reason=reason)  # type: ignore[arg-type]
    _tell(session, "remove", "removed", removed)


def _tell(session: Session, verb: str, done: str, limit: "Limit") -> None:
    from redrive.cli.saying import limit_words

    out = session.output
    if out.json:
        out.item("limit-change", {"command": verb, **limit.document()})
        return
    out.say(f"{done}: {printable(limit_words(limit))}")
    out.next((session.command("limits", "list"), "what is in use, and who waits"))
