"""From a path or a text to a FlowFile: bounded, and refused with a sentence where it cannot be read."""

import os
import stat
from itertools import islice
from pathlib import Path, PurePath

from redrive.domain.errors import InvalidFlow, InvalidValue
from redrive.flow_files.documents import decoded, load_document
from redrive.flow_files.flow_file import FlowFile
from redrive.flow_files.nearest import nearest
from redrive.flow_files.own_format import own_flow
from redrive.flow_files.tandem import is_tandem, tandem_flow
from redrive.flow_files.wfformat import wfformat_flow

DEFAULT_MAX_BYTES = 32 * 1024 * 1024


def read_flow_file(path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> FlowFile:
    """The workflow in the file at *path*, of at most *max_bytes*. A pipe (``<(generate)``) is read as well.

    Raises InvalidValue for a file that cannot be read or understood, InvalidFlow for nodes that form no graph.
    """
    file = Path(path)
    try:
        raw = _read(file, max_bytes)
    except FileNotFoundError:
        raise InvalidValue("flow file", str(file), f"a file that exists{_sibling(file)}") from None
    except OSError as error:
        raise InvalidValue("flow file", str(file), f"a file that can be read ({error.strerror or error})") from None
    return parse_flow(raw, name=file.name, max_bytes=max_bytes)


def parse_flow(source: str | bytes, *, name: str, max_bytes: int = DEFAULT_MAX_BYTES) -> FlowFile:
    """The workflow that *source* describes; *name* is what errors call it and what its ending says about it.

    Own format, WfFormat or a Tandem automation: its content decides. Raises InvalidValue, InvalidFlow.
    """
    _bounded(len(source), name, max_bytes)
    text = decoded(source, name)
    document = load_document(text, name) if text.strip() else None
    if document is None:
        raise InvalidFlow(name, "", "a workflow; there is none in this file")
    if not isinstance(document, dict):
        raise InvalidFlow(name, f"<{type(document).__name__}>", "an object with the keys automation, version, nodes")
    if "nodes" not in document and ("workflow" in document or "schemaVersion" in document):
        return wfformat_flow(document, stem=PurePath(name).stem or "flow")
    if is_tandem(document):
        return tandem_flow(document, stem=PurePath(name).stem or "flow")
    return own_flow(document)


def _read(file: Path, max_bytes: int) -> bytes:
    """The bytes of *file*, one more than *max_bytes* at most: what has no size of its own is bounded as well."""
    if not str(file).isprintable():
        raise InvalidValue("flow file", str(file), "a printable path")
    found = file.stat()
    if stat.S_ISDIR(found.st_mode):
        raise InvalidValue("flow file", str(file), "a file; this is a directory")
    _bounded(found.st_size, str(file), max_bytes)
    with file.open("rb") as opened:
        return opened.read(max_bytes + 1)


def _bounded(size: int, name: str, max_bytes: int) -> None:
    if size > max_bytes:
        accepted = f"at most {max_bytes} bytes, a limit that can be raised (setting max_flow_bytes); it has {size}"
        raise InvalidValue("flow file", name, accepted)


def _sibling(file: Path) -> str:
    """A hint at a file of a similar name in the same folder."""
    try:
        return nearest(file.name, [entry.name for entry in islice(file.parent.iterdir(), 2_000)])
    except OSError:
        return ""
