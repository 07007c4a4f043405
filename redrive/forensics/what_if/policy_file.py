"""What-if policy files: what would have been another policy, in YAML or JSON."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import failure_class_named
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.values import clean_integer
from redrive.flow_files.documents import read_document
from redrive.flow_files.fields import Attempts, DelayMs, ElapsedMs, Name, Names, Version
from redrive.flow_files.own_document import BackoffDocument, OverrideDocument, TerminalDocument
from redrive.flow_files.schema import DIALECT
from redrive.flow_files.strict import Strict, validated

MAX_BYTES = 1024 * 1024

Dispatches = Annotated[int, Field(ge=1, le=1_000), BeforeValidator(lambda value: clean_integer(value, "", 1, 1_000))]


def _classes(value: object) -> object:
    """The keys as failure classes: trimmed, lower case, underscores."""
    if not isinstance(value, dict):
        return value
    found: dict[str, object] = {}
    for key, body in value.items():
        if found.setdefault(failure_class_named(key, ""), body) is not body:
            raise InvalidValue(f".{key[:80]}", key, "each failure class once")
    return found


class RetryChange(Strict):
    """Fields of a retry policy that would have been otherwise; those that are absent stay as each node's own policy
    has them. A *backoff* replaces the node's as a whole."""

    max_attempts: Attempts | None = None
    retryable_failure_classes: Names | None = None
    backoff: BackoffDocument | None = None
    max_elapsed_ms: ElapsedMs | None = Field(default=None, description="null: no limit on the time.")
    terminal_behavior: TerminalDocument | None = None
    manual_override: OverrideDocument | None = None

    def of(self, policy: RetryPolicy) -> RetryPolicy:
        """*policy* with these fields instead of its own."""
        given = self.model_dump(include=self.model_fields_set)
        if not given:
            return policy
        body: Any = policy.model_dump()
        return RetryPolicy(**{**body, **{name: value for name, value in given.items() if _is_meant(name, value)}})


def _is_meant(name: str, value: object) -> bool:
    """Whether null means something: no limit on the time, the default list of classes."""
    return value is not None or name in ("max_elapsed_ms", "retryable_failure_classes")


class RedriveChange(Strict):
    """Fields of the redrive policy that would have been otherwise; those that are absent stay as they were."""

    max_dispatches: Dispatches | None = None
    base_delay_ms: DelayMs | None = None
    max_delay_ms: DelayMs | None = None
    continue_after_recurrence: bool | None = None

    def of(self, policy: RedrivePolicy) -> RedrivePolicy:
        """*policy* with these fields instead of its own."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        body: Any = policy.model_dump()
        return RedrivePolicy(**{**body, **given}) if given else policy


Classes = Annotated[dict[Name, RetryChange], BeforeValidator(_classes)]


class Section(Strict):
    """What would have been otherwise, for all or for one automation."""

    retry: RetryChange | None = None
    redrive: RedriveChange | None = None
    failure_classes: Classes = Field(
        default_factory=dict, description="Changes of the retry policy for failures of one class, after *retry*."
    )


class WhatIfPolicy(Strict):
    """Another policy than the recorded ones. The more specific part has the last word: first default.retry, then
    default.failure_classes, then the automation's retry, then the automation's failure_classes."""

    version: Version
    default: Section = Section()
    automations: dict[Name, Section] = Field(default_factory=dict, description="By the name of the automation.")

    def retry(self, automation: str, failure_class: str, policy: RetryPolicy) -> RetryPolicy:
        """What would have judged a failure of *failure_class* instead of *policy*."""
        for section in self._sections(automation):
            for change in (section.retry, section.failure_classes.get(failure_class)):
                policy = policy if change is None else change.of(policy)
        return policy

    def most_attempts(self, automation: str, policy: RetryPolicy) -> int:
        """How many attempts a node with *policy* may have in a generation, however it fails."""
        classes = {"", *(name for section in self._sections(automation) for name in section.failure_classes)}
        return max(self.retry(automation, name, policy).max_attempts for name in classes)

    def redrive(self, automation: str, policy: RedrivePolicy) -> RedrivePolicy:
        """What would have been in force for the sweep instead of *policy*."""
        for section in self._sections(automation):
            policy = policy if section.redrive is None else section.redrive.of(policy)
        return policy

    def _sections(self, automation: str) -> tuple[Section, ...]:
        own = self.automations.get(automation)
        return (self.default,) if own is None else (self.default, own)


def policy_given(policy: object) -> WhatIfPolicy:
    """*policy* as a document, a path of a file, or what was read before. Raises InvalidValue."""
    if isinstance(policy, WhatIfPolicy):
        return policy
    if isinstance(policy, dict):
        return validated(WhatIfPolicy, policy)
    if isinstance(policy, (str, os.PathLike)):
        return read_policy_file(policy)
    raise InvalidValue("policy", policy, "a policy document, or the path of a policy file")


def read_policy_file(path: str | os.PathLike[str]) -> WhatIfPolicy:
    """The policy in the file at *path*, YAML or JSON. Raises InvalidValue, naming file and field."""
    file = Path(path)
    document = read_document(file, "policy file", MAX_BYTES)
    try:
        return validated(WhatIfPolicy, {} if document is None else document)
    except InvalidValue as error:
        raise InvalidValue(f"{file.name}: {error.field}", error.value, error.accepted) from None


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a what-if policy file."""
    return {"$schema": DIALECT, **WhatIfPolicy.model_json_schema(), "title": "redrive what-if policy file, version 1"}
