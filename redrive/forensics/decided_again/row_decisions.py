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
    first, caused = b"", b""
    for batch in batches:
        for row in batch:
            if together and not _goes_on(row, together, first, caused):
                yield together
                together = []
            if not together:
                first = _id_of(row[4])
                caused = b'["event","' + first + b'"]'
            together.append(row)
    if together:
        yield together


def _goes_on(row: Row, together: Sequence[Row], first: bytes, caused: bytes) -> bool:
    """Whether the decision *together* wrote *row* too. *first* is the id of its first event, empty when it must be
    decoded to be told; *caused* is how an event names it as its cause."""
    state = row[4]
    id_ = _id_of(state)
    if not first or not id_:
        return _decoded(row, together)
    if first[NONCE:] == _FIRST:
        return id_[:NONCE] == first[:NONCE]
    if row[3].startswith(_REQUEUED):
        return _decoded(row, together)
    # Within JSON texts quotes are escaped, and of what comes before the cause nothing is but text: this is its key.
    at: int = state.find(_CAUSE)
    found: bool = at > 0 and state.startswith(caused, at + len(_CAUSE))
    return found


def _id_of(state: object) -> bytes:
    """The id of the event with this state; empty when it does not stand where this version writes it."""
    if type(state) is not bytes or not state.startswith(_ID):
        return b""
    id_ = state[_BEGIN:_END]
    return id_ if id_.isalnum() and state[_END : _END + 1] == b'"' else b""


def _decoded(row: Row, together: Sequence[Row]) -> bool:
    return belongs(shown([row])[0], shown([together[0], together[-1]]))
