"""``redrive show``: one run with its nodes, or one dead letter, effect or compensation with what happened to it."""

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.past import past_too


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.option("--all-nodes", is_flag=True, help="List every node, also of a large run.")
@past_too
@pass_session
def show(session: Session, id_: str, all_nodes: bool) -> None:
    """Show a run, a dead letter, an effect or a compensation.

    A run comes with its nodes, the others with their history. ID is a whole id, or at least its first six characters.
    """
    from redrive.cli.ids import named
    from redrive.cli.show_effect import print_compensation, print_effect
    from redrive.cli.show_letter import print_letter
    from redrive.cli.show_run import print_run
    from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, RunId

    acme = session.asked()
    kind, found = named(acme, id_)
    match kind:
        case "run":
            print_run(session, acme, RunId(found), all_nodes=all_nodes)
        case "effect":
            print_effect(session, acme, EffectId(found))
        case "compensation":
            print_compensation(session, acme, CompensationId(found))
        case _:
            print_letter(session, acme, DeadLetterId(found))
