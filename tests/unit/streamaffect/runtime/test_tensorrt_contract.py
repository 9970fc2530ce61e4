"""Every TensorRT and CUDA name that our code uses exists in the real bindings, 10.16 and 11, and the fake has no other.

The names of the bindings were read from the real wheels by `tests.support.gpu.tensorrt_names`. With the wheels at hand,
STREAMAFFECT_TENSORRT_WHEELS names their folder, and they are read again.
"""

import ast
import importlib
import inspect
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gpu import fake_gpu
from tests.support.gpu.tensorrt_names import read_names, version_of

ROOT = Path(__file__).parents[4]
NAMES: dict[str, dict[str, list[str]]] = json.loads((ROOT / "tests" / "data" / "tensorrt_names.json").read_text())
RUNTIME, BUILD = ROOT / "streamaffect" / "runtime" / "tensorrt.py", ROOT / "engines" / "tensorrt_build.py"
LOG = ROOT / "streamaffect" / "runtime" / "tensorrt_log.py"
CUDA = ROOT / "streamaffect" / "runtime" / "cuda.py"

# Which class of TensorRT an expression of our code holds.
HOLDS = {
    RUNTIME: {
        "trt": "",
        "runtime": "Runtime",
        "self._engine": "ICudaEngine",
        "context": "IExecutionContext",
    },
    BUILD: {
        "trt": "",
        "builder": "Builder",
        "network": "INetworkDefinition",
        "parser": "OnnxParser",
        "config": "IBuilderConfig",
        "config.get_timing_cache()": "ITimingCache",
        "profile": "IOptimizationProfile",
        "tensor": "ITensor",
    },
    LOG: {"trt": "", "parser": "OnnxParser", "first": "ParserError"},
}
FAKES = {
    "Builder": fake_gpu.Builder,
    "IBuilderConfig": fake_gpu.Config,
    "ILogger": fake_gpu.ILogger,
    "ParserError": fake_gpu.ParserError,
    "ICudaEngine": fake_gpu.ICudaEngine,
    "IExecutionContext": fake_gpu.IExecutionContext,
    "INetworkDefinition": fake_gpu.Network,
    "IOptimizationProfile": fake_gpu.Profile,
    "ITimingCache": fake_gpu.TimingCache,
    "OnnxParser": fake_gpu.OnnxParser,
    "Runtime": fake_gpu.Runtime,
    "TensorIOMode": fake_gpu.TensorIOMode,
    "BuilderFlag": fake_gpu.BuilderFlag,
    "NetworkDefinitionCreationFlag": fake_gpu.NetworkDefinitionCreationFlag,
}
OWN_TO_THE_FAKE = {"flags", "graph", "config", "fill", "shapes", "content", "cleared", "profiles", "timings"} | {
    "max_batch", "gpu", "session", "inputs", "outputs",
}  # fmt: skip


def used_names(source: str, holds: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(class, member) for every attribute of an expression that holds something of TensorRT; "" is the module."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        base = ast.unparse(node.value)
        if base in holds:
            yield holds[base], node.attr
        elif base.startswith("trt.") and base != "trt.__version__":
            yield base.removeprefix("trt."), node.attr


def missing(source: str, holds: dict[str, str], names: dict[str, list[str]]) -> set[tuple[str, str]]:
    return {
        (owner, member)
        for owner, member in used_names(source, holds)
        if member != "__version__" and member not in (names if owner == "" else names.get(owner, ()))
    }


@pytest.mark.parametrize("version", NAMES)
@pytest.mark.parametrize("file", HOLDS, ids=lambda file: file.name)
def test_every_name_that_is_used_exists_in_the_real_bindings(file: Path, version: str) -> None:
    used = set(used_names(file.read_text(), HOLDS[file]))
    assert len(used) >= 5
    assert missing(file.read_text(), HOLDS[file], NAMES[version]) == set()


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        (RUNTIME, "execute_async_v3", "execute_asynch_v3"),
        (RUNTIME, "set_tensor_address", "set_tensor_adress"),
        (RUNTIME, "TensorIOMode.OUTPUT", "TensorIOMode.OUT"),
        (RUNTIME, "num_io_tensors", "num_bindings"),
        (RUNTIME, "trt.Runtime(", "trt.RunTime("),
        (BUILD, "STRONGLY_TYPED", "STRONG_TYPED"),
        (BUILD, "build_serialized_network", "build_serialised_network"),
        (BUILD, "BuilderFlag.TF32", "BuilderFlag.FP16"),
        (LOG, ".desc()", ".description()"),
        (BUILD, "get_timing_cache().serialize", "get_timing_cache().serialise"),
    ],
)
def test_a_name_that_is_misspelt_or_gone_is_found(file: Path, right: str, wrong: str) -> None:
    """BuilderFlag.FP16 is right in 10.16 and gone in 11: strongly typed networks have no such flag."""
    source = file.read_text()
    assert right in source
    newest = NAMES[max(NAMES)]
    assert missing(source.replace(right, wrong), HOLDS[file], newest) != set()


@pytest.mark.parametrize("version", NAMES)
@pytest.mark.parametrize("owner", FAKES)
def test_the_fake_has_no_name_that_the_real_class_lacks(owner: str, version: str) -> None:
    own = {name for name in vars(FAKES[owner]) if not name.startswith("_")} - OWN_TO_THE_FAKE
    assert own - set(NAMES[version][owner]) == set()


def test_both_majors_are_covered() -> None:
    assert {version.split(".")[0] for version in NAMES} == {"10", "11"}


def test_the_names_are_those_of_the_real_wheels() -> None:
    folder = os.environ.get("STREAMAFFECT_TENSORRT_WHEELS")
    wheels = sorted(Path(folder).rglob("tensorrt_cu13_bindings-*.whl")) if folder else []
    if not wheels:
        pytest.skip("STREAMAFFECT_TENSORRT_WHEELS names no folder with wheels (pip download tensorrt-cu13-bindings)")
    for wheel in wheels:
        assert read_names(wheel) == NAMES[version_of(wheel)]


def test_every_cuda_name_that_is_used_exists_in_the_real_bindings() -> None:
    cudart = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    used = set(re.findall(r"\bcuda[A-Z]\w+", CUDA.read_text()))
    members = {"cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost", "cudaMemcpyDeviceToDevice"}
    modes = {"cudaStreamCaptureModeThreadLocal"}
    assert used >= {"cudaMalloc", "cudaMemcpyAsync", "cudaGraphLaunch"} | members | modes
    assert {name for name in used - members - modes if not hasattr(cudart, name)} == set()
    assert all(hasattr(cudart.cudaMemcpyKind, name) for name in members)
    assert all(hasattr(cudart.cudaStreamCaptureMode, name) for name in modes)


def test_the_real_cuda_bindings_take_as_many_arguments_as_we_give() -> None:
    cudart = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    for node in ast.walk(ast.parse(CUDA.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("cuda"):
            signature = (inspect.getdoc(getattr(cudart, node.func.attr)) or "").partition(")")[0].partition("(")[2]
            wanted = [part for part in signature.split(",") if part.strip()]
            assert len(node.args) == len(wanted), (node.func.attr, wanted)


def test_without_a_driver_the_real_cuda_bindings_end_in_one_clear_error() -> None:
    cudart = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    if int(cudart.cudaGetDeviceCount()[0]) == 0:
        pytest.skip("there is a GPU here")
    from streamaffect.errors import EngineError
    from streamaffect.runtime.cuda import device_name

    with pytest.raises(EngineError, match="no usable NVIDIA GPU: CUDA"):
        device_name()


def test_our_module_is_not_taken_for_nvidias() -> None:
    """streamaffect.runtime.tensorrt imports the top-level package of the same name, not itself."""
    ours = importlib.import_module("streamaffect.runtime.tensorrt")
    assert ours.__name__ == "streamaffect.runtime.tensorrt"
    assert 'import_module("tensorrt")' in RUNTIME.read_text()
