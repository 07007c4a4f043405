"""What one decision asks of the agenda and of the limits, with what the commands before it changed of them."""

from collections.abc import Container, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.errors import StreamUnreadable
from redrive.domain.identity import DeadLetterId, RunId
from redrive.domain.ports import START, Caller, Due, DueKey
from redrive.ledger.agenda import Agenda
from redrive.ledger.agenda_rows import rows_of
from redrive.ledger.limit_book import LIMITS_STREAM
from redrive.ledger.reading import Reading
from redrive.ledger.tally import Tally

if TYPE_CHECKING:
    from redrive.ledger.committer import Committer

FEW = 16
LAST = 2**62  # where a stream begins that is to be written


class Untaken(NamedTuple):
    """Due runs that are kept from other claimants while they are decided about; whether others keep some."""

    dues: Sequence[Due]
    passed_over: bool


class NotAhead(BaseException):
    """A command needs to be the only one who writes before it can go on. No ``except Exception`` may catch it."""


class AgendaReading(Reading):
    """The part of a transaction that finds what is due."""

    __slots__ = ("_first", "_tally", "crowded", "limited", "passed_over")

    def __init__(self, committer: "Committer", caller: Caller, now_ms: int, *, first: bool) -> None:
        Reading.__init__(self, committer, caller, now_ms)  # super() takes longer than all the rest
        self._first = first
        self._tally: Tally | None = None
        self.crowded = False  # whether it claims where others may try for the same
        self.passed_over = False  # whether others were deciding about runs that are due
        self.limited = committer.limit_book.version > 0

    @property
    def limits(self) -> Tally:
        """What limits leave room for, with what this transaction has claimed and started."""
        if self._tally is None:
            book = self._committer.limit_book
            self._tally = Tally(self._committer.recorder.writer, book, self.now_ms, self.caller.tenant)
            if book.version:
                self._read[LIMITS_STREAM] = book.version
        return self._tally

    def next_claimable(
        self,
        handlers: Container[str] | None,
        limit: int,
        run: RunId | None,
        without: Container[str] = (),
        after: DueKey | None = START,
    ) -> Sequence[Due]:
        """Due queued runs in the order (due, created) that a worker with *handlers* (None: any) may execute, with
        those for whom a limit has room again, beyond *after*; none of the tenants *without*. Without *after*, near
        the head, those that are at hand are preferred."""
        if run is None and (untaken := self._untaken(handlers, limit, without, after)) is not None:
            return self._about_to_claim(untaken)
        after = START if after is None else after
        agenda, tenant = self._agenda, self.caller.tenant
        if run is not None:
            dues = agenda.claimable_run(run, self.now_ms)
            return dues or (self.limits.offers_of(run) if self.limited else [])
        dues = agenda.claimable(tenant, handlers, self.now_ms, limit, without, after)
        if not self.limited:
            return self._about_to_claim(dues)
        offers = self.limits.offers(tenant, handlers, limit, without, after)
        first: dict[str, Due] = {}
        for due in sorted([*dues, *offers], key=attrgetter("place")):
            first.setdefault(due.subject, due)
        return self._about_to_claim(list(first.values())[:limit])

    def _about_to_claim(self, dues: Sequence[Due]) -> Sequence[Due]:
        if len(dues) > 1:
            self._committer.read_ahead([due.run for due in dues])
        return dues

    def _untaken(
        self, handlers: Container[str] | None, limit: int, without: Container[str], after: DueKey | None
    ) -> Sequence[Due] | None:
        """Those that no other claimant decides about at this moment; None where that is not to be told."""
        ledger = self._committer
        if self.limited or (ledger.ahead and not self._first):
            return None
        found = ledger.untaken(self.caller.tenant, handlers, self.now_ms, limit, without, after)
        if found is None:
            self.crowded = ledger.ahead
            return None
        self.passed_over |= found.passed_over
        return found.dues

    def due_dead_letters(self, run: RunId) -> Sequence[DeadLetterId]:
        """The dead letters of *run* whose dispatch is due."""
        committer = self._committer
        if committer.distant and (known := self._due_by_their_states(run)) is not None:
            return known
        committer.look()
        due = committer.agenda.dead_letters(run, self.now_ms)
        if committer.ahead:
            self._with_letters_ahead(run, due)
        return [DeadLetterId(id_) for id_ in sorted(due, key=due.__getitem__)]

    def _due_by_their_states(self, id_: RunId) -> Sequence[DeadLetterId] | None:
        """The same, without a way to the agenda; None where that is not to be told, or would cost more."""
        try:
            run = self.find_run(id_)
            letters = {*run.dead_letters.values(), *run.effect_letters.values()} if run else ()
            if not 0 < len(letters) <= FEW:
                return None
            entries = [self._entry(letter) for letter in letters]
        except StreamUnreadable:
            return None
        due: dict[DeadLetterId, int] = {}
        for entry in entries:
            if entry is None or not isinstance(entry.state, DeadLetter):
                return None
            for row in rows_of(entry.state, entry.created or LAST, self._committer.engine, self.find_run):
                if row.due_ms is not None and row.due_ms <= self.now_ms:
                    due[entry.state.id] = row.created
        return sorted(due, key=due.__getitem__)

    def _with_letters_ahead(self, run: RunId, due: dict[str, int]) -> None:
        """Bring the due letters of *run* up to what the commands before this one did to them; that they did something
        to the run itself is not to be told from here."""
        for entry in self._committer.written_ahead():
            if entry.stream == run:
                raise NotAhead
            if not isinstance(entry.state, DeadLetter) or entry.state.run != run:
                continue
            due.pop(entry.stream, None)
            for row in rows_of(entry.state, entry.created or LAST, self._committer.engine, self.find_run):
                if row.due_ms is not None and row.due_ms <= self.now_ms:
                    due[entry.stream] = row.created

    @property
    def _agenda(self) -> Agenda:
        """The agenda, with what the commands before this one changed of it."""
        if self._committer.ahead and not self._first:
            raise NotAhead
        self._committer.look()
        return self._committer.agenda
