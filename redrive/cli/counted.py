"""Numbers with their nouns."""


def counted(n: int, one: str, many: str | None = None) -> str:
    """*n* and the noun for so many: *one*, or *many* (by itself with an s)."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"
