"""The JSON Schema of redrive's own workflow files: ``python -m redrive.flow_files.schema FILE`` writes it."""

import json
import sys
from pathlib import Path
from typing import Any

from redrive.flow_files.own_document import FlowDocument

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a workflow file in redrive's own format."""
    return {"$schema": DIALECT, **FlowDocument.model_json_schema(), "title": "redrive workflow file, version 1"}


def schema_text() -> str:
    """The schema as the documentation keeps it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the schema to the file that *arguments* name, or to the standard output."""
    if arguments:
        Path(arguments[0]).write_text(schema_text(), encoding="utf-8")
    else:
        sys.stdout.write(schema_text())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
