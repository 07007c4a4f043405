"""The pictures of the tutorial are those that the command draws today."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import redrive

ROOT = Path(__file__).parents[2]
RUN = "82bc0506-25b2-57d4-b43b-9dffb290f810"
FOOTING = re.compile(r'<text [^>]*class="muted small">log [^<]*</text></svg>\s*\Z')
"""Its log is another one each time."""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of that night."""
    folder = tmp_path_factory.mktemp("night")
    script = [sys.executable, str(ROOT / "examples" / "incident.py")]
    subprocess.run(script, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return folder / "night.db"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pictures_of_the_incident_are_up_to_date(night: Path, theme: str) -> None:
    """``redrive timeline 82bc05 --svg docs/_static/incident-THEME.svg --theme THEME`` in its folder draws them anew."""
    with redrive.open(f"sqlite:///{night}") as engine:
        drawn = redrive.svg_of(engine.timeline(RUN), theme)  # type: ignore[arg-type]
    kept = (ROOT / "docs" / "_static" / f"incident-{theme}.svg").read_text(encoding="utf-8")
    assert FOOTING.search(drawn)
    assert FOOTING.sub("", drawn) == FOOTING.sub("", kept)
