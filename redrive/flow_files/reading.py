"""From a path or a text to a FlowFile: bounded, and refused with a sentence where it cannot be read."""

import os
import stat
from pathlib import Path

from redrive.domain.errors import InvalidFlow, InvalidValue
from redrive.flow_files.documents import decoded, load_document
from redrive.flow_files.flow_file import FlowFile
from redrive.flow_files.nearest import nearest
from redrive.flow_files.own_format import own_flow
from redrive.flow_files.wfformat import wfformat_flow

DEFAULT_MAX_BYTES = 32 * 1024 * 1024


def read_flow_file(path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> FlowFile:
    """The workflow in the file at *path*, of at most *max_bytes*. A pipe (``<(generate)``) is read as well.

    Raises InvalidValue for a file that cannot be read or understood, InvalidFlow for nodes that form no graph.
    """
    name = os.fspath(path)
    try:
        found = Path(name).stat()
        if stat.S_ISDIR(found.st_mode):
            raise InvalidValue("flow file", name, "a file; this is a directory")
        _bounded(found.st_size, name, max_bytes)
        with Path(name).open("rb") as file:
            raw = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise InvalidValue("flow file", name, f"a file that exists{_sibling(name)}") from None
    except OSError as error:
        raise InvalidValue("flow file", name, f"a file that can be read ({error.strerror or error})") from None
    except ValueError as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue("flow file", name, f"the path of a file ({error})") from None
    return parse_flow(raw, name=Path(name).name, max_bytes=max_bytes)


def parse_flow(source: str | bytes, *, name: str, max_bytes: int = DEFAULT_MAX_BYTES) -> FlowFile:
    """The workflow that *source* describes; *name* is what errors call it and what its ending says about it.

    Own format or WfFormat: its content decides. Raises InvalidValue, InvalidFlow.
    """
    _bounded(len(source), name, max_bytes)
    text = decoded(source, name)
    if not text.strip():
        raise InvalidFlow(name, "", "a workflow; this file is empty")
    document = load_document(text, name)
    if not isinstance(document, dict):
        raise InvalidFlow(name, f"<{type(document).__name__}>", "an object with the keys automation, version, nodes")
    if "nodes" not in document and ("workflow" in document or "schemaVersion" in document):
        return wfformat_flow(document, stem=Path(name.replace("\0", "")).stem or "flow")
    return own_flow(document)


def _bounded(size: int, name: str, max_bytes: int) -> None:
    if size > max_bytes:
        raise InvalidValue("flow file", name, f"at most {max_bytes:,} bytes (it has {size:,} or more; raise the limit)")


def _sibling(name: str) -> str:
    """A hint at a file of a similar name in the same folder."""
    folder = Path(name).parent
    try:
        names = [entry.name for _, entry in zip(range(2_000), os.scandir(folder), strict=False)]
    except (OSError, ValueError):
        return ""
    return nearest(Path(name).name, names)
