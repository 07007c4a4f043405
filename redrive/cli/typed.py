"""Command lines to type next: they work as they stand, and no password is repeated in them."""

import shlex
from collections.abc import Sequence

BY_VARIABLE = '"$REDRIVE_DB"'
ASIDE = "with the log's URL in REDRIVE_DB: its password is not repeated"


def has_password(urls: str) -> bool:
    """Whether one of these URLs says a password."""
    return "://" in urls and any(shown != url for url, shown in _shown(urls))


def quoted(words: Sequence[str]) -> list[str]:
    """*words* as a shell takes them; a password in a URL is not repeated."""
    return [shlex.quote(_plain(word)) for word in words]


def without(words: Sequence[str], *options: str) -> list[str]:
    """*words* without these options and their values."""
    kept: list[str] = []
    left = iter(words)
    for word in left:
        if word in options:
            next(left, None)
        elif not word.startswith(tuple(f"{option}=" for option in options)):
            kept.append(word)
    return kept


def _plain(word: str) -> str:
    return " ".join(shown for _, shown in _shown(word)) if has_password(word) else word


def _shown(urls: str) -> list[tuple[str, str]]:
    from redrive.ledger.urls import hidden
    from redrive.settings import urls_in

    return [(url, str(hidden(url))) for url in urls_in(urls)]
