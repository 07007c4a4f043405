"""``redrive submit``: put a run of a workflow file into the queue."""

import json
from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.next_steps import executing
from redrive.cli.options import Command, acted

if TYPE_CHECKING:
    from redrive.domain.values import JsonValue


@click.command(cls=Command)
@click.argument("flow_file")
@click.option("--key", help="The same key of the same automation gives the same run, however often.")
@click.option("--input", "text", metavar="JSON", help="The run's input.")
@acted
@pass_session
def submit(session: Session, flow_file: str, key: str | None, text: str | None, actor: str) -> None:
    """Put a run of a workflow file into the queue.

    Prints the run's id; a worker executes it.
    """
    from redrive.flow_files import read_flow_file

    run_input = None if text is None else _document(text)
    file = read_flow_file(flow_file, max_bytes=session.settings.max_flow_bytes)
    acme, out = session.tenant_engine(create=True), session.output
    before = acme.engine.ledger.last_position()
    id_ = acme.submit(file.flow, automation=file.automation, key=key, input=run_input, actor=actor)
    new = acme.engine.ledger.last_position() > before
    if out.json:
        out.item("submitted", {"run_id": id_, "automation": file.automation, "key": key, "new": new})
        return
    out.say(id_)
    if not new:
        out.remark("This run was submitted before with the same key; it is the same run.")
    out.next(
        executing(session, (node.handled_by for node in file.flow.nodes.values()), flow_file),
        (session.command("show", id_[:8]), "how it stands"),
    )


def _document(text: str) -> "JsonValue":
    from redrive.domain.errors import InvalidValue

    try:
        document: JsonValue = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise InvalidValue("--input", text[:40], "JSON that is less deeply nested") from None
    except json.JSONDecodeError as error:
        raise InvalidValue("--input", text[:80], f"JSON ({error.msg}, character {error.pos + 1})") from None
    except InvalidValue:
        raise
    except ValueError:  # an integer of thousands of digits
        raise InvalidValue("--input", text[:40], "numbers of a reasonable length") from None
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python keeps the last of two equal keys silently; a person who wrote both meant something else."""
    from redrive.domain.errors import InvalidValue

    built = dict(pairs)
    if len(built) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidValue("--input", twice[:80], "each key once in an object")
    return built
