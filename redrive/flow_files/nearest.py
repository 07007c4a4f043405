"""The "did you mean" of every refusal here, at a bounded price however many names there are."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MAX_CANDIDATES = 2_000
MAX_LENGTH = 120


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'name'?)`` for the *known* name most like *word*; empty when none is."""
    if len(word) > MAX_LENGTH:
        return ""
    # Difflib is quadratic in the length of names: only names of a similar length can be meant anyway.
    likely = (name for name in known if abs(len(name) - len(word)) <= 2 + len(word) // 4)
    found = get_close_matches(word, islice(likely, MAX_CANDIDATES), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
