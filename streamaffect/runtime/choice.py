"""Which engine runs a bundle on this machine, and why."""

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine

BACKENDS = ("onnxruntime",)


def open_engine(bundle: Bundle, backend: str = "auto", *, threads: int = 1) -> Engine:
    """Load and warm up an engine for the bundle.

    backend: "auto", or the name of one; a named backend is obeyed or refused, never replaced.
    Raises EngineError where it is not available here.
    """
    from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

    if backend == "auto":
        reason = "auto: no compiled engine for this bundle and machine, ONNX Runtime runs everywhere"
        return OnnxRuntimeEngine(bundle, reason=reason, threads=threads)
    if backend not in BACKENDS:
        raise EngineError(
            f"engine {backend!r} is not available in this version; use --engine auto, or one of: {', '.join(BACKENDS)}"
        )
    return OnnxRuntimeEngine(bundle, reason=f"asked for by --engine {backend}", threads=threads)
