"""Workflow files: redrive's own YAML or JSON, and WfFormat 1.5, read into flows.

Reading never executes or imports anything. Whatever cannot be accepted raises InvalidValue or InvalidFlow.
"""

from redrive.flow_files.flow_file import FlowFile
from redrive.flow_files.reading import DEFAULT_MAX_BYTES, parse_flow, read_flow_file

__all__ = ["DEFAULT_MAX_BYTES", "FlowFile", "parse_flow", "read_flow_file"]
