"""The redrive policy that a recorded decision was made by, as far as the log tells."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from redrive.domain.dead_letter import events as de
from redrive.domain.event import Recorded
from redrive.domain.identity import PolicyId, Tenant, policy_stream_of
from redrive.domain.records import PolicyRegistered
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.state import Run
from redrive.ledger.mapper import shown

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

_NAMES_ITS_POLICY: frozenset[type] = frozenset((de.DeadLetterRetryDispatched, de.RetryExhausted, de.DeadLetterRecurred))
MOST_KNOWN = 10_000
PATIENT = RedrivePolicy(max_dispatches=1_000)
"""Stands where the log does not say which policy was in force: nothing that was written depends on its numbers."""


class RecordedPolicies:
    """The policies of a log, by the tenant and id that its events name."""

    def __init__(self, ledger: "LogLedger") -> None:
        self._ledger = ledger
        self._known: dict[tuple[Tenant, str], RedrivePolicy | None] = {}

    def find(self, tenant: Tenant, id_: PolicyId) -> RedrivePolicy | None:
        """The policy with this id, when the log has its body."""
        if (tenant, id_) not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[tenant, id_] = self._read(tenant, id_)
        return self._known[tenant, id_]

    def of(self, together: Sequence[Recorded], before: RedrivePolicy | None = None) -> Callable[[Run], RedrivePolicy]:
        """The policy that the decision *together* was made by. A recurrence of the first version does not name it:
        then it is one under which the dead letter goes where it went."""
        found = named = before
        for recorded in together:
            event: Any = recorded.event
            if type(event) not in _NAMES_ITS_POLICY:
                continue
            if (id_ := event.policy) is not None and (named := self.find(recorded.tenant, id_)) is not None:
                found = named
            elif isinstance(event, de.DeadLetterRecurred) and event.status == "open":
                found = found or PATIENT.model_copy(update={"continue_after_recurrence": False})
        policy = found or PATIENT
        return lambda _run: policy

    def named(self, events: Sequence[Recorded]) -> RedrivePolicy | None:
        """The first policy that any of *events* names, when the log has its body."""
        for recorded in events:
            event: Any = recorded.event
            if type(event) in _NAMES_ITS_POLICY and event.policy is not None:
                found = self.find(recorded.tenant, event.policy)
                if found is not None:
                    return found
        return None

    def _read(self, tenant: Tenant, id_: PolicyId) -> RedrivePolicy | None:
        rows = self._ledger.recorder.rows_of(policy_stream_of(tenant, id_), 0)
        event = shown(rows)[0].event if rows else None
        if not isinstance(event, PolicyRegistered) or not isinstance(event.body, dict):
            return None
        try:
            return RedrivePolicy.model_validate(event.body)
        except (ValueError, TypeError):
            return None
