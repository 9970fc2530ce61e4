"""NVIDIA's plugin for ONNX Runtime: its package, its library, which is registered once in a process, and its cards.

The library needs NVIDIA's driver, and is refused cleanly where there is none.
"""

import ctypes
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamaffect.errors import EngineError
from streamaffect.runtime.cuda import device_name
from streamaffect.runtime.machine import backend_version
from streamaffect.runtime.onnxruntime import session_options
from streamaffect.runtime.warm_up import first_line

if TYPE_CHECKING:
    import onnxruntime

INSTALL = "pip install 'streamaffect[tensorrt-rtx]'"
PACKAGE, MODULE = "onnxruntime-ep-nv-tensorrt-rtx-cu13", "onnxruntime_ep_nv_tensorrt_rtx"
CARDS = "8.6, 8.9, and 12.0 or later"
PROBE_TIMEOUT_S = 120

_REINSTALL = f"pip install --force-reinstall {PACKAGE}"
# Links that the package makes when it is imported; without them a session ends the process.
_LINKS = ("libtensorrt_rtx.so", "libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1")
_MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+): cannot open shared object file")
_PROBE = """\
import sys
from streamaffect.errors import EngineError
from streamaffect.runtime.tensorrt_rtx.plugin import rtx_devices
try:
    print(len(rtx_devices()), "found")
except EngineError as error:
    sys.exit(str(error))
"""


def rtx_devices() -> "list[onnxruntime.OrtEpDevice]":
    """The first card that the plugin runs on, in a list as sessions take it. Raises EngineError for what is missing."""
    import onnxruntime

    name = _registered()
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == name]
    if not devices:
        raise EngineError(
            f"{device_name()} is not a card for TensorRT for RTX, which runs on compute capability {CARDS}; "
            "TensorRT itself runs on it: pip install 'streamaffect[tensorrt]'"
        )
    return devices[:1]  # the plugin takes one card a session


def rtx_session_options(
    devices: "list[onnxruntime.OrtEpDevice]", options: Mapping[str, str]
) -> "onnxruntime.SessionOptions":
    """For a session, or a compilation, that the plugin does alone: a graph that it cannot take whole is refused."""
    settings = session_options(threads=1)
    settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    settings.add_provider_for_devices(devices, dict(options))
    return settings


def probe() -> str:
    """Make sure that the plugin can be used here, and name the GPU. Raises EngineError that says what is missing.

    The library is registered in a process of its own, since one that doesn't fit the driver may end its process.
    """
    if backend_version("tensorrt_rtx") is None:
        raise EngineError(f"TensorRT for RTX is not installed; {INSTALL}")
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-c", _PROBE]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"TensorRT for RTX does not answer within {PROBE_TIMEOUT_S} s; {_REINSTALL}") from None
    if child.returncode < 0:
        raise EngineError(f"TensorRT for RTX ends its process with signal {-child.returncode}; {_REINSTALL}")
    if child.returncode != 0 or "found" not in child.stdout:
        last = child.stderr.strip().splitlines()[-1:] or [f"it ended with status {child.returncode}"]
        raise EngineError(last[0])
    return device_name()


def reason_of(error: Exception | str) -> str:
    """What a message of ONNX Runtime is about, without the places in its source before and after."""
    text = str(error).strip() or type(error).__name__
    said = text.splitlines()[0].rpartition("[ONNXRuntimeError] : ")[2].partition(" ; GPU=")[0]
    return re.sub(r"^\d+ : [A-Z_]+ : ", "", said)[:300]


@cache
def _registered() -> str:
    """The provider's name, after its library was registered: once a process, since a second time is an error."""
    import onnxruntime

    plugin, folder = _import_plugin()
    # The plugin asks for CUDA's runtime by a name that the package, which has it, gives to no file.
    for library in sorted(folder.glob("libcudart.so.*")):
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    name: str = plugin.get_ep_name()
    try:
        onnxruntime.register_execution_provider_library(name, plugin.get_library_path())
    except AttributeError:
        raise EngineError(f"onnxruntime {onnxruntime.__version__} takes no plugins; {INSTALL}") from None
    except Exception as error:
        raise EngineError(_why_not_registered(str(error))) from error
    return name


def _import_plugin() -> tuple[Any, Path]:
    """The package and its folder, whole. Raises EngineError."""
    if backend_version("tensorrt_rtx") is None:
        raise EngineError(f"TensorRT for RTX is not installed; {INSTALL}")
    _check_whole()
    try:
        plugin: Any = importlib.import_module(MODULE)
    except Exception as error:
        raise EngineError(f"TensorRT for RTX cannot be imported ({first_line(error)}); {_REINSTALL}") from error
    folder = Path(plugin.__file__).parent
    for name in _LINKS:
        if not (folder / name).exists():
            raise EngineError(
                f"{folder / name} is missing; import {MODULE} once as a user who may write there, or {_REINSTALL}"
            )
    return plugin, folder


def _check_whole() -> None:
    """Raise EngineError where a library is not there as it was installed: a short one would end the process."""
    for file in importlib.metadata.files(PACKAGE) or []:
        if ".so" not in file.name or file.size is None:
            continue
        path = Path(str(file.locate()))
        found = path.stat().st_size if path.exists() else 0
        if found != file.size:
            raise EngineError(f"{path}: has {found} of {file.size} bytes; {_REINSTALL}")


def _why_not_registered(message: str) -> str:
    missing = _MISSING_LIBRARY.search(message)
    if missing and missing.group(1).startswith("libcuda.so"):
        return f"no NVIDIA driver here ({missing.group(1)} is not found); install one, 580 or later"
    if missing and missing.group(1).startswith("libnvidia-ml.so"):
        return (
            f"half of NVIDIA's driver is here ({missing.group(1)} is not found); install it whole, "
            "and give a container NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        )
    if missing:
        return f"TensorRT for RTX does not find {missing.group(1)}; {_REINSTALL}"
    return f"TensorRT for RTX cannot be registered ({reason_of(message)}); {_REINSTALL}"
