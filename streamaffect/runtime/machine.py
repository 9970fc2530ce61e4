"""What this machine is to an inference backend: the processor, its instruction sets, and the versions installed.

Compiled engines are kept per machine, since an engine that is the fastest on one processor may not even run on another.
"""

import importlib.metadata
import importlib.util
import platform
import sys
from functools import lru_cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

# Instruction sets that change which kernels a backend takes, in the words of /proc/cpuinfo.
_TELLING_X86 = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_TELLING_ARM = ("asimddp", "bf16", "i8mm")

_DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "tensorrt": ("tensorrt-cu13", "tensorrt", "tensorrt-cu13-bindings"),
    "tensorrt_rtx": ("onnxruntime-ep-nv-tensorrt-rtx-cu13",),
}
# Bindings that wait for libraries from elsewhere; what imports them has another name than they.
_BINDINGS = {"tensorrt-cu13-bindings": "tensorrt"}


@lru_cache(maxsize=1)
def cpu_name() -> str:
    """The processor and the instruction sets that matter, e.g. "Intel(R) Xeon(R) 6975P-C (avx2 avx512f)"."""
    facts = _cpuinfo() if sys.platform == "linux" else {}
    name = facts.get("model name") or platform.processor() or platform.machine()
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    telling = [flag for flag in (*_TELLING_X86, *_TELLING_ARM) if flag in flags]
    return f"{name} ({' '.join(telling)})" if telling else name


def backend_version(backend: str) -> str | None:
    """The installed version of a backend without importing it; None where it is not installed."""
    for distribution in _DISTRIBUTIONS[backend]:
        module = _BINDINGS.get(distribution)
        if module and module not in sys.modules and importlib.util.find_spec(module) is None:
            continue
        if version := distribution_version(distribution):
            return version
    return None


def distribution_version(distribution: str) -> str | None:
    """The installed version of a package by its name on PyPI; None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def extra_of(backend: str) -> str:
    """The name of the extra that installs a backend: `pip install 'streamaffect[...]'`."""
    return backend.replace("_", "-")


def _cpuinfo() -> dict[str, str]:
    """The facts of the first processor."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
