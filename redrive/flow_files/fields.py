"""The value types of workflow files: each says in one sentence what it accepts."""

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import MAX_DELAY_MS
from redrive.domain.retry_documents import MAX_ATTEMPTS
from redrive.domain.stateful_wait import MAX_PROMPT_BYTES, MAX_WAIT_MS
from redrive.domain.values import MAX_INTEGER, MAX_TIMEOUT_MS, clean_integer, clean_name, clean_text

MAX_ARGUMENTS = 1_000
MAX_ARGUMENT_BYTES = 131_071  # the longest single argument that Linux passes to a program
MAX_VARIABLES = 1_000
_MAX_HANDLER = 500


def _whole(low: int, high: int) -> BeforeValidator:
    return BeforeValidator(lambda value: clean_integer(value, "", low, high))


def _name(value: object) -> str:
    return clean_name(value, "")


def _names(value: object) -> list[str]:
    if not isinstance(value, list):
        raise InvalidValue("", value, "a list of texts")
    return [clean_name(item, f"[{place}]") for place, item in enumerate(value)]


def _version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise InvalidValue("", value, "1, the only version there is")
    return 1


def _multiplier(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1.0 <= value <= 1_000.0:
        raise InvalidValue("", value, "a number from 1 to 1000")
    return float(value)


def _seconds(value: object) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= 1_000_000_000:  # type: ignore[arg-type, operator]
        raise InvalidValue("", value, "seconds: a number from 0 to 1000000000")
    return float(value)  # type: ignore[arg-type]


def _passable(value: object, field: str, *, most: int = MAX_ARGUMENT_BYTES) -> str:
    """A text that the operating system can hand to a program: it ends them at a NUL."""
    text = clean_text(value, field, most=most)
    if "\0" in text:
        raise InvalidValue(field, text[:80], "a text without NUL, which no program can be given")
    return text


def _argv(value: object) -> list[str]:
    if not isinstance(value, list):
        raise InvalidValue("", value, 'a list of texts, the program first (for a shell line: ["sh", "-c", "…"])')
    if not 1 <= len(value) <= MAX_ARGUMENTS:
        raise InvalidValue("", value, f"1 to {MAX_ARGUMENTS} texts, the program first")
    argv = [_passable(item, f"[{place}]") for place, item in enumerate(value)]
    clean_text(argv[0], "[0]", most=MAX_ARGUMENT_BYTES, blank=False)
    return argv


def _env(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidValue("", value, "an object of texts")
    if len(value) > MAX_VARIABLES:
        raise InvalidValue("", value, f"at most {MAX_VARIABLES} variables")
    for name in value:
        if not name or "=" in name or "\0" in name:
            raise InvalidValue("", name, "names of variables: not empty, without '=' and NUL")
    return {_name(name): _passable(item, f".{name[:80]}") for name, item in value.items()}


def _folder(value: object) -> str:
    return clean_text(_passable(value, "", most=4_096), "", blank=False)


def _prompt(value: object) -> str:
    return clean_text(value, "", most=MAX_PROMPT_BYTES, blank=False)


def _handler(value: object) -> str:
    text = clean_text(value, "", most=_MAX_HANDLER)
    parts = [part.split(".") for part in text.split(":")]
    if len(parts) != 2 or not all(name.isidentifier() for part in parts for name in part):
        raise InvalidValue("", text, "module:function, such as billing.jobs:fetch")
    return text


Name = Annotated[str, Field(min_length=1, max_length=512), BeforeValidator(_name)]
Names = Annotated[list[str], BeforeValidator(_names)]
Version = Annotated[int, Field(json_schema_extra={"const": 1}), BeforeValidator(_version)]
Attempts = Annotated[int, Field(ge=1, le=MAX_ATTEMPTS), _whole(1, MAX_ATTEMPTS)]
DelayMs = Annotated[int, Field(ge=0, le=MAX_DELAY_MS), _whole(0, MAX_DELAY_MS)]
ElapsedMs = Annotated[int, Field(ge=1, le=MAX_INTEGER), _whole(1, MAX_INTEGER)]
TimeoutMs = Annotated[int, Field(ge=1, le=MAX_TIMEOUT_MS), _whole(1, MAX_TIMEOUT_MS)]
WaitMs = Annotated[int, Field(ge=0, le=MAX_WAIT_MS), _whole(0, MAX_WAIT_MS)]
WaitTimeoutMs = Annotated[int, Field(ge=1, le=MAX_WAIT_MS), _whole(1, MAX_WAIT_MS)]
UntilMs = Annotated[int, Field(ge=0, le=MAX_INTEGER), _whole(0, MAX_INTEGER)]
Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_BYTES), BeforeValidator(_prompt)]
Multiplier = Annotated[float, Field(ge=1, le=1_000), BeforeValidator(_multiplier)]
Seconds = Annotated[float, Field(ge=0), BeforeValidator(_seconds)]
Argv = Annotated[list[str], Field(min_length=1, max_length=MAX_ARGUMENTS), BeforeValidator(_argv)]
Env = Annotated[dict[str, str], Field(max_length=MAX_VARIABLES), BeforeValidator(_env)]
Folder = Annotated[str, Field(min_length=1), BeforeValidator(_folder)]
Handler = Annotated[str, Field(pattern=r"^[^:\s]+:[^:\s]+$", max_length=_MAX_HANDLER), BeforeValidator(_handler)]
