"""``redrive archive``: what it moves, what it says, what it refuses."""

from pathlib import Path

from tests.cli.logs import World
from tests.cli.test_schemas import FROZEN

OLD = ("archive", "--older-than", "1ms", "--to", "old.archive", "--reason", "a year")


def test_old_runs_are_moved(world: World, tmp_path: Path) -> None:
    """And shown as before."""
    before = world.run("show", world.ids.completed).stdout.splitlines()[0]
    told = world.json(*OLD, "--dry-run")["item"]
    assert not (tmp_path / "old.archive").exists()
    done = world.json(*OLD)["item"]
    assert sorted(done) == FROZEN["redrive.archive/1"]
    assert (done["runs"], done["events"]) == (told["runs"], told["events"])
    assert done["runs"] >= 1
    assert world.run("show", world.ids.completed).stdout.splitlines()[0] == before
    assert "0 runs," in world.run(*OLD).stdout


def test_it_says_what_stays_and_where_the_room_is(world: World) -> None:
    """In words, too."""
    said = world.run(*OLD).output
    assert "moved to old.archive" in said
    assert "VACUUM" in said


def test_a_missing_archive_is_a_sentence(world: World, tmp_path: Path) -> None:
    """Exit 5, and the file's name."""
    assert world.run(*OLD).exit_code == 0
    (tmp_path / "old.archive").unlink()
    result = world.run("history", world.ids.completed)
    assert (result.exit_code, "old.archive" in result.stderr) == (5, True)
    assert world.run("runs").exit_code == 0


def test_usage(world: World, tmp_path: Path) -> None:
    """An age, a file and a reason are needed; another file stays what it is."""
    for missing in (OLD[:3], OLD[:5], ("archive", *OLD[3:])):
        assert world.run(*missing).exit_code == 2
    (tmp_path / "old.archive").write_text("my diary")
    assert world.run(*OLD).exit_code == 5
    assert (tmp_path / "old.archive").read_text() == "my diary"
