"""JSON about effects and compensations: names that were published stay."""

import json

import pytest

from tests.cli.effect_logs import EffectWorld
from tests.cli.test_schemas import EFFECT_SCHEMAS, FROZEN, fields_of

COMMANDS = [
    ["effects", "list"],
    ["effects", "show", "{doubtful}"],
    ["show", "{doubtful}"],
    ["reconcile", "{outside}", "--outcome", "succeeded", "--reason", "x"],
    ["compensations", "list"],
    ["compensations", "show", "{doubtful_undo}"],
    ["compensations", "cancel", "{declined_undo}", "--reason", "x"],
    ["dead-letters", "compensate", "{doubtful_letter}", "--reason", "x"],
    ["dead-letters", "resolve", "{declined_letter}", "--reason", "x"],
    ["resume-plan", "{run}"],
]


def printed(shop: EffectWorld, command: list[str]) -> dict[str, object]:
    """The JSON document that a command prints."""
    result = shop.run("--json", *(word.format_map(vars(shop.effects)) for word in command))
    assert result.exit_code == 0, result.output
    document: dict[str, object] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_published_names_stay(shop: EffectWorld, command: list[str]) -> None:
    """A field may be added; one that was published is neither renamed nor dropped without a new version."""
    document = printed(shop, command)
    assert set(FROZEN[str(document["schema"])]) <= fields_of(document)


def test_every_published_schema_is_still_printed(shop: EffectWorld) -> None:
    """By one of the commands above."""
    schemas = {str(printed(shop, command)["schema"]) for command in COMMANDS}
    assert schemas == EFFECT_SCHEMAS | {"redrive.dead-letter-decisions/1"}


def test_the_options_of_a_plan_are_documents_too(shop: EffectWorld) -> None:
    """Each with why not, and the line to type."""
    document = printed(shop, ["resume-plan", "{run}"])
    (option, *_) = document["item"]["options"]  # type: ignore[index]
    assert set(option) == {"subject", "id", "node", "status", "action", "possible", "why_not", "command"}
