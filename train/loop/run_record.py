"""`run.json`: what a run was started with, and each time that it went on: recipe, seed, commit, versions."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

RECORD = "run.json"


def record_start(folder: Path, recipe: msgspec.Struct) -> list[str]:
    """Add this start to the record of the run; returns what differs in the recipe from the run's first start."""
    file = folder / RECORD
    settings = plain_settings(recipe)
    record = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"recipe": settings, "starts": []}
    changed = _differences("", record["recipe"], settings)
    start = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": current_commit(Path(__file__).parent),
        "seed": settings["seed"],
        "python": platform.python_version(),
        "torch": version("torch"),
        "changed": changed,
    }
    folder.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(record | {"starts": [*record["starts"], start]}, indent=2) + "\n", encoding="utf-8")
    partial.replace(file)
    return changed


def plain_settings(recipe: msgspec.Struct) -> dict[str, Any]:
    """The recipe as it comes back from a JSON file, in which there are no tuples."""
    settings: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(recipe))
    return settings


def _differences(key: str, before: Any, now: Any) -> list[str]:
    """Lines such as `frame.optimiser.lr: 0.002 → 0.001`."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = sorted(before.keys() | now.keys())
        pairs = ((f"{key}.{name}" if key else name, before.get(name), now.get(name)) for name in names)
        return [line for name, old, new in pairs for line in _differences(name, old, new)]
    return [] if before == now else [f"{key}: {before} → {now}"]


def current_commit(folder: Path) -> str:
    """The commit of the checkout that `folder` lies in, or "unknown"."""
    command = ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
