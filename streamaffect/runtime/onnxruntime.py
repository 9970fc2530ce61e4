"""The ONNX Runtime backend: every bundle runs on it, on any CPU; the others are measured against it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import EngineInfo
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER
from streamaffect.types import BoolArray, FloatArray, ImageArray

if TYPE_CHECKING:
    import onnxruntime

PROVIDER = "CPUExecutionProvider"


class OnnxRuntimeEngine:
    """The three graphs as ONNX Runtime sessions, one thread each.

    More threads gain nothing at these sizes, and a spinning thread pool on a shared machine can make a call fifty
    times longer: `session.intra_op.allow_spinning` is off.
    """

    def __init__(self, bundle: Bundle, *, reason: str = "requested", threads: int = 1) -> None:
        self._info = EngineInfo("onnxruntime", "CPU", "fp32", reason)
        self._frame_encoder = _session(bundle, FRAME_ENCODER, threads)
        self._clip_encoder = _session(bundle, CLIP_ENCODER, threads)
        self._head = _session(bundle, CONTEXT_HEAD, threads)
        self._head_names = [head.name for head in bundle.manifest.heads if head.input == "context"]
        self._warm_up(bundle)

    @property
    def info(self) -> EngineInfo:
        """Backend, provider, precision and the reason for the choice."""
        return self._info

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        """crops (N, S, S, 3) uint8 RGB → features (N, D) float32."""
        features: FloatArray = self._frame_encoder.run(["features"], {"crops": crops})[0]
        return features

    def encode_clips(self, features: FloatArray) -> FloatArray:
        """features (N, T, D) float32, oldest first → clip vectors (N, C) float32."""
        clip: FloatArray = self._clip_encoder.run(["clip"], {"features": features})[0]
        return clip

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        """clip (N, C), context (N, K, C), valid (N, K) → one (N, L) float32 array per head."""
        outputs: list[Any] = self._head.run(self._head_names, {"clip": clip, "context": context, "valid": valid})
        return dict(zip(self._head_names, outputs, strict=True))

    def close(self) -> None:
        """Sessions are freed with the object; nothing is held outside the process."""

    def _warm_up(self, bundle: Bundle) -> None:
        """Run everything once, so that the first real frame doesn't pay for allocation and kernel choice."""
        manifest = bundle.manifest
        size, frames, clips = manifest.crop.size, manifest.clip.frames, manifest.context.clips
        try:
            self.encode_frames(np.zeros((1, size, size, 3), np.uint8))
            clip = self.encode_clips(np.zeros((1, frames, bundle.feature_dim), np.float32))
            context = np.zeros((1, clips, bundle.clip_dim), np.float32)
            self.run_heads(clip, context, np.ones((1, clips), np.bool_))
        except Exception as error:
            raise EngineError(f"{bundle.path}: a graph does not run in ONNX Runtime ({_first_line(error)})") from error


def _session(bundle: Bundle, role: str, threads: int) -> "onnxruntime.InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = bundle.graph_path(role)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[PROVIDER])
    except Exception as error:
        raise EngineError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot load it ({_first_line(error)})"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
