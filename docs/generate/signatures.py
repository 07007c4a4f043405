"""Signatures as a reader wants them: types without what only validates them, defaults that can be written down."""

import re

_ANNOTATED = re.compile(r"~?(?:\w+\.)*Annotated\[")
_SPELLED = (
    (re.compile(r"<\w+\.\w+: ('[^']*')>"), r"\1"),  # a word of an enumeration
    (re.compile(r"<factory>"), "..."),
    (re.compile(r"~(?:typing\.~)?P\b"), "P"),  # the parameters of whatever is given
    (re.compile(r"Callable\[\[\.\.\.\], "), "Callable[..., "),
)


def readable(signature: str) -> str:
    """*signature* with a type that pydantic annotates as that type, so that it can be parsed, and broken into lines."""
    for spelled, plain in _SPELLED:
        signature = spelled.sub(plain, signature)
    start = 0
    while found := _ANNOTATED.search(signature, start):
        start = found.start()
        comma, end = _parts(signature, found.end())
        if "pydantic" in signature[comma:end] or "FieldInfo" in signature[comma:end]:
            signature = signature[:start] + signature[found.end() : comma] + signature[end + 1 :]
        else:
            start = end
    return signature


def _parts(text: str, begin: int) -> tuple[int, int]:
    """Where the first part of what *begin* is within ends, and where all of it does."""
    depth, comma = 0, 0
    for place in range(begin, len(text)):
        if text[place] in "[({":
            depth += 1
        elif depth and text[place] in "])}":
            depth -= 1
        elif text[place] == "]":
            return comma or place, place
        elif text[place] == "," and not depth:
            comma = comma or place
    return comma or len(text), len(text)
