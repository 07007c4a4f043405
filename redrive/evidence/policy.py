"""What whoever verifies a log trusts, and demands: a file (YAML or JSON) that lies with them, never with the log."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from redrive.domain.document import Document
from redrive.domain.errors import InvalidValue
from redrive.evidence.notes import COSIGNATURE, ED25519, Verifier
from redrive.flow_files.documents import read_document

MAX_POLICY_BYTES = 1_048_576


def _key_of(algorithm: int) -> Any:
    def check(text: str) -> str:
        if Verifier.parse(text).algorithm != algorithm:
            wanted = "a witness's key (type 4)" if algorithm == COSIGNATURE else "a log's key (type 1)"
            raise ValueError(f"expected {wanted}")
        return text

    return AfterValidator(check)


LogKey = Annotated[str, _key_of(ED25519)]
WitnessKey = Annotated[str, _key_of(COSIGNATURE)]


class VerifyPolicy(Document):
    """What is trusted (keys, pins, checkpoints, witnesses) and what is demanded. Paths are relative to its file.
    Raises InvalidValue."""

    model_config = ConfigDict(strict=True)

    trust: list[LogKey] = Field(default=[], description="verifier keys whose signatures are trusted")
    pin_file: str | None = Field(default=None, description="the pin file, which must be there and agree")
    checkpoints: list[str] = Field(
        default=[], description="files with checkpoints that were kept, each of which must agree"
    )
    witnesses: list[WitnessKey] = Field(default=[], description="verifier keys of witnesses that are trusted")
    require_witnesses: int = Field(default=0, ge=0, le=100, description="how many of them must have seen a checkpoint")
    freshness_ms: int = Field(default=600_000, ge=0, description="how old the oldest unsealed event may be, ms")
    max_unanchored: int | None = Field(
        default=None, ge=0, description="how many sealed events may lie beyond what is anchored; none: any number"
    )
    clock_tolerance_ms: int = Field(
        default=300_000, ge=0, description="how far the log's clock may be from the one of a witness, ms"
    )

    @property
    def trusted(self) -> list[Verifier]:
        """The keys of logs."""
        return [Verifier.parse(text) for text in self.trust]

    @property
    def trusted_witnesses(self) -> list[Verifier]:
        """The keys of witnesses."""
        return [Verifier.parse(text) for text in self.witnesses]


def read_verify_policy(path: Path) -> VerifyPolicy:
    """The policy in a file, YAML or JSON. Raises InvalidValue, naming the field."""
    document = read_document(path, "policy", MAX_POLICY_BYTES)
    if not isinstance(document, dict | None):
        raise InvalidValue("policy", document, "an object with the keys of a verify policy")
    try:
        policy = VerifyPolicy(**(document or {}))
    except InvalidValue as error:
        raise InvalidValue(f"policy {error.field}", error.value, error.accepted) from None
    beside = path.parent
    return policy.model_copy(
        update={
            "pin_file": None if policy.pin_file is None else str(beside / Path(policy.pin_file).expanduser()),
            "checkpoints": [str(beside / Path(name).expanduser()) for name in policy.checkpoints],
        }
    )
