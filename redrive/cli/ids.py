"""Ids as people type and read them: a prefix of at least six characters, if it names one thing of the tenant."""

import re
from collections.abc import Callable, Iterable
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, cast

from redrive.domain.errors import InvalidValue, NotFound

if TYPE_CHECKING:
    from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, RunId
    from redrive.projections.view import View
    from redrive.tenant_queries import TenantQueries

LEAST_TYPED = 6
LEAST_SHOWN = 8
MOST_CANDIDATES = 5
WHOLE = 36

_TABLES = {
    "run": ("runs", "run_id"),
    "dead letter": ("dead_letters", "id"),
    "effect": ("effects", "id"),
    "compensation": ("compensations", "id"),
}
_PREFIX = re.compile(r"[0-9a-f-]{6,36}\Z")


class AmbiguousId(InvalidValue):
    """More than one thing has an id that begins like this."""

    code = "ambiguous-id"


class OtherKind(NotFound):
    """There is no such thing; what has the id is something else of the same tenant."""

    def __init__(self, called: str, text: str, kind: str, id_: str) -> None:
        super().__init__(called, text)
        article = "an" if kind == "effect" else "a"
        self.args = (f"{self}: it is the id of {article} {kind}, which `redrive show {id_[:LEAST_SHOWN]}` shows",)


def run_named(acme: "TenantQueries", text: str) -> "RunId":
    """The run whose id begins with *text*. Raises InvalidValue, NotFound."""
    return cast("RunId", _only(acme, text, "run")[1])


def letter_named(acme: "TenantQueries", text: str) -> "DeadLetterId":
    """The dead letter whose id begins with *text*. Raises InvalidValue, NotFound."""
    return cast("DeadLetterId", _only(acme, text, "dead letter")[1])


def effect_named(acme: "TenantQueries", text: str) -> "EffectId":
    """The effect whose id begins with *text*. Raises InvalidValue, NotFound."""
    return cast("EffectId", _only(acme, text, "effect")[1])


def compensation_named(acme: "TenantQueries", text: str) -> "CompensationId":
    """The compensation whose id begins with *text*. Raises InvalidValue, NotFound."""
    return cast("CompensationId", _only(acme, text, "compensation")[1])


def history_named(acme: "TenantQueries", text: str) -> "RunId | EffectId":
    """The run or the effect whose id begins with *text*. Raises InvalidValue, NotFound."""
    return cast("RunId | EffectId", _only(acme, text, "run", "effect")[1])


def named(acme: "TenantQueries", text: str) -> tuple[str, str]:
    """``run``, ``dead letter``, ``effect`` or ``compensation``, and the id that begins with *text*.

    Raises InvalidValue, NotFound.
    """
    return _only(acme, text, *_TABLES)


def fingerprint_named(acme: "TenantQueries", text: str) -> str:
    """The fingerprint of dead letters that begins with *text*; *text* as it is when none does. Raises InvalidValue."""
    prefix = text.strip().lower()
    if len(prefix) < LEAST_TYPED:
        raise InvalidValue("fingerprint", text, f"a fingerprint, or at least its first {LEAST_TYPED} characters")
    if not prefix.isascii():
        return text
    acme.engine.views.catch_up()
    query = (
        "SELECT DISTINCT fingerprint FROM dead_letters "
        "WHERE tenant = ? AND fingerprint >= ? AND fingerprint < ? ORDER BY 1 LIMIT ?"
    )
    values = (str(acme.tenant), prefix, f"{prefix}g", MOST_CANDIDATES + 1)
    found = [str(row[0]) for row in acme.engine.views.rows(query, values)]
    if len(found) > 1 and found[0] != prefix:
        raise _ambiguous("fingerprint", text, found)
    return found[0] if found else text


def shortener(acme: "TenantQueries", ids: Iterable[str | None], *, whole: bool) -> Callable[[str | None], str | None]:
    """What shortens each of *ids* to what names nothing else: eight characters as a rule.

    *whole*: it leaves them whole, for pipes.
    """
    if whole:
        return lambda id_: id_
    view = acme.engine.views
    short = {id_: id_[: _distinct(view, id_)] for id_ in set(ids) if id_ is not None}
    return lambda id_: None if id_ is None else short.get(id_, id_)


def _only(acme: "TenantQueries", text: str, *kinds: str) -> tuple[str, str]:
    called = " or ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))
    prefix = text.strip().lower()
    if len(prefix) < LEAST_TYPED:
        raise InvalidValue(called, text, f"an id, or at least its first {LEAST_TYPED} characters")
    found = _beginning(acme, prefix, kinds) if _PREFIX.match(prefix) else []
    if not found:
        others = _beginning(acme, prefix, set(_TABLES).difference(kinds)) if _PREFIX.match(prefix) else []
        raise OtherKind(called, text, *others[0]) if len(others) == 1 else NotFound(called, text)
    if len(found) > 1:
        raise _ambiguous(called, text, [f"{kind} {id_}" for kind, id_ in found])
    return found[0]


def _ambiguous(called: str, text: str, found: list[str]) -> AmbiguousId:
    more = ", …" if len(found) > MOST_CANDIDATES else ""
    return AmbiguousId(called, text, f"more of it: it begins {', '.join(found[:MOST_CANDIDATES])}{more}")


def _beginning(acme: "TenantQueries", prefix: str, kinds: Iterable[str]) -> list[tuple[str, str]]:
    """What begins with *prefix*, a few at most: a range of the primary key."""
    acme.engine.views.catch_up()
    found: list[tuple[str, str]] = []
    for kind in kinds:
        table, column = _TABLES[kind]
        query = f"SELECT {column} FROM {table} WHERE {column} >= ? AND {column} < ? AND tenant = ? ORDER BY 1 LIMIT ?"
        values = (prefix, f"{prefix}g", str(acme.tenant), MOST_CANDIDATES + 1)
        found += [(kind, row[0]) for row in acme.engine.views.rows(query, values)]
    return found


def _distinct(view: "View", id_: str) -> int:
    """How many characters tell *id_* from its neighbours in the order of ids."""
    longest = LEAST_SHOWN - 1
    for table, column in _TABLES.values():
        for order, sign in (("max", "<"), ("min", ">")):
            query = f"SELECT {order}({column}) FROM {table} WHERE {column} {sign} ?"
            neighbour = view.rows(query, (id_,))[0][0]
            if neighbour is not None:
                longest = max(longest, sum(takewhile(bool, map(eq, id_, neighbour))))
    return min(longest + 1, WHOLE)
