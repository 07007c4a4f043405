"""Words that options accept. Spelling is trimmed, lower-cased, ``-`` becomes ``_``; a wrong word meets a suggestion."""

from difflib import get_close_matches

import click

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
QUEUES = (
    "ready",
    "scheduled",
    "retry_backoff",
    "running",
    "paused",
    "awaiting_approval",
    "blocked",
    "failed",
    "needs_review",
)


class Word(click.ParamType):
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
        self.fail(f"{value[:80]!r} is not one of {', '.join(self.words)}{hint}", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The words, if they are few."""
        return f"[{'|'.join(self.words)}]"
