"""Command lines to type next: they work as they stand, and no password is repeated in them."""

import shlex
from collections.abc import Sequence

BY_VARIABLE = '"$REDRIVE_DB"'
ASIDE = "with the log's URL in REDRIVE_DB: its password is not repeated"


def has_password(urls: str) -> bool:
    """Whether one of these URLs says a password."""
    return "://" in urls and any(shown != url for url, shown in _shown(urls))


def quoted(words: Sequence[str]) -> list[str]:
    r"""*words* as a shell takes them; a password in a URL is not repeated, and a terminal is not given what it would
    act on: such words are quoted like ``$'\033[31m'``, as bash, zsh and ksh take them."""
    return [_quoted(_plain(word)) for word in words]


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


def _quoted(word: str) -> str:
    return shlex.quote(word) if word.isprintable() else f"$'{''.join(map(_escaped, word))}'"


def _escaped(char: str) -> str:
    if char.isprintable():
        return f"\\{char}" if char in "\\'" else char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))


def _plain(word: str) -> str:
    return " ".join(shown for _, shown in _shown(word)) if has_password(word) else word


def _shown(urls: str) -> list[tuple[str, str]]:
    from redrive.ledger.urls import hidden, urls_in

    return [(url, str(hidden(url))) for url in urls_in(urls)]
