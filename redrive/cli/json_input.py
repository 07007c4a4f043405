"""``--input JSON``, ``--receipt JSON``: a document typed by a person."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redrive.domain.values import JsonValue


def document(text: str | None, option: str = "--input") -> "JsonValue":
    """The document that *text*, given as *option*, is; None when nothing was typed. Raises InvalidValue."""
    from redrive.domain.errors import InvalidValue

    if text is None:
        return None
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, option))
    except RecursionError:
        raise InvalidValue(option, text[:40], "JSON that is less deeply nested") from None
    except json.JSONDecodeError as error:
        raise InvalidValue(option, text[:80], f"JSON ({error.msg}, character {error.pos + 1})") from None
    except InvalidValue:
        raise
    except ValueError:  # an integer of thousands of digits
        raise InvalidValue(option, text[:40], "numbers of a reasonable length") from None
    return value


def _object(pairs: list[tuple[str, Any]], option: str) -> dict[str, Any]:
    """Python keeps the last of two equal keys silently; a person who wrote both meant something else."""
    from redrive.domain.errors import InvalidValue

    built = dict(pairs)
    if len(built) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidValue(option, twice[:80], "each key once in an object")
    return built
