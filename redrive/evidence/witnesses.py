"""Asking a C2SP witness to sign a checkpoint (https://c2sp.org/tlog-witness), and HTTP as anchors need it."""

from base64 import b64encode
from collections.abc import Callable, Sequence

from redrive.domain.errors import AnchorFailed, InvalidValue
from redrive.evidence.notes import Verifier, cosignature_time_s, parse_note, parse_signature
from redrive.evidence.store import StoredCheckpoint

MAX_ANSWER_BYTES = 65_536
TIMEOUT_S = 30.0


def proof_lines(proof: Sequence[bytes]) -> str:
    """The lines of a consistency proof."""
    return "".join(f"{b64encode(node).decode()}\n" for node in proof)


def ask_witness(url: str, witness: Verifier, point: StoredCheckpoint, prove: Callable[[int], str]) -> tuple[str, int]:
    """The line with which *witness* signs the checkpoint, and its time in seconds. Raises AnchorFailed."""
    where = f"{url.rstrip('/')}/add-checkpoint"
    old = 0
    for _ in range(3):
        asked = f"old {old}\n{prove(old)}\n{point.note}"
        status, body = exchange(where, asked.encode(), "text/plain", MAX_ANSWER_BYTES)
        if status == 200:
            return _cosigned(url, witness, point, body)
        if status != 409:
            raise AnchorFailed(f"{where} answered {status}: {_sentence(body)}")
        old = _known_size(where, point, body)
    raise AnchorFailed(f"{where} does not agree on what it saw last")


def exchange(url: str, content: bytes, content_type: str, most: int) -> tuple[int, bytes]:
    """Post *content*; status and body, at most *most* bytes of it. Redirects are not followed. Raises AnchorFailed."""
    import httpx

    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream("POST", url, content=content, headers={"Content-Type": content_type}) as response,
        ):
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > most:
                    raise AnchorFailed(f"{url} answered with more than {most:,} bytes")
            return response.status_code, body
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise AnchorFailed(f"{url} could not be asked: {error!r}") from None


def _known_size(where: str, point: StoredCheckpoint, body: bytes) -> int:
    """The size that a witness saw last, as it says when ours was wrong."""
    text = body.strip()
    if not text.isdigit() or len(text) > 19:
        raise AnchorFailed(f"{where} answered 409 without a size")
    if int(text) > point.size:
        raise AnchorFailed(
            f"{where} has seen {int(text)} leaves of this log, which has {point.size}: it was cut, or an old copy was "
            "restored"
        )
    return int(text)


def _cosigned(url: str, witness: Verifier, point: StoredCheckpoint, body: bytes) -> tuple[str, int]:
    text = parse_note(point.note).text
    try:
        lines = body.decode().removesuffix("\n").split("\n")
        for line, signature in [(line, parse_signature(line)) for line in lines]:
            if (signature.name, signature.key_id) == (witness.name, witness.key_id):
                if not witness.verifies(text, signature.data):
                    raise AnchorFailed(f"{url} answered with a signature that is not that of {witness.name}")
                return line + "\n", cosignature_time_s(signature)
    except (InvalidValue, UnicodeDecodeError) as error:
        raise AnchorFailed(f"{url} answered with what is no signature: {error}") from None
    raise AnchorFailed(f"{url} answered without a signature of {witness.name}")


def _sentence(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace").strip()
