"""On a machine with MediaPipe and no GPU: what the measurement takes along, crops and plans built ahead of time.

    python benchmarks/gpu/prepare.py OUT

Faces are found and cut here, since the measuring machine needs neither MediaPipe nor a video. With the packages of
`streamaffect[tensorrt-build]` the default bundle's plans are built here too, in every precision, to see whether a GPU
takes them.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import tempfile
from typing import Any

import numpy as np

from engines.crops import ClipSet, FaceClip, collect_clips
from engines.tensorrt_build import _build, _graph
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.manifest import ROLES
from streamaffect.runtime.tensorrt import import_tensorrt, used_outputs

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
AHEAD_BATCH = 8


def write_clips(clips: ClipSet, file: Path) -> None:
    """The crops and times of both parts, in one file."""
    arrays: dict[str, Any] = {}
    for part, faces in (("calibration", clips.calibration), ("held_out", clips.held_out)):
        for number, face in enumerate(faces):
            arrays[f"{part}_{number}_crops"] = face.crops
            arrays[f"{part}_{number}_times"] = np.asarray(face.times_s)
    np.savez_compressed(file, origin=np.array(clips.origin), **arrays)


def read_clips(file: Path) -> ClipSet:
    """What `write_clips` has written."""
    with np.load(file, allow_pickle=False) as packed:
        parts: dict[str, list[FaceClip]] = {"calibration": [], "held_out": []}
        for part, faces in parts.items():
            while f"{part}_{len(faces)}_crops" in packed:
                name = f"{part}_{len(faces)}"
                faces.append(FaceClip(packed[f"{name}_crops"], packed[f"{name}_times"].tolist()))
        return ClipSet(str(packed["origin"]), parts["calibration"], parts["held_out"])


def build_ahead(bundle: Bundle, clips: ClipSet, folder: Path) -> None:
    """`<precision>_<role>.plan` of every graph, without a GPU."""
    trt = import_tensorrt()
    with tempfile.TemporaryDirectory() as workspace:
        for precision in PRECISIONS:
            for role in ROLES:
                graph = _graph(bundle, role, precision, clips, Path(workspace))
                timings, outputs = Path(workspace) / "timings", used_outputs(bundle, role)
                plan = _build(trt, graph, AHEAD_BATCH, timings, outputs=outputs)
                (folder / f"{precision}_{role}.plan").write_bytes(plan)
                sys.stdout.write(f"{precision} {role}: {len(plan):,} bytes\n")


def main() -> None:
    """Write the clips, and the plans where there is a builder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a folder")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    bundle = load_bundle()
    clips = collect_clips(bundle)
    write_clips(clips, out / "clips.npz")
    sys.stdout.write(f"{sum(map(len, clips.held_out))} held-out crops of {clips.origin}\n")
    try:
        build_ahead(bundle, clips, out)
    except EngineError as error:
        sys.stdout.write(f"no plans: {error}\n")


if __name__ == "__main__":
    main()
