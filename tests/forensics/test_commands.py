"""The commands: timeline, why, blast and note, as operators read them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from redrive.cli.root import cli
from tests.forensics.incidents import Incident, failed, mended
from tests.ledger.world import put_raw
from tests.stores import log_url

GOLDEN = Path(__file__).with_name("golden")


def run(incident: Incident, *words: str) -> Result:
    """A command on the log of an incident."""
    url = log_url(incident.path)
    return CliRunner().invoke(cli, ["--db", url, *words], env={"COLUMNS": "110"})


def item(incident: Incident, *words: str) -> Any:
    """What a command prints as JSON."""
    result = run(incident, "--json", *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["item"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timeline", ("timeline", "{run}")),
        ("timeline-then", ("timeline", "{letter}", "--at", "pos:34")),
        ("why", ("why", "{run}.nodes.publish.status", "--at", "pos:34")),
        ("why-recovered", ("why", "{letter}")),
        ("blast", ("blast", "36")),
    ],
)
def test_what_is_printed(incident: Incident, name: str, words: tuple[str, ...]) -> None:
    """Word for word; REDRIVE_TEST_WRITE=1 writes it anew, to be read before it is committed."""
    filled = [word.format(run=incident.run[:8], letter=incident.letter[:8]) for word in words]
    result = run(incident, *filled)
    assert result.exit_code == 0, result.output
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("REDRIVE_TEST_WRITE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == path.read_text(encoding="utf-8")


def test_every_report_ends_with_what_it_stands_on(incident: Incident) -> None:
    """Origin, position, seal, code: in the last line, and in the JSON."""
    for words in (("timeline", incident.run[:8]), ("why", incident.run[:8]), ("blast", "5")):
        last = run(incident, *words).stderr.splitlines()[-1]
        assert last.startswith(f"log {incident.engine.ledger.id}, position {incident.last()}")
        assert item(incident, *words)["footing"]["position"] == incident.last()


@pytest.mark.parametrize("words", [("timeline", "{run}"), ("why", "{run}.nodes.publish.status"), ("blast", "4")])
def test_nothing_hostile_reaches_the_terminal(alarm: Incident, words: tuple[str, ...]) -> None:
    """Escapes in failure texts are shown, not acted on."""
    out = run(alarm, *(word.format(run=alarm.run[:8]) for word in words)).output
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b[31m" in out


def test_secrets_in_outputs_are_not_shown(incident: Incident) -> None:
    """Outputs are stored as they are; whoever looks sees none of the secrets in them."""
    for words in (("why", f"{incident.run}.nodes.fetch.output"), ("why", "pos:6"), ("blast", "4", "--all")):
        for more in ((), ("--json",)):
            assert "hunter2" not in run(incident, *more, *words).output


@pytest.mark.parametrize(
    ("words", "code"),
    [(("timeline", "abcdef12"), 4), (("why", "abcdef12.status"), 4), (("blast", "99999"), 4), (("blast", "x"), 2),
     (("timeline", "ab"), 2), (("why", "{run}.nonsense"), 2), (("timeline", "{run}", "--at", "x"), 2),
     (("note", "{run}", "text"), 2), (("note", "pos:99999", "x", "--reason", "y"), 4),
     (("timeline", "{run}", "--svg", "/no/such/folder/x.svg"), 2)],
)  # fmt: skip
def test_what_cannot_be_answered_is_said(incident: Incident, words: tuple[str, ...], code: int) -> None:
    """A sentence and an exit code; no traceback."""
    result = run(incident, *(word.format(run=incident.run[:8]) for word in words))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output


def test_a_picture_is_written_where_it_is_asked_for(incident: Incident, tmp_path: Path) -> None:
    """The same picture as in Python."""
    path = tmp_path / "x.svg"
    assert run(incident, "timeline", incident.run[:8], "--svg", str(path), "--theme", "dark").exit_code == 0
    assert path.read_text(encoding="utf-8").startswith("<svg")


def test_a_note_is_shown_by_the_timeline(incident: Incident) -> None:
    """With who and why."""
    assert run(incident, "note", "pos:8", "the first 503", "--reason", "review", "--actor", "ana").exit_code == 0
    out = run(incident, "timeline", incident.run[:8]).stdout
    assert "note: on position 8: the first 503 (ana: review)" in out


def test_the_same_incident_gives_the_same_report(tmp_path: Path) -> None:
    """Ids, times and dice are given: two logs of it differ in nothing that is printed."""
    printed = []
    for n, make in enumerate((failed, failed, mended)):
        it = make(tmp_path / f"{n}.db")
        printed.append(run(it, "timeline", it.run[:8]).stdout)
        it.engine.close()
    assert printed[0] == printed[1] != printed[2]


def test_a_terminal_without_these_signs_gets_others(incident: Incident) -> None:
    """Lanes stay as wide as they are."""
    url = log_url(incident.path)
    runner = CliRunner(charset="ascii")
    out = runner.invoke(cli, ["--db", url, "timeline", incident.run[:8]], env={"COLUMNS": "110"}).output
    (lane,) = [line for line in out.splitlines() if line.startswith("publish")]
    assert set(lane[35:]) <= set("x+#.: ")
    assert "x failed" in out


def test_what_a_newer_version_wrote_is_shown_and_not_guessed(incident: Incident) -> None:
    """The timeline and blast show it as unknown; what it changed cannot be known, so why refuses to say."""
    state = json.dumps({"id": "e" * 24, "at": 1, "data": {"to": "moon"}}).encode()
    put_raw(str(incident.path), incident.run, "run.teleported/7", state, at_ms=incident.now[0])
    assert "run.teleported/7: of a version not known here" in run(incident, "timeline", incident.run[:8]).stdout
    assert "run.teleported" in run(incident, "why", incident.run[:8]).stdout
    assert "run.teleported" in run(incident, "blast", "4", "--all").stdout
    assert run(incident, "why", f"{incident.run}.status").exit_code == 3
    assert run(incident, "why", f"{incident.run}.status", "--at", "pos:40").exit_code == 0
