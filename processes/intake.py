"""Intake: submitting runs. The same key gives the same run."""

import os
from collections.abc import Callable
from typing import Any

from redrive.domain.errors import InvalidValue, KeyReused, PayloadDestroyed
from redrive.domain.flow import Flow
from redrive.domain.identity import RunId, Tenant, run_id_of
from redrive.domain.payloads import KEYED
from redrive.domain.ports import Transaction
from redrive.domain.run.events import RunSubmitted
from redrive.domain.run.stateful_waits import begin_ready
from redrive.domain.values import clean_json, clean_name, digest


def submission(
    tenant: Tenant, flow: Flow, automation: str, key: str | None, run_input: Any
) -> Callable[[Transaction], RunId]:
    """A command that submits a run of *flow*, or finds the run that *key* named before.

    Raises InvalidValue here, KeyReused when the key came with another flow or input, PayloadDestroyed when that cannot
    be told any more.
    """
    if not isinstance(flow, Flow):
        raise InvalidValue("flow", flow, "a Flow, such as Flow([Node('fetch')])")
    automation = clean_name(automation, "automation")
    key = None if key is None else clean_name(key, "key")
    run_input = clean_json(run_input, "input")
    id_ = run_id_of(tenant, automation, key if key is not None else f"\x00{os.urandom(16).hex()}")
    content = digest([flow.digest, run_input])

    def submit(tx: Transaction) -> RunId:
        known = tx.find_run(id_) if key is not None else None  # an id that was drawn names nothing yet
        if known is not None:
            if known.content.startswith(KEYED):
                raise PayloadDestroyed(id_)
            if known.content != content:
                raise KeyReused(str(key), "flow or input")
            return known.id
        submitted = RunSubmitted(
            run=id_,
            automation=automation,
            key=key,
            flow=flow.digest,
            nodes=len(flow),
            input=run_input,
            content=content,
            submitted_at_ms=tx.now_ms,
        )
        run = tx.begin_run(tenant, flow, submitted, id_)
        return tx.append_run(run, *begin_ready(run, now_ms=tx.now_ms)).id

    return submit
