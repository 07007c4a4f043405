"""The commands, queries and views of one tenant for asyncio: each line is one method of the engine for threads.

The parameters and types are those of the methods that are named here, so nothing can drift. A method that is added
to TenantEngine gets its line here; ``tests/engine/test_async_surface.py`` says so when it is missing.
"""

from typing import Any

from redrive.asynchronous import Asynchronous, awaited, streamed
from redrive.domain.effect.request import Compensation
from redrive.domain.identity import Tenant
from redrive.processes.given import send_given
from redrive.processes.outbox import Send
from redrive.projections.view import View
from redrive.tenant_effects import Actor
from redrive.tenant_engine import TenantEngine


class AsyncTenantEngine(Asynchronous[TenantEngine]):
    """The engine, for one tenant and one event loop: every method of ``TenantEngine``, awaited. *actor* is who acts.

    A command whose await is cancelled either never began or runs to its end: it is never half done. Who does not know
    asks again: the same key, or the identical report, changes nothing.
    """

    @property
    def tenant(self) -> Tenant:
        """Whose engine this is."""
        return self.sync.tenant

    runs = awaited(TenantEngine.runs)
    run = awaited(TenantEngine.run)
    show = awaited(TenantEngine.show)
    queue = awaited(TenantEngine.queue)
    queue_counts = awaited(TenantEngine.queue_counts)
    dead_letters = awaited(TenantEngine.dead_letters)
    dead_letter = awaited(TenantEngine.dead_letter)
    groups = awaited(TenantEngine.groups)
    counts = awaited(TenantEngine.counts)
    show_effect = awaited(TenantEngine.show_effect)
    show_compensation = awaited(TenantEngine.show_compensation)
    effects = awaited(TenantEngine.effects)
    compensations = awaited(TenantEngine.compensations)
    resume_plan = awaited(TenantEngine.resume_plan)
    at = awaited(TenantEngine.at)
    timeline = awaited(TenantEngine.timeline)
    why = awaited(TenantEngine.why)
    blast = awaited(TenantEngine.blast)
    annotate = awaited(TenantEngine.annotate)
    limits = awaited(TenantEngine.limits)
    history = awaited(TenantEngine.history)
    whole_history = streamed(TenantEngine.whole_history)

    submit = awaited(TenantEngine.submit)
    claim = awaited(TenantEngine.claim)
    claim_many = awaited(TenantEngine.claim_many)
    start_attempt = awaited(TenantEngine.start_attempt)
    start_attempts = awaited(TenantEngine.start_attempts)
    complete_attempt = awaited(TenantEngine.complete_attempt)
    fail_attempt = awaited(TenantEngine.fail_attempt)
    snooze_attempt = awaited(TenantEngine.snooze_attempt)
    heartbeat = awaited(TenantEngine.heartbeat)
    release = awaited(TenantEngine.release)

    pause = awaited(TenantEngine.pause)
    resume = awaited(TenantEngine.resume)
    cancel = awaited(TenantEngine.cancel)
    recover = awaited(TenantEngine.recover)
    approve = awaited(TenantEngine.approve)
    deny = awaited(TenantEngine.deny)
    note = awaited(TenantEngine.note)
    request_retry = awaited(TenantEngine.request_retry)
    grant_retries = awaited(TenantEngine.grant_retries)
    ignore = awaited(TenantEngine.ignore)
    abandon = awaited(TenantEngine.abandon)
    resolve = awaited(TenantEngine.resolve)
    reopen = awaited(TenantEngine.reopen)
    note_dead_letter = awaited(TenantEngine.note_dead_letter)

    begin_effect = awaited(TenantEngine.begin_effect)
    effect_succeeded = awaited(TenantEngine.effect_succeeded)
    effect_failed = awaited(TenantEngine.effect_failed)
    effect_unknown = awaited(TenantEngine.effect_unknown)
    reconcile_effect = awaited(TenantEngine.reconcile_effect)
    compensate = awaited(TenantEngine.compensate)
    approve_compensation = awaited(TenantEngine.approve_compensation)
    cancel_compensation = awaited(TenantEngine.cancel_compensation)
    rerun_compensation = awaited(TenantEngine.rerun_compensation)
    claim_compensation = awaited(TenantEngine.claim_compensation)
    complete_compensation = awaited(TenantEngine.complete_compensation)
    fail_compensation = awaited(TenantEngine.fail_compensation)

    tick = awaited(TenantEngine.tick)
    sweep = awaited(TenantEngine.sweep)

    async def effect(
        self,
        key: str,
        *,
        operation: str,
        send: Send,
        target: str = "",
        request: Any = None,
        tolerate: bool = False,
        compensation: Compensation | None = None,
        actor: Actor | None = None,
    ) -> Any:
        """As ``TenantEngine.effect``; *send* runs in the caller's event loop, and may be a coroutine function."""
        send_given(send)
        wanted = self.sync._wanted
        effect, caller = wanted(key, actor, operation, target, request, tolerate, compensation)
        outbox, threads = self.sync.outbox, self._threads
        async with threads.sending():
            return await outbox.perform_async(effect, caller.actor.id, send, caller, in_thread=threads.go_on)


class AsyncView(Asynchronous[View]):
    """The query views of an AsyncEngine; the engine closes them."""

    @property
    def path(self) -> str | None:
        """The SQLite file."""
        return self.sync.path

    catch_up = awaited(View.catch_up)
    rebuild = awaited(View.rebuild)
    rows = awaited(View.rows)
    copy_to = awaited(View.copy_to)
    status = awaited(View.status)
