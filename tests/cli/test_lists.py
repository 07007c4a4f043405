"""Lists: runs, queues, dead letters and their groups."""

import pytest

from tests.cli.logs import THEIRS, World

LISTS = [["runs"], ["dead-letters", "list"], ["dead-letters", "groups"], ["queues", "blocked"]]


def test_runs_are_listed_newest_first(world: World) -> None:
    """All of this tenant, none of another."""
    items = world.json("runs")["items"]
    assert [run["run_id"] for run in items][:2] == [world.ids.queued, world.ids.lost]
    assert len(items) == 7
    assert world.ids.theirs not in world.run("runs").stdout


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--status", "blocked"], "blocked"),
        (["--status", "Blocked ", "--status", "cancelled"], "blocked"),
        (["--automation", "pair"], "pair"),
        (["--status", "paused", "--automation", "nightly"], "paused"),
        (["--text", "second line", "--since", "2h"], "blocked"),
    ],
)
def test_runs_are_filtered(world: World, filters: list[str], expected: str) -> None:
    """Filters narrow together."""
    wanted = getattr(world.ids, expected)
    assert wanted in [run["run_id"] for run in world.json("runs", *filters)["items"]]
    assert len(world.json("runs", *filters)["items"]) <= 2


def test_pages_go_on_where_they_ended(world: World) -> None:
    """The command that goes on is printed ready to be pasted."""
    first = world.json("runs", "--limit", "4")
    rest = world.json("runs", "--limit", "4", "--cursor", first["cursor"])
    assert first["items"] + rest["items"] == world.json("runs")["items"]
    assert rest["cursor"] is None
    told = world.run("runs", "--limit", "4", "--cursor", first["cursor"], "--limit", "1").stderr
    assert f"redrive --db {world.url} runs --limit 4 --limit 1 --cursor " in told
    assert told.count("--cursor") == 1


@pytest.mark.parametrize("bad", [["--limit", "0"], ["--limit", "1001"], ["--limit", "x"], ["--cursor", "zzz"]])
@pytest.mark.parametrize("command", LISTS)
def test_pages_that_make_no_sense_are_refused(world: World, command: list[str], bad: list[str]) -> None:
    """Exit 2, with a sentence."""
    result = world.run(*command, *bad)
    assert result.exit_code == 2
    assert result.stderr.startswith(("Error: ", "Usage: "))


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["runs", "--automation", "none"], "No run is like that."),
        (["queues", "failed"], "Queue failed is empty."),
        (["dead-letters", "list", "--status", "abandoned"], "No dead letter is like that; there are 3 open."),
        (["dead-letters", "groups", "--class", "nothing"], "No dead letter is like that; there are 3 open."),
    ],
)
def test_an_empty_answer_says_so_and_goes_on(world: World, command: list[str], sentence: str) -> None:
    """Apart from the data; the next command worth typing follows."""
    result = world.run(*command)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert sentence in result.stderr
    assert "\n  redrive --db " in result.stderr


def test_nothing_at_all_is_told_too(world: World) -> None:
    """A tenant without records."""
    assert "There are no runs yet." in world.run("runs", tenant="a/b/c").stderr
    assert "There are no dead letters." in world.run("dead-letters", "list", tenant="a/b/c").stderr
    assert "The log holds no event of this tenant." in world.run("log", "tail", tenant="a/b/c").stderr


def test_queues_are_counted(world: World) -> None:
    """A run in backoff is scheduled, and its node waits in retry_backoff."""
    counts = {item["queue"]: item["count"] for item in world.json("queues")["items"]}
    assert counts["ready"] == counts["scheduled"] == counts["retry_backoff"] == 1
    assert (counts["running"], counts["paused"], counts["blocked"]) == (1, 1, 2)
    assert (counts["failed"], counts["needs_review"]) == (0, 0)
    narrowed = world.json("queues", "--automation", "patient")["items"]
    assert sum(item["count"] for item in narrowed) == 2


def test_counts_agree_with_the_queues(world: World) -> None:
    """Each queue holds as many rows as its count says."""
    for item in world.json("queues")["items"]:
        assert len(world.json("queues", item["queue"])["items"]) == item["count"], item


@pytest.mark.parametrize("name", ["ready", "retry-backoff", "RUNNING", "blocked", "paused", "scheduled"])
def test_a_queue_lists_its_rows(world: World, name: str) -> None:
    """Each in columns of its own."""
    result = world.run("queues", name)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == (3 if name == "blocked" else 2)


def test_a_misspelt_queue_meets_a_suggestion(world: World) -> None:
    """Exit 2."""
    result = world.run("queues", "blokced")
    assert result.exit_code == 2
    assert "did you mean 'blocked'?" in result.stderr


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], {"letter", "left", "right"}),
        (["--node", "left"], {"left"}),
        (["--class", "Execution-Error", "--automation", "pair"], {"left", "right"}),
        (["--text", "both"], {"left", "right"}),
        (["--source", "node", "--status", "open", "--active", "--until", "5min"], {"letter", "left", "right"}),
        (["--since", "5min"], set()),
    ],
)
def test_dead_letters_are_filtered(world: World, filters: list[str], expected: set[str]) -> None:
    """The same filters serve decisions."""
    found = {item["id"] for item in world.json("dead-letters", "list", *filters)["items"]}
    assert found == {getattr(world.ids, name) for name in expected}


def test_dead_letters_of_a_run_and_of_a_fingerprint(world: World) -> None:
    """The run may be named by its prefix."""
    of_run = world.json("dead-letters", "list", "--run", world.ids.pair[:8])["items"]
    alike = world.json("dead-letters", "list", "--fingerprint", of_run[0]["fingerprint"])["items"]
    assert {item["id"] for item in of_run} == {item["id"] for item in alike} == {world.ids.left, world.ids.right}
    assert world.run("dead-letters", "list", "--run", world.ids.theirs).exit_code == 4


def test_groups_show_what_fails_by_cause(world: World) -> None:
    """The most recent first."""
    groups = world.json("dead-letters", "groups", "--active")["items"]
    assert (groups[0]["count"], groups[0]["reason"]) == (2, "both")
    assert len(groups) == 2
    assert "both" in world.run("dead-letters", "groups").stdout


def test_dead_letters_of_a_tenant_are_its_own(world: World) -> None:
    """Named by --tenant."""
    result = world.run("dead-letters", "list", tenant=str(THEIRS))
    assert world.ids.their_letter in result.stdout
    assert world.ids.letter not in result.stdout


@pytest.mark.parametrize("command", LISTS)
def test_lists_are_plain_lines_in_a_pipe(world: World, command: list[str]) -> None:
    """One line for each row, hostile text escaped, no boxes, no colours, whole ids."""
    lines = world.run(*command).stdout.splitlines()
    assert all(line.isprintable() for line in lines)
    assert not any("─" in line or "│" in line for line in lines)
    if "groups" not in command:
        assert any(run in line for run in (world.ids.blocked, world.ids.letter) for line in lines)
