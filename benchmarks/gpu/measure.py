"""On a machine with an NVIDIA GPU: does TensorRT take the bundle, are its answers right, and how fast is it?

    python benchmarks/gpu/measure.py PACK --out results.json

PACK is what `benchmarks/gpu/prepare.py` has written. Every step runs in a process of its own, since native code that
fails can end a process; each prints its result before the next begins.

machine  the card, the driver and the versions
ahead    plans that were built without a GPU: does this card take them?
build    every graph in every precision built here, its answers against ONNX Runtime fp32, and its times
chain    features and clips in the GPU's memory, against ONNX Runtime fp32
memory   our own use of CUDA: buffers, pinned memory, rows of vectors, recorded work
plugin   TensorRT for RTX as a plugin of ONNX Runtime
torch    the same frame encoder in torch, fp16, as a CUDA graph: what CUDA alone allows
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import json
import subprocess
from collections.abc import Callable

from benchmarks.gpu import steps

STEPS: dict[str, Callable[[Path], object]] = {
    "machine": steps.machine,
    "ahead": steps.ahead,
    "build": steps.build,
    "chain": steps.chain,
    "memory": steps.memory,
    "plugin": steps.plugin,
    "torch": steps.torch_encoder,
}
MOST_S = 150  # of a step


def run_apart(name: str, pack: Path) -> object:
    """A step's result from a process of its own, or how that process ended."""
    command = [sys.executable, __file__, str(pack), "--step", name]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"took longer than {MOST_S} s"}
    lines = child.stdout.strip().splitlines()
    if child.returncode == 0 and lines:
        return json.loads(lines[-1])
    told = " | ".join(child.stderr.strip().splitlines()[-3:])
    return {"error": f"ended with status {child.returncode}: {told[:600]}"}


def main() -> None:
    """All steps, or one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path, help="the folder that prepare.py has written")
    parser.add_argument("--step", choices=STEPS, help="only this one, in this process")
    parser.add_argument("--out", type=Path, help="write all results to this file")
    options = parser.parse_args()
    if options.step:
        sys.stdout.write(json.dumps(STEPS[options.step](options.pack)) + "\n")
        return
    results = {}
    for name in STEPS:
        results[name] = run_apart(name, options.pack)
        sys.stdout.write(f"{name}: {json.dumps(results[name])}\n")
        sys.stdout.flush()
        if options.out:
            options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
