"""The filters of queries, as keyword arguments. All are optional; they come before the limit. Times are UTC ms."""

from collections.abc import Sequence
from typing import TypedDict


class PageOf(TypedDict, total=False):
    """Which page: *limit* is 250 where not given, at most 1,000; *cursor* goes on where a page ended."""

    automation: str | None
    limit: int | None
    cursor: str | None


class ListFilters(PageOf, total=False):
    """By status, and by when it began: *since_ms* included, *until_ms* not."""

    status: str | Sequence[str] | None
    since_ms: int | None
    until_ms: int | None


class RunFilters(ListFilters, total=False):
    """Filters of runs: by when they were submitted."""

    flow: str | None
    key: str | None
    needs_review: bool | None
    text: str | None


class GroupFilters(ListFilters, total=False):
    """Filters of groups of dead letters."""

    source: str | Sequence[str] | None
    failure_class: str | None
    active_only: bool


class DeadLetterFilters(GroupFilters, total=False):
    """Filters of dead letters: by when they were opened."""

    run: str | None
    node: str | None
    fingerprint: str | None
    effect: str | None
    text: str | None


class EffectFilters(ListFilters, total=False):
    """Filters of effects: by when their first try began. *key* is exact."""

    run: str | None
    node: str | None
    key: str | None
    operation: str | None
    target: str | None
    failure_class: str | None
    text: str | None


class CompensationFilters(ListFilters, total=False):
    """Filters of compensations: by when they were proposed."""

    run: str | None
    node: str | None
    effect: str | None
    operation: str | None
    text: str | None
