"""seal, keys, anchor and verify, as they are typed."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import redrive
from tests.cli.logs import World
from tests.cli.test_schemas import FROZEN


@pytest.fixture
def kept(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A log with a key and a pin."""
    monkeypatch.setenv("REDRIVE_KEY_FILE", str(tmp_path / "keys.json"))
    assert world.run("keys", "init", "--name", "ana").exit_code == 0
    monkeypatch.setenv("REDRIVE_PIN_FILE", str(tmp_path / "pin"))
    return world


def tamper(world: World) -> None:
    """Change one event."""
    with closing(sqlite3.connect(world.url.removeprefix("sqlite:///"))) as connection:
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute("UPDATE events SET state = X'7B7D' WHERE position = 7")
        connection.commit()


def answer(world: World, *args: str) -> tuple[int, Any]:
    """The exit code and the report."""
    result = world.run("--json", "verify", *args)
    return result.exit_code, json.loads(result.stdout)["item"]


def test_each_answer_has_its_exit_code(kept: World) -> None:
    """Unsealed, sealed, pinned, and changed."""
    assert answer(kept)[0] == 4
    assert kept.run("seal").exit_code == 0
    assert (answer(kept)[0], answer(kept)[1]["result"]) == (0, "VERIFIED")
    tamper(kept)
    code, report = answer(kept)
    assert (code, report["result"], report["findings"][0]["leaf"]) == (1, "TAMPERED", 6)
    told = kept.run("verify")
    assert told.exit_code == 1
    assert "leaf 6, position 7" in told.stdout


def test_views_that_were_changed_are_to_be_made_anew(world: World) -> None:
    """The log is sound, and the way on is named; it leads back. Where the log was changed no way is offered."""
    world.run("seal")
    world.run("queues")
    (views,) = Path(world.url.removeprefix("sqlite:///")).parent.glob("*.views-????????.db")
    with closing(sqlite3.connect(views)) as connection:
        connection.execute("UPDATE dead_letters SET status = 'resolved'")
        connection.commit()
    changed = world.run("verify")
    assert changed.exit_code == 1
    assert "views rebuild  # the log itself is sound" in changed.stderr
    world.run("views", "rebuild")
    assert world.run("verify").exit_code == 2
    tamper(world)
    assert "rebuild" not in world.run("verify").stderr


def test_without_an_anchor_it_is_only_self_consistent(world: World, tmp_path: Path) -> None:
    """Exit 2; with a checkpoint that was kept, 0; too much unsealed, 3."""
    (tmp_path / "kept.txt").write_text(world.run("seal").stdout)
    assert answer(world)[0] == 2
    assert answer(world, "--checkpoint", "kept.txt")[0] == 0
    (tmp_path / "policy.yaml").write_text("checkpoints: [kept.txt]\nfreshness_ms: 0\nmax_unanchored: 0\n")
    assert answer(world, "--policy", "policy.yaml")[0] == 0
    world.run("pause", world.ids.queued, "--reason", "x")
    code, report = answer(world, "--policy", "policy.yaml")
    assert (code, report["result"], report["unanchored"]) == (3, "STALE", 2)


def test_commands_that_write_seal(kept: World) -> None:
    """Until somebody says otherwise."""
    assert kept.run("pause", kept.ids.queued, "--reason", "x").exit_code == 0
    assert answer(kept)[1]["unsealed"] == 0
    assert kept.run("resume", kept.ids.queued, "--reason", "x").exit_code == 0
    assert answer(kept)[1]["size"] == kept.events()


def test_a_host_that_does_not_want_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """REDRIVE_SEAL=false."""
    monkeypatch.setenv("REDRIVE_SEAL", "false")
    assert world.run("pause", world.ids.queued, "--reason", "x").exit_code == 0
    assert world.run("tick").exit_code == 0
    assert answer(world)[1]["size"] == 0


def test_keys_are_shown_without_their_private_half(kept: World, tmp_path: Path) -> None:
    """The newest first."""
    before = kept.json("keys", "show")["items"]
    after = kept.json("keys", "rotate")["items"]
    assert [key["signs"] for key in after] == [True, False]
    assert after[1]["verifier"] == before[0]["verifier"]
    assert kept.run("keys", "show").stdout.splitlines() == [key["verifier"] for key in after]
    private = json.loads((tmp_path / "keys.json").read_text())["keys"][0]["private"]
    assert private not in kept.run("--json", "keys", "show").stdout


def test_a_bundle_of_today_is_verified_by_the_key_that_signs(kept: World) -> None:
    """An older key beside it did not sign, and the answer says who did; a file that is not there is no answer."""
    kept.run("seal")
    kept.run("keys", "rotate")
    for text in ("sealed by both", "sealed by the new key"):
        assert kept.run("note", kept.ids.blocked, text, "--reason", "x").exit_code == 0
    assert kept.run("export", "--run", kept.ids.blocked, "-o", "case.tar").exit_code == 0
    Path("one.key").write_text(kept.run("keys", "show", "--signing").stdout)
    Path("all.key").write_text(kept.run("keys", "show").stdout)
    assert kept.run("bundle", "verify", "case.tar", "--key", "one.key").exit_code == 0
    old = kept.run("bundle", "verify", "case.tar", "--key", "all.key")
    signer = "+".join(Path("one.key").read_text().split("+")[:2])
    assert (old.exit_code, f"did not sign the checkpoint; signed by {signer}" in old.stdout) == (4, True)
    for option in ("--key", "--pin"):
        missing = kept.run("bundle", "verify", "case.tar", option, "nofile")
        assert (missing.exit_code, missing.stdout) == (64, "")
        assert f"{option[2:]}: 'nofile' is not accepted; expected " in missing.stderr


def test_a_policy_that_makes_no_sense_is_refused_in_a_sentence(world: World) -> None:
    """Which key, and what is accepted."""
    Path("policy.yaml").write_text("trusted: x\n")
    told = world.run("verify", "--policy", "policy.yaml")
    assert (told.exit_code, told.stdout) == (64, "")
    assert "policy trusted: 'x' is not accepted; expected one of the known names" in told.stderr
    assert "did you mean 'trust'" in told.stderr
    with pytest.raises(redrive.InvalidValue, match="freshness_ms"):
        redrive.VerifyPolicy(freshness_ms=-1)


def test_the_schemas_of_evidence_stay(kept: World) -> None:
    """As the others do."""
    assert set(FROZEN["redrive.keys/1"]) <= set(kept.json("keys", "show")["items"][0])
    assert set(FROZEN["redrive.verification/1"]) <= set(answer(kept)[1])


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["anchor", "--reason", "x"], 2, "Nobody to tell"),
        (["anchor", "--pin", "p"], 2, "--reason"),
        (["anchor", "--witness", "http://x", "--reason", "x"], 2, "go together"),
        (["anchor", "--witness", "http://127.0.0.1:9", "--witness-key", "k", "--reason", "x"], 2, "verifier key"),
        (["anchor", "--anchor-cmd", "false", "--reason", "x"], 5, "ended with 1"),
        (["verify", "--policy", "nowhere.yaml"], 64, "policy"),
        (["verify", "--checkpoint", "nowhere.txt"], 64, "checkpoint"),
        (["verify", "--nosuch"], 64, "No such option"),
        (["--nosuch", "verify"], 64, "No such option"),
        (["--db", "postgres", "verify"], 64, "db"),
        (["--db", "sqlite:///nowhere.db", "verify"], 64, "there is no log"),
        (["verify", "--json", "--policy", "nowhere.yaml"], 64, '"code": "invalid-value"'),
        (["history", "verify"], 4, "verify"),
        (["keys", "init"], 2, "rotate"),
    ],
)
def test_bad_input_has_a_sentence(kept: World, args: list[str], code: int, says: str) -> None:
    """No traceback, and the field is named."""
    result = kept.run(*args)
    assert (result.exit_code, says in result.stderr) == (code, True), result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trust: [x]", "trust.0"),
        ("trust: x", "trust"),
        ("unknown: 1", "unknown"),
        ("freshness_ms: -1", "freshness_ms"),
        ("[1, 2]", "policy"),
        ("a: [", "YAML"),
        ("freshness_ms: 2020-13-45", "policy freshness_ms"),
        ("freshness_ms: 1" + "0" * 5_000, "numbers of a reasonable length"),
        ("require_witnesses: 1\nrequire_witnesses: 0", "once"),
        ("trust: ['PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX']", "id is that of its bytes"),
        ("witnesses: ['PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW']", "type 4"),
    ],
)
def test_a_policy_that_makes_no_sense(kept: World, tmp_path: Path, text: str, says: str) -> None:
    """Field, value, what is accepted."""
    (tmp_path / "policy.yaml").write_text(text)
    result = kept.run("verify", "--policy", "policy.yaml")
    assert (result.exit_code, says in result.stderr) == (64, True), result.stderr


def test_what_a_policy_demands_and_is_not_there_is_incomplete(kept: World, tmp_path: Path) -> None:
    """Neither found wrong nor passed over."""
    kept.run("seal")
    (tmp_path / "policy.yaml").write_text("pin_file: gone\ncheckpoints: [gone]\nrequire_witnesses: 1\n")
    code, report = answer(kept, "--policy", "policy.yaml")
    assert (code, len(report["missing"])) == (4, 3)


def test_a_key_that_came_after_the_seal_is_not_asked_for_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sealed without it stays unsigned; the next checkpoint covers the same events."""
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert "keys init" in world.run("seal").output
    assert world.run("keys", "init", "--name", "ana").exit_code == 0
    told = world.run("seal").output
    assert "no key then" in told
    assert "keys init" not in told
    assert world.run("pause", world.ids.queued, "--reason", "x").exit_code == 0
    assert "— ana " in world.run("seal").output


def test_every_report_has_its_footing_in_one_place(world: World) -> None:
    """At the top of the document; for people it is the last line, of one form."""
    for words in (["verify"], ["why", world.ids.blocked], ["diff", "pos:3"], ["replay", "--check"]):
        document = json.loads(world.run("--json", *words).stdout)
        assert set(document["footing"]) == {"origin", "position", "seal", "code"}, words
        assert world.run(*words).output.splitlines()[-1].startswith(f"log {document['footing']['origin']}, position ")
