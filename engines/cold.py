"""A fresh process that loads one engine and says how long it took: `python -m engines.cold BUNDLE [ENGINE]`.

Only a fresh process shows the cost of importing a backend, of its first allocation and of its memory.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from streamaffect.runtime.engine_record import ColdStart

STATUS = Path("/proc/self/status")


def measure_cold_start(bundle: Path, engine: Path | None) -> ColdStart | None:
    """Start the process for a bundle and a folder of the cache (None: ONNX Runtime fp32); None where it fails."""
    command = [sys.executable, "-m", f"{__package__}.cold", str(bundle), *([str(engine)] if engine else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return ColdStart(**json.loads(done.stdout)) if done.returncode == 0 else None


def main(words: list[str]) -> None:
    """Load, run one frame through all three graphs, and print the times as JSON."""
    import numpy as np

    from streamaffect.runtime.bundle import load_bundle
    from streamaffect.runtime.choice import open_cached
    from streamaffect.runtime.engine_cache import load_entry
    from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

    bundle = load_bundle(Path(words[0]))
    before_mib = _resident_mib()
    started = time.perf_counter()
    if len(words) > 1:
        engine = open_cached(bundle, load_entry(Path(words[1])), "cold start", 1)
    else:
        engine = OnnxRuntimeEngine(bundle)
    loaded = time.perf_counter()
    size = bundle.manifest.crop.size
    engine.encode_frames(np.full((1, size, size, 3), 128, np.uint8))
    ended = time.perf_counter()
    result = {
        "load_ms": (loaded - started) * 1e3,
        "first_frame_ms": (ended - loaded) * 1e3,
        "memory_mib": _resident_mib() - before_mib,
    }
    sys.stdout.write(json.dumps(result))


def _resident_mib() -> float:
    """Memory that this process holds; 0 where the system doesn't say."""
    lines = STATUS.read_text().splitlines() if STATUS.exists() else []
    kibibytes = next((line.split()[1] for line in lines if line.startswith("VmRSS:")), "0")
    return int(kibibytes) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
