"""Settings: argument > REDRIVE_* > redrive.toml > default, for each of them."""

from pathlib import Path
from typing import Any

import pytest

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
