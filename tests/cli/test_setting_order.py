"""Settings: argument > REDRIVE_* > redrive.toml > default, for each of them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redrive.domain.errors import InvalidValue
from redrive.settings import Settings

WORDS = {"log_format": ("json", "console", "json"), "log_level": ("debug", "info", "error")}


def three(name: str) -> tuple[Any, Any, Any]:
    """Values for the file, the environment and an argument, each other than the one it replaces."""
    default = Settings.model_fields[name].default
    if isinstance(default, bool):
        return not default, default, not default
    if isinstance(default, int):
        return default + 1, default + 2, default + 3
    return WORDS.get(name, ("a/b/file", "a/b/environment", "a/b/argument"))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_comes_from_the_first_that_says_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable says nothing."""
    file, environment, argument = three(name)
    in_toml = repr(file).lower() if isinstance(file, bool) else repr(file)
    (tmp_path / "redrive.toml").write_text(f"{name} = {in_toml}\n")
    monkeypatch.setenv(f"REDRIVE_{name.upper()}", "")
    assert getattr(Settings.load(tmp_path), name) == file
    monkeypatch.setenv(f"REDRIVE_{name.upper()}", str(environment))
    assert getattr(Settings.load(tmp_path), name) == environment
    assert getattr(Settings.load(tmp_path, **{name: argument}), name) == argument


def test_no_log_at_all_is_no_setting(tmp_path: Path) -> None:
    """An empty list of URLs was a bug in redrive."""
    (tmp_path / "redrive.toml").write_text("db = []\n")
    with pytest.raises(InvalidValue, match="setting db"):
        Settings.load(tmp_path)


def fifo(path: Path) -> None:
    """A pipe to which nobody writes."""
    os.mkfifo(path)


def endless(path: Path) -> None:
    """A device without an end."""
    path.symlink_to("/dev/zero")


def large(path: Path) -> None:
    """More than settings need."""
    path.write_text("#" * 2_000_000)


def deep(path: Path) -> None:
    """More brackets than the parser goes down."""
    path.write_text("db = " + "[" * 100_000)


def long_number(path: Path) -> None:
    """More digits than Python reads."""
    path.write_text("lease_ms = " + "9" * 5_000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("made", [fifo, endless, large, deep, long_number])
def test_what_is_no_settings_file_is_refused(made: Callable[[Path], None], tmp_path: Path) -> None:
    """It lies where redrive happens to be started: it was waited for without end, filled the memory, or was called a
    bug in redrive."""
    made(tmp_path / "redrive.toml")
    with pytest.raises(InvalidValue, match="a readable TOML file"):
        Settings.load(tmp_path)


def test_a_folder_that_somebody_removed_has_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is named in full can be asked from there."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Settings.load(db="sqlite:////log.db").urls == ("sqlite:////log.db",)
