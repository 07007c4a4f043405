"""Commands to type next: a shell reads them as they are meant, and a terminal acts on nothing in them."""

import shutil
import subprocess

import pytest

import redrive
from redrive.cli.typed import quoted
from tests.cli.logs import World

HOSTILE = "x\x1b[31m\x1b]0;owned\x07\u202e it's $(touch p) `id` \\ \n\t\x9b1m\u2028"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("word", [HOSTILE, "plain", "it's", "\\'\x01", "\x017", "", "部署", "\udcff"])
def test_a_shell_reads_what_was_quoted(word: str) -> None:
    """The very word, whatever is in it."""
    line = f"printf %s {quoted([word])[0]}".encode("utf-8", "surrogateescape")
    told = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert told.stdout == word.encode("utf-8", "surrogateescape")


def test_a_terminal_acts_on_nothing_that_was_quoted() -> None:
    """Every character is printable; what was so before is left to the usual quotes."""
    assert quoted([HOSTILE])[0].isprintable()
    assert quoted(["a b", "fetch"]) == ["'a b'", "fetch"]


@pytest.mark.parametrize("command", ["queues", "resume-plan"])
def test_the_name_of_a_node_does_not_reach_the_terminal_through_advice(world: World, command: str) -> None:
    """What to type about an approval names its node."""
    node = redrive.Node(HOSTILE, approval=redrive.Approval(prompt="?"))
    with redrive.open(world.url) as engine:
        run = engine.local.submit(redrive.Flow([node]), automation="asks", key="1")
        redrive.Worker(engine, {}).run_until_idle()
    told = world.run(command, "awaiting_approval" if command == "queues" else run).output
    assert "$'x\\033[31m" in told
    assert told.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "words",
    [("limits", "set", "resource", "\x1b[1m", "--concurrency", "1", "--reason", "x"), ("first", "SELECT '\x1b[31m'")],
)
def test_what_was_typed_does_not_reach_the_terminal_as_it_is(world: World, words: tuple[str, ...]) -> None:
    """It may have been pasted: the name of a limit, and of a column that SQL made."""
    told = world.run(*words)
    assert told.exit_code in (0, 1), told.output
    assert told.output.replace("\n", "").isprintable()
