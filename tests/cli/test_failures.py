"""How commands end: exit codes and sentences, never a traceback."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli import failures
from redrive.cli.root import cli
from redrive.domain import errors
from tests.cli.logs import World

QUERIES = [
    *(["runs"], ["queues"], ["queues", "ready"], ["show", "abcdef"], ["history", "abcdef"], ["tick"]),
    *(["dead-letters", "list"], ["dead-letters", "groups"], ["views", "status"], ["views", "rebuild"], ["log", "tail"]),
    *(["log", "show", "1"], ["cancel", "abcdef", "--reason", "x"], ["dead-letters", "retry", "--all", "--reason", "x"]),
]


@pytest.mark.parametrize("command", QUERIES)
def test_a_log_that_is_not_there_is_not_created(world: World, tmp_path: Path, command: list[str]) -> None:
    """Exit 4, and the sentence says what creates one."""
    place = tmp_path / "empty"
    place.mkdir()
    result = World(f"sqlite:///{place / 'no.db'}", world.ids).run(*command)
    assert result.exit_code == 4
    assert "there is no log at " in result.stderr
    assert "redrive submit" in result.stderr
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("command", [*QUERIES, ["db", "status"]])
def test_an_empty_file_is_no_log(world: World, tmp_path: Path, command: list[str]) -> None:
    """As what somebody made by mistake: nothing is written to it, and nothing beside it; what creates logs may."""
    place = tmp_path / "empty"
    place.mkdir()
    (place / "no.db").touch()
    empty = World(f"sqlite:///{place / 'no.db'}", world.ids)
    result = empty.run(*command)
    assert (result.exit_code, "there is no log at " in result.stderr) == (4, True)
    assert [(path.name, path.stat().st_size) for path in place.iterdir()] == [("no.db", 0)]
    assert empty.run("db", "init").exit_code == 0
    assert empty.run("runs").exit_code == 0


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgres://x", 2),
        ("ops.db", 2),
        ("", 2),
        ("sqlite:///:memory:", 2),
        ("sqlite:///a%00b", 2),
        ("sqlite:////", 5),
        ("sqlite:////dev/null/x.db", 4),
        ("sqlite:////" + "a" * 5_000, 5),
    ],
)
def test_a_url_that_names_no_log(world: World, url: str, code: int) -> None:
    """One printable line."""
    result = World(url, world.ids).run("runs")
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.strip().isprintable()


@pytest.mark.parametrize("content", ["db = [", "nonsense = 1", "lease_ms = 'long'", "\x00", "tenant = 'a/b'"])
def test_a_settings_file_that_cannot_be_used(world: World, tmp_path: Path, content: str) -> None:
    """Exit 2, naming the file or the setting."""
    (tmp_path / "redrive.toml").write_text(content)
    result = world.run("runs")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert "redrive.toml" in result.stderr or "setting" in result.stderr or "tenant" in result.stderr


def test_a_setting_out_of_range_is_told_its_range(world: World) -> None:
    """In a sentence: the value, and what is accepted."""
    told = world.run("run", "flow.json", "--concurrency", "0").stderr
    assert "setting concurrency: 0 is not accepted; expected greater than or equal to 1" in told


def test_settings_come_from_argument_environment_file_default(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order."""
    runner = CliRunner()
    (tmp_path / "redrive.toml").write_text('db = "sqlite:///from-file.db"')
    assert "from-file.db" in runner.invoke(cli, ["runs"]).stderr
    monkeypatch.setenv("REDRIVE_DB", "sqlite:///from-environment.db")
    assert "from-environment.db" in runner.invoke(cli, ["runs"]).stderr
    assert world.run("runs").exit_code == 0


def test_a_file_that_is_no_log_is_a_storage_error(world: World, tmp_path: Path) -> None:
    """Exit 5, and the file is left alone."""
    path = tmp_path / "notes.db"
    path.write_bytes(b"these are my notes, and no database\n" * 100)
    result = World(f"sqlite:///{path}", world.ids).run("runs")
    assert result.exit_code == 5
    assert path.read_bytes().startswith(b"these are my notes")


def test_a_damaged_log_is_a_storage_error(world: World, tmp_path: Path) -> None:
    """Exit 5 with a sentence."""
    path = tmp_path / "damaged.db"
    shutil.copy(tmp_path / "ops.db", path)
    raw = bytearray(path.read_bytes())
    raw[4_096:12_288] = b"\xff" * 8_192
    path.write_bytes(raw)
    result = World(f"sqlite:///{path}", world.ids).run("runs", "--json")
    assert result.exit_code == 5
    assert json.loads(result.stderr)["code"] == "storage"


@pytest.mark.parametrize("tenant", ["a", "a/b", "a/b/c/d", "a//c", "a/\x1b/c", "a/" + "b" * 200 + "/c"])
def test_a_tenant_that_is_none(world: World, tenant: str) -> None:
    """Exit 2."""
    result = world.run("runs", tenant=tenant)
    assert result.exit_code == 2
    assert result.stderr.strip().isprintable()


@pytest.mark.parametrize("args", [["nosuch"], ["runs", "--nosuch"], ["no\x1bsuch"], ["show"], ["dead-letters", "drop"]])
def test_a_usage_error(world: World, args: list[str]) -> None:
    """Exit 2; as JSON, one object."""
    plain, as_json = world.run(*args), world.run(*args, "--json")
    assert (plain.exit_code, as_json.exit_code) == (2, 2)
    assert "--help" in plain.stderr
    assert "\x1b" not in plain.output + as_json.output
    assert json.loads(as_json.stderr)["code"] == "usage"


def test_every_error_has_its_exit_code() -> None:
    """The table of the contract, for the whole tree of errors."""
    expected: dict[type[errors.RedriveError], int] = {
        errors.InvalidValue: 2,
        errors.Refused: 3,
        errors.NotFound: 4,
        errors.Conflict: 5,
        errors.StorageError: 5,
        errors.AnchorFailed: 5,
    }
    marker = {errors.StreamUnreadable}  # its two kinds are a Refused and a StorageError
    assert set(errors.RedriveError.__subclasses__()) == set(expected) | marker
    for family, code in expected.items():
        for kind in (family, *family.__subclasses__()):
            error = kind.__new__(kind)
            assert failures.exit_code_of(error) == code


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_bug_is_no_traceback_either(world: World, monkeypatch: pytest.MonkeyPatch, as_json: list[str]) -> None:
    """It has an exit code of its own; the traceback is for those who ask."""

    def broken(*_args: object, **_named: object) -> None:
        raise ZeroDivisionError("oh\x1b no")

    monkeypatch.setattr(redrive.TenantEngine, "runs", broken)
    result = world.run("runs", *as_json)
    assert result.exit_code == 70
    assert "a bug in redrive: ZeroDivisionError: oh\\" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in world.run("runs", *as_json, "--log-level", "debug").stderr


def test_storage_that_fails_midway_tells_what_was_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was acknowledged is told, then the error; exit 5."""
    batches = iter([redrive.Engine.batch])

    def batch(engine: redrive.Engine) -> object:
        for one in batches:
            return one(engine)
        raise errors.StorageError("the disk is full")

    monkeypatch.setattr("redrive.cli.decide.PER_COMMIT", 1)
    monkeypatch.setattr(redrive.Engine, "batch", batch)
    result = world.run("dead-letters", "ignore", world.ids.left, world.ids.right, "--reason", "x")
    assert result.exit_code == 5
    assert result.stdout.count(": ignored") == 1
    assert result.stderr.endswith("Error: the disk is full\n")


@pytest.mark.parametrize(
    ("word", "said"),
    [("dead-letter", " Did you mean 'dead-letters'?"), ("qeues", " Did you mean 'queues'?"), ("\x1b[31mzz", "")],
)
def test_a_command_that_is_not_there_names_the_nearest(world: World, word: str, said: str) -> None:
    """Exit 2; what is typed does nothing to the terminal."""
    result = world.run(word, "list")
    assert result.exit_code == 2
    assert result.stderr.rstrip().endswith(f".{said}")
    assert "\x1b" not in result.stderr
