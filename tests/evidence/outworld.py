"""A C2SP witness and a timestamping authority, on the loopback."""

import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from redrive.domain.errors import InvalidValue
from redrive.evidence.merkle import is_consistent
from redrive.evidence.notes import (
    COSIGNATURE,
    Note,
    Signature,
    Signer,
    Verifier,
    cosigned,
    parse_checkpoint,
    parse_note,
    verified_by,
)

SHA256 = bytes.fromhex("0609608648016503040201")


class Witness:
    """Signs checkpoints that continue the last one it saw, of the one log whose key it knows."""

    def __init__(self, log: Verifier) -> None:
        self._log, self._signer = log, Signer("witness.example", b"w" * 32)
        self.key = Verifier("witness.example", self._signer.verifier.public, COSIGNATURE)
        self.size, self.root = 0, b""
        self.time_s = 1_800_000_005
        self.asked: list[bytes] = []
        self.refuses_with = 0

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        self.asked.append(body)
        if self.refuses_with:
            return self.refuses_with, b"no"
        head, _, raw = body.partition(b"\n\n")
        first, *proof = head.decode().split("\n")
        try:
            note = parse_note(raw)
            point = parse_checkpoint(note.text)
            known = verified_by(note, [self._log])
        except InvalidValue:
            return 400, b"bad request"
        if path != "/add-checkpoint" or not known:
            return 403, b"unknown log"
        old = int(first.removeprefix("old "))
        if old != self.size:
            return 409, f"{self.size}\n".encode()
        nodes = [b64decode(line) for line in proof]
        if old and not is_consistent(old, self.root, point.size, point.root, nodes):
            return 422, b"bad proof"
        self.size, self.root = point.size, point.root
        return 200, self.line(note.text).encode()

    def line(self, text: str) -> str:
        """Its signature of a checkpoint."""
        signed = self._signer.sign(cosigned(text, self.time_s).decode()).data
        data = self.time_s.to_bytes(8, "big") + signed
        return str(Note("", (Signature(self.key.name, self.key.key_id, data),))).removeprefix("\n")


def der(tag: int, *contents: bytes) -> bytes:
    """An element in DER."""
    content = b"".join(contents)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    return bytes([tag, 0x82]) + size.to_bytes(2, "big") + content


class Authority:
    """States when it was asked. Its tokens bear no signature: nobody checks one here."""

    def __init__(self) -> None:
        self.time = b"20270115080000.250Z"
        self.status = 0
        self.spoil: Callable[[bytes], bytes] = bytes

    def answer(self, _path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        imprint_at = body.index(SHA256) - 4
        imprint = body[imprint_at : imprint_at + 2 + body[imprint_at + 1]]
        nonce_at = imprint_at + len(imprint)
        nonce = body[nonce_at : nonce_at + 2 + body[nonce_at + 1]]
        return 200, self.spoil(response(self.status, imprint, self.time, nonce))


def response(status: int, imprint: bytes, time: bytes, nonce: bytes) -> bytes:
    """A TimeStampResp."""
    accuracy, one = der(0x30, der(2, b"\x01")), der(2, b"\x01")
    info = der(0x30, one, der(6, b"\x2a\x03"), imprint, der(2, b"\x07"), der(0x18, time), accuracy, nonce)
    content = der(0x30, bytes.fromhex("060b2a864886f70d0109100104"), der(0xA0, der(4, info)))
    signed = der(0x30, der(2, b"\x03"), der(0x31), content, der(0x31))
    token = der(0x30, bytes.fromhex("06092a864886f70d010702"), der(0xA0, signed))
    return der(0x30, der(0x30, der(2, bytes([status]))), token)


@contextmanager
def serving(service: Any) -> Iterator[str]:
    """The URL at which *service* answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = service.answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
