"""After a workflow of 1,000 tasks with failures: every forensic question has an answer, and every answer a proof."""

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli
from redrive.evidence import verify
from tests.acceptance.campaign import TASKS, Campaign
from tests.acceptance.killing import DATA

pytestmark = [
    pytest.mark.long,
    pytest.mark.acceptance,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real inputs is not there"),
]
TWO_ATTEMPTS = "version: 1\ndefault: {retry: {max_attempts: 2}}\n"
WITHOUT_REDRIVE = """
import runpy, sys
sys.modules["redrive"] = None
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
FOOTING = re.compile(r"log [0-9a-f-]{36}, position \d+, sealed by checkpoint \d+ \(signed by ops\.example\); redrive ")
QUESTIONS = {
    "timeline {run}": r"1,\d{3} events|[2-9],\d{3} events",
    "timeline {letter} --svg letter.svg": "drawn into letter.svg",
    "show {run} --at pos:{opened}": r"nodes +\d{4}: \d+ succeeded",
    "queues --at pos:{opened}": r"(ready|scheduled|running) +1 ",  # which one is a matter of who was faster
    "dead-letters list --at pos:{opened}": "{letter} +open",
    "diff pos:{before} pos:{opened} --table dead_letters": r"by {opened} dead-letter\.opened, ",
    "why {letter}.status": r"decided attempts exhausted: attempt 3 was the last of 3",
    "why {run}.status": "the run is blocked",
    "blast pos:{failed}": r"{opened} +└ .*dead letter \w+ opened, attempts exhausted",
    "first \"SELECT id FROM dead_letters WHERE status = 'open'\"": r"{opened} +violated by dead-letter\.opened of ",
    "replay --check": "RESULT: SAME",
    "what-if --policy two.yaml": r"(?s)COUNTERFACTUAL.*attempts +1,\d{3} +\S+.*dead letters +\d+ ",
    "export --run {run} -o asked.tar": r"asked\.tar: \d,\d{3} events",
    'note {letter} "asked the provider" --reason "incident 4711"': "noted on dead letter",
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """The log, with at least one dead letter."""
    made = Campaign(tmp_path_factory.mktemp("campaign"))
    made.run()
    (made.folder / "two.yaml").write_text(TWO_ATTEMPTS)
    return made


@pytest.fixture(scope="module")
def names(campaign: Campaign) -> dict[str, str]:
    """What the questions are about: the first dead letter, and what stands around it."""
    opened = campaign.positions("dead-letter.opened")[0]
    failed = max(at for at in campaign.positions("run.attempt-failed") if at < opened)
    with campaign.open() as engine, engine.at(opened) as past:
        [letter] = past.local.dead_letters().items
        places = {"before": opened - 1, "opened": opened, "failed": failed}
        return {"run": str(letter.run_id), "letter": str(letter.id)} | {name: str(at) for name, at in places.items()}


def test_it_is_large_and_it_failed(campaign: Campaign, names: dict[str, str]) -> None:
    """Else the questions below would be easy."""
    with campaign.open() as engine:
        run = engine.local.run(redrive.RunId(names["run"]))
        assert (run.nodes >= TASKS, run.status) == (True, "blocked")
        assert len(engine.local.dead_letters(status="open").items) >= 2
        assert run.retries > 100


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_an_answer(
    campaign: Campaign, names: dict[str, str], question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With real content, and what it stands on as the last line."""
    monkeypatch.chdir(campaign.folder)
    told = CliRunner(env=campaign.environment).invoke(cli, shlex.split(question.format_map(names)))
    assert told.exit_code == (1 if question.startswith("first") else 0), told.output
    expected = re.sub(r"\{(run|letter|opened)\}", lambda found: names[found[1]], QUESTIONS[question])
    assert re.search(expected, told.output), told.output[:2_000]
    if not question.startswith("note"):
        assert FOOTING.match(told.output.splitlines()[-1]), told.output[-500:]


def test_a_changed_byte_is_found(campaign: Campaign, tmp_path: Path) -> None:
    """VERIFIED by the pin; then one byte of one event in the middle is another, and its leaf is named."""
    sound = campaign.copied(tmp_path)
    told = sound.typed("verify")
    assert (told.returncode, told.stdout.split()[-1]) == (0, "VERIFIED"), told.stdout
    position = sound.positions("run.attempt-failed")[50]
    leaf = _change(sound, position)
    told = sound.typed("verify", "--json")
    report = json.loads(told.stdout)["item"]
    assert (told.returncode, report["result"]) == (1, "TAMPERED")
    assert (report["findings"][0]["leaf"], report["findings"][0]["position"]) == (leaf, position)


def test_the_bundle_proves_itself_and_tells_the_same(campaign: Campaign, names: dict[str, str], tmp_path: Path) -> None:
    """Verified by verify.py where redrive cannot be imported; opened, it has the same dead letters."""
    bundle = tmp_path / "case.tar"
    assert campaign.typed("export", "--run", names["run"], "-o", str(bundle)).returncode == 0
    (tmp_path / "ops.key").write_text(campaign.typed("keys", "show").stdout)
    words = ("-c", WITHOUT_REDRIVE, verify.__file__, str(bundle), "--key", str(tmp_path / "ops.key"))
    told = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (told.returncode, told.stdout.splitlines()[-1].split()) == (0, ["RESULT", "VERIFIED"]), told.stderr
    with campaign.open() as engine, redrive.open_bundle(str(bundle)) as opened:
        letters = engine.local.dead_letters().items
        assert len(letters) >= 2
        assert opened.local.dead_letters().items == letters


def _change(campaign: Campaign, position: int) -> int:
    """Flip a bit of the event at *position* by plain sqlite3; the index of its leaf."""
    with closing(sqlite3.connect(campaign.log)) as log:
        log.execute("DROP TRIGGER events_no_update")
        [(state,)] = log.execute("SELECT state FROM events WHERE position = ?", (position,))
        other = bytearray(state)
        other[len(other) // 2] ^= 1
        log.execute("UPDATE events SET state = ? WHERE position = ?", (bytes(other), position))
        [(before,)] = log.execute("SELECT count(*) FROM events WHERE position < ?", (position,))
        log.commit()
    return int(before)
