"""One small graph in ONNX Runtime, on one thread that never spins."""

from typing import TYPE_CHECKING

from streamaffect.errors import EngineError

if TYPE_CHECKING:
    import onnxruntime


def open_session(content: bytes, name: str) -> "onnxruntime.InferenceSession":
    """The graph, loaded. Raises EngineError where ONNX Runtime refuses it; `name` says which it was."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes have no common one
        raise EngineError(f"{name}: ONNX Runtime does not take it ({str(error).splitlines()[0]})") from error
