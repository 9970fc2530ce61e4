"""What every benchmark writes: the machine, the versions, the command, and rows of results, as JSON and as a table."""

import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("numpy", "opencv-python-headless", "mediapipe", "onnxruntime", "pyzmq", "msgspec", "rich")

Row = Mapping[str, object]


def machine() -> dict[str, object]:
    """Processor, cores, memory, load of the last minute and system, without anything that names the machine."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def percentiles(values: Sequence[float], shares: Sequence[float] = (0.5, 0.95, 0.99)) -> list[float]:
    """The values below which these shares of all values lie."""
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in shares]


def write(name: str, rows: Sequence[Row], out: Path | None = None, *, packages: Sequence[str] = PACKAGES) -> Path:
    """Save a benchmark's rows with everything that is needed to judge and repeat them.

    packages: whose versions matter
    """
    out = out or RESULTS / f"{name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    script = Path(sys.argv[0]).resolve()
    inside = script.relative_to(ROOT) if script.is_relative_to(ROOT) else Path(script.parent.name, script.name)
    command = ["python", inside.as_posix(), *sys.argv[1:]]
    content = {
        "benchmark": name,
        "machine": machine(),
        "versions": {package: importlib.metadata.version(package) for package in packages},
        "command": shlex.join(command),
        "results": list(rows),
    }
    out.write_text(json.dumps(content, indent=1) + "\n")
    return out


def show(title: str, rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, box=None, title_justify="left")
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)


def _cpu() -> str:
    if sys.platform == "darwin":
        return subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=True
        ).stdout.strip()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
