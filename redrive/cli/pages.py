"""Pages of an answer, one after the other, for who wants all of it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from redrive.projections.models import Page

T = TypeVar("T")
MOST = 1_000


def pages(query: "Callable[..., Page[T]]", *asked: Any, **filters: Any) -> Iterator[tuple[T, ...]]:
    """What *query* finds, as many at a time as it gives."""
    cursor = None
    while True:
        page = query(*asked, **filters, limit=MOST, cursor=cursor)
        yield page.items
        if (cursor := page.cursor) is None:
            return


def each(query: "Callable[..., Page[T]]", **filters: Any) -> Iterator[T]:
    """Everything that *query* finds."""
    for page in pages(query, **filters):
        yield from page
