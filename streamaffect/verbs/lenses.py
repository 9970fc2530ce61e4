"""The verb `lenses`: which further outputs there are, what they cost, how good they are, and what they can't do."""

import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamaffect.errors import BundleError, LensError
from streamaffect.lenses.finding import MESH, lens_folders
from streamaffect.lenses.loading import Lens, check_fit, read_lens
from streamaffect.lenses.manifest import PICTURE
from streamaffect.lenses.mesh.landmarker import find_task
from streamaffect.lenses.mesh.lens import LOOK_MS, RATE_HZ, MeshLens
from streamaffect.runtime.bundle import Bundle, load_bundle

LARGEST_WIDTH = 160


def lenses(*, bundle: str | None, as_json: bool) -> int:
    """Print the list; returns the exit code. A lens that cannot be used with the bundle is listed with the reason."""
    loaded = load_bundle(bundle)
    found = [_entry(name, folder, loaded) for name, folder in lens_folders(loaded).items()]
    found.append(_mesh())
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
        return 0
    console = Console(soft_wrap=False)
    for entry in found:
        console.print(_block(entry))
    console.print("Switch them on with --lens NAME,NAME or --lens all; --lens NAME=DIR takes one of your own.")
    console.print("all does not mean mesh, which costs more than all the others: --lens all,mesh.")
    return 0


def _entry(name: str, folder: Any, bundle: Bundle) -> dict[str, object]:
    try:
        lens = read_lens(folder, name)
    except BundleError as error:
        return {"name": name, "path": str(folder), "unusable": str(error)}
    entry = _described(lens)
    try:
        check_fit(lens, bundle)
    except BundleError as error:
        entry["unusable"] = str(error)
    return entry


def _described(lens: Lens) -> dict[str, object]:
    manifest = lens.manifest
    return {
        "name": lens.name,
        "version": manifest.version,
        "summary": manifest.summary,
        "kind": manifest.kind,
        "in_all": manifest.in_all,
        "licence": manifest.licence,
        "reads": list(manifest.inputs),
        "outputs": [output.name for output in manifest.outputs if not output.weak],
        "weak_outputs": [output.name for output in manifest.outputs if output.weak],
        "size_kb": round(lens.size_bytes / 1000),
        "cost_ms": None if manifest.cost is None else manifest.cost.ms,
        "cost_machine": None if manifest.cost is None else manifest.cost.machine,
        "figures": manifest.metrics.get("summary", {}),
        "limits": manifest.limits,
        "path": str(lens.path),
    }


def _mesh() -> dict[str, object]:
    """The landmarker, which is no folder of ours; where its file is missing, with the command that brings it."""
    entry: dict[str, object] = {
        "name": MESH,
        "version": "face_landmarker_v2",
        "summary": "MediaPipe's 52 blendshapes, head pose, eye openness, and 478 points with lens.mesh_points",
        "kind": MESH,
        "in_all": False,
        "licence": "Apache-2.0",
        "reads": [PICTURE],
        "outputs": [str(output["name"]) for output in MeshLens(Path()).meta.outputs],
        "weak_outputs": [],
        "size_kb": 3759,
        "cost_ms": LOOK_MS,
        "cost_machine": "x86-64, 2 cores, one look at a face",
        "figures": {},
        "limits": [
            f"it is dear, and looks {RATE_HZ:g} times a second at a face (lens.rate_hz)",
            "blendshapes move an animated face: they are no probabilities that a muscle acts",
        ],
    }
    try:
        return entry | {"path": str(find_task())}
    except LensError as error:
        return entry | {"unusable": str(error)}


def _block(entry: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    if "version" not in entry:
        table.add_row(entry["name"], Text(f"cannot be used: {entry['unusable']}"))
        return table
    cost = "" if entry["cost_ms"] is None else f", {entry['cost_ms']:g} ms a face"
    table.add_row(entry["name"], Text(f"{entry['summary']} ({entry['version']}, {entry['size_kb']} kB{cost})"))
    table.add_row("", Text(f"gives   {', '.join(_shortened(entry['outputs']))}"))
    if entry["weak_outputs"]:
        table.add_row("", Text(f"weak    {', '.join(entry['weak_outputs'])}: only with --set lens.weak=true"))
    if not entry["in_all"]:
        table.add_row("", Text(f"named   --lens all leaves it out: --lens {entry['name']}"))
    for name, value in entry["figures"].items():
        table.add_row("", Text(f"figure  {name}: {value}"))
    for limit in entry["limits"]:
        table.add_row("", Text(f"limit   {limit}"))
    if "unusable" in entry:
        table.add_row("", Text(f"cannot be used here: {entry['unusable']}"))
    table.add_row("", "")
    return table


def _shortened(names: list[str]) -> list[str]:
    return names if len(names) <= 16 else [*names[:2], "…", names[-1], f"({len(names)} numbers)"]
