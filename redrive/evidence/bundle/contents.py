"""What a bundle says of itself in bundle.json."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from redrive.domain.values import JsonValue
from redrive.evidence.bundle.archive import broken, canonical_line

MOST = 2**62
Count = Annotated[int, Field(ge=0, le=MOST, strict=True)]


class Contents(BaseModel):
    """What was selected of which log, and which code wrote it. *ranges* are (first leaf, number of leaves) that are
    proven together; every other entry has a proof of its own. *origin*, *size* and *root* are the checkpoint's."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["redrive-bundle/v1"] = "redrive-bundle/v1"
    log: str
    origin: str
    size: Count
    root: str
    selection: dict[str, JsonValue]
    entries: Count
    ranges: tuple[tuple[Count, Count], ...]
    code: dict[str, JsonValue]

    def line(self) -> bytes:
        """As it stands in the bundle."""
        return canonical_line(self.model_dump(mode="json"))

    @property
    def run(self) -> str | None:
        """The run that was selected, if one was."""
        found = self.selection.get("run")
        return found if isinstance(found, str) else None


def read_contents(data: bytes) -> Contents:
    """The contents of a bundle's bundle.json. Raises InvalidValue."""
    try:
        found = Contents.model_validate_json(data)
    except ValidationError as error:
        broken(f"bundle.json cannot be read ({error.errors()[0]['msg']})")
    last = -1
    for first, count in found.ranges:
        if first <= last or count < 2:
            broken("the ranges of bundle.json are out of order")
        last = first + count
    if found.line() != data or not found.selection:
        broken("bundle.json is not as it is written")
    return found


def named_keys(policy: Mapping[str, Any]) -> list[str]:
    """The verifier keys that the policy of a bundle names. Raises InvalidValue."""
    keys = policy.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        broken("policy.json does not list keys")
    return keys
