"""Who is told what is committed: by this process at once, by others as far as it can be heard."""

from collections.abc import Callable, Sequence

from redrive.domain.event import Recorded
from redrive.ledger.mapper import shown
from redrive.ledger.recorder import LogRecorder
from redrive.ledger.transaction import LedgerTransaction
from redrive.projections.logs import log

Subscriber = Callable[[Sequence[Recorded]], None]
MOST_OVERHEARD = 500
CLOSING_S = 0.1


class Subscribers:
    """The subscribers of one log in this process. What they raise harms nobody: each is told as well as may be."""

    def __init__(self, recorder: LogRecorder, subscribers: Sequence[Subscriber] = ()) -> None:
        self._recorder = recorder
        self._told: tuple[Subscriber, ...] = tuple(subscribers)
        self._overhearing: tuple[Subscriber, ...] = ()
        self._overheard = 0
        self._own: list[tuple[int, int]] = []  # what this process committed and told since others were overheard

    def add(self, subscriber: Subscriber, *, others: bool) -> Callable[[], None]:
        """Tell *subscriber* what this process commits, until the returned function is called; with *others*, also what
        other processes commit, a moment later: each event once."""
        self._told = (*self._told, subscriber)
        if others and (bell := self._recorder.bell) is not None:
            self._overhearing = (*self._overhearing, subscriber)
            self._overheard = self._overheard or self._recorder.max_notification_id()
            bell.listen(self._overhear)

        def leave() -> None:
            self._told = tuple(known for known in self._told if known is not subscriber)
            self._overhearing = tuple(known for known in self._overhearing if known is not subscriber)

        return leave

    def tell(self, transactions: Sequence[LedgerTransaction]) -> None:
        """This process committed; under the recorder's lock."""
        if (bell := self._recorder.bell) is not None and any(one.appended for one in transactions):
            bell.ring()
        if self._overhearing:
            self._note_own(transactions)
        subscribers = [subscriber for subscriber in self._told if _wants(subscriber)]
        events = [event for transaction in transactions for event in transaction.events()] if subscribers else []
        _tell(subscribers, events)

    def _overhear(self) -> None:
        """Other processes committed."""
        last = self._recorder.max_notification_id()
        if (told := self._own_up_to(last)) is None:
            return
        after = max(self._overheard, last - MOST_OVERHEARD)
        own = {position for low, high in told for position in range(max(low, after), min(high, last) + 1)}
        rows = [row for row in self._recorder.rows_after(after, MOST_OVERHEARD, last) if row[0] not in own]
        self._overheard = last
        _tell(self._overhearing, shown(rows))

    def _note_own(self, transactions: Sequence[LedgerTransaction]) -> None:
        for one in transactions:
            if one.appended:
                low, high = one.last_position - len(one.appended) + 1, one.last_position
                if self._own and self._own[-1][1] == low - 1:
                    low = self._own.pop()[0]
                self._own.append((low, high))

    def _own_up_to(self, last: int) -> list[tuple[int, int]] | None:
        """What this process committed, once all of it up to *last* is told; None when the log is closed meanwhile."""
        lock, bell = self._recorder.lock, self._recorder.bell
        while not lock.acquire(timeout=CLOSING_S):
            if bell is None or bell.is_closed:  # whoever closes the log has the lock
                return None
        try:
            found, self._own = self._own, [known for known in self._own if known[1] > last]
            return found
        finally:
            lock.release()


def _wants(subscriber: Subscriber) -> bool:
    """Whether it is to be told at all: one that has a method ``wanted`` is asked, before anything is put together for
    it."""
    asked = getattr(subscriber, "wanted", None)
    return asked is None or bool(asked())


def _tell(subscribers: Sequence[Subscriber], events: Sequence[Recorded]) -> None:
    for subscriber in subscribers if events else ():
        try:
            subscriber(events)
        except Exception:  # noqa: BLE001 - a listener is best effort
            log.exception("listener.failed", events=len(events))
