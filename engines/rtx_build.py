"""Building for TensorRT for RTX: graphs that this tool writes become contexts, ONNX graphs of one node with a plan.

With NVIDIA's driver, ONNX Runtime's plugin compiles them for the card that is here. Ahead of time, on a machine without
a GPU, the official bindings build plans for several cards, and the node is written around them as the plugin would.
Either way a process of its own does it, `python -m engines.rtx_build`, so that native code cannot end the tool.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.cuda import first_gpu
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.manifest import ROLES, GraphSpec
from streamaffect.runtime.tensorrt import import_tensorrt, used_outputs
from streamaffect.runtime.tensorrt_rtx.engine import shape_options
from streamaffect.runtime.tensorrt_rtx.plugin import reason_of, rtx_devices, rtx_session_options

from .crops import ClipSet
from .graphs.layers import LayerTypes, types_of_graph
from .graphs.onnx_package import require_onnx
from .rtx_bindings import bindings_environment
from .tensorrt_build import _build, _graph

TARGETS = ("8.6", "8.9", "12.0", "12.1")
PROVIDER = "NvTensorRTRTXExecutionProvider"
JOB_FILE = "job.json"

_HEADER_BYTES = (
    64  # of a plan: its length, its version and what it is for, which the plugin looks at before it loads it
)


class Job(msgspec.Struct, frozen=True):
    """What the process is to do with the graphs in its folder.

    options: of the plugin, by role; empty where the bindings build plans
    outputs: of each graph, those that the stream reads
    """

    max_batch: int
    outputs: dict[str, list[str]]
    options: dict[str, dict[str, str]] = {}


def parse_targets(text: str) -> tuple[str, ...]:
    """Compute capabilities from "8.6,8.9,12.0", each once, in order. Raises EngineError."""
    wanted = {part.strip() for part in text.split(",")}
    if unknown := sorted(wanted - set(TARGETS)):
        raise EngineError(
            f"--target {unknown[0] or repr('')}: TensorRT for RTX runs on compute capability {', '.join(TARGETS)}; "
            "name one or several of these"
        )
    return tuple(target for target in TARGETS if target in wanted)


def write_contexts(
    bundle: Bundle,
    precision: Precision,
    max_batch: int,
    clips: ClipSet,
    workspace: Path,
    *,
    cache: Path,
    targets: Sequence[str] = (),
) -> tuple[dict[str, Path], LayerTypes]:
    """One context per role, as files in the workspace, and the types of its layers. Raises EngineError with the reason.

    targets: build ahead of time for these, not for the card that is here
    cache:   the engine cache, for the folder of the bindings
    """
    layers = prepare_graphs(bundle, precision, clips, workspace)
    outputs = {role: sorted(used_outputs(bundle, role)) for role in ROLES}
    if targets:
        _run(Job(max_batch, outputs), workspace, bindings_environment(cache))
        for role in ROLES:
            plan = workspace / f"{role}.plan"
            context = context_graph(role, bundle.manifest.graphs[role], used_outputs(bundle, role), plan.read_bytes())
            (workspace / f"{role}.onnx").write_bytes(context)
            plan.unlink()
    else:
        options = {role: shape_options(bundle, role, max_batch) | _target_option() for role in ROLES}
        # fp32 is to be fp32, and the plugin has no option for it
        _run(Job(max_batch, outputs, options), workspace, os.environ | {"NVIDIA_TF32_OVERRIDE": "0"})
    for role in ROLES:
        (workspace / f"{role}.graph").unlink()
    return {role: workspace / f"{role}.onnx" for role in ROLES}, layers


def prepare_graphs(bundle: Bundle, precision: Precision, clips: ClipSet, workspace: Path) -> LayerTypes:
    """The graph of every role as TensorRT takes it, in the workspace as `<role>.graph`; and the types of the layers."""
    require_onnx()
    layers: LayerTypes = {}
    for role in ROLES:
        graph = _graph(bundle, role, precision, clips, workspace)
        layers[role] = types_of_graph(graph)
        (workspace / f"{role}.graph").write_bytes(_reduced(graph, used_outputs(bundle, role)))
    return layers


def context_graph(role: str, spec: GraphSpec, outputs: set[str], plan: bytes) -> bytes:
    """A graph of one node around a plan, with the attributes that the plugin writes itself."""
    from onnx import helper

    inputs = [_value(tensor) for tensor in spec.inputs]
    results = [_value(tensor) for tensor in spec.outputs if tensor.name in outputs]
    node = helper.make_node(
        "EPContext",
        [value.name for value in inputs],
        [value.name for value in results],
        name=role,
        domain="com.microsoft",
        source=PROVIDER,
        embed_mode=1,
        ep_cache_context=plan,
        main_context=0,
        max_size=0,
        partition_name=role,
        hardware_architecture="80+",
        ep_sdk_version="1.0",
        onnx_model_filename="",
        ep_context_op_domain="com.microsoft",
    )
    graph = helper.make_graph([node], role, inputs, results)
    imports = [helper.make_opsetid("", spec.opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    helper.set_model_props(model, {f"ep_compatibility_info.{PROVIDER}": plan[:_HEADER_BYTES].hex()})
    context: bytes = model.SerializeToString()
    return context


def main(words: list[str]) -> int:
    """Compile the graphs of a folder as its job says; 2 with one line where one is refused."""
    folder = Path(words[0])
    job = msgspec.json.decode((folder / JOB_FILE).read_bytes(), type=Job)
    try:
        for role, outputs in job.outputs.items():
            try:
                _compile(folder, role, job, set(outputs))
            except EngineError as error:
                raise EngineError(f"{role}: {error}") from None
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _compile(folder: Path, role: str, job: Job, outputs: set[str]) -> None:
    graph = (folder / f"{role}.graph").read_bytes()
    if role in job.options:
        (folder / f"{role}.onnx").write_bytes(_compiled_by_plugin(graph, job.options[role]))
        return
    timings = folder / f"{role}.timings"
    plan = _build(import_tensorrt(), graph, job.max_batch, timings, outputs=outputs)
    timings.unlink()  # no GPU was asked, so there are none worth keeping
    (folder / f"{role}.plan").write_bytes(plan)


def _compiled_by_plugin(graph: bytes, options: dict[str, str]) -> bytes:
    import onnxruntime

    settings = rtx_session_options(rtx_devices(), options)
    try:
        compiler = onnxruntime.ModelCompiler(settings, graph, embed_compiled_data_into_model=True)
        context: bytes = compiler.compile_to_bytes()
    except Exception as error:
        raise EngineError(f"TensorRT for RTX cannot take the graph: {reason_of(error)}") from error
    return context


def _run(job: Job, folder: Path, environment: dict[str, str]) -> None:
    """Have a process do the job; raises EngineError with its last line, or with the signal that ended it."""
    (folder / JOB_FILE).write_bytes(msgspec.json.encode(job))
    command = [sys.executable, "-m", f"{__package__}.rtx_build", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    (folder / JOB_FILE).unlink()
    if done.returncode < 0:
        raise EngineError(f"TensorRT for RTX ended its process with {signal.Signals(-done.returncode).name}")
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"TensorRT for RTX ended with status {done.returncode}"]
        raise EngineError(last[0])


def _target_option() -> dict[str, str]:
    """Compile for the card that is here without asking it; one that is newer than this list is asked."""
    capability = first_gpu().capability
    return {"nv_target_sm": f"sm{capability.replace('.', '')}"} if capability in TARGETS else {}


def _reduced(graph: bytes, outputs: set[str]) -> bytes:
    """The graph without the outputs that nobody reads: a running plan needs memory for each."""
    import onnx

    model = onnx.load_from_string(graph)
    kept = [value for value in model.graph.output if value.name in outputs]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    reduced: bytes = model.SerializeToString()
    return reduced


def _value(tensor: Any) -> Any:
    import numpy as np
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return helper.make_tensor_value_info(tensor.name, kind, ["N", *tensor.shape[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
