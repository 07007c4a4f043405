"""What is remembered of the agenda's rows, when another process changed them in bulk."""

from redrive.ledger.transaction import LedgerTransaction
from redrive.processes import operations
from tests.ledger.conftest import Open


def test_letters_that_another_process_disarmed(open_world: Open) -> None:
    """Another moved the run: the rows of its letters are written again, also where no event of theirs has come."""
    first, second = open_world(), open_world()
    run, letter = first.dead_letter("a")
    first.retry(letter)
    second.do(operations.pausing(run))

    def both(tx: LedgerTransaction) -> None:
        operations.resuming(run)(tx)
        operations.noting_letter(letter, "x", None)(tx)

    first.do(both)
    assert [row.due_ms for row in first.ledger.agenda_rows() if row.kind == "dead_letter"] == [0]
    first.check()


def test_letters_of_a_run_that_was_forgotten_meanwhile(open_world: Open) -> None:
    """The run is read anew from its first event, the letter is still in memory with the rows that it had."""
    first, second = open_world(), open_world()
    run, letter = first.dead_letter("a")
    first.retry(letter)
    second.do(operations.pausing(run))
    first.ledger.committer.states.forget(run)

    def both(tx: LedgerTransaction) -> None:
        operations.resuming(run)(tx)
        operations.noting_letter(letter, "x", None)(tx)

    first.do(both)
    first.check()
