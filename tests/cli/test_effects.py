"""Effects and compensations on the command line: seen, reconciled, decided, refused."""

import json
import shlex
import time
from typing import Any

import pytest

import redrive
from tests.cli.effect_logs import EffectWorld
from tests.cli.logs import World

WHY = ("--reason", "asked the bank", "--actor", "ana")


def told(shop: EffectWorld, id_: str) -> Any:
    """What ``show`` prints as JSON."""
    return shop.json("show", id_)["item"]


def test_effects_are_listed_the_newest_first(shop: EffectWorld) -> None:
    """With where they belong, and why they failed; nothing in a reason reaches the terminal raw."""
    result = shop.run("effects", "list")
    first = result.stdout.splitlines()[1]
    assert first.startswith(shop.effects.outside)
    assert "POST /order" in first
    assert "card declined" in result.stdout
    assert "\x1b" not in result.stdout
    assert "redrive --db" in result.stderr
    assert f"reconcile {shop.effects.outside[:8]} --outcome OUTCOME --reason WHY" in result.stderr


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (["--status", " Unknown ", "--node", "mail"], "doubtful"),
        (["--run", "{run}", "--status", "succeeded"], "done"),
        (["--key", "outside"], "outside"),
        (["--operation", "POST /pay"], "declined"),
        (["--class", "outbox-send"], "declined"),
        (["--text", "declined"], "declined"),
    ],
    ids=str,
)
def test_effects_are_filtered(shop: EffectWorld, filters: list[str], wanted: str) -> None:
    """Spelling is forgiven."""
    given = [word.format(run=shop.effects.run[:8]) for word in filters]
    assert [one["id"] for one in shop.json("effects", "list", *given)["items"]] == [getattr(shop.effects, wanted)]


def test_an_unknown_word_meets_a_suggestion(shop: EffectWorld) -> None:
    """For a status, a source, an outcome."""
    for command in (
        ["effects", "list", "--status", "unknwon"],
        ["compensations", "list", "--status", "awaiting-aproval"],
        ["dead-letters", "list", "--source", "tool-efect"],
        ["reconcile", shop.effects.doubtful, "--outcome", "did-not-hapen", *WHY],
    ):
        result = shop.run(*command)
        assert result.exit_code == 2
        assert "did you mean" in result.stderr


def test_nothing_is_said_to_be_nothing(shop: EffectWorld) -> None:
    """With filters that leave none, and in a log without any."""
    assert "No effect is like that; there are" in shop.run("effects", "list", "--node", "x").stderr
    assert "No compensation is like that." in shop.run("compensations", "list", "--node", "x").stderr
    stranger = {"tenant": "a/b/c"}
    assert "There are no effects." in shop.run("effects", "list", **stranger).stderr
    assert "There are no compensations." in shop.run("compensations", "list", **stranger).stderr


def test_an_effect_is_shown_without_its_secrets(shop: EffectWorld) -> None:
    """Request and receipt, tries, and what happened to it; by either command."""
    result = shop.run("show", shop.effects.done[:8])
    assert '{"n": 1, "password": "[redacted]"}' in result.stdout
    assert '{"id": 7, "api_key": "[redacted]"}' in result.stdout
    assert "hunter2" not in result.stdout
    assert result.stdout == shop.run("effects", "show", shop.effects.done).stdout
    (sending,) = told(shop, shop.effects.declined)["sendings"]
    assert sending["outcomes"][0]["receipt"] == {"code": 402}


def test_a_run_shows_what_it_did_outside(shop: EffectWorld) -> None:
    """Effects and compensations; also as JSON."""
    out = shop.run("show", shop.effects.run)
    assert shop.effects.doubtful in out.stdout
    assert shop.effects.declined_undo in out.stdout
    assert "resume-plan" in out.stderr
    document = told(shop, shop.effects.run)
    assert len(document["effects"]) == 3
    assert len(document["compensations"]) == 2


def test_dead_letters_show_their_effects(shop: EffectWorld) -> None:
    """In the list, in full, and what to do about one in doubt: look, never just send again."""
    listed = shop.run("dead-letters", "list", "--source", "tool-effect").stdout
    assert "EFFECT" in listed.splitlines()[0]
    shown = shop.run("dead-letters", "show", shop.effects.doubtful_letter)
    assert f"{shop.effects.doubtful} (inv-7)" in shown.stdout
    assert f"dead-letters compensate {shop.effects.doubtful_letter[:8]}" in shown.stderr
    assert "dead-letters retry" not in shown.stderr
    (letter,) = shop.json("dead-letters", "list", "--effect", shop.effects.doubtful[:8])["items"]
    assert (letter["id"], letter["source"]) == (shop.effects.doubtful_letter, "tool_effect")


def test_a_dead_letter_outside_runs_is_shown_too(shop: EffectWorld) -> None:
    """It has no run, no node, and no dispatches."""
    shown = shop.run("show", shop.effects.outside_letter)
    assert "outside" in shown.stdout
    assert "dispatches" not in shown.stdout
    assert f"history {shop.effects.outside[:8]}" in shown.stderr
    done = shop.run("dead-letters", "ignore", shop.effects.outside_letter, *WHY)
    assert "(effect outside): ignored" in done.stdout


def test_the_history_of_an_effect(shop: EffectWorld) -> None:
    """One outside runs has its dead letter and compensation in it."""
    out = shop.run("history", shop.effects.outside[:8]).stdout
    assert "sends effect outside: POST /order" in out
    assert "nobody knows the effect's outcome" in out
    assert "compensation.proposed" in out


def test_a_success_that_was_found_resolves(shop: EffectWorld) -> None:
    """With its receipt, redacted; who said so stays."""
    receipt = '{"id": 9, "token": "hunter2"}'
    args = ("--outcome", "succeeded", "--receipt", receipt, *WHY)
    assert "its dead letters are resolved" in shop.run("reconcile", shop.effects.doubtful, *args).stdout
    effect = told(shop, shop.effects.doubtful)
    assert (effect["status"], effect["receipt"]) == ("succeeded", {"id": 9, "token": "[redacted]"})
    assert effect["reconciled_by"] == "human:ana"
    assert told(shop, shop.effects.doubtful_letter)["status"] == "resolved"
    assert told(shop, shop.effects.doubtful_undo)["status"] == "cancelled"


def test_what_did_not_happen_may_be_retried(shop: EffectWorld) -> None:
    """The next command is named, and works."""
    done = shop.run("reconcile", shop.effects.doubtful, "--outcome", " Did-Not-Happen ", *WHY)
    assert f"dead-letters retry {shop.effects.doubtful_letter[:8]}" in done.stderr
    assert shop.run("dead-letters", "retry", shop.effects.doubtful_letter, *WHY).exit_code == 0
    again = shop.run("reconcile", shop.effects.doubtful, "--outcome", "succeeded", *WHY, "--json")
    assert (again.exit_code, json.loads(again.stderr)["code"]) == (3, "not-allowed")


@pytest.mark.parametrize(
    ("args", "exit_code"),
    [
        (["{doubtful}", "--outcome", "succeeded"], 2),
        (["{doubtful}", "--outcome", "succeeded", "--reason", " "], 2),
        (["{doubtful}", *WHY], 2),
        (["{doubtful}", "--outcome", "succeeded", "--receipt", "{{", *WHY], 2),
        (["{doubtful}", "--outcome", "still-unknown", "--receipt", "1", *WHY], 2),
        (["{done}", "--outcome", "succeeded", *WHY], 3),
        (["ffffffff", "--outcome", "succeeded", *WHY], 4),
        (["{run}", "--outcome", "succeeded", *WHY], 4),
    ],
    ids=str,
)
def test_a_reconciliation_that_is_refused_writes_nothing(shop: EffectWorld, args: list[str], exit_code: int) -> None:
    """No reason, no outcome, no JSON, a receipt of nothing; not in doubt; not there."""
    before = shop.events()
    assert shop.run("reconcile", *(word.format_map(vars(shop.effects)) for word in args)).exit_code == exit_code
    assert shop.events() == before


def test_a_compensation_is_chosen_and_approved(shop: EffectWorld) -> None:
    """By two decisions; the dead letter is settled by the first."""
    chosen = shop.run("dead-letters", "compensate", shop.effects.doubtful_letter, *WHY)
    assert f"linked to compensation {shop.effects.doubtful_undo[:8]}, which awaits approval" in chosen.stdout
    assert f"compensations approve {shop.effects.doubtful_undo[:8]} --reason WHY" in chosen.stderr
    assert "compensations approve" in shop.run("compensations", "show", shop.effects.doubtful_undo).stderr
    assert shop.run("compensations", "approve", shop.effects.doubtful_undo, *WHY).exit_code == 0
    (found,) = shop.json("compensations", "list", "--status", "approved")["items"]
    assert (found["id"], found["decided_by"]) == (shop.effects.doubtful_undo, "human:ana")
    linked = shop.json("dead-letters", "list", "--status", "linked-to-compensation")["items"]
    assert [letter["compensation_id"] for letter in linked] == [shop.effects.doubtful_undo]


def test_a_success_says_which_dead_letters_stay_as_they_are(shop: EffectWorld) -> None:
    """One that was given to a compensation is not resolved, and not said to be."""
    assert shop.run("dead-letters", "compensate", shop.effects.doubtful_letter, *WHY).exit_code == 0
    told = shop.run("reconcile", shop.effects.doubtful, "--outcome", "succeeded", *WHY).stdout
    (letter,) = shop.json("dead-letters", "list", "--effect", shop.effects.doubtful[:8])["items"]
    assert letter["status"] != "resolved"
    assert f"it was done; its dead letters: 1 {letter['status'].replace('_', ' ')}" in told


def test_the_dead_letter_of_a_node_has_no_compensation(world: World) -> None:
    """The refusal says which dead letters may have one; nothing was written."""
    before = world.events()
    refused = world.run("dead-letters", "compensate", world.ids.letter, *WHY)
    assert refused.exit_code == 3
    assert "it is about a node; only the dead letter of an effect may have a compensation" in refused.stderr
    assert world.events() == before


def test_a_compensation_is_cancelled_once(shop: EffectWorld) -> None:
    """And neither approved nor run afterwards."""
    undo = shop.effects.declined_undo
    assert "is cancelled" in shop.run("compensations", "cancel", undo[:8], *WHY).stdout
    before = shop.events()
    for verb in ("cancel", "approve", "rerun"):
        assert shop.run("compensations", verb, undo, *WHY).exit_code == 3
    assert shop.run("dead-letters", "compensate", shop.effects.declined_letter, *WHY).exit_code == 3
    assert shop.events() == before


def test_dead_letters_are_resolved_by_an_operators_word(shop: EffectWorld) -> None:
    """The work was done otherwise."""
    done = shop.json("dead-letters", "resolve", shop.effects.declined_letter, *WHY)["items"]
    assert [(one["command"], one["done"], one["status"]) for one in done] == [("resolve", True, "resolved")]


def test_a_plan_names_every_command_with_its_log(shop: EffectWorld) -> None:
    """What is possible as a line to type, the rest with the reason."""
    out = shop.run("resume-plan", shop.effects.run[:8]).stdout
    possible, _, rest = out.partition("Not possible:")
    line = f"redrive --db {shop.url} reconcile {shop.effects.doubtful} --outcome did-not-happen --reason WHY"
    assert line in possible
    assert line.replace("did-not-happen", "still-unknown") in possible
    assert "retry: dead letter" in rest
    assert "the outcome of its effect is unknown: reconcile it first" in rest
    assert shop.run("resume-plan", "ffffffff").exit_code == 4


def test_a_plan_of_a_completed_run_is_not_empty(world: World) -> None:
    """It says that nothing can be done, and why."""
    out = world.run("resume-plan", world.ids.completed).stdout
    assert "Nothing can be done about it now." in out
    assert "Possible now" not in out


def test_every_line_of_a_plan_can_be_typed(shop: EffectWorld) -> None:
    """None of them is a usage error; those that are not possible are refused."""
    for option in shop.json("resume-plan", shop.effects.run)["item"]["options"]:
        if not option["possible"]:
            result = shop.run(*shlex.split(option["command"])[1:], "--json")
            assert (result.exit_code, json.loads(result.stderr)["message"]) == (3, option["why_not"])


def left_behind(shop: EffectWorld) -> tuple[str, str]:
    """An effect outside runs and a compensation whose leases are over."""
    with redrive.open(shop.url, clock=lambda: int(time.time() * 1_000) - 400_000) as engine:
        acme = engine.local
        undo = redrive.CompensationId(shop.effects.declined_undo)
        acme.compensate(redrive.DeadLetterId(shop.effects.declined_letter), actor="ana", reason="x")
        acme.approve_compensation(undo, actor="bo", reason="x")
        assert acme.claim_compensation(worker="w", operations={"refund"}) is not None
        return acme.begin_effect(None, "held", operation="POST /order").id, undo


def test_a_tick_tells_what_was_lost(shop: EffectWorld) -> None:
    """It is something, though nothing was redriven."""
    effect, undo = left_behind(shop)
    told = shop.run("tick")
    assert f"effect {effect[:8]}: its lease ended" in told.stdout
    assert f"compensation {undo[:8]}: its lease ended" in told.stdout
    assert "Nothing was due" not in told.stderr
    assert "effects list --status unknown" in told.stderr


def test_a_tick_tells_what_was_lost_as_json(shop: EffectWorld) -> None:
    """Their ids."""
    effect, undo = left_behind(shop)
    item = shop.json("tick")["item"]
    assert (item["lost_effects"], item["lost_compensations"]) == ([effect], [undo])
