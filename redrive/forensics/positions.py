"""Positions: how people name a moment of the log.

``pos:1200`` is a place in the log, ``time:2026-11-22T05:44:00Z`` (or milliseconds) the end of what had been recorded
by then, ``cp:HASH`` what a checkpoint covers, ``now`` or ``head`` the end. A bare number is a place, and the id of an
event is the place of that event. Time never orders events: ``time:T`` is the longest prefix of the log whose running
maximum of ``recorded_at_ms`` is at most T, and whatever stands before it is part of it, whatever its own clock said.
"""

import re
from datetime import datetime
from typing import NoReturn

from redrive.domain.errors import InvalidValue
from redrive.domain.identity import Tenant
from redrive.domain.values import MAX_INTEGER
from redrive.ledger.ledger import LogLedger
from redrive.ledger.moments import at_or_before, covered_by, position_of_event, recorded_by, times, times_at
from redrive.projections.models import Model

ACCEPTED = (
    "pos:N, time:T (ISO 8601 with a zone, such as 2026-11-22T05:44:00Z, or milliseconds since 1970), "
    "cp:HASH (at least 6 characters of a checkpoint's root, in base64 or hex), now, or the id of an event"
)
MOST_REGRESSIONS = 20
NEAR = 10_000
LEAST_HASH = 6

_NUMBER = re.compile(r"[0-9]{1,18}\Z")
EVENT_ID = re.compile(r"[0-9a-f][0-9a-f-]{18,62}[0-9a-f]\Z")
_HASH = re.compile(r"[0-9A-Za-z+/]{6,64}={0,2}\Z")

Asked = str | int


class ClockRegression(Model):
    """Where a clock stepped back: at *position* an event happened, by the clock of whoever wrote it, *back_ms* before
    one that stands earlier in the log."""

    position: int
    occurred_at_ms: int
    back_ms: int


class Position(Model):
    """A moment of the log: the prefix that ends with *position* (0: nothing yet). *recorded_at_ms* is the latest time
    at which anything of it was recorded, *occurred_at_ms* when its last event happened. *regressions*: where clocks
    stepped back within ten thousand events before it and after it, at most 20, told when the moment was named by
    time."""

    asked: str
    position: int
    recorded_at_ms: int
    occurred_at_ms: int
    regressions: tuple[ClockRegression, ...] = ()

    def __str__(self) -> str:
        return f"pos:{self.position}"


def position_of(ledger: LogLedger, asked: Asked, tenant: Tenant | None = None) -> Position:
    """The moment that *asked* names. Raises InvalidValue, which names what is accepted. With a *tenant*, events of
    others are not found."""
    text = str(asked).strip() if isinstance(asked, (str, int)) and not isinstance(asked, bool) else _refuse(asked)
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower() if colon and scheme.isalpha() else ""
    if scheme in ("pos", "position"):
        return _told(ledger, text, _numbered(ledger, rest, asked))
    if scheme == "time":
        return _at_time(ledger, text, _milliseconds(rest, asked))
    if scheme in ("cp", "checkpoint"):
        return _told(ledger, text, _covered(ledger, rest, asked))
    if text.lower() in ("now", "head"):
        return _told(ledger, text, ledger.last_position())
    if _NUMBER.match(text):
        return _told(ledger, text, _numbered(ledger, text, asked))
    if EVENT_ID.match(text.lower()):
        found = position_of_event(ledger.recorder, text.lower(), None if tenant is None else str(tenant))
        return _told(ledger, text, found) if found is not None else _refuse(asked, "the id of an event of this log")
    return _refuse(asked)


def clock_regressions(ledger: LogLedger, after: int, until: int, most: int) -> tuple[ClockRegression, ...]:
    """Where, beyond *after* and up to *until*, an event happened before one that precedes it there: the first *most*
    of these places. An event that goes on with what a clock gave before does not count again."""
    found: list[ClockRegression] = []
    latest, before = 0, 0
    for event in times(ledger.recorder, after, until):
        if event.occurred_at_ms < latest and event.occurred_at_ms < before:
            back = latest - event.occurred_at_ms
            found.append(ClockRegression(position=event.position, occurred_at_ms=event.occurred_at_ms, back_ms=back))
            if len(found) == most:
                break
        before = event.occurred_at_ms
        latest = max(latest, event.occurred_at_ms)
    return tuple(found)


def _told(ledger: LogLedger, asked: str, position: int, regressions: tuple[ClockRegression, ...] = ()) -> Position:
    at = times_at(ledger.recorder, position)
    return Position(
        asked=asked,
        position=at.position,
        recorded_at_ms=at.recorded_at_ms,
        occurred_at_ms=at.occurred_at_ms,
        regressions=regressions,
    )


def _at_time(ledger: LogLedger, asked: str, ms: int) -> Position:
    position = recorded_by(ledger.recorder, ms)
    stepped = clock_regressions(ledger, max(0, position - NEAR), position + NEAR, MOST_REGRESSIONS)
    return _told(ledger, asked, position, stepped)


def _numbered(ledger: LogLedger, text: str, asked: Asked) -> int:
    last = ledger.last_position()
    if not _NUMBER.match(text.strip()) or int(text) > last:
        _refuse(asked, f"a position from 0 to {last}, the last of this log")
    return at_or_before(ledger.recorder, int(text))


def _milliseconds(text: str, asked: Asked) -> int:
    accepted = "time:T with T in ISO 8601 with a zone, such as 2026-11-22T05:44:00Z, or in milliseconds since 1970"
    text = text.strip()
    if _NUMBER.match(text):
        return int(text) if int(text) <= MAX_INTEGER else _refuse(asked, accepted)
    try:
        told = datetime.fromisoformat(text)
        if told.tzinfo is not None:
            return _whole_ms(told)
    except (ValueError, OverflowError):
        pass
    return _refuse(asked, accepted)


def _whole_ms(told: datetime) -> int:
    """In whole milliseconds, without the detour through a float."""
    gap = told - datetime.fromisoformat("1970-01-01T00:00:00Z")
    return (gap.days * 86_400 + gap.seconds) * 1_000 + gap.microseconds // 1_000


def _covered(ledger: LogLedger, text: str, asked: Asked) -> int:
    if not _HASH.match(text):
        _refuse(asked, f"cp:HASH with at least {LEAST_HASH} characters of a checkpoint's root, in base64 or hex")
    found = sorted(set(covered_by(ledger.recorder, text)))
    if len(found) > 1:
        _refuse(asked, f"more of the hash: {len(found)} checkpoints begin so")
    return found[0] if found else _refuse(asked, "the root hash of a checkpoint of this log")


def _refuse(asked: object, accepted: str = ACCEPTED) -> NoReturn:
    raise InvalidValue("position", asked, accepted)
