"""The engine on TensorRT for RTX: contexts from the engine cache in sessions of the plugin.

What the plugin makes of them for this very card it keeps beside them, so that only the first start pays for it.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.cuda import device_name
from streamaffect.runtime.engine import EngineInfo
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.onnxruntime import SessionEngine
from streamaffect.runtime.tensorrt_rtx.plugin import reason_of, rtx_devices, rtx_session_options

if TYPE_CHECKING:
    import onnxruntime


class TensorRtRtxEngine(SessionEngine):
    """The three graphs, compiled for this card, in sessions of the plugin. Batches above `max_batch` are run in parts.

    graphs:        contexts by role, from the user's own cache: ONNX graphs of one node that holds a plan
    runtime_cache: a private folder for what the plugin makes of the plans on this card; None keeps nothing

    CUDA graphs are off: the plugin records a graph for one shape, while the number of faces changes from call to call.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        reason: str,
        precision: Precision,
        max_batch: int,
        graphs: Mapping[str, bytes],
        runtime_cache: Path | None = None,
    ) -> None:
        device_name()  # raises with the driver's own words where it is too old
        devices = rtx_devices()
        info = EngineInfo("tensorrt_rtx", "CUDA", precision, reason)
        cache_options = _cache_options(runtime_cache)

        def open_graph(role: str) -> _CardSession:
            return _CardSession(role, graphs[role], devices, shape_options(bundle, role, max_batch) | cache_options)

        super().__init__(bundle, info, open_graph, max_batch=max_batch)


def shape_options(bundle: Bundle, role: str, max_batch: int) -> dict[str, str]:
    """The plugin's options for batches from 1 to max_batch, optimised for the middle, with memory that is kept."""
    inputs = bundle.manifest.graphs[role].inputs

    def shapes(rows: int) -> str:
        return ",".join(f"{spec.name}:{'x'.join(map(str, (rows, *spec.shape[1:])))}" for spec in inputs)

    return {
        "nv_profile_min_shapes": shapes(1),
        "nv_profile_opt_shapes": shapes((max_batch + 1) // 2),
        "nv_profile_max_shapes": shapes(max_batch),
        "nv_persistent_context_memory": "1",
    }


class _CardSession:
    """A session of the plugin whose errors are ours."""

    def __init__(
        self, role: str, graph: bytes, devices: "list[onnxruntime.OrtEpDevice]", options: Mapping[str, str]
    ) -> None:
        import onnxruntime

        self._role = role
        settings = rtx_session_options(devices, options)
        try:
            # Without this, Python prints what went wrong and goes on with the processor, here and at every call.
            self._session = onnxruntime.InferenceSession(graph, settings, enable_fallback=0)
        except Exception as error:
            raise EngineError(
                f"{role}: TensorRT for RTX cannot load it ({reason_of(error)}); build it again"
            ) from error

    def run(self, names: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[Any]:
        """The outputs of these names. Raises EngineError."""
        try:
            outputs: list[Any] = self._session.run(names, inputs)
        except Exception as error:
            raise EngineError(f"{self._role}: TensorRT for RTX cannot run it ({reason_of(error)})") from error
        return outputs


def _cache_options(folder: Path | None) -> dict[str, str]:
    """None where nothing can be written, which the plugin would complain about at every end."""
    if folder is None:
        return {}
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return {}
    return {"nv_runtime_cache_path": str(folder)} if os.access(folder, os.W_OK) else {}
