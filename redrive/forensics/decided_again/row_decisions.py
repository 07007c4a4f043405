"""The log as decisions, row by row as it is stored: told apart as ``commits`` does, most of them without decoding."""

from collections.abc import Iterable, Iterator, Sequence

from redrive.domain.identity import COUNTED, NONCE
from redrive.forensics.decided_again.commits import belongs
from redrive.ledger.database import Row
from redrive.ledger.mapper import shown

_ID, _CAUSE = b'{"id":"', b',"cause":'
_BEGIN, _END = len(_ID), len(_ID) + NONCE + COUNTED
_FIRST = b"0000"
_REQUEUED = "run.requeued/"


def row_decisions(batches: Iterable[Sequence[Row]]) -> Iterator[list[Row]]:
    """The rows that one decision wrote together, in log order."""
    together: list[Row] = []
    first = b""
    alike: bytes | tuple[()] = ()
    for batch in batches:
        for row in batch:
            state = row[4]
            if type(state) is bytes and state.startswith(alike):
                together.append(row)
                continue
            id_ = _id_of(state)
            if together and _goes_on(row, together, first, id_):
                together.append(row)
                continue
            if together:
                yield together
            together, first = [row], id_
            alike = _ID + id_[:NONCE] if id_[NONCE:] == _FIRST else ()
    if together:
        yield together


def of_each_run(together: list[Row]) -> Iterable[list[Row]]:
    """The rows of a decision run by run: a claim may take several runs in hand."""
    run = together[0][6]
    if all(row[6] == run for row in together):
        return (together,)
    found: dict[str, list[Row]] = {}
    for row in together:
        found.setdefault(row[6], []).append(row)
    return found.values()


def _goes_on(row: Row, together: Sequence[Row], first: bytes, id_: bytes) -> bool:
    """Whether the decision *together* wrote *row* too, which does not begin as those of one transaction do. *first* is
    the id of its first event, *id_* that of the row; empty when it must be decoded to be told."""
    if not first or not id_:
        return _decoded(row, together)
    if first[NONCE:] == _FIRST:
        return False
    if row[3].startswith(_REQUEUED):
        return _decoded(row, together)
    # Within JSON texts quotes are escaped, and of what comes before the cause nothing is but text: this is its key.
    at: int = row[4].find(_CAUSE)
    found: bool = at > 0 and row[4].startswith(b'["event","' + first + b'"]', at + len(_CAUSE))
    return found


def _id_of(state: object) -> bytes:
    """The id of the event with this state; empty when it does not stand where this version writes it."""
    if type(state) is not bytes or not state.startswith(_ID):
        return b""
    id_ = state[_BEGIN:_END]
    return id_ if id_.isalnum() and state[_END : _END + 1] == b'"' else b""


def _decoded(row: Row, together: Sequence[Row]) -> bool:
    return belongs(shown([row])[0], shown([together[0], together[-1]]))
