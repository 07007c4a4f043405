"""A destroyed key: nothing that it encrypted is anywhere any more, and everything else goes on."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import CompensationId, Failure, InvalidValue, NotFound, PayloadDestroyed, Privacy, RunId
from redrive.domain.event import Recorded
from redrive.domain.payloads import DESTROYED, KEYED
from redrive.domain.records import KeyDestroyed
from tests.engine.outworld import PAY
from tests.privacy.vault import CANARY, ERASE, FLOW, Vault
from tests.processes.workshop import ACME, ANA, ONE, nothing_written
from tests.stores import log_url, outside


def test_nothing_is_left_in_any_file(vault: Vault) -> None:
    """Log, views, full text, write-ahead logs, copies of the views: a search of the bytes finds nothing."""
    vault.filled()
    Path(f"{vault.home}.views-0ld00000.db").write_text(CANARY)
    Path(f"{vault.home}.views-0ld00000.db-wal").write_text(CANARY)
    checkpoints = Path(f"{vault.home}.views-0ld00000.checkpoints")
    checkpoints.mkdir()
    (checkpoints / "1000.db").write_text(CANARY)
    Path(f"{vault.home}.viewsore").write_text("mine")
    assert vault.found()
    done = vault.destroy()
    assert vault.found() == []
    assert checkpoints.name in done.removed
    assert vault.found("mine") == [f"{vault.home.name}.viewsore"]


def test_the_log_keeps_every_byte(vault: Vault) -> None:
    """What is hashed is the ciphertext: proofs stay as they are."""
    vault.filled()
    before = vault.stored()
    vault.destroy()
    assert vault.stored()[: len(before)] == before


def test_the_destruction_is_an_event(vault: Vault) -> None:
    """With who and why, and without the name of the subject."""
    vault.filled()
    done = vault.destroy()
    (said,) = [event for event in vault.log() if isinstance(event.event, KeyDestroyed)]
    assert (said.actor.id, said.reason, said.position, said.tenant) == ("dpo", "request 17", done.position, ACME)
    assert said.event == KeyDestroyed(
        key=done.key, subject=done.subject, created_at_ms=1_000_000, destroyed_at_ms=1_000_000
    )


def test_what_is_read_says_that_it_is_destroyed(vault: Vault) -> None:
    """In the history, in a run, in the queries; digests stay keyed; names, states and times stay."""
    run = vault.filled()
    vault.destroy()
    for _ in range(2):
        history, shown = str(vault.acme.history(run)), str(vault.acme.show(run))
        assert CANARY not in history + shown + str(vault.acme.runs()) + str(vault.acme.dead_letters())
        assert DESTROYED in history
        assert DESTROYED in shown
        assert KEYED in history
        assert vault.acme.runs().items[0].last_failure_reason == DESTROYED
        assert vault.acme.runs(text=CANARY).items == ()
        vault.reopen()


def test_other_subjects_are_as_before(vault: Vault) -> None:
    """Their payloads, their runs, their keys."""
    vault.filled("ana", "k1")
    bob = vault.filled("bob", "k2")
    before = vault.acme.history(bob)
    vault.destroy("ana")
    assert vault.acme.history(bob) == before
    assert vault.acme.runs(text=f"{CANARY}-reason").items[0].run_id == bob


def test_what_was_unfinished_is_closed(vault: Vault) -> None:
    """Runs are cancelled, dead letters abandoned: nothing waits for a payload that is gone."""
    run, queued = vault.filled(), vault.submit(FLOW, subject="ana")
    letter = vault.letter_of(run)
    done = vault.destroy()
    assert (done.cancelled, done.abandoned) == (2, 1)
    assert (vault.run_status(run), vault.run_status(queued), vault.status(letter)) == (
        *("cancelled", "cancelled"),
        "abandoned",
    )


def test_the_subject_may_come_back(vault: Vault) -> None:
    """With a new key; what was before stays destroyed, under the same keys as well."""
    run = vault.filled()
    first = vault.destroy().key
    again = vault.submit(FLOW, subject="ana", key="new", input="hello again")
    assert "hello again" in str(vault.acme.history(again))
    assert CANARY not in str(vault.acme.history(run))
    assert vault.destroy().key != first


def test_a_subject_without_a_key_is_not_found(vault: Vault) -> None:
    """Unknown, of another tenant, or destroyed already: nothing is written."""
    vault.filled()
    vault.destroy()
    for subject, tenant in (("ana", ACME), ("bob", ACME), ("ana", redrive.Tenant("other")), ("ana", None)):
        nothing_written(vault, NotFound, partial(vault.engine.destroy_key, subject, tenant=tenant, **ERASE))


@pytest.mark.parametrize(
    "bad", [{"subject": ""}, {"subject": 5}, {"tenant": "acme"}, {"reason": " "}, {"actor": ""}, {"reason": None}]
)
def test_bad_values_destroy_nothing(vault: Vault, bad: dict[str, Any]) -> None:
    """Each is named."""
    vault.filled()
    given = {"subject": "ana", "tenant": ACME, **ERASE, **bad}
    nothing_written(vault, InvalidValue, lambda: vault.engine.destroy_key(given.pop("subject"), **given))
    assert vault.engine.privacy_status().destroyed == 0


# What is refused, and what is not


def refusals(vault: Vault, run: RunId) -> dict[str, Callable[[], object]]:
    """Commands that would need the payload of a run."""
    acme, letter = vault.acme, vault.letter_of(run)
    return {
        "submit": lambda: vault.submit(FLOW, key="k", input={"who": f"{CANARY}-input"}),
        "recover": lambda: acme.recover(run, **ANA),
        "retry": lambda: acme.request_retry(letter, **ANA),
        "grant": lambda: acme.grant_retries(letter, 1, **ANA),
    }


def unclosed(vault: Vault) -> RunId:
    """A failed run whose key is gone, before anything of it was closed."""
    run = vault.filled()
    vault.resume(run)
    vault.destroy_only()
    return run


@pytest.mark.parametrize("command", ["submit", "recover", "retry", "grant"])
def test_nothing_is_executed_with_a_payload_that_is_gone(vault: Vault, command: str) -> None:
    """Nor compared: whether it is the same request cannot be told any more."""
    run = unclosed(vault)
    nothing_written(vault, PayloadDestroyed, refusals(vault, run)[command])


def test_a_run_whose_payload_is_gone_is_not_claimed(vault: Vault) -> None:
    """It keeps nobody else waiting, and can be cancelled."""
    unclosed(vault)
    gone = vault.submit(ONE, subject="bob", input=CANARY)
    vault.destroy_only("bob")
    other = vault.submit(ONE, input="fine")
    assert vault.claim().run_id == other
    assert vault.acme.claim(worker="w") is None
    assert vault.acme.cancel(gone, **ANA) == "cancelled"


def test_the_sweep_leaves_it_alone(vault: Vault) -> None:
    """A retry that was requested before is not dispatched."""
    run = vault.filled()
    vault.resume(run)
    with vault.engine.batch() as batch:
        batch.add(vault.acme.request_retry, vault.letter_of(run), **ANA)
    vault.destroy_only()
    assert not vault.engine.sweep().acted
    assert vault.run_status(run) == "failed"


def test_a_late_fact_is_recorded_without_its_payload(vault: Vault) -> None:
    """An executor that was at work when the key went: what happened is known, what was said is not."""
    vault.submit(ONE, subject="ana")
    attempt = vault.claim().attempts[0]
    standing = vault.acme.begin_effect(attempt, "pay", **PAY)
    vault.destroy()
    vault.acme.effect_succeeded(standing, {"receipt": CANARY})
    assert vault.acme.show_effect(standing.id).receipt == DESTROYED
    assert vault.found() == []


def test_an_effect_is_not_sent_again(vault: Vault) -> None:
    """Whether it is the same request cannot be told: refused, not sent, not answered."""
    paid = vault.acme.effect("k", send=vault.world.pay, **PAY)
    assert vault.acme.effect("k", send=vault.world.pay, **PAY) == paid
    vault.destroy(str(ACME))
    nothing_written(vault, PayloadDestroyed, lambda: vault.acme.effect("k", send=vault.world.pay, **PAY))
    assert vault.world.done.total() == 1


def test_a_compensation_is_not_run(vault: Vault) -> None:
    """Its request is gone."""
    attempt = vault.paying()
    plan = redrive.Compensation("refund", request={"iban": CANARY}, requires_approval=True)
    vault.fail_in(attempt, vault.world.reject, compensation=plan)
    found: list[CompensationId] = [one.id for one in vault.acme.compensations().items]
    vault.destroy_only(str(ACME))
    assert found
    for id_ in found:
        with pytest.raises(redrive.Refused):
            vault.acme.approve_compensation(id_, **ANA)


# Copies


def test_an_engine_that_was_open_forgets_too(vault: Vault) -> None:
    """Its states and views: the next query, and the next command, see what the log says now."""
    run = vault.filled()
    url, privacy = log_url(vault.path), vault.options["privacy"]
    with redrive.open(url, privacy=privacy) as other:
        acme = other.for_tenant(ACME)
        acme.resume(run, **ANA)  # its state is in memory now
        vault.destroy()
        assert acme.runs().items[0].last_failure_reason == DESTROYED
        assert CANARY not in str(acme.history(run)) + str(acme.show(run))
        nothing_written(vault, PayloadDestroyed, lambda: acme.submit(FLOW, automation="nightly", key="k"))
    assert vault.found() == []


def test_a_listener_is_told_no_payload_afterwards(vault: Vault) -> None:
    """What is committed from now on is committed as it is stored: the reasons of the closing are engine's own."""
    run = vault.filled()
    heard: list[Recorded] = []
    vault.engine.ledger.subscribe(heard.extend)
    vault.destroy()
    assert any(str(event.stream) == run for event in heard)
    assert CANARY not in str(heard)


def test_an_older_copy_of_the_key_store_opens_nothing(vault: Vault) -> None:
    """The log says that the key is destroyed: it is destroyed again when it is met."""
    run = vault.filled()
    copy = vault.keys.read_bytes()
    vault.destroy()
    vault.engine.close()
    vault.keys.write_bytes(copy)
    vault.engine = vault._open()
    assert CANARY not in str(vault.acme.history(run))
    assert vault.engine.privacy_status().destroyed == 1


def test_a_master_key_changes_nothing_of_this(tmp_path: Path) -> None:
    """What it wraps is destroyed as well."""
    (tmp_path / "master").write_text("0f" * 32)
    vault = Vault(tmp_path)
    vault.engine.close()
    vault.keys.unlink()
    with outside(vault.path) as connection:
        connection.execute("DELETE FROM meta WHERE name = 'key_store'")
    vault.options["privacy"] = Privacy(str(vault.keys), master_key=str(tmp_path / "master"))
    vault.engine = vault._open()
    vault.filled()
    assert vault.engine.privacy_status().wrapped
    vault.destroy()
    assert vault.found() == []
    vault.engine.close()


def test_a_reason_with_a_secret_is_redacted(vault: Vault) -> None:
    """It is kept for ever, in plain."""
    vault.filled()
    vault.engine.destroy_key("ana", tenant=ACME, actor="dpo", reason="token=abc123")
    (said,) = [event for event in vault.log() if isinstance(event.event, KeyDestroyed)]
    assert said.reason == "token=[redacted]"


def test_a_failure_after_the_destruction_is_recorded(vault: Vault) -> None:
    """Of an attempt that was running, when the run could not be cancelled yet."""
    vault.submit(ONE, subject="ana")
    attempt = vault.claim().attempts[0]
    vault.destroy_only()
    vault.acme.fail_attempt(attempt, Failure("broken", CANARY))
    assert vault.node(attempt.run_id).failure_reason == DESTROYED
    assert CANARY not in str(vault.acme.history(attempt.run_id))
    assert vault.found() == []
