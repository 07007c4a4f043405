"""Workflow files: redrive's own YAML or JSON, WfFormat 1.5 and Tandem automations, read into flows.

Reading never executes or imports anything. Whatever cannot be accepted raises InvalidValue or InvalidFlow.

- ``reading`` makes a ``flow_file`` of bytes: ``documents`` first (``yaml_documents``), then one of three formats.
- redrive's own: ``own_format`` makes nodes of the ``own_document``, with an ``effect_document`` and ``templates`` that
  are filled when a node starts; ``schema`` writes its JSON Schema.
- Imported: ``wfformat``, ``tandem``; ``ignored`` is what they say beyond what is read.
- Refusals: models are ``strict``, ``fields`` say what they accept, ``graph`` names places, ``nearest`` suggests.
"""

from redrive.flow_files.flow_file import FlowFile
from redrive.flow_files.reading import DEFAULT_MAX_BYTES, parse_flow, read_flow_file

__all__ = ["DEFAULT_MAX_BYTES", "FlowFile", "parse_flow", "read_flow_file"]
