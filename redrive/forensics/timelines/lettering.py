"""How much room text takes in a picture, and text that fits its room.

A picture brings no font: whoever looks at it draws it in theirs. So widths are estimates, rather too much than too
little: those of DejaVu Sans, which is wider than what most readers have.
"""

import unicodedata

_NARROW = frozenset(" .,:;'`|!ijlIfrt()[]{}/\\-")
_BROAD = frozenset("mwMW@%…—")
_SIGNS = frozenset("<>=+#&~^")
BOLD = 1.12


def width_of(text: str, size: float = 12.0) -> float:
    """The pixels that *text* takes at most, in letters of *size* pixels."""
    return size * sum(map(_em, text))


def fitted(text: str, room: float, size: float = 12.0, *, ends: bool = True) -> str:
    """*text* where there are *room* pixels: without its middle, so that begin and end tell a name from others, or,
    without *ends*, as far as it goes."""
    if width_of(text, size) <= room:
        return text
    left = room - width_of("…", size)
    head = _as_far(text, left / 2 if ends else left, size)
    if not ends:
        return f"{head}…"
    tail = _as_far(text[len(head) :][::-1], left - width_of(head, size), size)
    return f"{head}…{tail[::-1]}"


def _as_far(text: str, room: float, size: float) -> str:
    used = 0.0
    for n, char in enumerate(text):
        used += size * _em(char)
        if used > room:
            return text[:n]
    return text


def _em(char: str) -> float:
    if char in _NARROW:
        return 0.42
    if char in _BROAD:
        return 1.0
    if char in _SIGNS:
        return 0.85
    if char.isascii():
        return 0.76 if char.isupper() else 0.64
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0.0
    return 1.2 if unicodedata.east_asian_width(char) in "WF" else 0.85
