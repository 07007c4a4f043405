"""This process, as others can check it: whether the holder of a claim is gone from this host."""

import os
import sys
from functools import lru_cache
from pathlib import Path

from redrive.domain.run.holder import Holder


@lru_cache(maxsize=1)
def _host() -> tuple[str, str, str] | None:
    """The host's name, its boot id and our pid namespace; None where the system does not tell (leases alone decide)."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return os.uname().nodename, boot, str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def started_at(pid: int) -> int | None:
    """When the process started, in kernel ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def supervisors_of(pid: int) -> list[int]:
    """The supervisors that still end the commands of process *pid*; none when it started no command."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if len(words) >= 4 and words[-4].endswith(b"processes/supervisor.py") and words[-2] == b"%d" % pid:
                found.append(int(entry.name))
    return found


def this_process() -> Holder | None:
    """The holder that this process is; None where it cannot be told."""
    host, started = _host(), started_at(os.getpid())
    return None if host is None or started is None else Holder(*host, os.getpid(), started)


def is_gone(holder: Holder) -> bool:
    """Whether *holder* is known to be gone: it ran on this host, which was booted since, or its process is no more."""
    here = _host()
    if here is None or holder.host != here[0]:
        return False  # another host: its lease decides
    if holder.boot != here[1]:
        return True
    return holder.namespace == here[2] and started_at(holder.pid) != holder.started
