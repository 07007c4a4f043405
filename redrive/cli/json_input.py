"""``--input JSON``, ``--receipt JSON``: a document typed by a person."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redrive.domain.values import JsonValue


def document(text: str | None, option: str = "--input") -> "JsonValue":
    """The document that *text*, given as *option*, is; None when nothing was typed. Raises InvalidValue."""
    if text is None:
        return None
    from redrive.domain.errors import InvalidValue
    from redrive.flow_files.documents import each_key_once

    try:
        value: JsonValue = json.loads(text, object_pairs_hook=lambda pairs: each_key_once(pairs, option))
    except RecursionError:
        raise InvalidValue(option, text[:40], "JSON that is less deeply nested") from None
    except json.JSONDecodeError as error:
        raise InvalidValue(option, text[:80], f"JSON ({error.msg}, character {error.pos + 1})") from None
    except InvalidValue:
        raise
    except ValueError:  # an integer of thousands of digits
        raise InvalidValue(option, text[:40], "numbers of a reasonable length") from None
    return value
