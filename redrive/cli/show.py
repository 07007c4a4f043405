"""``redrive show``: one run with its nodes, or one dead letter with what happened to it."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.events import entries_of, print_entries
from redrive.cli.ids import named, shortener
from redrive.cli.options import Command
from redrive.cli.output import printable
from redrive.cli.show_run import print_run

if TYPE_CHECKING:
    from redrive.projections.models import DeadLetterSummary
    from redrive.tenant_engine import TenantEngine


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.option("--all-nodes", is_flag=True, help="List every node, also of a large run.")
@pass_session
def show(session: Session, id_: str, all_nodes: bool) -> None:
    """Show a run with its nodes, or a dead letter. ID may be the first six characters or more."""
