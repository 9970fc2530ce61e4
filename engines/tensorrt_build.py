"""Building TensorRT plans: strongly typed networks from graphs that this tool writes, one profile from 1 to B rows.

The optimiser's timings are kept in the engine cache per GPU and version, so that a second build takes seconds.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.cuda import device_name
from streamaffect.runtime.engine_cache import read_private
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.manifest import CONTEXT_HEAD, FRAME_ENCODER, ROLES
from streamaffect.runtime.tensorrt import import_tensorrt, used_outputs
from streamaffect.runtime.tensorrt_log import make_logger, refusal

from .crops import ClipSet, spread_out
from .graphs.cast_first import cast_first
from .graphs.half import to_half
from .graphs.layers import LayerTypes, types_of_graph
from .graphs.onnx_package import require_onnx
from .graphs.quantise import CALIBRATION_CROPS, write_int8


def write_plans(
    bundle: Bundle, precision: Precision, max_batch: int, clips: ClipSet, workspace: Path, *, cache: Path
) -> tuple[dict[str, Path], LayerTypes]:
    """One plan per role, as files in the workspace, and the types of its layers. Raises EngineError with the reason.

    fp16 computes both encoders in half precision; int8 quantises the frame encoder; the heads stay in fp32.
    """
    require_onnx()
    device = device_name()
    trt = import_tensorrt()
    timings = cache / f".timings-{hashlib.sha256(f'{device} {trt.__version__}'.encode()).hexdigest()[:16]}"
    plans: dict[str, Path] = {}
    layers: LayerTypes = {}
    for role in ROLES:
        graph = _graph(bundle, role, precision, clips, workspace)
        layers[role] = types_of_graph(graph)
        plans[role] = workspace / f"{role}.plan"
        try:
            plans[role].write_bytes(_build(trt, graph, max_batch, timings, outputs=used_outputs(bundle, role)))
        except EngineError as error:
            raise EngineError(f"{role}: {error}") from None
    return plans, layers


def _graph(bundle: Bundle, role: str, precision: Precision, clips: ClipSet, workspace: Path) -> bytes:
    """The ONNX graph of a role in the types that its network is to compute in, as TensorRT takes it."""
    import onnx

    source = bundle.graph_path(role)
    model = cast_first(onnx.load(source))
    if precision == "fp16" and role != CONTEXT_HEAD:
        model = to_half(model)
    if precision == "int8" and role == FRAME_ENCODER:
        model = _quantised(model, clips, workspace / f"{role}.int8")
    graph: bytes = model.SerializeToString()
    return graph


def _quantised(model: Any, clips: ClipSet, workspace: Path) -> Any:
    import onnx

    source, target = workspace.with_suffix(".fp32"), workspace
    onnx.save(model, source)
    write_int8(source, target, spread_out(clips.calibration, CALIBRATION_CROPS), "tensorrt")
    quantised = onnx.load(target)
    source.unlink()
    target.unlink()
    return quantised


def _build(trt: Any, graph: bytes, max_batch: int, timings: Path, *, outputs: set[str]) -> bytes:
    """Parse, optimise and serialise one network that gives these outputs alone."""
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        raise EngineError(f"TensorRT {trt.__version__} cannot take the graph: {refusal(parser)}")
    for tensor in [network.get_output(i) for i in range(network.num_outputs)]:
        if tensor.name not in outputs:  # a running plan needs memory for each output, and nobody reads this one
            network.unmark_output(tensor)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # it would make fp32 something else
    config.add_optimization_profile(_profile(builder, network, max_batch))
    timing_cache = config.create_timing_cache(_known_timings(timings))
    config.set_timing_cache(timing_cache, False)  # noqa: FBT003 - the binding's own signature: ignore_mismatch
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT {trt.__version__} cannot build it: {logger.last_error or 'it gives no reason'}")
    _keep_timings(timings, bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def _profile(builder: Any, network: Any, max_batch: int) -> Any:
    """Any batch from 1 to max_batch, optimised for the middle."""
    profile = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        row = tuple(tensor.shape)[1:]
        profile.set_shape(tensor.name, (1, *row), ((max_batch + 1) // 2, *row), (max_batch, *row))
    return profile


def _known_timings(file: Path) -> bytes:
    try:
        return read_private(file)
    except EngineError:
        return b""


def _keep_timings(file: Path, content: bytes) -> None:
    part = file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    part.replace(file)
