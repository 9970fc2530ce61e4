"""Every graph of bundles in every precision, built by the real TensorRT builder: run in a process of its own.

    PYTHONPATH=<folder of engines.rtx_bindings> python -m tests.support.gpu.plan_builder BUNDLE …

Prints one JSON object a graph and precision. What is built is what `engines build` builds, by the same functions; a
graph beside the stream, such as one that hears, is parsed alone: no engine is made of it.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from engines.crops import ClipSet, FaceClip
from engines.graphs.inspection import graphs_beside
from engines.tensorrt_build import _build, _graph, _profile
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.manifest import ROLES
from streamaffect.runtime.tensorrt import import_tensorrt, used_outputs
from streamaffect.runtime.tensorrt_log import make_logger, refusal

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
MAX_BATCH = 4
PRODUCTS = ("CONVOLUTION", "MATRIX_MULTIPLY")


def main() -> None:
    """Build and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    options = parser.parse_args()
    trt = import_tensorrt()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.bundles:
            bundle = load_bundle(name)
            clips = noise_clips(bundle)
            for role, precision in product(ROLES, options.precisions):
                told: dict[str, Any] = {"role": role, "precision": precision}
                try:
                    graph = _graph(bundle, role, precision, clips, Path(folder))
                    plan = _build(trt, graph, MAX_BATCH, Path(folder) / "timings", outputs=used_outputs(bundle, role))
                    told |= {"bytes": len(plan), **network_facts(trt, graph)}
                except EngineError as error:
                    told["error"] = str(error)
                _tell(bundle, told)
            for role in graphs_beside(bundle):
                _tell(bundle, {"role": role, "error": parse_error(trt, bundle.graph_path(role).read_bytes())})


def noise_clips(bundle: Bundle) -> ClipSet:
    """Crops for calibration, without a detector."""
    size = bundle.manifest.crop.size
    crops = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    clip = FaceClip(crops, [i * 0.08 for i in range(len(crops))])
    return ClipSet("noise", [clip], [clip])


def network_facts(trt: Any, graph: bytes) -> dict[str, Any]:
    """Read back from the network: the types in which products are computed, and the profile of each input."""
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    parser.parse(graph)
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    types = Counter(str(layer.get_input(0).dtype.name) for layer in layers if layer.type.name in PRODUCTS)
    profile = _profile(builder, network, MAX_BATCH)
    inputs = [network.get_input(i).name for i in range(network.num_inputs)]
    shapes = {name: [list(shape) for shape in profile.get_shape(name)] for name in inputs}
    quantised = sum(layer.type.name == "DEQUANTIZE" for layer in layers)
    return {"products": dict(types), "quantised": quantised, "shapes": shapes}


def parse_error(trt: Any, graph: bytes) -> str:
    """Why the parser does not take a graph; empty where it does."""
    logger = make_logger(trt)
    network = trt.Builder(logger).create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    return "" if parser.parse(graph) else refusal(parser)


def _tell(bundle: Bundle, told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"bundle": bundle.manifest.name, **told}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
