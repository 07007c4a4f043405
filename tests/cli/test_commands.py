"""Which commands there are, and that each explains itself."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from redrive.cli import words
from redrive.cli.options import GLOBAL
from redrive.cli.root import cli
from tests.cli.logs import World

PROMISED = {
    *("run", "submit", "work", "tick", "runs", "show", "queues", "history", "pause", "resume", "cancel", "recover"),
    *("dead-letters list", "dead-letters show", "dead-letters groups", "dead-letters retry", "dead-letters ignore"),
    *("dead-letters abandon", "dead-letters grant", "dead-letters reopen", "dead-letters note"),
    *("dead-letters resolve", "dead-letters compensate", "effects list", "effects show", "reconcile", "resume-plan"),
    *("compensations list", "compensations show", "compensations approve", "compensations cancel"),
    *("compensations rerun", "views rebuild", "views status", "log tail", "log show", "approve", "deny"),
    *("limits list", "limits set", "limits remove", "demo", "replay", "what-if"),
    *("diff", "first", "views checkpoint"),
    *("privacy init", "privacy show", "privacy destroy", "archive"),
    *("export", "bundle verify"),
    *("seal", "anchor", "verify", "keys init", "keys rotate", "keys show"),
    *("timeline", "why", "blast", "note"),
    *("db init", "db upgrade", "db copy", "db status"),
    *("simulate",),
}


def commands(command: click.Command = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    with click.Context(command) as ctx:
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from commands(found, f"{path} {name}".strip())


EVERY = dict(commands())


def test_the_commands_are_those_promised() -> None:
    """No more, no less: what is absent yet is absent from --help."""
    assert set(EVERY) == PROMISED


@pytest.mark.parametrize("name", EVERY)
def test_every_command_and_option_has_a_help_text(name: str) -> None:
    """A command without documentation is not done."""
    command = EVERY[name]
    assert command.help
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", EVERY)
def test_every_short_help_fits_its_line(name: str) -> None:
    """A sentence that is cut off in the list of commands helps nobody."""
    assert not EVERY[name].get_short_help_str(62).endswith("...")


@pytest.mark.parametrize("name", EVERY)
def test_every_command_takes_the_global_options(name: str) -> None:
    """They may stand before or after the command, and are listed apart."""
    given = {option for param in EVERY[name].params for option in param.opts}
    assert {"--db", "--tenant", "--json", "--log-format", "--log-level"} <= given
    with click.Context(EVERY[name], info_name=name) as ctx:
        assert GLOBAL in EVERY[name].get_help(ctx)


def test_global_options_stand_before_or_after(world: World) -> None:
    """With the same meaning; the later one wins."""
    before = world.run("--json", "views", "status")
    after = world.run("views", "status", "--json")
    between = world.run("--db", "sqlite:///nowhere.db", "views", "--json", "status", "--db", world.url)
    assert before.stdout == after.stdout == between.stdout != ""


def test_help_imports_nothing_heavy() -> None:
    """``redrive --help`` answers at once: no engine, no models, no tables are loaded for it."""
    heavy = "{'pydantic', 'eventsourcing', 'rich', 'sqlite_utils', 'structlog', 'yaml'}"
    code = (
        "import sys; from redrive.cli import main; sys.argv = ['redrive', '--help']\n"
        f"try: main()\nexcept SystemExit: print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "dead-letters" in done.stdout
    assert done.stderr.strip() == "[]"


def test_words_of_options_are_those_of_the_engine() -> None:
    """They are written down twice, so that --help need not import the engine."""
    from typing import get_args

    from redrive.domain.compensation.state import CompensationStatus
    from redrive.domain.dead_letter.events import Source
    from redrive.domain.dead_letter.state import Disposition
    from redrive.domain.effect.rules import OUTCOMES
    from redrive.domain.effect.state import EffectStatus
    from redrive.domain.run.state import Status
    from redrive.projections.queue_queries import QUEUES

    reserved: set[str] = set()
    assert set(Status) - reserved == set(words.RUN_STATUSES)
    assert set(Disposition) - reserved == set(words.LETTER_STATUSES)
    assert set(get_args(Source)) - reserved == set(words.SOURCES)
    assert set(words.QUEUES) == set(QUEUES)
    assert set(words.EFFECT_STATUSES) == set(EffectStatus)
    assert set(words.COMPENSATION_STATUSES) == set(CompensationStatus)
    assert words.OUTCOMES == OUTCOMES


def test_python_m_redrive_is_redrive() -> None:
    """For whoever has no entry point on the path."""
    done = subprocess.run([sys.executable, "-m", "redrive", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("redrive, version ")
