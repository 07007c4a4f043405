"""What a workflow file says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from redrive.domain.flow import Flow
from redrive.domain.identity import FlowDigest, NodeId

COMMAND_HANDLER = "redrive.command"
SIMULATE_HANDLER = "redrive.simulate"
"""Of imported nodes: they are simulated, unless what the file recorded may be executed."""
SIMULATED_HANDLER = "redrive.simulation"
"""Of every node of a run that is simulated: nobody takes it for a real one."""
PYTHON_PREFIX = "python:"
EFFECT_PREFIX = "effect:"


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A workflow file, read and checked.

    *automation* is the name its runs go by. *ignored* lists the keys without a meaning here (of imported files; in
    the own format an unknown key is an error). *imports* tells which ``module:function`` handlers its nodes name,
    *effects* to which origins they send, sorted. *runtimes_ms* are the run times that a WfFormat file recorded; nodes
    without one are absent.
    """

    automation: str
    flow: Flow
    kind: Literal["redrive", "wfformat", "tandem"]
    ignored: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    runtimes_ms: Mapping[NodeId, int] = field(default_factory=dict)

    @property
    def digest(self) -> FlowDigest:
        """The name of the flow: equal for files that mean the same nodes, whatever their layout."""
        return self.flow.digest

    @property
    def only_simulated(self) -> bool:
        """Whether nothing could execute its nodes: an imported file that names no program. Approvals and timed waits
        need none."""
        nodes = [node for node in self.flow.nodes.values() if node.handler == SIMULATE_HANDLER]
        return bool(nodes) and not any(isinstance(node.params, dict) and "program" in node.params for node in nodes)
