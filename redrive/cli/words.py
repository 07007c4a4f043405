"""Words that options accept. Spelling is trimmed, lower-cased, ``-`` becomes ``_``; a wrong word meets a suggestion."""

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    WordType = click.ParamType[str]
else:
    WordType = click.ParamType

RUN_STATUSES = ("queued", "running", "paused", "awaiting_approval", "completed", "blocked", "failed", "cancelled")
LETTER_STATUSES = (
    "open",
    "retry_requested",
    "retrying",
    "parked",
    "resolved",
    "ignored",
    "abandoned",
    "linked_to_compensation",
)
SOURCES = ("node", "tool_effect", "stateful_wait")
EFFECT_STATUSES = ("intended", "succeeded", "failed", "unknown", "withheld")
COMPENSATION_STATUSES = (
    "proposed",
    "awaiting_approval",
    "approved",
    "running",
    "completed",
    "failed",
    "cancelled",
)
OUTCOMES = ("succeeded", "did_not_happen", "still_unknown")
FEW = 4
QUEUES = (
    "ready",
    "scheduled",
    "retry_backoff",
    "awaiting_approval",
    "limited",
    "running",
    "paused",
    "blocked",
    "failed",
    "needs_review",
)


class Word(WordType):
    """One of a few words."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word that *value* spells."""
        spelt = value.strip().lower().replace("-", "_")
        if spelt in self.words:
            return spelt
        found = get_close_matches(spelt[:80], self.words, n=1)
        hint = f" (did you mean {found[0]!r}?)" if found else ""
        raise click.BadParameter(f"{value[:80]!r} is not one of {', '.join(self.words)}{hint}", ctx, param)

    def get_metavar(self, *_: Any, **_named: Any) -> str:
        """The words, if they are few; else the help or the error names them."""
        return f"[{'|'.join(self.words)}]" if len(self.words) <= FEW else "WORD"
