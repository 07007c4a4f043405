"""A resume plan says what the commands themselves would say."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redrive import (
    Approval,
    Compensation,
    CompensationId,
    DeadLetterId,
    EffectId,
    Flow,
    Node,
    NotFound,
    Refused,
    Rejected,
    ResumeOption,
    RunId,
    TenantEngine,
)
from redrive.domain.failure import Failure
from tests.processes.workshop import ANA, BROKEN, Shop, beside, policy
from tests.stores import outside

PLAN = Compensation("refund", "bank", {"n": 1})
ONCE = {"retry": policy(1, "dead_letter")}

COMMANDS: dict[tuple[str, str], Callable[[TenantEngine, Any], object]] = {
    ("run", "pause"): lambda t, id_: t.pause(RunId(id_), **ANA),
    ("run", "resume"): lambda t, id_: t.resume(RunId(id_), **ANA),
    ("run", "recover"): lambda t, id_: t.recover(RunId(id_), **ANA),
    ("run", "cancel"): lambda t, id_: t.cancel(RunId(id_), **ANA),
    ("dead_letter", "retry"): lambda t, id_: t.request_retry(DeadLetterId(id_), **ANA),
    ("dead_letter", "grant"): lambda t, id_: t.grant_retries(DeadLetterId(id_), 1, **ANA),
    ("dead_letter", "compensate"): lambda t, id_: t.compensate(DeadLetterId(id_), **ANA),
    ("dead_letter", "resolve"): lambda t, id_: t.resolve(DeadLetterId(id_), **ANA),
    ("dead_letter", "ignore"): lambda t, id_: t.ignore(DeadLetterId(id_), **ANA),
    ("dead_letter", "abandon"): lambda t, id_: t.abandon(DeadLetterId(id_), **ANA),
    ("dead_letter", "reopen"): lambda t, id_: t.reopen(DeadLetterId(id_), **ANA),
    ("effect", "reconcile_succeeded"): lambda t, id_: t.reconcile_effect(EffectId(id_), "succeeded", **ANA),
    ("effect", "reconcile_did_not_happen"): lambda t, id_: t.reconcile_effect(EffectId(id_), "did_not_happen", **ANA),
    ("effect", "reconcile_still_unknown"): lambda t, id_: t.reconcile_effect(EffectId(id_), "still_unknown", **ANA),
    ("compensation", "approve"): lambda t, id_: t.approve_compensation(CompensationId(id_), **ANA),
    ("compensation", "rerun"): lambda t, id_: t.rerun_compensation(CompensationId(id_), **ANA),
    ("compensation", "cancel"): lambda t, id_: t.cancel_compensation(CompensationId(id_), **ANA),
}


def declined() -> None:
    """A send that was refused by the other side."""
    raise Rejected("card declined")


def hung_up() -> None:
    """A send of which nobody knows the outcome."""
    raise TimeoutError("the bank hung up")


def blocked(shop: Shop) -> RunId:
    """A run with a node that broke, an effect that was declined, one in doubt, and a node that succeeded."""
    claim = shop.begin(beside("broke", "declined", "doubtful", "fine", **ONCE))
    for attempt in claim.attempts:
        try:
            if attempt.node in ("declined", "doubtful"):
                send = declined if attempt.node == "declined" else hung_up
                attempt.effect("k", operation="POST /pay", send=send, compensation=PLAN)
            elif attempt.node == "fine":
                shop.acme.complete_attempt(attempt)
            else:
                shop.acme.fail_attempt(attempt, BROKEN)
        except Exception as error:  # noqa: BLE001 - whatever the send gave
            shop.acme.fail_attempt(attempt, error)
    assert shop.run_status(claim.run_id) == "blocked"
    return claim.run_id


def settled(shop: Shop) -> RunId:
    """The same, after an operator settled one, granted one, and compensated one."""
    run = blocked(shop)
    by_node = {letter.node: letter.id for letter in shop.acme.dead_letters(run=run).items}
    shop.acme.ignore(by_node["broke"], **ANA)
    shop.acme.compensate(by_node["doubtful"], **ANA)
    return run


def approved(shop: Shop) -> RunId:
    """The same, with a compensation that may run."""
    run = settled(shop)
    (waiting,) = shop.acme.compensations(status="awaiting_approval").items
    shop.acme.approve_compensation(waiting.id, **ANA)
    return run


def compensated(shop: Shop, *, fails: bool = True) -> RunId:
    """The same, with a compensation that failed."""
    run = approved(shop)
    handed = shop.acme.claim_compensation(worker="w", operations={"refund"})
    assert handed is not None
    if fails:
        shop.acme.fail_compensation(handed, Failure("execution_error", "no refund"))
    return run


def compensating(shop: Shop) -> RunId:
    """The same, while the compensation runs."""
    return compensated(shop, fails=False)


def asking(shop: Shop) -> RunId:
    """Nothing can go on before somebody decides about one of two approvals."""
    approvals = {"ask": Approval("Publish?", timeout_ms=60_000), "-ask too": Approval("And mail?")}
    run = shop.submit(Flow([Node(id_, approval=approval) for id_, approval in approvals.items()]))
    assert shop.run_status(run) == "awaiting_approval"
    return run


def expired(shop: Shop) -> RunId:
    """The same, when one of them is over, and nobody has noticed."""
    run = asking(shop)
    shop.now += 60_000
    return run


def answered(shop: Shop) -> RunId:
    """One said yes, the other no."""
    run = asking(shop)
    shop.acme.approve(run, "ask", **ANA)
    shop.acme.deny(run, "-ask too", **ANA)
    return run


def called_off(shop: Shop) -> RunId:
    """Cancelled while it was asked."""
    run = asking(shop)
    shop.acme.cancel(run, **ANA)
    return run


def retrying(shop: Shop) -> RunId:
    """All that can be retried is, and runs again."""
    run = blocked(shop)
    for letter in shop.acme.dead_letters(run=run).items:
        if letter.node != "doubtful":
            shop.acme.request_retry(letter.id, **ANA)
    return run


def cancelled(shop: Shop) -> RunId:
    """Given up."""
    run = blocked(shop)
    shop.acme.cancel(run, **ANA)
    return run


def paused(shop: Shop) -> RunId:
    """It was to be paused."""
    run = blocked(shop)
    shop.acme.pause(run, **ANA)
    return run


def completed(shop: Shop) -> RunId:
    """Nothing failed."""
    attempt = shop.attempt()
    shop.acme.complete_attempt(attempt)
    return attempt.run_id


STANDINGS = (blocked, settled, approved, compensated, compensating, retrying, cancelled, paused, completed)
ASKED = (asking, expired, answered, called_off)


def given(shop: Shop, option: ResumeOption) -> None:
    """Give the command of an option."""
    if option.subject == "approval":
        getattr(shop.acme, option.action)(RunId(option.id), option.node, **ANA)
    else:
        COMMANDS[option.subject, option.action](shop.acme, option.id)


def options_of(tmp_path: Path, standing: Callable[[Shop], RunId]) -> tuple[ResumeOption, ...]:
    """The plan of a run that stands so."""
    shop = Shop(tmp_path / "planned.db")
    plan = shop.acme.resume_plan(standing(shop))
    shop.check()
    shop.engine.close()
    return plan.options


@pytest.mark.slow
@pytest.mark.parametrize("standing", [*STANDINGS, *ASKED])
def test_what_is_possible_is_done_and_the_rest_refused_with_the_reason_given(
    tmp_path: Path, standing: Callable[[Shop], RunId]
) -> None:
    """Each command of the plan, on a log of its own that stands the same."""
    for n, planned in enumerate(options_of(tmp_path, standing)):
        shop = Shop(tmp_path / f"{n}.db")
        with shop.engine:
            option = shop.acme.resume_plan(standing(shop)).options[n]
            assert (option.subject, option.action, option.possible) == (
                planned.subject,
                planned.action,
                planned.possible,
            )
            if option.possible:
                given(shop, option)
                continue
            with pytest.raises(Refused) as refused:
                given(shop, option)
            assert str(refused.value) == option.why_not


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    """It is a question."""
    shop = Shop(tmp_path / "log.db")
    run = settled(shop)
    before = shop.log()
    assert shop.acme.resume_plan(run) == shop.acme.resume_plan(run)
    assert shop.log() == before
    shop.check()


def possible(shop: Shop, run: RunId) -> set[tuple[str | None, str]]:
    """What may be done, by node and action."""
    return {(option.node, option.action) for option in shop.acme.resume_plan(run).options if option.possible}


def test_an_effect_in_doubt_is_reconciled_before_it_is_retried(tmp_path: Path) -> None:
    """Or compensated, or ignored; once it did not happen, a retry is among the options."""
    shop = Shop(tmp_path / "log.db")
    run = blocked(shop)
    assert {("doubtful", "reconcile_did_not_happen"), ("doubtful", "compensate")} <= possible(shop, run)
    assert ("doubtful", "retry") not in possible(shop, run)
    (effect,) = shop.acme.effects(run=run, status="unknown").items
    shop.acme.reconcile_effect(effect.id, "did_not_happen", **ANA)
    assert ("doubtful", "retry") in possible(shop, run)


def test_every_option_names_a_command_of_the_command_line(tmp_path: Path) -> None:
    """With the whole id, and a place for the reason."""
    from tests.cli.test_commands import EVERY

    options = options_of(tmp_path, settled)
    assert {option.subject for option in options} == {"run", "dead_letter", "effect", "compensation"}
    for option in options:
        program, *words = shlex.split(option.command)
        path = " ".join(words[: words.index(option.id)])
        assert (program, path in EVERY, words[-2:]) == ("redrive", True, ["--reason", "WHY"])


def test_a_stream_that_may_not_be_continued_is_no_option(tmp_path: Path) -> None:
    """A newer version wrote to the dead letter: it is read, and left alone."""
    shop = Shop(tmp_path / "log.db")
    run = blocked(shop)
    letter = shop.letter_of(run, "broke")
    row = (letter, len(shop.topics(letter)) + 1, "dead-letter.teleported/7", b'{"id": "x1", "at": 5}', run)
    with outside(shop.path) as log:
        log.execute(
            f"INSERT INTO events SELECT max(position) + 1, ?, ?, ?, ?, '{shop.acme.tenant}', ?, 5 FROM events", row
        )
    shop.reopen()
    mine = [option for option in shop.acme.resume_plan(run).options if option.id == letter]
    assert not any(option.possible for option in mine)
    assert any("read-only in this version" in (option.why_not or "") for option in mine)


def test_there_is_no_plan_of_what_is_not_there(tmp_path: Path) -> None:
    """Or is another tenant's."""
    shop = Shop(tmp_path / "log.db")
    run = shop.submit()
    for tenant, id_ in ((shop.acme, "nothing"), (shop.engine.local, run)):
        with pytest.raises(NotFound):
            tenant.resume_plan(RunId(id_))
