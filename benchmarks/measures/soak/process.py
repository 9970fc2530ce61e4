"""What the kernel says of a running process; Linux alone."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_S = os.sysconf("SC_CLK_TCK")
_MB = 2**20


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A process at one moment.

    at_s:        seconds since the run began
    memory_mb:   resident; cpu_s: used so far, in user and kernel
    descriptors: open files and sockets
    """

    at_s: float
    memory_mb: float
    threads: int
    descriptors: int
    cpu_s: float


def look_at(pid: int, at_s: float) -> ProcessState:
    """The state of a process now. Raises OSError where there is none."""
    folder = Path("/proc") / str(pid)
    # The name in brackets may hold anything; what follows it are numbers, from field 3 on (proc(5)).
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return ProcessState(
        at_s=at_s,
        memory_mb=int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / _MB,
        threads=int(fields[17]),
        descriptors=len(list((folder / "fd").iterdir())),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_S,
    )
