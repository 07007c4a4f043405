"""The keys of a what-if policy file, from the models that read it."""

import json

from pydantic import BaseModel

from docs.generate.flow_file import tables
from redrive.forensics.what_if.policy_file import RedriveChange, RetryChange, Section, WhatIfPolicy, schema

MEANINGS = {
    ("WhatIfPolicy", "version"): "The version of this format.",
    ("WhatIfPolicy", "default"): "A section for every automation.",
    ("Section", "retry"): "Fields of the retry policies that would have been otherwise.",
    ("Section", "redrive"): "Fields of the redrive policy that would have been otherwise.",
    ("RetryChange", "max_attempts"): "How many attempts in all.",
    ("RetryChange", "retryable_failure_classes"): "Which failures are tried again; null: the default list.",
    ("RetryChange", "backoff"): "The delays; it replaces the node's as a whole.",
    ("RetryChange", "terminal_behavior"): "What a final failure does.",
    ("RetryChange", "manual_override"): "Whether operators may retry beyond the policy.",
    ("RedriveChange", "max_dispatches"): "The dispatch budget.",
    ("RedriveChange", "base_delay_ms"): "The base of the delay between dispatches, in milliseconds.",
    ("RedriveChange", "max_delay_ms"): "Its cap, in milliseconds.",
    ("RedriveChange", "continue_after_recurrence"): "Whether the sweep goes on after a recurrence.",
}
LEVELS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Top level", WhatIfPolicy),
    ("A section", Section),
    ("retry, and each of failure_classes", RetryChange),
    ("redrive", RedriveChange),
)


def keys() -> str:
    """The keys at each level, and the JSON Schema."""
    told = json.dumps(schema(), indent=2, ensure_ascii=False)
    return "\n".join([*tables(LEVELS, MEANINGS), f"## JSON Schema\n\n```json\n{told}\n```\n"])
