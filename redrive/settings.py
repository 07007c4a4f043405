"""Settings: argument > ``REDRIVE_*`` > ``redrive.toml`` > default; one frozen model, every field with its unit."""

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISFIFO
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from redrive.domain.document import accepted_by
from redrive.domain.errors import InvalidValue
from redrive.ledger.urls import urls_in

FILE = "redrive.toml"
MAX_FILE_BYTES = 1_048_576


class Settings(BaseModel):
    """How the engine and its command line behave. Environment variables are ``REDRIVE_`` and the name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    db: str | Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        "sqlite:///redrive.db",
        description="URL of the log: sqlite:///relative, sqlite:////absolute or "
        "postgresql://user@host:port/database?schema=name; several share the tenants among them",
    )
    tenant: str | None = Field(None, description="org/workspace/deployment; none: local/default/default")
    lease_ms: int = Field(1_800_000, ge=5_000, le=21_600_000, description="how long a claim lasts unrenewed, ms")
    concurrency: int = Field(8, ge=1, le=1_024, description="attempts that a worker runs at a time")
    batch: int = Field(
        1, ge=1, le=1_000, description="attempts that a worker takes in hand in one commit; 1: those that it runs"
    )
    tick_ms: int = Field(1_000, ge=10, le=3_600_000, description="time between two ticks of a worker, ms")
    poll_ms: int = Field(500, ge=10, le=60_000, description="within what time other processes' acts are noticed, ms")
    busy_timeout_ms: int = Field(10_000, ge=0, le=600_000, description="how long to wait for the write lock, ms")
    connect_timeout_ms: int = Field(
        5_000, ge=0, le=600_000, description="how long to wait for a server that is starting, or not there yet, ms"
    )
    cache_bytes: int = Field(268_435_456, ge=1_048_576, description="memory for the states of runs, bytes")
    checkpoint_events: int = Field(
        50_000, ge=0, description="distance of view checkpoints, which make the past quick to look at, events; 0: none"
    )
    max_flow_bytes: int = Field(33_554_432, ge=1_024, description="the largest flow file that is read, bytes")
    max_dispatches: int = Field(5, ge=1, le=1_000, description="redrive policy: dispatches per dead letter")
    base_delay_ms: int = Field(1_000, ge=0, le=86_400_000, description="redrive policy: base of the backoff, ms")
    max_delay_ms: int = Field(300_000, ge=0, le=86_400_000, description="redrive policy: longest backoff, ms")
    continue_after_recurrence: bool = Field(True, description="redrive policy: go on after a recurrence")
    key_store: str | None = Field(None, description="file of the keys for payloads; none: nothing is encrypted")
    master_key: str | None = Field(None, description="file of the key that wraps those in the key store")
    seal: bool = Field(True, description="whether commands that write also seal the log")
    key_file: str | None = Field(None, description="the key that signs checkpoints; none: ~/.config/redrive/keys.json")
    pin_file: str | None = Field(
        None, description="where the last checkpoint is pinned, outside of the log; none: nowhere"
    )
    log_format: Literal["console", "json"] = Field("console", description="how log lines are written to stderr")
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="the least that is logged")

    @property
    def urls(self) -> tuple[str, ...]:
        """The logs, one or several."""
        texts = (self.db,) if isinstance(self.db, str) else self.db
        return tuple(url for text in texts for url in urls_in(text))

    @classmethod
    def load(cls, folder: Path | None = None, **arguments: Any) -> "Settings":
        """The settings in force; None among *arguments* means not given. Raises InvalidValue."""
        given = {name: value for name, value in arguments.items() if value is not None}
        merged = {**_from_file((folder or _here()) / FILE), **_from_environment(cls), **given}
        try:
            return cls(**merged)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0])
            accepted = accepted_by(first)
            if first["type"] == "extra_forbidden":
                near = get_close_matches(field, cls.model_fields, n=1)
                accepted = f"a setting that exists (did you mean {near[0]}?)" if near else "a setting that exists"
            raise InvalidValue(f"setting {field}", first["input"], accepted) from None


def _here() -> Path:
    """The current directory; where somebody removed it, a path in which nothing is found."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text_of(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidValue(str(path), str(error), "a readable TOML file") from None


def _text_of(path: Path) -> str:
    """Nobody named this file: what lies there may be a pipe, or a device without end. Raises OSError, ValueError."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - it has been opened
        if S_ISFIFO(os.fstat(file.fileno()).st_mode):
            raise ValueError("a pipe")
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError(f"more than {MAX_FILE_BYTES} bytes")
    return raw.decode("utf-8")


def _from_environment(cls: type[Settings]) -> dict[str, str]:
    names = {name: f"REDRIVE_{name.upper()}" for name in cls.model_fields}
    return {name: os.environ[key] for name, key in names.items() if os.environ.get(key)}
