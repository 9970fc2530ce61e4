"""The onnx package, which rewrites graphs; the runtime needs none of it."""

import importlib.util

from streamaffect.errors import EngineError

INSTALL = "pip install 'streamaffect[engines]'"


def has_onnx() -> bool:
    """Whether graphs can be read and rewritten here."""
    return importlib.util.find_spec("onnx") is not None


def require_onnx() -> None:
    """Raise EngineError with the command that installs the onnx package, where it is missing."""
    if not has_onnx():
        raise EngineError(f"graphs are rewritten with the onnx package, which is not installed; {INSTALL}")
