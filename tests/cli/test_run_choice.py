"""Which run `redrive run` executes: the same command goes on, another asks, nothing simulated counts as done."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import redrive
from redrive.cli.root import cli
from redrive.cli.times import duration

FAILS_ONCE = "test -e ok && echo done >> done.txt"
ONCE = {"max_attempts": 1, "terminal_behavior": {"mode": "dead_letter"}}


def write(*commands: str) -> None:
    """A flow file whose nodes n0, n1, … execute these commands, one after the other."""
    nodes = [
        {"id": f"n{i}", "after": [f"n{i - 1}"] if i else [], "run": ["sh", "-c", command], "retry": ONCE}
        for i, command in enumerate(commands)
    ]
    Path("flow.json").write_text(json.dumps({"automation": "nightly", "version": 1, "nodes": nodes}))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory, and a flow whose first node fails until the file `ok` is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDRIVE_DB", raising=False)
    write(FAILS_ONCE)


def run(*options: str, code: int) -> Result:
    """`redrive run flow.json`, which ends with *code*."""
    quick = ["--time-scale", "0"] if "--simulate" in options else []
    result = CliRunner().invoke(cli, ["run", "flow.json", *quick, *options])
    assert result.exit_code == code, result.output
    return result


def runs() -> list[str]:
    """Where each run stands, the oldest first."""
    with redrive.open(seal=False) as engine:
        return [item.status for item in reversed(engine.local.runs().items)]


def retry_all() -> None:
    """What an operator does once the cause is mended."""
    asked = ["dead-letters", "retry", "--all", "--reason", "mended"]
    assert CliRunner().invoke(cli, asked).exit_code == 0


def test_the_same_command_goes_on_and_after_completion_starts_another() -> None:
    """A blocked run is swept first; a completed one is done."""
    run(code=1)
    Path("ok").touch()
    retry_all()
    assert "resuming run" in run(code=0).output
    assert "started run" in run(code=0).output
    assert runs() == ["completed", "completed"]


def test_a_key_names_one_run_also_after_completion() -> None:
    """Nothing is done twice, and the time that is told is the run's."""
    Path("ok").touch()
    run("--key", "monday", code=0)
    again = run("--key", "monday", code=0).output
    with redrive.open(seal=False) as engine:
        (done,) = engine.local.runs().items
    assert done.finished_at_ms is not None
    assert "completed before" in again
    assert f"0 dead letters open, {duration(done.finished_at_ms - done.submitted_at_ms)}\n" in again
    assert (runs(), Path("done.txt").read_text()) == (["completed"], "done\n")


@pytest.mark.parametrize("option", ["--resume", "--new"])
def test_a_changed_file_asks_what_is_meant(option: str) -> None:
    """Neither is guessed, and nothing is written before somebody says so."""
    run(code=1)
    write("true", "true")
    asked = run(code=2).output
    assert ("--resume" in asked, "--new" in asked, runs()) == (True, True, ["blocked"])
    run(option, code=1 if option == "--resume" else 0)
    assert runs() == (["blocked"] if option == "--resume" else ["blocked", "completed"])


def test_another_input_is_not_the_same_command() -> None:
    """The unfinished run is not executed with an input that nobody gave now; without one it goes on."""
    run("--input", '{"day": 1}', code=1)
    assert "--resume goes on" in run("--input", '{"day": 2}', code=2).output
    assert "resuming" in run("--input", '{"day": 1}', code=1).output
    assert "resuming" in run(code=1).output
    run("--input", '{"day": 2}', "--resume", code=1)
    run("--input", '{"day": 2}', "--new", code=1)
    assert runs() == ["blocked", "blocked"]


def test_a_key_and_resume_mean_the_run_of_that_key() -> None:
    """Also when the file has changed; without --resume the key was used with another flow."""
    run("--key", "k", code=1)
    run("--new", code=1)
    write("true")
    assert "key" in run("--key", "k", code=3).output
    assert "resuming" in run("--key", "k", "--resume", code=1).output
    run("--key", "other", "--resume", code=4)
    assert runs() == ["blocked", "blocked"]


def test_options_that_contradict_each_other_are_refused() -> None:
    """A key names one run, and --resume an old one: neither is a new one."""
    for options in (("--key", "k", "--new"), ("--resume", "--new")):
        assert "exclude each other" in run(*options, code=2).output
    assert not Path("redrive.db").exists()


@pytest.mark.parametrize(
    "option", ["--time-scale=0.1", "--failure-rate=0.2", "--failure-classes=execution_error", "--seed=7"]
)
def test_options_of_a_simulation_execute_nothing(option: str) -> None:
    """Whoever forgot --simulate is told, before a command runs."""
    Path("ok").touch()
    assert "--simulate" in run(option, code=2).output
    assert not Path("done.txt").exists()
    assert not Path("redrive.db").exists()


@pytest.mark.parametrize("more", [(), ("--resume",)])
def test_what_was_simulated_does_not_count_as_done(more: tuple[str, ...]) -> None:
    """A real run never goes on where a simulated one stopped, even though all its nodes are the same."""
    run("--simulate", "--failure-rate", "1", code=1)
    assert "--simulate goes on" in run(*more, code=2).output
    Path("ok").touch()
    run("--new", code=0)
    assert (runs(), Path("done.txt").read_text()) == (["blocked", "completed"], "done\n")


@pytest.mark.parametrize("more", [(), ("--resume",)])
def test_a_real_run_is_never_finished_by_dice(more: tuple[str, ...]) -> None:
    """What waits to be done stays undone until it is done."""
    run(code=1)
    retry_all()
    assert "without --simulate" in run("--simulate", *more, code=2).output
    assert runs() == ["queued"]
    run("--simulate", "--new", code=0)
    assert runs() == ["queued", "completed"]


def test_no_worker_executes_what_is_simulated() -> None:
    """A simulation that was interrupted is queued; a worker for commands leaves it alone."""
    run("--simulate", "--failure-rate", "1", code=1)
    retry_all()
    Path("ok").touch()
    assert CliRunner().invoke(cli, ["work", "--allow-commands", "--until-idle"]).exit_code == 0
    assert (runs(), Path("done.txt").exists()) == (["queued"], False)
    assert "resuming" in run("--simulate", code=0).output


def test_a_run_that_limits_hold_back_says_so() -> None:
    """Nothing failed, and nothing will happen until there is room."""
    Path("flow.yaml").write_text("automation: w\nversion: 1\nnodes: [{id: a, run: ['true'], resource: bank}]\n")
    assert CliRunner().invoke(cli, ["submit", "flow.yaml"]).exit_code == 0
    stop = ["limits", "set", "resource", "bank", "--concurrency", "0", "--reason", "maintenance"]
    assert CliRunner().invoke(cli, stop).exit_code == 0
    result = CliRunner().invoke(cli, ["run", "flow.yaml"])
    assert (result.exit_code, "waits for resource:bank" in result.output) == (1, True), result.output


def test_dead_letters_are_counted_however_many_there_are() -> None:
    """More than a page of them."""
    nodes = [{"id": f"n{i}", "run": ["false"], "retry": ONCE} for i in range(1_001)]
    Path("flow.json").write_text(json.dumps({"automation": "wide", "version": 1, "nodes": nodes}))
    assert ", 1,001 dead letters open, " in run("--simulate", "--failure-rate", "1", code=1).stdout
