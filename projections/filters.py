"""The filters of queries, as keyword arguments. All are optional; they come before the limit. Times are UTC ms."""

from collections.abc import Sequence
from typing import TypedDict


class PageOf(TypedDict, total=False):
    """Which page: *limit* is 250 where not given, at most 1,000; *cursor* goes on where a page ended."""

    automation: str | None
    limit: int | None
    cursor: str | None


class RunFilters(PageOf, total=False):
    """Filters of runs: by when they were submitted, *since_ms* included, *until_ms* not."""

    status: str | Sequence[str] | None
    flow: str | None
    key: str | None
    needs_review: bool | None
    text: str | None
    since_ms: int | None
    until_ms: int | None


class GroupFilters(PageOf, total=False):
    """Filters of groups of dead letters."""

    status: str | Sequence[str] | None
    source: str | Sequence[str] | None
    failure_class: str | None
    since_ms: int | None
    until_ms: int | None
    active_only: bool


class DeadLetterFilters(GroupFilters, total=False):
    """Filters of dead letters: by when they were opened."""

    run: str | None
    node: str | None
    fingerprint: str | None
    text: str | None
