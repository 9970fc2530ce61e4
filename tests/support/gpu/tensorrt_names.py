"""The names of a TensorRT bindings wheel: what its modules, classes and enumerations offer, read from the real thing.

The wheel holds only the Python bindings; TensorRT itself comes from NVIDIA's index. The bindings load over libraries
that define the few functions they link to and nothing more, which is enough to look at them.

    python -m tests.support.gpu.tensorrt_names WHEEL WHEEL > tests/data/tensorrt_names.json
"""

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CLASSES = (
    "Builder", "BuilderFlag", "IBuilderConfig", "ICudaEngine", "IExecutionContext", "IHostMemory", "INetworkDefinition",
    "ILogger", "ILogger.Severity",
    "IOptimizationProfile", "ITensor", "ITimingCache", "Logger", "NetworkDefinitionCreationFlag", "OnnxParser",
    "ParserError", "Runtime", "TensorIOMode",
)  # fmt: skip
LINKED = (
    "createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL", "createNvOnnxParser_INTERNAL", "getBuilderPluginRegistry",
    "getNvOnnxParserVersion", "getPluginRegistry", "initLibNvInferPlugins", "getInferLibVersion",
)  # fmt: skip
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")

_LIST = """
import functools, importlib.util, json, sys
spec = importlib.util.spec_from_file_location("tensorrt", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
public = lambda thing: sorted(name for name in dir(thing) if not name.startswith("_"))
print(json.dumps({name: public(functools.reduce(getattr, name.split("."), module)) for name in sys.argv[2:]}))
"""


def read_names(wheel: Path) -> dict[str, list[str]]:
    """Public names by class. Needs a C compiler, Linux on x86-64 and the wheel's Python version."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root)
        (bindings,) = root.rglob("tensorrt.so")
        _write_stubs(root, version_of(wheel).split(".")[0])
        command = [sys.executable, "-c", _LIST, str(bindings), *CLASSES]
        environment = {"LD_LIBRARY_PATH": str(root)}
        listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    names: dict[str, list[str]] = json.loads(listed.stdout)
    return names


def version_of(wheel: Path) -> str:
    """E.g. 11.4.0.106."""
    match = re.search(r"tensorrt_cu13_bindings-([\d.]+)-", wheel.name)
    if match is None:
        raise ValueError(f"{wheel.name} is no wheel of tensorrt-cu13-bindings")
    return match[1]


def _write_stubs(folder: Path, major: str) -> None:
    source = folder / "stub.c"
    source.write_text("".join(f"void *{name}() {{ return 0; }}\n" for name in LINKED))
    for library in LIBRARIES:
        name = f"lib{library}.so.{major}"
        command = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name), str(source)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    wheels = [Path(word) for word in sys.argv[1:]]
    sys.stdout.write(json.dumps({version_of(wheel): read_names(wheel) for wheel in wheels}, indent=1) + "\n")
