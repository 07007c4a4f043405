"""Strict models whose refusals name the path in the document, the value, and what is accepted."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from redrive.domain.errors import InvalidValue
from redrive.flow_files.nearest import nearest

Model = TypeVar("Model", bound=BaseModel)

_ACCEPTED = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "float_type": "a number",
    "list_type": "a list",
    "model_type": "an object",
    "string_type": "a text",
}


class Strict(BaseModel):
    """A model that takes no value for another and no key that it does not know."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, document: object) -> object:
        if isinstance(document, dict):
            for key, value in document.items():
                names = [field.alias or name for name, field in cls.model_fields.items()]
                if key not in names:
                    accepted = f"a key that is known here{nearest(key, names) or ': ' + ', '.join(names)}"
                    raise InvalidValue(f".{key[:80]}", value, accepted)
        return document


class Part(BaseModel):
    """Part of a file of another program, strict about what has a meaning here; the rest is ignored and listed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


def validated(model: type[Model], document: object) -> Model:
    """*document* as a *model*. Raises InvalidValue for the first thing in it that cannot be accepted."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0]) from None


def brief(value: object) -> object:
    """*value* as an error may show it: never a whole document."""
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:20] for key in list(value)[:6])
        return f"<an object with the keys {keys}>" if value else "<an empty object>"
    if isinstance(value, list):
        return f"<a list of {len(value)}>"
    return value[:200] if isinstance(value, str) else value


def _refusal(error: Any) -> InvalidValue:
    path, value = _path(error["loc"]), error["input"]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InvalidValue):  # raised by a validator; its field continues the path
        path, value, accepted = f"{path}{cause.field}", cause.value, cause.accepted
    elif error["type"] == "missing":
        path, accepted = _path(error["loc"][:-1]), f"the key {error['loc'][-1]!r} in it"
    elif error["type"] == "literal_error":
        accepted = error["ctx"]["expected"] + (nearest(value, _quoted(error)) if isinstance(value, str) else "")
    elif error["type"] in ("too_long", "too_short"):
        bound = error["ctx"].get("max_length") or f"least {error['ctx'].get('min_length')}"
        accepted = f"at {'most ' if error['type'] == 'too_long' else ''}{bound} items"
    else:
        accepted = _ACCEPTED.get(error["type"], error["msg"])
    if accepted == "a text" and isinstance(value, (int, float)):
        accepted = "a text (put it in quotes)"
    return InvalidValue(path.removeprefix(".") or "document", brief(value), accepted)


def _path(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in location)
    return "".join(parts).removeprefix(".")


def _quoted(error: Any) -> list[str]:
    return [word for word in str(error["ctx"]["expected"]).split("'") if word.isidentifier() and word != "or"]
