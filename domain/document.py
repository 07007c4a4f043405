"""Policies as documents: checked when they are made, and refused by naming field and accepted range."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from redrive.domain.errors import InvalidValue
from redrive.domain.values import JsonValue, clean_integer


class Document(BaseModel):
    """A frozen model that raises InvalidValue instead of pydantic's error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __new__(cls, *unnamed: object, **_data: Any) -> Self:
        """Refuse what Python would: values without their names. Raises InvalidValue."""
        if unnamed:
            names = ", ".join(f"{name}=…" for name in cls.model_fields)
            raise InvalidValue(cls.__name__, unnamed[0], f"each value with its name: {names}")
        return super().__new__(cls)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _refusal(error, type(self)) from None

    def document(self) -> JsonValue:
        """As JSON, the same for what is equal."""
        body: JsonValue = self.model_dump(mode="json")
        return body


def _refusal(error: ValidationError, model: type[BaseModel]) -> InvalidValue:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if "[" not in str(part)]  # the branches of a union are no fields
    cause = first.get("ctx", {}).get("error")
    if not isinstance(cause, InvalidValue):
        known = model.model_fields if len(path) == 1 else ()
        return InvalidValue(".".join(path) or model.__name__, first["input"], accepted_by(first, known))
    if path[-1:] != [cause.field]:
        path.append(cause.field)
    return InvalidValue(".".join(path), cause.value, cause.accepted)


def accepted_by(error: Any, known: Iterable[str] = ()) -> str:
    """What would have been accepted, in words, by one of pydantic's errors; *known* are the names of fields."""
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(error["loc"][-1]), known, n=1)
        return "one of the known names" + (f" (did you mean {near[0]!r}?)" if near else "")
    message: str = error["msg"]
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def within(low: int, high: int) -> Any:
    """A validator: an integer (no bool, no float, no text) from *low* to *high*."""

    def check(cls: type, value: object, info: Any) -> int:
        return clean_integer(value, info.field_name, low, high)

    return check
