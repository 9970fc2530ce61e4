"""The byte parsers under coverage-guided fuzzing, by hand: `pip install -e '.[fuzz]'`, then

    python -m tests.fuzz.atheris_targets wire -max_total_time=300
    python -m tests.fuzz.atheris_targets recording runs/fuzz/recording -max_total_time=3600

Targets are wire, onnx, recording and manifest; what follows are words for libFuzzer, such as a folder that keeps the
corpus. Each begins with good inputs. What fails is written to `crash-…` here; give that file to try it again.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["streamaffect"]):
    from tests.fuzz.byte_parsers import check_manifest, check_onnx, check_recording, check_wire

from streamaffect.feed import wire
from streamaffect.recordings.header import encode_header
from streamaffect.runtime.bundle import MANIFEST
from tests.support.bundles import SIZE, clip_encoder, context_head, frame_encoder, write_bundle
from tests.support.recordings import estimate_at, file_header, live_header

Check = Callable[[bytes], object]
GOLDEN = Path(__file__).parents[1] / "golden_messages"


def wire_target(_: Path) -> tuple[Check, list[bytes]]:
    """Payloads of the feed."""
    return check_wire, [path.read_bytes() for path in sorted(GOLDEN.rglob("*.json"))]


def onnx_target(folder: Path) -> tuple[Check, list[bytes]]:
    """Graphs."""
    graphs = (frame_encoder(SIZE), clip_encoder(4), context_head(3))
    return lambda data: check_onnx(folder / "graph.onnx", data), [graph.SerializeToString() for graph in graphs]


def recording_target(folder: Path) -> tuple[Check, list[bytes]]:
    """Whole recordings, header and lines."""
    lines = [wire.encode(estimate_at(number * 0.04, seq=number)) for number in range(3)]
    seeds = [b"\n".join([encode_header(header), *lines, b""]) for header in (file_header(), live_header())]
    return lambda data: check_recording(folder / "fuzzed.jsonl", data), seeds


def manifest_target(folder: Path) -> tuple[Check, list[bytes]]:
    """Manifests beside good graphs."""
    bundle = write_bundle(folder / "bundle")
    manifest = (bundle / MANIFEST).read_bytes()
    return lambda data: check_manifest(bundle, data), [manifest, json.dumps(json.loads(manifest)).encode()]


TARGETS = {"wire": wire_target, "onnx": onnx_target, "recording": recording_target, "manifest": manifest_target}


def main() -> None:
    """Fuzz one target until it fails or libFuzzer's time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    options, words = parser.parse_known_args()
    folder = Path(tempfile.mkdtemp(prefix="streamaffect-fuzz-"))
    check, seeds = TARGETS[options.target](folder)
    (folder / "seeds").mkdir()
    for number, seed in enumerate(seeds):
        (folder / "seeds" / f"{number}").write_bytes(seed)
    folders = [word for word in words if not word.startswith("-")]
    for corpus in folders:
        if not Path(corpus).exists():
            Path(corpus).mkdir(parents=True)
    if not any(Path(word).is_file() for word in folders):
        words.append(str(folder / "seeds"))  # after the user's, since new finds go into the first
    atheris.Setup([sys.argv[0], *words], lambda data: check(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
