"""The models of redrive's own workflow files. The JSON Schema in the documentation is made from them."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, FailFast, Field, model_validator

from redrive.domain.errors import InvalidValue
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.values import JsonValue
from redrive.flow_files.effect_document import EffectDocument
from redrive.flow_files.fields import (
    Argv,
    Attempts,
    DelayMs,
    ElapsedMs,
    Env,
    Folder,
    Handler,
    Multiplier,
    Name,
    Names,
    TimeoutMs,
    Version,
)
from redrive.flow_files.graph import MAX_NODES
from redrive.flow_files.strict import Strict


class BackoffDocument(Strict):
    """The delay before the next attempt: initial_delay_ms × multiplier^(n−1) after attempt n, plus jitter."""

    strategy: Literal["none", "fixed", "exponential"] = "none"
    initial_delay_ms: DelayMs = 0
    max_delay_ms: DelayMs = Field(default=0, description="The cap of the delay in milliseconds; 0 for one day.")
    multiplier: Multiplier = 2.0
    jitter_ms: DelayMs = 0


class TerminalDocument(Strict):
    """What the last failure does: fail the run, block it for review, or let the other branches go on."""

    mode: Literal["fail_run", "pause_for_review", "dead_letter"] = "fail_run"


class OverrideDocument(Strict):
    """Whether an operator may retry beyond the policy."""

    enabled: bool = True
    requires_reason: bool = True


class RetryDocument(Strict):
    """When a failed attempt is tried again. A node's policy replaces that of the defaults as a whole."""

    version: Version = 1
    max_attempts: Attempts = 3
    retryable_failure_classes: Names | None = Field(
        default=None, description="Absent: the default list. Empty or '*': all but a few that no retry can help."
    )
    backoff: BackoffDocument = BackoffDocument()
    max_elapsed_ms: ElapsedMs | None = None
    terminal_behavior: TerminalDocument = TerminalDocument()
    manual_override: OverrideDocument = OverrideDocument()

    def policy(self) -> RetryPolicy:
        """The retry policy that this describes."""
        return RetryPolicy(**self.model_dump())


class DefaultsDocument(Strict):
    """What holds for every node that says nothing else."""

    retry: RetryDocument | None = None
    timeout_ms: TimeoutMs | None = None


_ONE_OF: list[JsonValue] = [
    {"required": ["run"], "properties": {"run": {"type": "array"}}},
    {"required": ["handler"], "properties": {"handler": {"type": "string"}}},
    {"required": ["effect"], "properties": {"effect": {"type": "object"}}},
]


class NodeDocument(Strict):
    """A step: an argv to run, a Python function to call, or an HTTP request to send."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _ONE_OF})

    id: Name
    after: Names | None = Field(default=None, description="The ids of the nodes that must succeed before.")
    run: Argv | None = Field(default=None, description="The program and its arguments; no shell is involved.")
    handler: Handler | None = Field(default=None, description="module:function, called with the attempt.")
    effect: EffectDocument | None = Field(
        default=None, description="An HTTP request, sent once, with an idempotency key."
    )
    input: Any = Field(default=None, description="Any JSON value, handed to the command or function.")
    env: Env | None = Field(default=None, description="Environment variables, added to those of redrive.")
    cwd: Folder | None = Field(
        default=None, description="Working directory of the command; a relative one starts where redrive was started."
    )
    resource: Name | None = Field(default=None, description="What the node uses outside, such as a host name.")
    retry: RetryDocument | None = None
    timeout_ms: TimeoutMs | None = Field(default=None, description="How long one attempt may take, in milliseconds.")

    @model_validator(mode="after")
    def _one_way(self) -> "NodeDocument":
        ways = [way for way in (self.run, self.handler, self.effect) if way is not None]
        if not ways:
            raise InvalidValue("", self.id, "run (an argv) or handler (module:function) or effect in this node")
        if len(ways) > 1:
            raise InvalidValue("", self.id, "one of run, handler and effect in this node, not several")
        if self.run is None:
            for field in ("env", "cwd"):
                if getattr(self, field) is not None:
                    raise InvalidValue(f".{field}", getattr(self, field), "none, because it goes with run only")
        return self


class FlowDocument(Strict):
    """A workflow: nodes that run after one another, with retries."""

    automation: Name = Field(description="The name that the runs of this workflow go by.")
    version: Version = Field(description="The version of this format.")
    defaults: DefaultsDocument = DefaultsDocument()
    nodes: Annotated[list[NodeDocument], FailFast()] = Field(min_length=1, max_length=MAX_NODES)
