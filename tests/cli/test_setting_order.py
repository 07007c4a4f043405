"""Settings: argument > REDRIVE_* > redrive.toml > default, for each of them."""

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


def test_a_folder_that_somebody_removed_has_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is named in full can be asked from there."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Settings.load(db="sqlite:////log.db").urls == ("sqlite:////log.db",)
