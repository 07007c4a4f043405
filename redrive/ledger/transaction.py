"""One decision: what it reads, what it appends, and the agenda rows that follow, in one transaction."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from redrive.domain.event import Recorded
from redrive.domain.ports import Caller
from redrive.domain.run.state import Run
from redrive.ledger.agenda_rows import rows_of as agenda_rows_of
from redrive.ledger.appending import Appending
from redrive.ledger.capacity_rows import waiters_of
from redrive.ledger.database import Connection
from redrive.ledger.encrypting import require_none_in_plain
from redrive.ledger.mapper import Envelope, NewRow, rows_of
from redrive.ledger.states import Entry

if TYPE_CHECKING:
    from redrive.ledger.committer import Committer


class LedgerTransaction(Appending):
    """The unit of work of one command. Nothing reaches the database before ``flush``."""

    __slots__ = ("_last", "_recorded_at_ms", "_rows", "hints", "refused")

    def __init__(self, committer: "Committer", caller: Caller, now_ms: int, *, first: bool = True) -> None:
        Appending.__init__(self, committer, caller, now_ms, first=first)
        self.refused = False
        self._recorded_at_ms = committer.recorded_at_ms
        self.hints = False  # whether something was written that is no fact, yet worth a commit
        self._last = 0

    @property
    def connection(self) -> Connection:
        """The connection that writes, within this transaction: for maintenance that undoes what it cannot finish."""
        self.alone()
        return self._committer.recorder.writer

    def emptying(self) -> AbstractContextManager[None]:
        """States of events may be emptied within, because an archive has them."""
        return self._committer.recorder.emptying()

    def encode(self) -> None:
        """Turn what was appended into rows, before anything reaches the database."""
        self._rows = rows_of(self.appended, self._envelope()) if self.appended else []
        recorder = self._committer.recorder
        if recorder.encryption is not None:
            self._rows = recorder.encryption.encrypt(self._rows, self.caller.subject)
        elif recorder.keys_away:
            require_none_in_plain(self._rows)

    def events(self) -> list[Recorded]:
        """What was appended, as it stands in the log: after ``flush``, for those who want to be told."""
        now, actor, reason, engine, at = self._envelope()
        begun = self._last - len(self.appended) + 1
        return [
            Recorded(
                stream, version, event, id_, now, tenant, correlation, actor, reason, cause, engine, begun + number, at
            )
            for number, (stream, version, event, id_, tenant, correlation, cause) in enumerate(self.appended)
        ]

    def _envelope(self) -> Envelope:
        caller, committer = self.caller, self._committer
        return Envelope(self.now_ms, caller.actor, caller.reason, committer.engine, self._recorded_at_ms)

    def overlay(self, heads: dict[str, int]) -> None:
        """Let the commands that follow see how far this one went with its streams."""
        heads.update((row[0], row[1]) for row in self.appended)

    def flush(self) -> None:
        """Insert what was appended, and bring the agenda up to it."""
        self.leave_hints()
        if self.appended:
            unchanged = [read for read in self._read.items() if read[0] not in self._written]
            self.stands(self._committer.recorder.insert(self.rows(), unchanged))

    def leave_hints(self) -> None:
        """Write what is no fact, yet worth a commit: who is expected."""
        if self._tally is not None:
            self.hints = self._tally.flush_expected()

    def rows(self) -> list[NewRow]:
        """What is to be inserted, recorded no earlier than what others wrote meanwhile."""
        if (latest := self._committer.recorded_at_ms) > self._recorded_at_ms:
            self._recorded_at_ms = latest
            self._rows = [(*row[:6], latest) for row in self._rows]
        return self._rows

    def stands(self, last: int) -> None:
        """Its events were inserted, up to position *last*: bring memory and the agenda up to them."""
        self._last = last
        written, sizes = self._written, dict.fromkeys(self._written, 0)
        for position, row in enumerate(self._rows, last - len(self._rows) + 1):
            stream = row[0]
            if stream in sizes:  # else it is written once: a flow, a policy, a limit
                sizes[stream] += len(row[3])
                if row[1] == 1:
                    written[stream].created = position
        tally = self._tally if self._tally is not None and self._tally.concerned else None
        for stream, entry in written.items():
            self._committer.states.grew(entry, sizes[stream])
            if tally is not None and isinstance(entry.state, Run):
                tally.bring_waiters(entry.stream, waiters_of(entry.state, entry.created))
            self._bring_agenda(stream, entry)
        if tally is not None:
            tally.flush(self._committer)

    def rests(self) -> AbstractSet[str]:
        """The streams that were read, found empty, or are to be written: others must have left them alone."""
        return self._read.keys() | self._missed | {row[0] for row in self.appended}

    @property
    def last_position(self) -> int:
        """Where its last event stands, after ``flush``."""
        return self._last

    def written(self) -> Iterable[Entry]:
        """The streams that it appended to."""
        return self._written.values()

    def begun(self) -> Iterator[Entry]:
        """The streams that it began."""
        return (self._written[row[0]] for row in self.appended if row[1] == 1 and row[0] in self._written)

    def moved_up(self, shift: int, recorded_at_ms: int) -> None:
        """Others wrote before it was committed: what it appended stands so much higher in the log, and is recorded no
        earlier than what they wrote."""
        self._last += shift
        self._recorded_at_ms = max(self._recorded_at_ms, recorded_at_ms)

    def refuse(self) -> None:
        """Nothing is to be written."""
        self.discard()
        self.appended.clear()
        self._written.clear()
        self.refused = True

    def discard(self) -> None:
        """Forget the states that this command changed in memory."""
        for stream in self._written:
            self._committer.states.forget(stream)
        for stream, *_ in self.appended:
            self._committer.recorder.heads.pop(stream, None)

    def _bring_agenda(self, stream: str, entry: Entry) -> None:
        state, agenda = entry.state, self._committer.agenda
        rows, before = agenda_rows_of(state, entry.created, self._committer.engine, self.find_run), entry.rows
        if type(state) is Run:
            self._arm_letters(state)
        if rows == before:
            return
        if before is None or (before and not {row.needs for row in rows}.issuperset([row.needs for row in before])):
            agenda.remove(stream)
        for row in rows:
            agenda.put(row)
        entry.rows = rows

    def _arm_letters(self, run: Run) -> None:
        """Make the dead letters of a run due, or not, when it may be requeued from now on, or not."""
        if (before := self._redrivable.get(run.id)) is None or before == run.redrivable:
            return
        letters = {*run.dead_letters.values(), *run.effect_letters.values()}
        if letters - self._written.keys():  # those written here get rows of their own
            self._committer.agenda.arm(run.id, run.redrivable)
            self._committer.rows_changed(letters)
