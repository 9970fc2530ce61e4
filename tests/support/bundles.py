"""Small bundles whose every number can be computed by hand, written with `onnx` alone.

feature = mean red, green and blue of the crop in [0, 1]; clip vector = mean of its features; the head mixes the clip
with the mean of the valid context clips, half and half, and reads valence from red, arousal from green.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 32
DIM = 3
QUANTILE = 1.5
SPREAD = 0.1
COLOURS = ("red", "green", "blue")
LENS_SPREAD, LENS_QUANTILE = 0.1, 2.0  # of a lens, whose intervals are ± 0.2


def write_bundle(
    folder: Path,
    *,
    frames: int = 4,
    period_s: float = 0.08,
    past: int = 2,
    future: int = 0,
    abstain_below: float | None = None,
) -> Path:
    """A valid bundle in a new folder."""
    folder.mkdir(parents=True)
    clips = past + 1 + future
    graphs = {
        "frame_encoder": frame_encoder(SIZE),
        "clip_encoder": clip_encoder(frames),
        "context_head": context_head(clips),
    }
    for role, model in graphs.items():
        onnx.save(model, folder / f"{role}.onnx")
    manifest = _manifest(folder, graphs, frames, period_s, past, future)
    if abstain_below is not None:
        manifest["abstain"] = {"quality": abstain_below}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return folder


def edit_manifest(folder: Path, change: Any) -> None:
    """Rewrite manifest.json after `change(manifest)` has altered it."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def replace_graph(folder: Path, role: str, model: onnx.ModelProto, **save: Any) -> None:
    """Put another graph in its place, with its hash in the manifest."""
    file = folder / f"{role}.onnx"
    onnx.save(model, file, **save)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    edit_manifest(folder, lambda manifest: manifest["graphs"][role].update(sha256=digest))


def add_attention_graph(folder: Path) -> None:
    """A graph and a head of kind "map" beside the three: the mean of the channels at each pixel."""
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["attention"], keepdims=0),
    ]
    inputs = [_tensor("crops", ["N", SIZE, SIZE, 3], TensorProto.UINT8)]
    model = _model(nodes, inputs, [_tensor("attention", ["N", SIZE, SIZE])], {"axes": np.array([3])})
    onnx.save(model, folder / "attention_map.onnx")
    output = {"name": "attention", "range": [0, 255], "unit": ""}
    head = {"name": "attention", "kind": "map", "input": "frame", "outputs": [output]}

    def declare(manifest: dict[str, Any]) -> None:
        manifest["graphs"]["attention_map"] = _graph_spec(folder, "attention_map", model)
        manifest["heads"].append(head)

    edit_manifest(folder, declare)


def frame_encoder(size: int) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "axes"], ["features"], keepdims=0),
    ]
    constants = {"scale": np.float32(1 / 255), "axes": np.array([1, 2])}
    return _model(
        nodes,
        [_tensor("crops", ["N", size, size, 3], TensorProto.UINT8)],
        [_tensor("features", ["N", DIM])],
        constants,
    )


def clip_encoder(frames: int) -> onnx.ModelProto:
    nodes = [helper.make_node("ReduceMean", ["features", "axes"], ["clip"], keepdims=0)]
    inputs = [_tensor("features", ["N", frames, DIM])]
    return _model(nodes, inputs, [_tensor("clip", ["N", DIM])], {"axes": np.array([1])})


def context_head(clips: int) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Cast", ["valid"], ["weight"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weight", "last"], ["weight3"]),
        helper.make_node("Mul", ["context", "weight3"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "middle"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["weight", "middle"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("Add", ["clip", "mean"], ["both"]),
        helper.make_node("Mul", ["both", "half"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "to_affect"], ["stretched"]),
        helper.make_node("Sub", ["stretched", "one"], ["affect"]),
        helper.make_node("Mul", ["affect", "zero"], ["zeroed"]),
        helper.make_node("Add", ["zeroed", "spread"], ["affect_spread"]),
        helper.make_node("Softmax", ["mixed"], ["emotions"], axis=-1),
    ]
    constants = {
        "last": np.array([2]),
        "middle": np.array([1]),
        "half": np.float32(0.5),
        "to_affect": np.array([[2, 0], [0, 2], [0, 0]], np.float32),
        "one": np.float32(1),
        "zero": np.float32(0),
        "spread": np.float32(SPREAD),
    }
    inputs = [
        _tensor("clip", ["N", DIM]),
        _tensor("context", ["N", clips, DIM]),
        _tensor("valid", ["N", clips], TensorProto.BOOL),
    ]
    outputs = [_tensor("affect", ["N", 2]), _tensor("affect_spread", ["N", 2]), _tensor("emotions", ["N", 3])]
    return _model(nodes, inputs, outputs, constants)


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any]) -> onnx.ModelProto:
    initialisers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _tensor(name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _manifest(
    folder: Path, graphs: dict[str, onnx.ModelProto], frames: int, period_s: float, past: int, future: int
) -> dict[str, Any]:
    affect = [{"name": name, "range": [-1, 1], "unit": ""} for name in ("valence", "arousal")]
    emotions = [{"name": name, "range": [0, 1], "unit": "probability"} for name in ("red", "green", "blue")]
    calibration = {
        "method": "normalised-conformal",
        "level": 0.9,
        "spread": "affect_spread",
        "quantiles": {"valence": QUANTILE, "arousal": QUANTILE},
    }
    return {
        "schema": 1,
        "name": "colours",
        "version": "1.0",
        "licence": "Apache-2.0",
        "created": "2026-11-20",
        "crop": {"size": SIZE, "margin": 0.1, "align": "roll"},
        "clip": {"frames": frames, "period_s": period_s},
        "context": {"past": past, "future": future},
        "heads": [
            {
                "name": "affect",
                "kind": "regression",
                "input": "context",
                "outputs": affect,
                "calibration": calibration,
            },
            {"name": "affect_spread", "kind": "regression", "input": "context", "outputs": affect},
            {"name": "emotions", "kind": "classification", "input": "context", "outputs": emotions},
        ],
        "graphs": {role: _graph_spec(folder, role, model) for role, model in graphs.items()},
        "training": {"recipe": "by hand", "data": [], "commit": "", "seed": 0},
        "metrics": {},
    }


def _graph_spec(folder: Path, role: str, model: onnx.ModelProto) -> dict[str, Any]:
    file = folder / f"{role}.onnx"
    return {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "inputs": [_tensor_spec(info) for info in model.graph.input],
        "outputs": [_tensor_spec(info) for info in model.graph.output],
        "opset": 18,
    }


def _tensor_spec(info: Any) -> dict[str, Any]:
    kinds = {TensorProto.FLOAT: "float32", TensorProto.UINT8: "uint8", TensorProto.BOOL: "bool"}
    tensor = info.type.tensor_type
    shape = [dimension.dim_param or dimension.dim_value for dimension in tensor.shape.dim]
    return {"name": info.name, "shape": shape, "dtype": kinds[tensor.elem_type]}


def write_lens(folder: Path, bundle: Path, *, reads: str = "features", **changes: Any) -> Path:
    """A valid lens in a new folder: values = 2 · input, spread = 0.1, so that intervals are ± 0.2."""
    folder.mkdir(parents=True)
    model = _doubling(reads)
    onnx.save(model, folder / "lens.onnx")
    spec = {
        "file": "lens.onnx",
        "sha256": hashlib.sha256((folder / "lens.onnx").read_bytes()).hexdigest(),
        "inputs": [_lens_tensor(reads)],
        "outputs": [_lens_tensor("values"), _lens_tensor("spread")],
        "opset": 18,
    }
    outputs: list[dict[str, Any]] = [{"name": name, "range": [0.0, 1.0], "label": f"so {name}"} for name in COLOURS]
    outputs[2]["weak"] = True
    content = {
        "schema": 1,
        "name": folder.name,
        "kind": "colours",
        "version": "1.0",
        "licence": "Apache-2.0",
        "created": "2026-01-01T00:00:00+00:00",
        "encoder": json.loads((bundle / "manifest.json").read_text())["graphs"]["frame_encoder"]["sha256"],
        "summary": "Twice the colour",
        "outputs": outputs,
        "graphs": {"lens": spec},
        "training": {"recipe": "none", "data": [], "commit": "unknown", "seed": 0},
        "calibration": {
            "method": "normalised-conformal",
            "level": 0.9,
            "spread": "spread",
            "quantiles": dict.fromkeys(COLOURS, LENS_QUANTILE),
        },
        "limits": ["It knows no hue"],
    }
    (folder / "lens.json").write_text(json.dumps(content | changes))
    return folder


def edit_lens(folder: Path, **changes: Any) -> None:
    """Rewrite keys of lens.json."""
    file = folder / "lens.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _lens_tensor(name: str) -> dict[str, Any]:
    return {"name": name, "shape": ["N", DIM], "dtype": "float32"}


def _doubling(reads: str) -> onnx.ModelProto:
    tensors = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", DIM]) for name in (reads, "values")}
    spread = helper.make_tensor_value_info("spread", TensorProto.FLOAT, ["N", DIM])
    constants = {
        "two": np.array(2, np.float32),
        "nothing": np.array(0, np.float32),
        "tenth": np.array(LENS_SPREAD, np.float32),
    }
    nodes = [
        helper.make_node("Mul", [reads, "two"], ["values"]),
        helper.make_node("Mul", [reads, "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "tenth"], ["spread"]),
    ]
    initialisers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "doubling", [tensors[reads]], [tensors["values"], spread], initialisers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
