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
    Prompt,
    TimeoutMs,
    UntilMs,
    Version,
    WaitMs,
    WaitTimeoutMs,
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


class ApprovalDocument(Strict):
    """What somebody must say yes to before the workflow goes on."""

    prompt: Prompt = Field(description="What is asked.")
    timeout_ms: WaitTimeoutMs | None = Field(
        default=None, description="When nobody has decided after so many milliseconds, the approval expires."
    )


class WaitDocument(Strict):
    """A timed wait: for a delay, or until a moment. One of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["delay_ms"], "properties": {"delay_ms": {"type": "integer"}}},
                {"required": ["until_ms"], "properties": {"until_ms": {"type": "integer"}}},
            ]
        }
    )

    delay_ms: WaitMs | None = Field(default=None, description="How long to wait, in milliseconds.")
    until_ms: UntilMs | None = Field(default=None, description="Until when to wait: UTC milliseconds since 1970.")

    @model_validator(mode="after")
    def _one_of(self) -> "WaitDocument":
        if (self.delay_ms is None) == (self.until_ms is None):
            raise InvalidValue("", "a wait", "either delay_ms or until_ms in it")
        return self


_ONE_OF: list[JsonValue] = [
    {"required": ["run"], "properties": {"run": {"type": "array"}}},
    {"required": ["handler"], "properties": {"handler": {"type": "string"}}},
    {"required": ["approval"], "properties": {"approval": {"type": "object"}}},
    {"required": ["wait"], "properties": {"wait": {"type": "object"}}},
    {"required": ["effect"], "properties": {"effect": {"type": "object"}}},
]


WAYS = ("run", "handler", "effect", "approval", "wait")


class NodeDocument(Strict):
    """A step: an argv to run, a function to call, an HTTP request to send, an approval, or a time to wait."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _ONE_OF})

    id: Name
    after: Names | None = Field(default=None, description="The ids of the nodes that must succeed before.")
    run: Argv | None = Field(default=None, description="The program and its arguments; no shell is involved.")
    handler: Handler | None = Field(default=None, description="module:function, called with the attempt.")
    approval: ApprovalDocument | None = Field(
        default=None, description="Somebody must say yes (`redrive approve`): a prompt, and a timeout_ms if it expires."
    )
    wait: WaitDocument | None = Field(default=None, description="Time must pass: delay_ms, or until_ms.")
    effect: EffectDocument | None = Field(
        default=None, description="An HTTP request, sent once, with an idempotency key."
    )
    input: Any = Field(default=None, description="Any JSON value, handed to the command or function.")
    env: Env | None = Field(default=None, description="Environment variables, added to those of redrive.")
    cwd: Folder | None = Field(
        default=None, description="Working directory of the command; a relative one starts where redrive was started."
    )
    resource: Name | None = Field(default=None, description="What the node uses outside, such as a host name.")
    provider: Name | None = Field(default=None, description="Whose service it uses, where that is limited.")
    retry: RetryDocument | None = None
    timeout_ms: TimeoutMs | None = Field(default=None, description="How long one attempt may take, in milliseconds.")

    @model_validator(mode="after")
    def _one_way(self) -> "NodeDocument":
        ways = [name for name in WAYS if getattr(self, name) is not None]
        if not ways:
            wanted = "run (an argv), handler (module:function), effect, approval or wait in this node"
            raise InvalidValue("", self.id, wanted)
        if len(ways) > 1:
            raise InvalidValue("", self.id, f"one of {', '.join(ways)} in this node, not several")
        self._require_none(("env", "cwd") if self.run is None else (), "it goes with run only")
        if ways[0] in ("approval", "wait"):
            self._require_none(("input", "resource", "provider", "timeout_ms"), "redrive itself executes this node")
        return self

    def _require_none(self, fields: tuple[str, ...], why: str) -> None:
        for field in fields:
            if getattr(self, field) is not None:
                raise InvalidValue(f".{field}", getattr(self, field), f"none, because {why}")


class FlowDocument(Strict):
    """A workflow: nodes that run after one another, with retries."""

    automation: Name = Field(description="The name that the runs of this workflow go by.")
    version: Version = Field(description="The version of this format.")
    defaults: DefaultsDocument = DefaultsDocument()
    nodes: Annotated[list[NodeDocument], FailFast()] = Field(min_length=1, max_length=MAX_NODES)
