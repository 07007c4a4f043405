"""Which dead letters: the same filters to look at them and to decide about them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redrive.cli.ids import effect_named, fingerprint_named, run_named
from redrive.cli.times import Moment
from redrive.cli.words import LETTER_STATUSES, SOURCES, Word

if TYPE_CHECKING:
    from redrive.tenant_queries import TenantQueries

F = TypeVar("F", bound=Callable[..., Any])
Filters = dict[str, Any]

_STANDING = f"Only {', '.join(LETTER_STATUSES)}; may be repeated."
_OF_GROUPS = (
    click.option("--status", multiple=True, type=Word(*LETTER_STATUSES), help=_STANDING),
    click.option("--source", type=Word(*SOURCES), help="Only those of this source."),
    click.option("--automation", help="Only those of this automation."),
    click.option("--class", "failure_class", help="Only failures of this class, such as provider_transient."),
    click.option("--since", "since_ms", type=Moment(), help="Opened since then: 2h (ago), or 2026-11-22T05:44Z."),
    click.option("--until", "until_ms", type=Moment(), help="Opened before then."),
    click.option("--active", "active_only", is_flag=True, help="Hide what is settled or superseded."),
)
_OF_ONE = (
    click.option("--run", help="Only those of this run."),
    click.option("--node", help="Only those of this node."),
    click.option("--fingerprint", help="Only failures like these; `dead-letters groups` shows fingerprints."),
    click.option("--effect", help="Only those of this effect."),
    click.option("--text", help="Only those in whose history these words stand."),
)


def group_filters(command: F) -> F:
    """Filters of groups."""
    for option in reversed(_OF_GROUPS):
        command = option(command)
    return command


def letter_filters(command: F) -> F:
    """Filters of single dead letters."""
    for option in reversed(_OF_ONE):
        command = option(command)
    return group_filters(command)


def given(filters: Filters) -> Filters:
    """Those of *filters* that were given."""
    return {name: value for name, value in filters.items() if value is not None and value is not False and value != ()}


def asked(acme: "TenantQueries", filters: Filters) -> Filters:
    """*filters* as queries take them: what is named by a prefix by its whole name. Raises NotFound, InvalidValue."""
    chosen = given(filters)
    if "run" in chosen:
        chosen["run"] = run_named(acme, chosen["run"])
    if "effect" in chosen:
        chosen["effect"] = effect_named(acme, chosen["effect"])
    if "fingerprint" in chosen:
        chosen["fingerprint"] = fingerprint_named(acme, chosen["fingerprint"])
    return chosen
