"""Which process holds a claim: enough to tell, on the same host, that it is gone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holder:
    """A process: its host's name and boot, its pid namespace, its pid and when it started (kernel ticks)."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.host}/{self.boot}/{self.namespace}/{self.pid}/{self.started}"

    @classmethod
    def parse(cls, text: str) -> "Holder":
        """The holder that ``str()`` wrote."""
        host, boot, namespace, pid, started = text.rsplit("/", 4)
        return cls(host, boot, namespace, int(pid), int(started))
