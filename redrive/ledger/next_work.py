"""When work is worth looking for, as far as limits allow."""

from collections.abc import Container

from redrive.domain.identity import RunId, Tenant
from redrive.ledger.agenda import Agenda
from redrive.ledger.capacity import Capacity
from redrive.ledger.limit_book import LimitBook, book_of
from redrive.ledger.recorder import LogRecorder


def capacity_now(recorder: LogRecorder, now_ms: int) -> Capacity:
    """Capacity through this thread's connection for reading."""
    connection = recorder.reader()
    return Capacity(connection, book_of(recorder, connection, LimitBook()), now_ms)


def next_work_ms(
    recorder: LogRecorder, now_ms: int, tenant: Tenant | None, handlers: Container[str] | None, run: RunId | None
) -> int | None:
    """When the next run that *handlers* can go on with (only *run*, when given), or the next dispatch, is due, as
    far as limits allow."""
    capacity, agenda = capacity_now(recorder, now_ms), Agenda(recorder.reader())
    if not capacity.book.version:
        return agenda.next_of_run(run) if run else agenda.next_work_ms(tenant, handlers)

    def allowed(owner: str, due_ms: int) -> int | None:
        return capacity.run_allowed_ms(owner, due_ms, tenant, handlers)

    if run is None:
        due = agenda.next_work_ms(tenant, handlers, allowed)
    else:
        due = agenda.next_of_run(run)
        due = due if due is None or tenant is None else allowed(str(tenant), due)
    dues = [due, capacity.next_ms(tenant, handlers, run)]
    return min((due for due in dues if due is not None), default=None)
