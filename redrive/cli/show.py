"""``redrive show``: one run with its nodes, or one dead letter with what happened to it."""

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.option("--all-nodes", is_flag=True, help="List every node, also of a large run.")
@pass_session
def show(session: Session, id_: str, all_nodes: bool) -> None:
    """Show a run or a dead letter in full.

    A run comes with its nodes, a dead letter with its history. ID is a whole id, or at least its first six characters.
    """
    from redrive.cli.ids import named
    from redrive.cli.show_letter import print_letter
    from redrive.cli.show_run import print_run
    from redrive.domain.identity import DeadLetterId, RunId

    acme = session.tenant_engine()
    kind, found = named(acme, id_)
    if kind == "run":
        print_run(session, acme, RunId(found), all_nodes=all_nodes)
    else:
        print_letter(session, acme, DeadLetterId(found))
