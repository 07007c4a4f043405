"""Verifies a bundle: what it shows by itself, and whether what is trusted agrees. `verify.py` says the same alone."""

from collections.abc import Sequence
from pathlib import Path

from redrive.domain.errors import InvalidValue, StorageError
from redrive.domain.values import canonical_json
from redrive.evidence.bundle.reading import Found, read_bundle, signed_by
from redrive.evidence.notes import COSIGNATURE, Checkpoint, Verifier, parse_checkpoint, parse_note
from redrive.evidence.report import VerifyResult as Result
from redrive.projections.models import Model

_WORST = (Result.VERIFIED, Result.SELF_CONSISTENT, Result.STALE, Result.INCOMPLETE, Result.TAMPERED)


class BundleReport(Model):
    """What came of verifying a bundle. *agreed* are the keys and pins that agree, *why* says what keeps the result from
    being VERIFIED. Times are UTC milliseconds; what is 0 or empty was not found out."""

    result: Result
    why: tuple[str, ...] = ()
    agreed: tuple[str, ...] = ()
    origin: str = ""
    size: int = 0
    root: str = ""
    since: int | None = None
    selection: str = ""
    entries: int = 0
    left_out: int = 0
    begun_before: int = 0
    single_proofs: int = 0
    range_proofs: int = 0
    last_position: int = 0
    first_recorded_at_ms: int = 0
    last_recorded_at_ms: int = 0


class _Judgement:
    def __init__(self, *, asked: bool) -> None:
        self.result = Result.VERIFIED if asked else Result.SELF_CONSISTENT
        self.why = [] if asked else ["no key and no pin was given: whoever can write a log can write such a bundle"]
        self.agreed: list[str] = []
        self.vouched = 0

    def lower(self, result: Result, why: str) -> None:
        """Something speaks against VERIFIED."""
        self.why.append(why)
        self.result = max(self.result, result, key=_WORST.index)


def verify_bundle(path: str | Path, *, keys: Sequence[str] = (), pins: Sequence[str | bytes] = ()) -> BundleReport:
    """Verify the bundle at *path* against what is trusted: verifier keys (``name+id+key``) and checkpoints as they were
    kept elsewhere. The result is VERIFIED only when each of them agrees and one of them covers every entry, and
    SELF-CONSISTENT at best without any.

    Raises InvalidValue for a key or pin that cannot be read, StorageError when the file cannot be.
    """
    trusted = [Verifier.parse(key) for key in keys]
    kept = [parse_checkpoint(parse_note(pin).text) for pin in pins]
    judged = _Judgement(asked=bool(keys or pins))
    try:
        with Path(path).open("rb") as file:
            found = read_bundle(file)
    except OSError as error:
        raise StorageError(f"{path}: the bundle cannot be read ({error})") from error
    except InvalidValue as error:
        return BundleReport(result=Result.TAMPERED, why=(str(error.value) if error.field == "bundle" else str(error),))
    for pin in kept:
        _judge_pin(judged, found, pin)
    _judge_keys(judged, found, trusted)
    if (keys or pins) and found.last_leaf >= judged.vouched:
        why = f"nobody stands for leaf {found.last_leaf}: what was seen ends before leaf {judged.vouched}"
        judged.lower(Result.SELF_CONSISTENT, f"{why}; give a key, too")
    if found.gaps:
        judged.lower(Result.INCOMPLETE, f"{found.gaps[0]}: events in between are not there")
    return _report(judged, found)


def _judge_keys(judged: _Judgement, found: Found, keys: Sequence[Verifier]) -> None:
    for key in keys:
        kind = "witness" if key.algorithm == COSIGNATURE else "key"
        try:
            if signed_by(found.note, key):
                judged.vouched = found.checkpoint.size
                judged.agreed.append(f"{kind} {key.name}+{key.key_id.hex()}")
            else:
                signers = ", ".join(f"{one.name}+{one.key_id.hex()}" for one in found.note.signatures) or "nobody"
                told = f"{kind} {key.name}+{key.key_id.hex()} did not sign the checkpoint; signed by {signers}"
                judged.lower(Result.INCOMPLETE, told)
        except InvalidValue as error:
            judged.lower(Result.TAMPERED, str(error.value))


def _judge_pin(judged: _Judgement, found: Found, pin: Checkpoint) -> None:
    mine, since = found.checkpoint, found.since
    if pin.origin != mine.origin:
        judged.lower(Result.TAMPERED, f"the pin is of another log: {pin.origin}")
    elif pin.size > mine.size:
        judged.lower(Result.STALE, f"the pin, of {pin.size} leaves, is newer than the bundle")
    elif pin.size == mine.size or (since is not None and since.size == pin.size):
        kept = mine if pin.size == mine.size or since is None else since
        if pin.root == kept.root:
            judged.agreed.append(f"pin of {pin.size} leaves")
            judged.vouched = max(judged.vouched, pin.size)
        else:
            judged.lower(Result.TAMPERED, f"the pinned tree of {pin.size} leaves has another root")
    else:
        judged.lower(
            Result.INCOMPLETE, f"the bundle has no consistency proof from the pin, which has {pin.size} leaves"
        )


def _report(judged: _Judgement, found: Found) -> BundleReport:
    contents = found.contents
    return BundleReport(
        result=judged.result,
        why=tuple(judged.why),
        agreed=tuple(judged.agreed),
        origin=contents.origin,
        size=contents.size,
        root=contents.root,
        since=None if found.since is None else found.since.size,
        selection=canonical_json(contents.selection).decode(),
        entries=found.entries,
        left_out=found.left_out,
        begun_before=found.begun_before,
        single_proofs=found.singles,
        range_proofs=found.spans,
        last_position=found.last_position,
        first_recorded_at_ms=found.recorded_ms[0],
        last_recorded_at_ms=found.recorded_ms[1],
    )
