"""Agreement with labels of the bundle's variants and of every engine that was built here, beside ONNX Runtime fp32.

Runs `benchmarks/accuracy.py` once for each, with an engine cache that holds this engine alone.

    python benchmarks/engines/accuracy.py --data faces --limit 150
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from benchmarks.measures.report import Row, show, write
from engines.bench import REFERENCE
from streamaffect.errors import StreamAffectError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.choice import objection
from streamaffect.runtime.engine_cache import CACHE_VARIABLE, CachedEngine, list_engines
from streamaffect.runtime.variants.files import precisions_of

ACCURACY = Path(__file__).with_name("accuracy.py")


def main() -> None:
    """Measure, show and save."""
    options = _options()
    try:
        bundle = load_bundle(options.bundle)
    except StreamAffectError as error:
        raise SystemExit(f"engine_accuracy: {error}") from None
    engines = [
        engine
        for engine in list_engines()[0]
        if engine.record.key.bundle_sha256 == bundle.sha256 and objection(engine) is None
    ]
    found = {REFERENCE: _figures(options, "onnxruntime", "fp32", None)}
    for precision in precisions_of(bundle):
        found[f"{precision} of the bundle"] = _figures(options, "onnxruntime", precision, None)
    for engine in engines:
        key = engine.record.key
        found[key.title] = _figures(options, key.backend, key.precision, engine)
    rows = side_by_side(found)
    show(f"agreement of {bundle.manifest.label} with labels", rows)
    print(write("engine_accuracy", rows, options.out))


def side_by_side(found: Mapping[str, Sequence[Mapping[str, object]]]) -> list[Row]:
    """One row per agreement with labels, one column per engine. Four places, since a thousandth is what matters."""
    names = list(found)
    return [
        {"part": row[0]["part"], "figure": row[0]["figure"]}
        | {name: f"{cell['value']:.4f}" for name, cell in zip(names, row, strict=True)}
        for row in zip(*found.values(), strict=True)
        if str(row[0]["figure"]).startswith("CCC")
    ]


def _figures(
    options: argparse.Namespace, backend: str, precision: str, engine: CachedEngine | None
) -> list[Mapping[str, object]]:
    """All rows of the accuracy benchmark with one engine of the cache, or with the bundle's own graphs."""
    with tempfile.TemporaryDirectory() as folder:
        cache, out = Path(folder) / "cache", Path(folder) / "accuracy.json"
        cache.mkdir(mode=0o700)
        if engine is not None:
            shutil.copytree(engine.folder, cache / engine.folder.name)
        command = [sys.executable, str(ACCURACY), "--data", str(options.data), "--engine", backend]
        command += ["--precision", precision, "--no-robustness"]
        command += ["--bundle", str(options.bundle)] if options.bundle else []
        command += ["--limit", str(options.limit)] if options.limit else []
        subprocess.run([*command, "--out", str(out)], env=os.environ | {CACHE_VARIABLE: str(cache)}, check=True)
        rows: list[Mapping[str, object]] = json.loads(out.read_text())["results"]
    return rows


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="as for benchmarks/accuracy.py")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument("--limit", type=int, help="a random sample of so many pictures, pairs and clips")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/engine_accuracy.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
