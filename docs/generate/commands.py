"""The command line, from the commands themselves."""

import re
from collections.abc import Iterator

import click

from docs.generate.markdown import code, prose, table
from redrive.cli.options import Command
from redrive.cli.root import cli


def walked(
    command: click.Command = cli, path: tuple[str, ...] = ("redrive",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path, groups before their members."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walked(found, (*path, name))


def reference() -> str:
    """Every command: its usage, what it does, its arguments and options."""
    shared = {param.name for param in Command("any").params}
    parts = ["## Global options\n", "Every command takes them, before or after its name.\n"]
    parts.append(_options([param for param in cli.params if param.name in shared]))
    for path, command in walked():
        if command is cli:
            continue
        context = click.Context(command, info_name=path[-1])
        usage = " ".join([*path, *command.collect_usage_pieces(context)])
        depth = "#" * len(path)
        own = [param for param in command.params if param.name not in shared]
        parts.append(f"{depth} `{' '.join(path)}`\n\n```text\n{usage}\n```\n\n{prose(command.help)}\n\n{_options(own)}")
    return "\n".join(parts)


def _options(params: list[click.Parameter]) -> str:
    rows = []
    for param in params:
        if isinstance(param, click.Option):
            context = click.Context(click.Command("any"))
            record = param.get_help_record(context)
            if record is not None:
                names, meaning = record
                rows.append((", ".join(code(name.strip()) for name in _names(names)), meaning.replace("  [", " [")))
    return table(("option", "meaning"), rows) if rows else ""


def _names(declared: str) -> list[str]:
    """``-n, --lines N`` as its spellings; commas inside a metavar divide nothing."""
    return re.split(r", (?=-)", declared)
