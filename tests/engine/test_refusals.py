"""Every refusal is explained, promised by the commands that may say it, and shown by three tests."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from docs.generate.not_allowed import variants
from docs.generate.refusals import ADVICE, PAGES, commands, refused, refusers, said_by
from redrive import (
    Compensation,
    CompensationId,
    CompensationTry,
    Failure,
    NotAllowed,
    OutcomePending,
    Refused,
    RunId,
    StreamReadOnly,
    TenantEngine,
)
from redrive.domain.run.events import AttemptFailed, AttemptSnoozed
from tests.engine.outworld import Till
from tests.engine.refusal_tests import SHOWN
from tests.engine.test_hard_cases_unknown import add_unknown
from tests.processes.workshop import ANA, BROKEN, FINAL, Shop, nothing_written

TESTS = Path(__file__).resolve().parents[1]
NOT_ALLOWED = {f"{one.command} {one.of}" for one in variants()}


@cache
def functions_of(file: str) -> dict[str, ast.FunctionDef]:
    """The tests of a file, by name."""
    tree = ast.parse((TESTS / f"{file}.py").read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


# The catalogue


def test_every_refusal_has_its_three_tests() -> None:
    """None is missing from the table, and nothing is in it that the rules do not say."""
    assert SHOWN.keys() == {cls.code for cls in refused()} - {NotAllowed.code} | NOT_ALLOWED


@pytest.mark.sqlite_only
@pytest.mark.parametrize("name", sorted({test for shown in SHOWN.values() for test in shown}))
def test_what_the_table_names_is_a_test(name: str) -> None:
    """It exists, and says what it protects."""
    file, _, test = name.partition("::")
    assert ast.get_docstring(functions_of(file)[test])


def test_every_refusal_has_a_code_of_its_own_and_its_advice() -> None:
    """Codes are stable: programs compare them."""
    codes = [cls.code for cls in refused()]
    assert len(set(codes)) == len(codes)
    assert set(codes) == set(ADVICE)
    assert {page for _, page in ADVICE.values()} == set(PAGES)
    assert all(issubclass(cls, Refused) and cls.__doc__ for cls in refused())


def test_every_refusal_is_promised_by_a_command() -> None:
    """Read from the docstrings, as the page does."""
    everywhere = said_by(TenantEngine.__doc__)
    assert [cls.__name__ for cls in refused() if not refusers(cls) and cls.__name__ not in everywhere] == []


def seen() -> Iterator[tuple[str, str]]:
    """Pairs of a refusal and the method of a tenant's engine that the tests see refused with it."""
    names = {cls.__name__ for cls in refused()}
    sources = (path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    for source in (source for source in sources if "nothing_written(" in source):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "nothing_written":
                _, error, command = node.args
                called = command.body if isinstance(command, ast.Lambda) else command
                if isinstance(error, ast.Name) and error.id in names and isinstance(called, ast.Call):
                    yield error.id, getattr(called.func, "attr", "")


@pytest.mark.sqlite_only
def test_what_the_tests_see_refused_is_what_the_docstrings_promise() -> None:
    """So that the page of refusals cannot fall behind the rules."""
    promised = {name.partition(".")[2]: said_by(doc) for name, doc in commands() if name.startswith("TenantEngine.")}
    pairs = {(error, method) for error, method in seen() if method in promised}
    assert len(pairs) > 20
    assert {(error, method) for error, method in pairs if error not in promised[method]} <= {
        ("StreamReadOnly", method) for method in promised
    }


# Tests that were missing


@pytest.fixture
def opened_with() -> dict[str, Any]:
    """Neither gate nor reconciler."""
    return {}


@pytest.mark.parametrize("became", ["effect_succeeded", "effect_failed", "effect_unknown"])
def test_whatever_became_of_its_effect_an_attempt_may_snooze(till: Till, became: str) -> None:
    """Once that is in the log, nobody need wait for it."""
    attempt = till.paying()
    standing = till.begun(attempt)
    told = {"effect_succeeded": None, "effect_failed": Failure("outbox_send", "declined"), "effect_unknown": "lost"}
    getattr(till.acme, became)(standing, told[became])
    till.acme.snooze_attempt(attempt, 5)
    assert len(till.facts(AttemptSnoozed)) == 1


def test_a_handler_that_snoozes_while_it_sends_is_refused(till: Till) -> None:
    """The report is refused whole: the attempt is still the running one, and may end."""
    attempt = till.paying()
    standing = till.begun(attempt)
    refusal = nothing_written(till, OutcomePending, lambda: till.acme.snooze_attempt(attempt, 5))
    assert f"effect {standing.id} has no outcome yet" in str(refusal)
    till.acme.fail_attempt(attempt, BROKEN)
    assert len(till.facts(AttemptFailed)) == 1


def test_what_a_newer_version_wrote_to_is_not_continued(tmp_path: Path) -> None:
    """By no command about the run."""
    shop = Shop(tmp_path / "log.db")
    claim = shop.begin()
    add_unknown(shop, claim.run_id)
    (attempt,), id_ = claim.attempts, RunId(claim.run_id)
    shop.now += 1_000
    nothing_written(shop, StreamReadOnly, lambda: shop.acme.complete_attempt(attempt))
    nothing_written(shop, StreamReadOnly, lambda: shop.acme.heartbeat(claim))
    nothing_written(shop, StreamReadOnly, lambda: shop.acme.pause(id_, **ANA))
    nothing_written(shop, StreamReadOnly, lambda: shop.acme.note(id_, "seen", actor="ana"))
    shop.engine.close()


def awaiting(till: Till) -> CompensationId:
    """A compensation that awaits approval."""
    till.fail_in(till.paying(), till.world.pay_and_break, compensation=Compensation("refund", "bank"))
    till.acme.compensate(till.the_letter(), **ANA)
    return CompensationId(till.proposed())


def taken(till: Till) -> CompensationTry:
    """A compensation that runs."""
    till.acme.approve_compensation(awaiting(till), **ANA)
    handed = till.acme.claim_compensation(worker="w", operations={"refund"})
    assert handed is not None
    return handed


def test_a_compensation_is_approved_once(till: Till) -> None:
    """The second yes changes nothing."""
    id_ = awaiting(till)
    assert till.acme.approve_compensation(id_, **ANA).status == "approved"
    nothing_written(till, NotAllowed, lambda: till.acme.approve_compensation(id_, **ANA))


def test_a_compensation_that_is_over_is_over(till: Till) -> None:
    """Completed: nobody runs it again, or calls it off."""
    handed = taken(till)
    till.acme.complete_compensation(handed, "done")
    nothing_written(till, NotAllowed, lambda: till.acme.rerun_compensation(handed.compensation_id, **ANA))
    nothing_written(till, NotAllowed, lambda: till.acme.cancel_compensation(handed.compensation_id, **ANA))


def test_another_report_of_an_ended_compensation(till: Till) -> None:
    """The first one stays; the identical one is no news."""
    handed = taken(till)
    till.acme.complete_compensation(handed, "done")
    nothing_written(till, NotAllowed, lambda: till.acme.complete_compensation(handed, "otherwise"))
    nothing_written(till, NotAllowed, lambda: till.acme.fail_compensation(handed, FINAL))
    assert till.acme.complete_compensation(handed, "done").status == "completed"
